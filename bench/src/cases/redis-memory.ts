import type { BenchCase } from "../bench-case.js";
import { benchRedis } from "../redis/bench-redis.js";
import {
  beeQueue,
  bullmq,
  millrace,
  type OpenQueue,
  toPayload,
  usedMemory,
} from "../redis/durable-queues.js";

const TASKS = 20_000;
const BATCH = 1_000;

async function bytesPerTask(open: OpenQueue): Promise<number> {
  const queue = await open("off");
  const redis = await benchRedis("off");
  await queue.enqueue(toPayload(0)); // whatever is there only once
  const before = await usedMemory(redis);
  for (let from = 0; from < TASKS; from += BATCH)
    await queue.enqueueMany(Array.from({ length: BATCH }, (_, index) => toPayload(from + index)));
  const bytes = ((await usedMemory(redis)) - before) / TASKS;
  await queue.close();
  return bytes;
}

export const redisMemory: BenchCase = {
  name: "redis-memory",
  what: "what a waiting durable task with a payload of 100 bytes takes in Redis, of 20,000",
  unit: "bytes/task",
  better: "lower",
  rounds: 3,
  contestants: [
    { name: "millrace", run: () => bytesPerTask(millrace) },
    { name: "bullmq", run: () => bytesPerTask(bullmq) },
    { name: "bee-queue", run: () => bytesPerTask(beeQueue) },
  ],
  goals: [{ of: "millrace", to: "bullmq", floor: 1, aim: 0.5 }],
};
