import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, QueueFullError, StoreUnreachableError, TaskManager } from "../../src/index.js";
import { seededRandom } from "../../src/testing/index.js";
import { crowding } from "../support/crowding.js";
import { DurableRun } from "../support/durable-run.js";
import { LogRecorder } from "../support/log-recorder.js";
import { RedisServer } from "../support/redis-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));
const LEASE_MS = 1_000;

let closing: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of closing.reverse()) await one[Symbol.asyncDispose]();
  closing = [];
});

async function startServer(): Promise<RedisServer> {
  const server = await RedisServer.start();
  closing.push(server);
  return server;
}

/** Worker processes under load, while `storm` does something to them; and what they made of it. */
async function weather(
  server: RedisServer,
  storm: (run: DurableRun, client: Redis) => Promise<void>,
  url?: string,
) {
  const way = url === undefined ? {} : { url };
  const run = await DurableRun.start({ server, seed: SEED, workers: 2, leaseMs: LEASE_MS, ...way });
  closing.push(run);
  const client = new Redis(server.url);
  client.on("error", () => {});
  let isOver = false;
  const produced = run.producer.run(100, () => isOver, [50, 400]);
  await run.resumed();
  await storm(run, client);
  isOver = true;
  await produced;
  await run.drained();
  const verdict = await run.expectSound();
  client.disconnect();
  const { accepted, recovered } = run.producer;
  console.log(JSON.stringify({ tasks: accepted.size, recovered, ...verdict.duplicates }));
  return verdict;
}

describe(`storms (seed ${SEED})`, { timeout: 90_000 }, () => {
  test("F8: all connections are cut, again and again: nothing is lost, and nothing runs twice unexplained", async () => {
    const server = await startServer();
    await weather(server, async (_, client) => {
      for (let cuts = 0; cuts < 12; cuts++) {
        await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        if (cuts % 3 === 0) await client.call("CLIENT", "KILL", "TYPE", "pubsub");
        await delay(200);
      }
    });
  });

  test("F9: Redis is paused, busy and asleep, for less than a lease and for more: nothing is lost", async () => {
    const server = await startServer();
    await weather(server, async (run, client) => {
      await client.client("PAUSE", 500, "ALL");
      await client.client("PAUSE", 500, "WRITE");
      await run.resumed();
      await client.config("SET", "busy-reply-threshold", "50");
      await client.eval(BUSY_FOR_A_WHILE, 0);
      await client.config("SET", "busy-reply-threshold", "5000"); // a slow machine is not what is tried
      await run.resumed();
      await client.call("DEBUG", "SLEEP", "1.5");
      await run.resumed();
    });
  });

  test("F4: replies that come late, and in another order over several connections, change nothing", async () => {
    const server = await startServer();
    const random = seededRandom(SEED);
    const proxy = await TcpProxy.start(server.port, ({ kind }) => {
      if (kind === "command" || random.next() < 0.8) return undefined;
      return { delayMs: random.next() < 0.1 ? 1_500 * random.next() : 50 * random.next() };
    });
    closing.push(proxy);
    await weather(
      server,
      async (run) => {
        await delay(1_500); // for so long it is so
        await run.resumed();
      },
      proxy.url,
    );
    expect(proxy.faults).toBeGreaterThan(50);
  });
});

/** Keeps the server busy with a script of somebody else. */
const BUSY_FOR_A_WHILE = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end
local since = now()
while now() < since + 500 do end
`;

function adding() {
  const payload = json<{ a: number; b: number }>();
  return defineHandlers({ add: { payload, run: ({ a, b }): number => a + b } });
}

describe("a Redis that is not there", { timeout: 60_000 }, () => {
  test("F20: twenty managers that come back at once do so on few connections, and work goes on", async () => {
    const server = await startServer();
    const url = server.url;
    const managers = Array.from({ length: 20 }, () => {
      const backend = redisBackend({ url, commandTimeoutMs: 1_000 });
      return new TaskManager({ handlers: adding(), backend, leaseMs: 3_000 });
    });
    const all = () => managers.map((tasks) => insist(() => tasks.enqueueDurable("add", { a: 1, b: 2 })));
    for (const handle of await Promise.all(all())) expect(await handle.result()).toBe(3);
    await server.restart();
    for (const handle of await Promise.all(all())) expect(await handle.result()).toBe(3);
    const client = new Redis(url);
    const connections = Number((await client.info("stats")).match(/total_connections_received:(\d+)/)?.[1]);
    expect(connections).toBeLessThanOrEqual(20 * 2 + 1); // one for calls and one for signals, and that of this test
    client.disconnect();
    const reports = await Promise.all(managers.map((tasks) => tasks.stopGraceful({ deadlineMs: 5_000 })));
    expect(reports.filter(({ alive }) => alive > 0)).toEqual([]);
  });

  test("F6: a manager that was made before its Redis was there works when it is, and says so once a second", async () => {
    const server = await startServer();
    await server.kill();
    const log = new LogRecorder();
    const startedAt = performance.now();
    const backend = redisBackend({ url: server.url, commandTimeoutMs: 300, logger: log });
    const tasks = new TaskManager({ handlers: adding(), backend, leaseMs: 1_000 });
    while (log.entries.length < 3) await delay(20);
    await server.restart();
    const handle = await insist(() => tasks.enqueueDurable("add", { a: 1, b: 2 }));
    expect(await handle.result()).toBe(3);
    const seconds = (performance.now() - startedAt) / 1_000;
    const troubles = log.entries.filter(([, text]) => text.includes("trouble") || text.includes("not heard"));
    expect(troubles.length).toBeLessThanOrEqual(seconds + 1);
    await tasks.stopNow();
  });

  test("F18: of calls without end some wait, the rest is refused at once; each is told within a second", async () => {
    const server = await startServer();
    const backend = redisBackend({ url: server.url });
    const tasks = new TaskManager({ handlers: adding(), backend, consume: false, capacity: 2_000 });
    await tasks.enqueueDurable("add", { a: 0, b: 0 });
    await server.kill();
    const startedAt = performance.now();
    const calls = Array.from({ length: 50_000 }, () =>
      tasks.enqueueDurable("add", { a: 1, b: 1 }).then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    const ends = await Promise.all(calls);
    const tookMs = performance.now() - startedAt;
    expect(ends.filter((end) => end instanceof StoreUnreachableError)).toHaveLength(2_000);
    expect(ends.filter((end) => end instanceof QueueFullError)).toHaveLength(48_000);
    expect(tookMs).toBeLessThan(3_000 * crowding());
    await tasks.stopNow();
  });
});

/** Calls until the store answers. */
async function insist<R>(call: () => Promise<R>): Promise<R> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreUnreachableError)) throw error;
      await delay(20);
    }
  }
}
