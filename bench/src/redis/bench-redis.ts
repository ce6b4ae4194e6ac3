import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";

/** How much of what Redis was told survives its end: nothing, or all but the last second. */
export type Persistence = "off" | "everysec";

export interface BenchRedis {
  readonly port: number;
  readonly url: string;
  /** For what a case itself asks. */
  readonly client: Redis;
}

const servers = new Map<Persistence, Promise<BenchRedis>>();

/** A redis-server of this process, started when it is first asked for; it ends with the process. */
export function benchRedis(persistence: Persistence): Promise<BenchRedis> {
  let server = servers.get(persistence);
  if (server === undefined) {
    server = start(persistence);
    servers.set(persistence, server);
  }
  return server;
}

/** The same without anything in it. */
export async function emptyRedis(persistence: Persistence): Promise<BenchRedis> {
  const redis = await benchRedis(persistence);
  await redis.client.flushall();
  return redis;
}

async function start(persistence: Persistence): Promise<BenchRedis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "millrace-bench-redis-"));
  const appendOnly = persistence === "off" ? "no" : "yes";
  const flags = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const child = spawn("redis-server", [...flags, "--appendonly", appendOnly], { stdio: "ignore" });
  child.on("error", () =>
    console.error("bench: redis-server is not on the path: apt-get install redis-server"),
  );
  process.on("exit", () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  const client = new Redis(port, "127.0.0.1", { maxRetriesPerRequest: null, lazyConnect: true });
  client.on("error", () => {}); // until it is up
  for (let tries = 0; tries < 100; tries += 1) {
    if (await answers(client)) return { port, url: `redis://127.0.0.1:${port}`, client };
    await setTimeout(50);
  }
  throw new Error("redis-server did not come up");
}

async function answers(client: Redis): Promise<boolean> {
  try {
    if (client.status !== "ready") await client.connect();
    return (await client.ping()) === "PONG";
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
