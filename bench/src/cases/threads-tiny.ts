import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import type { BenchCase } from "../bench-case.js";
import { contestants, type TwoThreads } from "../two-threads.js";

const TASKS = 50_000;

async function rate(threads: TwoThreads): Promise<number> {
  const results: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let index = 0; index < TASKS; index += 1) results.push(threads.add({ a: index, b: 1 }));
  const values = await Promise.all(results);
  const elapsedMs = performance.now() - startedAt;
  const sum = values.reduce((total, value) => total + value, 0);
  assert.equal(sum, (TASKS * (TASKS + 1)) / 2);
  return (TASKS / elapsedMs) * 1_000;
}

export const threadsTiny: BenchCase = {
  name: "threads-tiny",
  what: "50,000 times add(a, b) in two threads, all enqueued at once, every result awaited",
  unit: "tasks/s",
  better: "higher",
  rounds: 7,
  contestants: [
    { name: "millrace", run: () => rate(contestants.millrace()) },
    { name: "tinypool", run: () => rate(contestants.tinypool()) },
    { name: "piscina", run: () => rate(contestants.piscina()) },
  ],
  goals: [
    { of: "millrace", to: "tinypool", floor: 5, aim: 10 },
    { of: "millrace", to: "piscina", floor: 3 },
  ],
};
