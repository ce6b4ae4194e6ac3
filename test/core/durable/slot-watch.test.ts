import { describe, expect, test } from "vitest";
import { HeldLease } from "../../../src/core/durable/held-lease.js";
import { SlotWatch } from "../../../src/core/durable/slot-watch.js";
import type { ClaimedTask } from "../../../src/ports/backend.js";
import { ManualClock } from "../../../src/testing/index.js";

const MAX_SILENT_MS = 5_000;

function scene() {
  const clock = new ManualClock();
  const pulses = new Int32Array(new SharedArrayBuffer(16));
  const watch = new SlotWatch(clock, pulses, MAX_SILENT_MS);
  const lease = (id: string) =>
    new HeldLease({ id, token: 1 } as ClaimedTask, "q", { askedAt: 0, trustedUntil: 0, renewAt: 0 });
  /** Time goes on, and these pulses do, in steps of that length. */
  const pass = async (ms: number, turning: readonly number[] = [], stepMs = 100) => {
    for (let passed = 0; passed < ms; passed += stepMs) {
      for (const pulse of turning) Atomics.add(pulses, pulse, 1);
      await clock.advance(stepMs);
    }
  };
  return { clock, lease, pass, watch };
}

describe("SlotWatch", () => {
  test("finds a slot silent that does not turn for so long, and only that one", async () => {
    const { lease, pass, watch } = scene();
    const [stuck, sound] = [lease("q:a"), lease("q:b")];
    expect([watch.watch(stuck, 0), watch.watch(sound, 1)]).toEqual([true, true]);
    await pass(MAX_SILENT_MS, [1]);
    expect([watch.isSilent(stuck), watch.isSilent(sound)]).toEqual([false, false]);
    await pass(1_000, [1]);
    expect([watch.isSilent(stuck), watch.isSilent(sound)]).toEqual([true, false]);
    await pass(1_000, [0, 1]);
    expect([watch.isSilent(stuck), watch.isSilent(sound)]).toEqual([false, false]);
  });

  test("lets tasks that share a slot have its silence in common, each from when it came", async () => {
    const { lease, pass, watch } = scene();
    const [first, second] = [lease("q:a"), lease("q:b")];
    watch.watch(first, 2);
    await pass(MAX_SILENT_MS);
    watch.watch(second, 2);
    await pass(1_000);
    expect([watch.isSilent(first), watch.isSilent(second)]).toEqual([true, false]);
    await pass(MAX_SILENT_MS);
    expect(watch.isSilent(second)).toBe(true);
  });

  test("holds nothing against the next task of a slot that was silent", async () => {
    const { lease, pass, watch } = scene();
    const [stuck, next] = [lease("q:a"), lease("q:b")];
    watch.watch(stuck, 0);
    await pass(2 * MAX_SILENT_MS);
    watch.forget(stuck);
    watch.watch(next, 0); // of the thread that came in its place
    await pass(1_000);
    expect([watch.isSilent(stuck), watch.isSilent(next)]).toEqual([false, false]);
  });

  test("does not count time in which it could not look", async () => {
    const { clock, lease, watch } = scene();
    const held = lease("q:a");
    watch.watch(held, 0);
    for (let count = 0; count < 8; count++) {
      clock.block(10 * MAX_SILENT_MS);
      await clock.advance(0); // which is late
    }
    expect(watch.isSilent(held)).toBe(false);
  });

  test("has no timer while nothing is watched", async () => {
    const { clock, lease, watch } = scene();
    const [a, b] = [lease("q:a"), lease("q:b")];
    expect(clock.timers).toBe(0);
    watch.watch(a, 0);
    watch.watch(b, 1);
    watch.forget(a);
    expect(clock.timers).toBe(1);
    watch.forget(b);
    watch.forget(b);
    expect(clock.timers).toBe(0);
    await clock.advance(MAX_SILENT_MS);
    expect(clock.timers).toBe(0);
  });

  test("watches nothing where nobody counts, or that has no such word", () => {
    const { clock, lease, watch } = scene();
    expect(watch.watch(lease("q:a"), 4)).toBe(false);
    expect(new SlotWatch(clock, undefined, MAX_SILENT_MS).watch(lease("q:b"), 0)).toBe(false);
    expect(clock.timers).toBe(0);
  });
});
