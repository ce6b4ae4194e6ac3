import { describe, expect, test } from "vitest";
import { HandlerPace } from "../../../src/adapters/threads/handler-pace.js";

function paceOf(...runs: readonly number[]): HandlerPace {
  const pace = new HandlerPace();
  for (const runMs of runs) pace.record(runMs);
  return pace;
}

const times = (count: number, runMs: number) => new Array<number>(count).fill(runMs);

describe("the pace of a handler", () => {
  test("lets nothing travel together before sixteen runs are known", () => {
    expect(new HandlerPace().batchSize).toBe(1);
    expect(paceOf(...times(15, 0.01)).batchSize).toBe(1);
    expect(paceOf(...times(16, 0.01)).batchSize).toBe(100);
  });

  test("reckons with the run that one in twenty is slower than", () => {
    const runs = [...times(61, 0.01), ...times(3, 0.5)];
    expect(paceOf(...runs).batchSize).toBe(100);
    expect(paceOf(...times(56, 0.01), ...times(8, 0.5)).batchSize).toBe(2);
  });

  test("lets them travel alone from the first slow run on, until it is known better", () => {
    const pace = paceOf(...times(64, 0.01));
    pace.record(40);
    expect(pace.batchSize).toBe(1);
    for (const runMs of times(62, 0.01)) pace.record(runMs);
    expect(pace.batchSize).toBe(1);
    pace.record(0.01);
    expect(pace.batchSize).toBe(100);
  });

  test("forgets what was longer ago than sixty-four runs", () => {
    const pace = paceOf(...times(64, 0.5), ...times(64, 0.1));
    expect(pace.batchSize).toBe(10);
  });

  test("takes runs that are too short to be measured", () => {
    expect(Number.isFinite(paceOf(...times(16, 0)).batchSize)).toBe(true);
  });
});
