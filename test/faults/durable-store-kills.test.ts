import { EventEmitter, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import {
  defineHandlers,
  json,
  LeaseLostError,
  ResultExpiredError,
  StoreUnreachableError,
  TaskManager,
} from "../../src/index.js";
import { LogRecorder } from "../support/log-recorder.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";
import { runStoreKills } from "../support/store-kills.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));

test(`F1: a Redis that is killed and comes back has lost no task, and work goes on soon (seed ${SEED})`, {
  timeout: 150_000,
}, async () => {
  const { tasks } = await runStoreKills({ seed: SEED, kills: 2 });
  expect(tasks).toBeGreaterThan(200);
});

test.each([
  ["killed", (server: RedisServer) => server.kill()],
  ["told to save nothing and end", (server: RedisServer) => server.shutDown()],
])(
  "F2: a Redis without a file that is %s: its loss is told of, its leases are lost, and new tasks are done",
  {
    timeout: 60_000,
  },
  async (_, end) => {
    await using server = await RedisServer.start();
    const lost: string[] = [];
    const log = new LogRecorder();
    const told = new EventEmitter();
    const begun = once(told, "begun");
    const aborted = once(told, "aborted");
    const handlers = defineHandlers({
      wait: {
        payload: json<null>(),
        run: (_, { signal }) => {
          told.emit("begun");
          return new Promise<void>((_resolve, reject) =>
            signal.addEventListener("abort", () => {
              told.emit("aborted", signal.reason);
              reject(signal.reason);
            }),
          );
        },
      },
      add: { payload: json<{ a: number; b: number }>(), run: ({ a, b }): number => a + b },
    });
    const tasks = new TaskManager({
      ...{ handlers, leaseMs: 1_000, logger: log },
      backend: redisBackend({ url: server.url, commandTimeoutMs: 300 }),
      hooks: { onStoreLost: ({ queue }) => lost.push(queue) },
    });
    const waiting = await tasks.enqueueDurable("add", { a: 1, b: 2 }, { delayMs: 60_000 });
    const result = waiting.result().catch((error: unknown) => error);
    await tasks.enqueueDurable("wait", null);
    await begun;
    await end(server);
    await server.restart();
    expect(await aborted).toEqual([expect.any(LeaseLostError)]);
    expect(await result).toBeInstanceOf(ResultExpiredError);
    const again = await insist(() => tasks.enqueueDurable("add", { a: 3, b: 4 }));
    expect(await again.result()).toBe(7);
    expect(lost).toContain("default");
    expect(log.entries).toContainEqual([
      ...["warn", "queues lost by the store of durable tasks", { queue: "default", count: 1 }],
    ]);
    const report = await tasks.stopGraceful({ deadlineMs: 5_000 });
    expect(report).toMatchObject({ alive: 0 });
    expect(report.durationMs).toBeLessThan(1_000);
  },
);

test("F12: a Redis that comes back as it was before: what ran runs again, no id is refused, tokens grow", {
  timeout: 60_000,
}, async () => {
  await using server = await RedisServer.start(); // what it has on its disk is what SAVE has written
  const prefix = "rolled-back";
  const client = new Redis(server.url);
  client.on("error", () => {});
  const runs: { readonly name: string; readonly token: number }[] = [];
  const aborts: unknown[] = [];
  const lost: string[] = [];
  const handlers = defineHandlers({
    work: {
      payload: json<string>(),
      run: (name, { fencingToken = 0 }) => void runs.push({ name, token: fencingToken }),
    },
    hold: {
      payload: json<null>(),
      run: (_, { signal }) => {
        signal.addEventListener("abort", () => aborts.push(signal.reason));
        return new Promise<void>(() => {});
      },
    },
  });
  const tasks = new TaskManager({
    ...{ handlers, leaseMs: 1_000, killAfterMs: 100, autoStart: false },
    backend: redisBackend({ url: server.url, prefix, commandTimeoutMs: 300 }),
    hooks: { onStoreLost: ({ queue }) => lost.push(queue) },
  });
  const kept = await tasks.enqueueDurable("work", "kept", { id: "kept" });
  await client.save();
  const forgotten = await tasks.enqueueDurable("work", "forgotten", { id: "forgotten" });
  await tasks.enqueueDurable("hold", null, { id: "held" });
  tasks.start();
  await Promise.all([kept.result(), forgotten.result()]);
  await expect.poll(() => tasks.stats().running).toBe(1);
  await server.kill();
  await server.restart();
  await expect.poll(() => runs.map(({ name }) => name), LONG).toEqual(["kept", "forgotten", "kept"]);
  await expect.poll(() => aborts, LONG).toEqual([expect.any(LeaseLostError)]);
  const again = await insist(() => tasks.enqueueDurable("work", "again", { id: "forgotten" }));
  await again.result();
  const tokens = runs.map(({ token }) => token);
  expect(tokens[2]).toBeGreaterThan(Math.max(...tokens.slice(0, 2)));
  expect(tokens[3]).toBeGreaterThan(tokens[1] ?? Number.NaN);
  expect(new Set(lost)).toEqual(new Set(["default"]));
  await tasks.stopNow();
  expect(await auditRedis(client, prefix)).toEqual([]);
  client.disconnect();
});

/** However busy the machine is. */
const LONG = { timeout: 20_000 };

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
