import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
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
    vi.restoreAllMocks();
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

  /** A clock that moves on by a tenth of a millisecond with each turn of the event loop, until it is stopped. */
  function startTurning() {
    const state = { turns: 0, isOver: false };
    const turn = () => {
      state.turns++;
      if (!state.isOver) setImmediate(turn);
    };
    vi.spyOn(performance, "now").mockImplementation(() => state.turns / 10);
    setImmediate(turn);
    onTestFinished(() => {
      state.isOver = true;
    });
    return state;
  }

  it("looks at the time once in each turn of the event loop", async () => {
    const state = startTurning();
    await new Promise<void>((resolve) => new SystemClock().setTimeout(resolve, 0.95, true));
    expect(state.turns).toBe(10);
  });

  it("does not call back after cancel, when it is about to be due", async () => {
    const state = startTurning();
    const callback = vi.fn();
    const timer = new SystemClock().setTimeout(callback, 0.95, true);
    while (state.turns < 9) await new Promise(setImmediate);
    timer.cancel();
    timer.cancel();
    while (state.turns < 30) await new Promise(setImmediate);
    expect(callback).not.toHaveBeenCalled();
  });

  it("ends its sleep at cancel", () => {
    const none = resources("Timeout");
    const timer = new SystemClock().setTimeout(() => {}, 60_000, true);
    timer.ref();
    expect(resources("Timeout")).toBe(none + 1);
    timer.cancel();
    expect(resources("Timeout")).toBe(none);
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
