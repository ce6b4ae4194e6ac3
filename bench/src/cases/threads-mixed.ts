import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { BenchCase } from "../bench-case.js";
import { quantile } from "../quantile.js";
import { seededPriorities, seededRandom } from "../seeded-random.js";
import { STEPS_PER_MS, spin } from "../thread-handlers.js";
import { contestants, type TwoThreads } from "../two-threads.js";

/** For so long tasks arrive: more of them than two threads can do, so that those that wait become ever more. */
const ARRIVING_MS = 2_000;
const SMALL_TASKS = 4_000;
const LONG_TASKS = 100;
const SMALL_STEPS = STEPS_PER_MS / 200;
const LONG_STEPS = 50 * STEPS_PER_MS;
/** One in twenty tasks: priorities are spread evenly from -1,000,000 to 1,000,000. */
const URGENT_BELOW = -900_000;

interface Arrival {
  readonly atMs: number;
  readonly steps: number;
  readonly priority: number;
}

/** The same for all contestants. Of another seed than the priorities: else the urgent ones would come first. */
function arrivals(): readonly Arrival[] {
  const random = seededRandom(2);
  const priorities = seededPriorities(SMALL_TASKS + LONG_TASKS);
  return Array.from(priorities, (priority, index) => ({
    ...{ atMs: random() * ARRIVING_MS, priority },
    steps: index < SMALL_TASKS ? SMALL_STEPS : LONG_STEPS,
  })).sort((a, b) => a.atMs - b.atMs);
}

/** From the arrival of a small urgent task until its result is there, which is little more than it waited. */
async function urgentWaitMs(threads: TwoThreads): Promise<number> {
  const expected = new Map([SMALL_STEPS, LONG_STEPS].map((steps) => [steps, spin(steps)]));
  await Promise.all([threads.spin(1), threads.spin(1)]); // the threads are there before the first arrival
  const waits: number[] = [];
  const results: Promise<void>[] = [];
  const start = async ({ steps, priority }: Arrival) => {
    const arrivedAt = performance.now();
    assert.equal(await threads.spin(steps, priority), expected.get(steps));
    if (steps === SMALL_STEPS && priority < URGENT_BELOW) waits.push(performance.now() - arrivedAt);
  };
  const startedAt = performance.now();
  for (const arrival of arrivals()) {
    while (performance.now() - startedAt < arrival.atMs) await delay(1);
    results.push(start(arrival));
  }
  await Promise.all(results);
  assert(waits.length > SMALL_TASKS / 40);
  return quantile(
    waits.sort((a, b) => a - b),
    0.99,
  );
}

export const threadsMixed: BenchCase = {
  name: "threads-mixed",
  what: "p99 wait of small urgent tasks among small and 50 ms ones of random priorities, too many for two threads",
  unit: "ms",
  better: "lower",
  rounds: 5,
  contestants: [
    { name: "millrace", run: () => urgentWaitMs(contestants.millrace()) },
    { name: "tinypool", run: () => urgentWaitMs(contestants.tinypool()) },
  ],
  goals: [{ of: "millrace", to: "tinypool", floor: 0.25 }],
};
