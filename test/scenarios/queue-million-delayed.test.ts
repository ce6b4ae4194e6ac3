import { describe, expect, test } from "vitest";
import { TaskManager } from "../../src/index.js";
import { crowding } from "../support/crowding.js";
import { SkippingClock } from "../support/skipping-clock.js";

const MILLION = 1_000_000;
/** Most of it for enqueuing, on a machine that does other things too. */
const TIMEOUT_MS = 240_000;
const HOUR_MS = 3_600_000;

/** Distinct priorities in no order, so that an order by insertion, or by due time, shows. */
function scatteredPriority(index: number): number {
  return (index * 7_919) % 999_983;
}

/** How long each turn of the event loop took until `done`. */
function observeTurns(done: () => boolean): Promise<number[]> {
  const turns: number[] = [];
  let before = performance.now();
  return new Promise((resolve) => {
    const observe = () => {
      const now = performance.now();
      turns.push(now - before);
      before = now;
      if (done()) resolve(turns);
      else setImmediate(observe);
    };
    setImmediate(observe);
  });
}

describe("Q9: a million tasks with the same runAt", () => {
  test(
    "all run when it comes, by priority, in portions that leave the event loop free",
    async () => {
      const clock = new SkippingClock();
      const tasks = new TaskManager({
        ...{ clock, capacity: MILLION, concurrency: 1, retention: { maxEntries: 0 } },
      });
      let ran = 0;
      let outOfOrder = 0;
      let last = -1;
      const runAt = clock.wallNow() + HOUR_MS;
      for (let index = 0; index < MILLION; index++) {
        const priority = scatteredPriority(index);
        const work = () => {
          ran++;
          if (priority < last) outOfOrder++;
          last = priority;
        };
        tasks.enqueue(work, { priority, runAt });
      }
      expect(tasks.stats()).toMatchObject({ scheduled: MILLION, queued: 0 });

      let largestPortion = 0;
      let mostStarts = 0;
      clock.aroundCallback = (call) => {
        const before = tasks.stats();
        call();
        const after = tasks.stats();
        largestPortion = Math.max(largestPortion, before.scheduled - after.scheduled);
        mostStarts = Math.max(mostStarts, after.total.started - before.total.started);
      };
      clock.skip(HOUR_MS);
      const turns = await observeTurns(() => ran === MILLION);
      await tasks.stopNow();

      expect(outOfOrder).toBe(0);
      expect(tasks.stats().total).toMatchObject({ completed: MILLION, failed: 0, cancelled: 0 });
      // The work of one callback is bounded, whatever the machine: some 2 ms of it.
      expect(largestPortion).toBeLessThanOrEqual(1_000);
      expect(mostStarts).toBeLessThanOrEqual(512);
      expect(turns.length).toBeGreaterThanOrEqual(MILLION / 1_000);
      // What makes a turn long beside that is a collection of garbage, or another process on the machine: rare
      // turns, that are no longer for there being more tasks. Without portions a single one would do it all, and
      // take seconds.
      const long = turns.filter((ms) => ms > 50 * crowding());
      expect(long.length).toBeLessThanOrEqual(turns.length / 20);
      expect(Math.max(...turns)).toBeLessThan(1_000 * crowding());
    },
    TIMEOUT_MS,
  );

  test("an urgent one among thousands that are promoted in portions does not come late", async () => {
    const clock = new SkippingClock();
    const tasks = new TaskManager({ clock, capacity: 10_000, concurrency: 1 });
    const started: number[] = [];
    const runAt = clock.wallNow() + HOUR_MS;
    for (let index = 0; index < 5_000; index++) {
      tasks.enqueue(() => started.push(5_000 - index), { priority: 5_000 - index, runAt });
    }
    let largestPortion = 0;
    clock.aroundCallback = (call) => {
      const { scheduled } = tasks.stats();
      call();
      largestPortion = Math.max(largestPortion, scheduled - tasks.stats().scheduled);
    };
    clock.skip(HOUR_MS);
    await tasks.drain();
    expect(started).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1));
    expect(largestPortion).toBe(1_000);
    await tasks.stopNow();
  });
});
