import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import type { BenchCase } from "../bench-case.js";
import { STEPS_PER_MS, spin } from "../thread-handlers.js";
import { contestants, type TwoThreads } from "../two-threads.js";

const TASKS = 400;
const STEPS = 5 * STEPS_PER_MS;
/** So many short ones go before, in every round, and are not counted: as in `threads-roundtrip`. */
const LEAD_IN = 1_000;

async function elapsedMs(threads: TwoThreads): Promise<number> {
  const expected = spin(STEPS);
  await Promise.all(Array.from({ length: LEAD_IN }, () => threads.spin(1)));
  const startedAt = performance.now();
  const values = await Promise.all(Array.from({ length: TASKS }, () => threads.spin(STEPS)));
  const elapsed = performance.now() - startedAt;
  assert(values.every((value) => value === expected));
  return elapsed;
}

export const threadsCpu: BenchCase = {
  name: "threads-cpu",
  what: "400 tasks of about 5 ms of arithmetic in two threads, after 1,000 short ones uncounted, until the last result is there",
  unit: "ms",
  better: "lower",
  rounds: 11,
  contestants: [
    { name: "millrace", run: () => elapsedMs(contestants.millrace()) },
    { name: "tinypool", run: () => elapsedMs(contestants.tinypool()) },
  ],
  goals: [{ of: "millrace", to: "tinypool", floor: 1.05 }],
};
