import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import fastq from "fastq";
import PQueue from "p-queue";
import type { BenchCase } from "../bench-case.js";
import { createTaskManager } from "../millrace.js";
import { seededPriorities } from "../seeded-random.js";

const MANY = 200_000;
const FEW = 20_000;
const CONCURRENCY = 10;
const work = async () => 1;

type Enqueue = (priority: number) => Promise<number>;

/** Every contestant gets the same priorities in the same order; fastq, which has none, only walks through them. */
async function batchMs(count: number, enqueue: Enqueue): Promise<number> {
  const priorities = seededPriorities(count);
  const results: Promise<number>[] = [];
  const startedAt = performance.now();
  for (const priority of priorities) results.push(enqueue(priority));
  const values = await Promise.all(results);
  const elapsedMs = performance.now() - startedAt;
  const sum = values.reduce((total, value) => total + value, 0);
  assert.equal(sum, count);
  return elapsedMs;
}

/** A run is 200,000 tasks at either size: one batch of many, or ten batches of few, each with a queue of its own. */
async function rate(count: number, batch: () => Promise<number>): Promise<number> {
  let totalMs = 0;
  for (let done = 0; done < MANY; done += count) totalMs += await batch();
  return (MANY / totalMs) * 1_000;
}

async function millrace(count: number): Promise<number> {
  return rate(count, async () => {
    const tasks = createTaskManager();
    const elapsedMs = await batchMs(count, (priority) => tasks.enqueue(work, { priority }).result());
    await tasks.stopGraceful();
    return elapsedMs;
  });
}

async function fastqPromise(): Promise<number> {
  return rate(MANY, async () => {
    const queue = fastq.promise(work, CONCURRENCY);
    return batchMs(MANY, (priority) => queue.push(priority));
  });
}

async function pQueue(count: number): Promise<number> {
  return rate(count, async () => {
    const queue = new PQueue({ concurrency: CONCURRENCY });
    return batchMs(count, (priority) => queue.add(work, { priority: -priority }));
  });
}

export const inlinePriority: BenchCase = {
  name: "inline-priority",
  what: "200,000 no-op async tasks of random priorities, at once (@20k: in batches of 20,000); as inline-fifo",
  unit: "tasks/s",
  better: "higher",
  rounds: 11,
  contestants: [
    { name: "millrace", run: () => millrace(MANY) },
    { name: "fastq", run: fastqPromise },
    { name: "millrace@20k", run: () => millrace(FEW) },
    { name: "p-queue@20k", run: () => pQueue(FEW) },
    { name: "p-queue", run: () => pQueue(MANY), once: true },
  ],
  goals: [
    { of: "millrace", to: "fastq", floor: 0.33, aim: 0.8 },
    { of: "millrace", to: "p-queue", floor: 20 },
    { of: "millrace@20k", to: "p-queue@20k", floor: 2 },
  ],
};
