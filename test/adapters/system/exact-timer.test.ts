import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SystemClock } from "../../../src/adapters/system/system-clock.js";

const resources = (kind: string) => process.getActiveResourcesInfo().filter((one) => one === kind).length;

/** How late each of so many timers was, from the least to the most. */
async function lateness(delayMs: number, isExact: boolean): Promise<number[]> {
  const clock = new SystemClock();
  const late: number[] = [];
  for (let count = 0; count < 20; count++) {
    const startedAt = clock.now();
    await new Promise<void>((resolve) => clock.setTimeout(resolve, delayMs, isExact).ref());
    late.push(clock.now() - startedAt - delayMs);
  }
  return late.sort((one, other) => one - other);
}

describe("an exact timer of the system's clock", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([0, 0.3, 1, 2.05, 5.5])("is never early, and late by microseconds, for %d ms", async (delayMs) => {
    const [least] = await lateness(delayMs, true);
    expect(least).toBeGreaterThanOrEqual(0);
    expect(least).toBeLessThan(0.5);
  });

  it("does better than a usual one, which counts whole milliseconds", async () => {
    const [usual] = await lateness(2.05, false);
    const [exact] = await lateness(2.05, true);
    expect(exact).toBeLessThan(usual as number);
  });

  it("lets the event loop go round while it waits", async () => {
    const clock = new SystemClock();
    let turns = 0;
    let isOver = false;
    const turn = () => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    turn();
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 0.9, true));
    isOver = true;
    expect(turns).toBeGreaterThan(3);
  });

  it.each([0.5, 3])("does not call back after cancel, asleep or about to be due (%d ms)", async (delayMs) => {
    const callback = vi.fn();
    const timer = new SystemClock().setTimeout(callback, delayMs, true);
    await new Promise(setImmediate);
    timer.cancel();
    timer.cancel();
    await sleep(20);
    expect(callback).not.toHaveBeenCalled();
  });

  it("keeps the process alive while it sleeps only between ref and unref", () => {
    const none = resources("Timeout");
    const timer = new SystemClock().setTimeout(() => {}, 60_000, true);
    expect(resources("Timeout")).toBe(none);
    timer.ref();
    expect(resources("Timeout")).toBe(none + 1);
    timer.unref();
    expect(resources("Timeout")).toBe(none);
    timer.cancel();
  });

  it("does not turn for ever under a clock that a test has stopped", () => {
    vi.useFakeTimers();
    const callback = vi.fn();
    new SystemClock().setTimeout(callback, 3.4, true);
    vi.advanceTimersByTime(3);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(callback).toHaveBeenCalledTimes(1);
  });
});
