import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, TaskManager } from "../../src/index.js";
import { LogRecorder } from "../support/log-recorder.js";
import { RedisServer } from "../support/redis-server.js";

test("F17: a Redis that is told at run time to evict what it likes is found out within a minute", {
  timeout: 120_000,
}, async () => {
  await using server = await RedisServer.start();
  const log = new LogRecorder();
  const handlers = defineHandlers({ work: { payload: json<null>(), run: () => {} } });
  const backend = redisBackend({ url: server.url, logger: log });
  const tasks = new TaskManager({ handlers, backend });
  await (await tasks.enqueueDurable("work", null)).result();
  const client = new Redis(server.url);
  await client.config("SET", "maxmemory-policy", "volatile-lru");
  const since = performance.now();
  const isFound = () => log.ends.some((line) => line.startsWith("error: Redis may evict tasks"));
  while (!isFound() && performance.now() - since < 60_000) await delay(200);
  expect(isFound()).toBe(true);
  client.disconnect();
  await tasks.stopGraceful();
});
