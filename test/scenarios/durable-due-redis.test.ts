import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, TaskManager } from "../../src/index.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";

const TASKS = 10_000;
/** More than goes into one call of the script, and of the store. */
const PER_CALL = 2_500;
/** They are all there before it is time. */
const DELAY_MS = 4_000;

test("D22: 10,000 tasks that fall due in the same millisecond run once each, in two processes", {
  timeout: 120_000,
}, async () => {
  await using server = await RedisServer.start();
  const client = new Redis(server.url);
  const runs = new Map<number, number>();
  const [early, byManager]: [number[], Set<string>] = [[], new Set()];
  const runAt = Date.now() + DELAY_MS;
  const start = (name: string) => {
    const handlers = defineHandlers({
      work: {
        payload: json<number>(),
        run: (n) => {
          if (Date.now() < runAt - 100) early.push(n); // clocks of one machine, read at two places
          runs.set(n, (runs.get(n) ?? 0) + 1);
          byManager.add(name);
        },
      },
    });
    const backend = redisBackend({ url: server.url, renewal: false });
    const tasks = new TaskManager({ handlers, backend, concurrency: 50 });
    onTestFinished(async () => {
      await tasks.stopNow();
    });
    return tasks;
  };
  const tasks = [start("one"), start("two")] as const;
  for (let from = 0; from < TASKS; from += PER_CALL)
    await tasks[0].enqueueDurableMany(
      Array.from({ length: PER_CALL }, (_, n) => ["work", from + n, { runAt }] as const),
    );
  await expect.poll(() => runs.size, { timeout: 90_000 }).toBe(TASKS);
  const done = () => tasks[0].stats().total.completed + tasks[1].stats().total.completed;
  await expect.poll(done, { timeout: 30_000 }).toBe(TASKS);
  expect([early, Math.max(...runs.values())]).toEqual([[], 1]);
  expect(byManager.size).toBe(2);
  expect(await auditRedis(client, "millrace")).toEqual([]);
  client.disconnect();
});
