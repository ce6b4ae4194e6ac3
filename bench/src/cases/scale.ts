import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import fastq from "fastq";
import type { BenchCase } from "../bench-case.js";
import { Countdown } from "../countdown.js";
import { createTaskManager } from "../millrace.js";
import { seededPriorities } from "../seeded-random.js";

const MILLION = 1_000_000;
const TEN_THOUSAND = 10_000;
/** The small size is repeated until its time can be measured as well as that of the large one. */
const REPEATS = 50;

async function millraceTimeMs(count: number, seed: number): Promise<number> {
  const tasks = createTaskManager();
  const priorities = seededPriorities(count, seed);
  const countdown = new Countdown(count);
  const work = async () => countdown.arrive();
  await tasks.pause();
  const startedAt = performance.now();
  for (const priority of priorities) tasks.enqueue(work, { priority });
  tasks.resume();
  await countdown.finished;
  const elapsedMs = performance.now() - startedAt;
  await tasks.stopGraceful();
  assert.equal(countdown.left, 0);
  return elapsedMs;
}

async function fastqTimeMs(count: number): Promise<number> {
  const countdown = new Countdown(count);
  const queue = fastq.promise(async (_task: number) => countdown.arrive(), 10);
  queue.pause();
  const startedAt = performance.now();
  for (let index = 0; index < count; index += 1) void queue.push(index);
  queue.resume();
  await countdown.finished;
  return performance.now() - startedAt;
}

async function costNs(count: number, repeats: number, timeMs: typeof millraceTimeMs): Promise<number> {
  let totalMs = 0;
  for (let repeat = 1; repeat <= repeats; repeat += 1) totalMs += await timeMs(count, repeat);
  return (totalMs * 1_000_000) / (count * repeats);
}

export const scale: BenchCase = {
  name: "scale",
  what: "enqueue 1,000,000 tasks of random priorities, then run them all; against the same with 10,000 (@10k)",
  unit: "ns/task",
  better: "lower",
  rounds: 5,
  contestants: [
    { name: "millrace", run: () => costNs(MILLION, 1, millraceTimeMs) },
    { name: "millrace@10k", run: () => costNs(TEN_THOUSAND, REPEATS, millraceTimeMs) },
    { name: "fastq", run: () => costNs(MILLION, 1, fastqTimeMs) },
    { name: "fastq@10k", run: () => costNs(TEN_THOUSAND, REPEATS, fastqTimeMs) },
  ],
  goals: [
    { of: "millrace", to: "millrace@10k", floor: 2, aim: 1.5 },
    { of: "fastq", to: "fastq@10k" },
  ],
};
