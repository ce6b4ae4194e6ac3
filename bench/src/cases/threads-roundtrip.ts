import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import type { BenchCase } from "../bench-case.js";
import { quantile } from "../quantile.js";
import { contestants, type TwoThreads } from "../two-threads.js";

const TASKS = 10_000;

/**
 * So many go before, in every round, and are not counted. The collection of garbage before a round throws away
 * compiled code along with the hidden classes of objects that nobody held just then; a service in use does not
 * compile anew every second.
 */
const LEAD_IN = 5_000;

/** How long so many of a hundred tasks take at most, one at a time. */
async function roundtripUs(threads: TwoThreads, fraction: number): Promise<number> {
  const durations: number[] = [];
  for (let index = -LEAD_IN; index < TASKS; index += 1) {
    const startedAt = performance.now();
    const sum = await threads.add({ a: index, b: 1 });
    if (index >= 0) durations.push((performance.now() - startedAt) * 1_000);
    assert.equal(sum, index + 1);
  }
  return quantile(
    durations.sort((a, b) => a - b),
    fraction,
  );
}

export const threadsRoundtrip: BenchCase = {
  name: "threads-roundtrip",
  what: "add(a, b) in a thread and back, 10,000 one at a time after 5,000 uncounted; tinypool with useAtomics: false",
  unit: "µs",
  better: "lower",
  rounds: 11,
  contestants: [
    { name: "millrace@p50", run: () => roundtripUs(contestants.millrace(), 0.5) },
    { name: "tinypool@p50", run: () => roundtripUs(contestants.tinypoolWithoutAtomics(), 0.5) },
    { name: "millrace@p99", run: () => roundtripUs(contestants.millrace(), 0.99) },
    { name: "tinypool@p99", run: () => roundtripUs(contestants.tinypoolWithoutAtomics(), 0.99) },
  ],
  goals: [
    { of: "millrace@p50", to: "tinypool@p50", floor: 1.15 },
    { of: "millrace@p99", to: "tinypool@p99", floor: 1 },
  ],
};
