import { EventEmitter, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
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
import { RedisServer } from "../support/redis-server.js";
import { runStoreKills } from "../support/store-kills.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));

test(`F1: a Redis that is killed and comes back has lost no task, and work goes on soon (seed ${SEED})`, {
  timeout: 150_000,
}, async () => {
  const { tasks } = await runStoreKills({ seed: SEED, kills: 2 });
  expect(tasks).toBeGreaterThan(200);
});

test("F2: a Redis that forgets all is told of, its leases are lost, and new tasks are done", {
  timeout: 60_000,
}, async () => {
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
