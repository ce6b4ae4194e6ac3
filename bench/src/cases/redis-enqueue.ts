import type { BenchCase, Contestant } from "../bench-case.js";
import type { Persistence } from "../redis/bench-redis.js";
import { beeQueue, bullmq, millrace, type OpenQueue, toPayload } from "../redis/durable-queues.js";

const TASKS = 20_000;
const IN_FLIGHT = 500;
const BATCH = 1_000;
const IN_BATCHES = 50_000;

async function singleCalls(open: OpenQueue, persistence: Persistence): Promise<number> {
  const queue = await open(persistence);
  let next = 0;
  const caller = async () => {
    while (next < TASKS) await queue.enqueue(toPayload(next++));
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  const seconds = (performance.now() - startedAt) / 1_000;
  await queue.close();
  return TASKS / seconds;
}

async function batches(open: OpenQueue, persistence: Persistence): Promise<number> {
  const queue = await open(persistence);
  const startedAt = performance.now();
  for (let from = 0; from < IN_BATCHES; from += BATCH)
    await queue.enqueueMany(Array.from({ length: BATCH }, (_, index) => toPayload(from + index)));
  const seconds = (performance.now() - startedAt) / 1_000;
  await queue.close();
  return IN_BATCHES / seconds;
}

function contestant(name: string, run: (persistence: Persistence) => Promise<number>): readonly Contestant[] {
  return [
    { name, run: () => run("off") },
    { name: `${name}@everysec`, run: () => run("everysec") },
  ];
}

/** The same floor with and without an append-only file. */
function goals(to: string, floor: number, aim?: number) {
  const limits = aim === undefined ? { floor } : { floor, aim };
  return [
    { of: "millrace", to, ...limits },
    { of: "millrace@everysec", to: `${to}@everysec`, ...limits },
  ];
}

export const redisEnqueue: BenchCase = {
  name: "redis-enqueue",
  what: "20,000 calls for a durable task of 100 bytes each, 500 in flight, until Redis has all; AOF off and everysec",
  unit: "tasks/s",
  better: "higher",
  rounds: 5,
  contestants: [
    ...contestant("millrace", (persistence) => singleCalls(millrace, persistence)),
    ...contestant("bullmq", (persistence) => singleCalls(bullmq, persistence)),
    ...contestant("bee-queue", (persistence) => singleCalls(beeQueue, persistence)),
  ] as unknown as BenchCase["contestants"],
  goals: goals("bullmq", 2, 4),
};

export const redisEnqueueMany: BenchCase = {
  name: "redis-enqueue-many",
  what: "50,000 durable tasks of 100 bytes each, in calls of 1,000, one after another; AOF off and everysec",
  unit: "tasks/s",
  better: "higher",
  rounds: 5,
  contestants: [
    ...contestant("millrace", (persistence) => batches(millrace, persistence)),
    ...contestant("bullmq", (persistence) => batches(bullmq, persistence)),
    ...contestant("bee-queue", (persistence) => batches(beeQueue, persistence)),
  ] as unknown as BenchCase["contestants"],
  goals: goals("bullmq", 4, 6),
};
