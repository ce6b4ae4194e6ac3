import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedisInstalled, findRedisServer, type RedisProgram } from "./redis-program.js";

/** How a Redis of a test is to be. */
export interface RedisServerOptions {
  /** Whether it writes down what it is told, and when it forces that to the disk. Default: not at all. */
  readonly appendOnly?: "always" | "everysec";
  /** More of its settings, as in redis.conf: `{ maxmemory: "10mb" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Variables that it is started with, beside those of the test. */
  readonly environment?: Readonly<Record<string, string>>;
}

const START_TIMEOUT_MS = 10_000;
const START_TRIES = 5;

/**
 * Starts the server, tells its process id, and kills it when the pipe to whoever asked is closed: a test run
 * that crashes leaves none behind. Ends when the server does.
 */
const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
echo "pid $server"
(while read -r line; do :; done; kill -9 $server 2>/dev/null) <&3 >/dev/null 2>&1 &
exec 3<&-
wait $server
`;

/**
 * A real Redis of its own on a free port of this machine, which keeps its files in a temporary folder. Where
 * this machine has no `redis-server`, and the variable REDIS_URL names one elsewhere, it is that one.
 */
export class RedisServer implements AsyncDisposable {
  readonly #program: RedisProgram | undefined;
  readonly #folder: string;
  readonly #options: RedisServerOptions;
  #url = "";
  #port = 0;
  #keeper: ChildProcess | undefined;
  #pid = 0;

  private constructor(program: RedisProgram | undefined, folder: string, options: RedisServerOptions) {
    this.#program = program;
    this.#folder = folder;
    this.#options = options;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const shared = process.env["REDIS_URL"];
    if (shared && (await findRedisInstalled()) === undefined) return RedisServer.#share(shared, options);
    const program = await findRedisServer();
    const folder = await mkdtemp(join(tmpdir(), "millrace-redis-"));
    const server = new RedisServer(program, folder, options);
    try {
      for (let left = START_TRIES; ; left--) {
        server.#port = await freePort();
        const failure = await server.#launch().catch((error: Error) => error);
        if (failure === undefined) return server;
        // Somebody else may have taken the port meanwhile.
        if (left === 1 || !failure.message.includes("Address already in use")) throw failure;
      }
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  static #share(url: string, { appendOnly, environment, settings }: RedisServerOptions): RedisServer {
    const server = new RedisServer(undefined, "", {});
    server.#url = url;
    if (appendOnly || settings || environment) server.#refuse();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return this.#url || `redis://127.0.0.1:${this.#port}`;
  }

  get folder(): string {
    return this.#folder;
  }

  /** Ends it as a crash would: it writes nothing any more. */
  kill(): Promise<void> {
    return this.#end(() => process.kill(this.#pid, "SIGKILL"));
  }

  /** Ends it by its own command, which is to save nothing. */
  shutDown(): Promise<void> {
    return this.#end(() => connect(this.#port, "127.0.0.1").end("SHUTDOWN NOSAVE\r\n"));
  }

  /** Starts it again on the same port, with what it has on its disk. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#launch();
  }

  /** From now on it does nothing, while its connections stay open, until `proceed`. */
  pause(): void {
    if (this.#program === undefined) this.#refuse();
    process.kill(this.#pid, "SIGSTOP");
  }

  proceed(): void {
    process.kill(this.#pid, "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program === undefined) return;
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(tell: () => void): Promise<void> {
    if (this.#program === undefined) this.#refuse();
    const keeper = this.#keeper;
    if (keeper === undefined) return;
    this.#keeper = undefined;
    const ended = new Promise((resolve) => keeper.once("exit", resolve));
    keeper.ref();
    tell();
    await ended;
    keeper.stdin?.destroy();
  }

  #refuse(): never {
    throw new Error("This test needs a Redis of its own, not that of REDIS_URL: put redis-server on PATH");
  }

  async #launch(): Promise<void> {
    const program = this.#program ?? this.#refuse();
    const { appendOnly, environment, settings = {} } = this.#options;
    const all: Readonly<Record<string, string>> = {
      ...{ port: String(this.#port), bind: "127.0.0.1", dir: this.#folder, save: "", daemonize: "no" },
      ...{ appendonly: appendOnly ? "yes" : "no", appendfsync: appendOnly ?? "no" },
      "enable-debug-command": "local",
      ...settings,
    };
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
    const { path, libraries } = program;
    const keeper = spawn("sh", ["-c", KEEPER, "sh", path, ...args], {
      stdio: ["pipe", "pipe", "ignore"],
      env: { ...process.env, ...(libraries ? { LD_LIBRARY_PATH: libraries } : undefined), ...environment },
    });
    keeper.stdin.on("error", () => {});
    this.#keeper = keeper;
    try {
      this.#pid = await readiness(keeper);
    } catch (error) {
      this.#keeper = undefined;
      keeper.stdin.destroy();
      throw error;
    }
    keeper.unref();
    for (const pipe of [keeper.stdin, keeper.stdout] as unknown as { unref(): void }[]) pipe.unref();
  }
}

/** Resolves with the process id of the server once it takes connections. */
function readiness(keeper: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let log = "";
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new Error(`redis-server ${why}:\n${log}`));
    };
    const timer = setTimeout(() => fail("has not started in time"), START_TIMEOUT_MS);
    keeper.on("error", (error) => fail(`could not be started, ${error.message}`));
    keeper.on("exit", (code) => fail(`ended with ${code}`));
    keeper.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (log.length > 100_000) return; // what it says later is not needed
      log += text;
      const pid = log.match(/^pid (\d+)$/m)?.[1];
      if (pid === undefined || !log.includes("Ready to accept connections")) return;
      clearTimeout(timer);
      resolve(Number(pid));
    });
  });
}

/**
 * Systems take the ports of outgoing connections from 32,768 up (IANA: from 49,152 up). A port from there may be
 * lost to any client while the server that is to have it is down.
 */
const FIRST_PORT = 10_000;
const PORTS = 22_000;
const SHARES = 16;

let portsAsked = Math.floor(Math.random() * PORTS);

/** A port that nobody listens on at the moment; no two files that run at the same time are offered the same. */
export async function freePort(): Promise<number> {
  const share = Number(process.env["VITEST_POOL_ID"] ?? 0) % SHARES;
  for (let left = PORTS / SHARES; left > 0; left--) {
    portsAsked = (portsAsked + SHARES) % (PORTS - SHARES);
    const port = FIRST_PORT + portsAsked - (portsAsked % SHARES) + share;
    if (await isFree(port)) return port;
  }
  throw new Error(`No port is free from ${FIRST_PORT} to ${FIRST_PORT + PORTS}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
