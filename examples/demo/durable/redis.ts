import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Redis } from "ioredis";
import type { RedisBackendOptions } from "millrace/redis";
import { UsageError } from "../command-line.ts";

/** Where this program and its workers find Redis, and under which prefix its keys are. */
export type StoreAddress = Pick<RedisBackendOptions, "url" | "options"> & { readonly prefix: string };

/** The Redis of one run. */
export interface Store {
  readonly address: StoreAddress;
  /** For people; never the URL, which may hold a password. */
  readonly description: string;
  /** Removes every key of this run; ends the server where this run has started it. */
  close(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const COMMAND_TIMEOUT_MS = 5_000;
const HOW_TO_GET_ONE = [
  "there is no redis-server on the path, for durable tasks to live in. Install Redis 7.0 or later",
  "(Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis),",
  "or name one that runs: --redis redis://127.0.0.1:6379",
].join("\n");

/**
 * Starts the server, in a group of its own that Ctrl-C does not reach: it is needed until the last task has
 * been handed back. When the pipe to this program closes, however that comes about, it ends, and its files go.
 */
const KEEPER = `
exec 3<&0
folder=$1
shift
"$@" </dev/null 3<&- &
server=$!
(while read -r line; do :; done; kill -9 $server 2>/dev/null) <&3 >/dev/null 2>&1 &
exec 3<&-
wait $server
rm -rf "$folder"
`;

/**
 * Connects to the Redis of this URL, or starts one: on a socket in a temporary folder, for this user alone.
 * @throws {UsageError} that says what to do, where neither can be had
 */
export async function openStore(url: string | undefined): Promise<Store> {
  const prefix = `millrace-demo-${process.pid}-${Date.now().toString(36)}`;
  if (url !== undefined) {
    const address = { url, prefix };
    await check(address);
    return { address, description: "the Redis that you named", close: () => removeKeys(address) };
  }
  const program = findRedisServer();
  const folder = await mkdtemp(join(tmpdir(), "millrace-demo-redis-"));
  const path = join(folder, "redis.sock");
  const settings = [
    "--port",
    "0",
    "--unixsocket",
    path,
    "--dir",
    folder,
    "--save",
    "",
    "--appendonly",
    "yes",
  ];
  const keeper = spawn("sh", ["-c", KEEPER, "sh", folder, program, ...settings], {
    ...{ stdio: ["pipe", "pipe", "ignore"], detached: true },
  });
  const ended = new Promise<void>((resolve) => keeper.once("close", () => resolve()));
  const close = async () => {
    keeper.stdin?.destroy();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await readiness(keeper);
  } catch (error) {
    await close();
    throw error;
  }
  const address = { options: { path }, prefix };
  return { address, description: `a redis-server of its own (redis-cli -s ${path})`, close };
}

/** @throws {UsageError} */
function findRedisServer(): string {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const program = join(folder, "redis-server");
    try {
      accessSync(program, constants.X_OK);
      if (folder !== "") return program;
    } catch {
      // not in this one
    }
  }
  throw new UsageError(HOW_TO_GET_ONE);
}

/** Resolves once it takes connections. */
function readiness(keeper: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new UsageError(`redis-server ${why}:\n${log.trim()}`));
    };
    const timer = setTimeout(() => fail("has not started in time"), START_TIMEOUT_MS);
    keeper.on("error", (error) => fail(`could not be started, ${error.message}`));
    keeper.on("close", () => fail("has ended"));
    keeper.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (log.length < 10_000) log += text; // what it says later is not needed
      if (!log.includes("eady to accept connections")) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** @throws {UsageError} where it cannot be reached, or does not let us in */
async function check(address: StoreAddress): Promise<void> {
  const client = connect(address);
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`the Redis that --redis names cannot be used: ${reason}`);
  } finally {
    client.disconnect();
  }
}

/** What a run leaves in a Redis that goes on: outcomes, for those who may ask. Nobody will. */
async function removeKeys(address: StoreAddress): Promise<void> {
  const client = connect(address);
  const match = `{${address.prefix}:*`;
  try {
    await client.connect();
    for await (const keys of client.scanStream({ match, count: 1_000 })) {
      if (keys.length > 0) await client.unlink(...(keys as string[]));
    }
  } catch (error) {
    console.error(`The keys ${match} are left in Redis: ${error instanceof Error ? error.message : error}`);
  } finally {
    client.disconnect();
  }
}

function connect({ url, options }: StoreAddress): Redis {
  const replyMapping = "legacy" as const; // of two shapes of answers, the one that is like those of Redis
  const own = {
    ...{ lazyConnect: true, enableReadyCheck: false, connectTimeout: COMMAND_TIMEOUT_MS },
    ...{
      commandTimeout: COMMAND_TIMEOUT_MS,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      replyMapping,
    },
  };
  const client = url === undefined ? new Redis({ ...options, ...own }) : new Redis(url, own);
  client.on("error", () => {}); // whoever waits for an answer is told
  return client;
}
