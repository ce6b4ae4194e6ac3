import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import fastq from "fastq";
import PQueue from "p-queue";
import type { BenchCase } from "../bench-case.js";
import { createTaskManager } from "../millrace.js";

const TASKS = 200_000;
const CONCURRENCY = 10;
const work = async () => 1;

async function rate(enqueueAll: () => Promise<number>[]): Promise<number> {
  const startedAt = performance.now();
  const values = await Promise.all(enqueueAll());
  const elapsedMs = performance.now() - startedAt;
  const sum = values.reduce((total, value) => total + value, 0);
  assert.equal(sum, TASKS);
  return (TASKS / elapsedMs) * 1_000;
}

async function millrace(): Promise<number> {
  const tasks = createTaskManager();
  const figure = await rate(() => {
    const results: Promise<number>[] = [];
    for (let index = 0; index < TASKS; index += 1) results.push(tasks.enqueue(work).result());
    return results;
  });
  await tasks.stopGraceful();
  return figure;
}

async function fastqPromise(): Promise<number> {
  const queue = fastq.promise(work, CONCURRENCY);
  return rate(() => {
    const results: Promise<number>[] = [];
    for (let index = 0; index < TASKS; index += 1) results.push(queue.push(index));
    return results;
  });
}

async function pQueue(): Promise<number> {
  const queue = new PQueue({ concurrency: CONCURRENCY });
  return rate(() => {
    const results: Promise<number>[] = [];
    for (let index = 0; index < TASKS; index += 1) results.push(queue.add(work));
    return results;
  });
}

export const inlineFifo: BenchCase = {
  name: "inline-fifo",
  what: "200,000 no-op async tasks of one priority, concurrency 10, every result awaited",
  unit: "tasks/s",
  better: "higher",
  rounds: 11,
  contestants: [
    { name: "millrace", run: millrace },
    { name: "fastq", run: fastqPromise },
    { name: "p-queue", run: pQueue },
  ],
  goals: [
    { of: "millrace", to: "fastq", floor: 0.5, aim: 1 },
    { of: "millrace", to: "p-queue", floor: 1 },
  ],
};
