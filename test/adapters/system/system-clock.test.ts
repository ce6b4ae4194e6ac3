import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SystemClock } from "../../../src/adapters/system/system-clock.js";
import { InvariantError } from "../../../src/errors.js";

/** How many timers keep the process alive. */
function refdTimers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
}

describe("SystemClock", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("measures durations in milliseconds that do not go back", async () => {
    const clock = new SystemClock();
    const before = clock.now();
    await sleep(20);
    const passed = clock.now() - before;
    expect(passed).toBeGreaterThan(18);
    expect(passed).toBeLessThan(5_000);
    let latest = clock.now();
    for (let look = 0; look < 10_000; look += 1) {
      const now = clock.now();
      expect(now >= latest).toBe(true);
      latest = now;
    }
  });

  it("shows the calendar in epoch milliseconds", () => {
    expect(Math.abs(new SystemClock().wallNow() - Date.now())).toBeLessThan(1_000);
  });

  it.each([0, Number.NaN])("T7: measures durations rightly while Date.now is stuck at %d", async (stuck) => {
    vi.spyOn(Date, "now").mockReturnValue(stuck);
    const clock = new SystemClock();
    const before = clock.now();
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 15).ref());
    expect(clock.now() - before).toBeGreaterThan(13);
    expect(clock.wallNow()).toBe(stuck);
  });

  it("calls back once, when the delay has passed", async () => {
    const clock = new SystemClock();
    const calls: number[] = [];
    const before = clock.now();
    const timer = clock.setTimeout(() => calls.push(clock.now() - before), 10);
    timer.ref();
    expect(calls).toEqual([]);
    await sleep(60);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toBeGreaterThan(8.5);
  });

  it("does not cut the fraction of a delay off, which would wake the callback too early", () => {
    const started = vi.spyOn(globalThis, "setTimeout");
    new SystemClock().setTimeout(() => {}, 10.25).cancel();
    expect(started.mock.calls[0]?.[1]).toBe(11);
  });

  it("does not call back after cancel, however often it is called", async () => {
    const clock = new SystemClock();
    const callback = vi.fn();
    const timer = clock.setTimeout(callback, 1);
    timer.cancel();
    timer.cancel();
    await sleep(20);
    expect(callback).not.toHaveBeenCalled();
  });

  it("keeps the process alive only between ref and unref, firing or cancel", async () => {
    const clock = new SystemClock();
    const none = refdTimers();
    const timer = clock.setTimeout(() => {}, 60_000);
    expect(refdTimers()).toBe(none);
    timer.ref();
    expect(refdTimers()).toBe(none + 1);
    timer.unref();
    expect(refdTimers()).toBe(none);
    timer.ref();
    timer.cancel();
    expect(refdTimers()).toBe(none);
    timer.ref();
    expect(refdTimers()).toBe(none);

    const fired = clock.setTimeout(() => {}, 1);
    fired.ref();
    await sleep(20);
    fired.cancel();
    fired.ref();
    expect(refdTimers()).toBe(none);
  });

  it("C6: takes the longest delay of the port without firing at once", async () => {
    const clock = new SystemClock();
    const callback = vi.fn();
    const timer = clock.setTimeout(callback, 2 ** 30);
    await sleep(20);
    timer.cancel();
    expect(callback).not.toHaveBeenCalled();
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 30 + 1, 2 ** 31, 2 ** 40])(
    "C6: refuses a delay of %d, which Node would turn into a millisecond or nothing",
    (delayMs) => {
      const started = vi.spyOn(globalThis, "setTimeout");
      expect(() => new SystemClock().setTimeout(() => {}, delayMs)).toThrow(InvariantError);
      expect(started).not.toHaveBeenCalled();
    },
  );

  it("calls back in the next turn of the event loop, after what is settled in this one", async () => {
    const order: string[] = [];
    const turned = new Promise<void>((resolve) => {
      new SystemClock().setImmediate(() => {
        order.push("turn");
        resolve();
      });
    });
    void Promise.resolve().then(() => order.push("microtask"));
    order.push("now");
    await turned;
    expect(order).toEqual(["now", "microtask", "turn"]);
  });

  it("keeps the process alive until the next turn", () => {
    const immediates = () =>
      process.getActiveResourcesInfo().filter((resource) => resource === "Immediate").length;
    const before = immediates();
    new SystemClock().setImmediate(() => {});
    expect(immediates()).toBe(before + 1);
  });
});
