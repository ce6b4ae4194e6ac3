import assert from "node:assert/strict";
import type { BenchCase, Contestant } from "../bench-case.js";
import { Countdown } from "../countdown.js";
import type { Persistence } from "../redis/bench-redis.js";
import { beeQueue, bullmq, millrace, type OpenQueue, toPayload } from "../redis/durable-queues.js";
import { pipelinedScripts } from "../redis/pipelined-scripts.js";

const TASKS = 50_000;
const BATCH = 1_000;
const CONCURRENCY = 50;

/** Each is run once: a sum says so. */
async function drain(open: OpenQueue, persistence: Persistence): Promise<number> {
  const queue = await open(persistence);
  for (let from = 0; from < TASKS; from += BATCH)
    await queue.enqueueMany(Array.from({ length: BATCH }, (_, index) => toPayload(from + index)));
  const countdown = new Countdown(TASKS);
  let sum = 0;
  const startedAt = performance.now();
  await queue.process(CONCURRENCY, ({ number }) => {
    sum += number;
    countdown.arrive();
  });
  await countdown.finished;
  const seconds = (performance.now() - startedAt) / 1_000;
  await queue.close();
  assert.equal(sum, (TASKS * (TASKS - 1)) / 2);
  return TASKS / seconds;
}

function contestant(name: string, open: OpenQueue): readonly Contestant[] {
  return [
    { name, run: () => drain(open, "off") },
    { name: `${name}@everysec`, run: () => drain(open, "everysec") },
  ];
}

export const redisProcess: BenchCase = {
  name: "redis-process",
  what: "50,000 durable tasks that do nothing, 50 at a time, all guarantees on; AOF off and everysec",
  unit: "tasks/s",
  better: "higher",
  rounds: 3,
  contestants: [
    ...contestant("millrace", millrace),
    ...contestant("bullmq", bullmq),
    ...contestant("bee-queue", beeQueue),
    { name: "pipelined-scripts", run: () => pipelinedScripts(TASKS, CONCURRENCY) },
  ] as unknown as BenchCase["contestants"],
  goals: [
    { of: "millrace", to: "bullmq", floor: 4, aim: 7 },
    { of: "millrace", to: "bee-queue", floor: 2 },
    { of: "millrace@everysec", to: "bullmq@everysec", floor: 4, aim: 7 },
    { of: "millrace@everysec", to: "bee-queue@everysec", floor: 2 },
    { of: "millrace", to: "pipelined-scripts", aim: 0.5 },
  ],
};
