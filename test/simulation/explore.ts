import { expect } from "vitest";
import { crowding } from "../support/crowding.js";
import type { Theme } from "./plan.js";
import { type Mutant, type Report, Simulation, type SimulationOptions } from "./simulation.js";

/** The event loop turns in between, or the runner takes the file for dead. */
const YIELD_EVERY = 500;
const LINES_SHOWN = 60;

/** What all schedules of an exploration came to. */
export interface Explored {
  readonly schedules: number;
  readonly steps: number;
  readonly runs: number;
  readonly redeliveries: number;
  readonly faults: number;
  /** The longest that any took after its last fault, in virtual milliseconds. */
  readonly longestDrainMs: number;
  /** Of real time. */
  readonly schedulesPerSecond: number;
}

/**
 * Plays schedules from this seed on, and fails with the first in which a rule was broken: with the rule, what
 * led to it, and how to play it again.
 */
export async function explore(
  first: number,
  schedules: number,
  theme: Theme,
  mutant: Mutant = {},
): Promise<Explored> {
  const begunAt = performance.now();
  let [steps, runs, redeliveries, faults, longestDrainMs] = [0, 0, 0, 0, 0];
  for (let seed = first; seed < first + schedules; seed++) {
    const report = await playWithoutStacks(seed, { theme, mutant });
    if (report.violation !== undefined) await failWith(report, { theme, mutant });
    steps += report.steps;
    runs += report.runs;
    redeliveries += report.redeliveries;
    faults += report.faults.count;
    longestDrainMs = Math.max(longestDrainMs, report.drainMs);
    if (seed % YIELD_EVERY === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const schedulesPerSecond = Math.round((schedules * 1_000) / (performance.now() - begunAt));
  return { schedules, steps, runs, redeliveries, faults, longestDrainMs, schedulesPerSecond };
}

/** From so many on, what they came to is told. */
const MANY = 50_000;

/** That so many were played, and that enough went wrong in them. */
export function expectThorough(explored: Explored, count: number): void {
  const { schedules, redeliveries, faults } = explored;
  expect(schedules).toBe(count);
  if (count < 1_000) return; // one that is replayed may have none
  expect(faults).toBeGreaterThan(count);
  expect(redeliveries).toBeGreaterThan(count / 20);
  if (count >= MANY) console.log(JSON.stringify(explored));
}

/** Nobody reads where the thousands of errors come from that a network is made of. */
export async function playWithoutStacks(seed: number, options: SimulationOptions): Promise<Report> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await new Simulation(seed, options).play();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function failWith({ seed, violation }: Report, options: SimulationOptions): Promise<never> {
  const { lines } = await new Simulation(seed, { ...options, trace: "lines" }).play();
  const command = `MILLRACE_SIMULATION_SEED=${seed} npx vitest run test/simulation/${options.theme}.test.ts`;
  const what = [`seed ${seed}: ${violation?.message}`, `to replay: ${command}`];
  // Said again at the end, which is what is seen of a long message.
  return expect.fail([...what, ...lines.slice(-LINES_SHOWN), ...what].join("\n"));
}

/** What is to be played: one seed that somebody asked for, or many from one that nobody knows beforehand. */
export function seedsToPlay(schedules: number): { readonly first: number; readonly count: number } {
  const { MILLRACE_SIMULATION_SEED: seed, MILLRACE_SIMULATION_SCHEDULES: count } = process.env;
  if (seed !== undefined) return { first: Number(seed), count: Number(count ?? 1) };
  return { first: Math.floor(Math.random() * 2 ** 40), count: Number(count ?? schedules) };
}

/** How long that may take at most, in real milliseconds. */
export function timeToPlay(schedules: number): number {
  return 60_000 + schedules * 10 * crowding();
}
