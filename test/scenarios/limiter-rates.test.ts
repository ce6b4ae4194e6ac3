import { describe, expect, test } from "vitest";
import { defineHandlers, TaskManager, type TaskManagerOptions } from "../../src/index.js";
import { LateClock } from "../support/late-clock.js";
import { createManager } from "../support/manual-manager.js";
import { answering } from "../support/schemas.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

/** A limited manager that notes each start. */
function createLimited(options: TaskManagerOptions) {
  const { clock, tasks } = createManager({ capacity: 1_000_000, ...options });
  const starts: Start[] = [];
  const enqueue = (count = 1, cost = 1) => {
    for (let index = 0; index < count; index++) {
      tasks.enqueue(() => starts.push({ at: clock.now(), cost }), { cost });
    }
  };
  const startedBetween = (from: number, to: number) =>
    starts.filter(({ at }) => at >= from && at < to).length;
  return { clock, tasks, starts, enqueue, startedBetween };
}

describe("L1: under a load of 10 s, every window keeps to burst + rate × length, and the rate is used", () => {
  test.each([
    [0.5, 1],
    [1, 3],
    [33.3, 1],
    [1_000, 10],
    [5_000, 50],
  ])("%f a second, burst %i", async (tasksPerSecond, burst) => {
    const { clock, starts, enqueue } = createLimited({ tasksPerSecond, burst, concurrency: 100 });
    const seconds = 10;
    enqueue(Math.ceil(tasksPerSecond * seconds * 1.2) + burst);
    await clock.advance(seconds * 1_000);
    expect(leastBurst(starts, tasksPerSecond)).toBeLessThanOrEqual(burst + ROUNDING);
    expect(starts.length).toBeGreaterThanOrEqual(tasksPerSecond * seconds * 0.98);
    expect(starts.length).toBeGreaterThanOrEqual(Math.floor(burst + tasksPerSecond * seconds - ROUNDING));
  });

  test("also where tasks come in bursts with pauses between, and cost different numbers of permits", async () => {
    const { clock, starts, enqueue } = createLimited({ tasksPerSecond: 50, burst: 20 });
    for (const [count, cost, ms] of [
      [30, 1, 200],
      [3, 20, 50],
      [1, 7, 1_000],
      [200, 2, 3],
      [50, 3, 700],
    ] as const) {
      enqueue(count, cost);
      await clock.advance(ms);
    }
    await clock.advance(60_000);
    expect(starts).toHaveLength(284);
    expect(leastBurst(starts, 50)).toBeLessThanOrEqual(20 + ROUNDING);
    // 30 + 60 + 7 + 400 + 150 permits; 20 were there, and the bucket was full only before the first.
    expect(starts.at(-1)?.at).toBeCloseTo(((647 - 20) / 50) * 1_000, 3);
  });

  test("also when the event loop runs late by a millisecond or more at each timer", async () => {
    const { clock, starts, enqueue } = createLimited({ tasksPerSecond: 300, burst: 4 });
    enqueue(400);
    for (let late = 0; clock.now() < 1_000; late = (late + 1) % 7) {
      clock.block(late);
      await clock.advance(1);
    }
    expect(leastBurst(starts, 300)).toBeLessThanOrEqual(4 + ROUNDING);
    // Four can be saved up for 13 ms: lateness of up to 7 ms wastes nothing.
    expect(starts.length).toBeGreaterThanOrEqual(300 * 0.98);
  });
});

describe("L1: also with timers as late as those of Node", () => {
  const seconds = 10;
  const payload = answering((value) => ({ value }));

  /** A limit of all, of a queue or of a handler, under a load that would use more. */
  async function startsUnder(
    limit: { tasksPerSecond: number; burst: number },
    of: "all" | "queue" | "handler",
  ) {
    const starts: Start[] = [];
    const clock = new LateClock();
    const run = () => {
      starts.push({ at: clock.now(), cost: 1 });
    };
    const handlers = defineHandlers({
      limited: { payload, run, ...(of === "handler" && { rateLimit: limit }) },
    });
    const options = { capacity: 100_000, concurrency: 10, handlers };
    const limits = { all: limit, queue: { queues: { default: { rateLimit: limit } } }, handler: {} };
    const { tasks } = createManager({ ...options, ...limits[of] }, clock);
    for (let index = 0; index < limit.tasksPerSecond * seconds * 1.2; index++) tasks.enqueue("limited", {});
    await clock.advance(seconds * 1_000);
    return { starts, exact: clock.exact };
  }

  const kinds = ["all", "queue", "handler"] as const;

  test.each(kinds.flatMap((of) => [6, 20, 100, 333.3, 500].map((rate) => [of, rate] as const)))(
    "one at a time, of the %s, at %f a second",
    async (of, tasksPerSecond) => {
      const { starts, exact } = await startsUnder({ tasksPerSecond, burst: 1 }, of);
      expect(leastBurst(starts, tasksPerSecond)).toBeLessThanOrEqual(1 + ROUNDING);
      expect(starts.length).toBeGreaterThanOrEqual(tasksPerSecond * seconds * 0.98);
      expect(exact).toBeGreaterThan(0);
    },
  );

  test.each(kinds.flatMap((of) => [1, 100, 1_000].map((rate) => [of, rate] as const)))(
    "with a burst that has room for what is late, of the %s, at %f a second",
    async (of, tasksPerSecond) => {
      const burst = 1 + Math.ceil(tasksPerSecond / 500);
      const { starts, exact } = await startsUnder({ tasksPerSecond, burst }, of);
      expect(leastBurst(starts, tasksPerSecond)).toBeLessThanOrEqual(burst + ROUNDING);
      expect(starts.length).toBeGreaterThanOrEqual(tasksPerSecond * seconds * 0.98);
      expect(exact, "the processor rests meanwhile").toBe(0);
    },
  );
});

describe("L2: odd rates", () => {
  test.each([0, -1, -0, Number.NaN, Number.NEGATIVE_INFINITY, "5", null])("%s is refused", (rate) => {
    expect(() => new TaskManager({ tasksPerSecond: rate as never })).toThrow(
      "Expected `tasksPerSecond` to be a number greater than 0, or Infinity for no limit",
    );
    const { tasks } = createManager();
    expect(() => tasks.setRate({ tasksPerSecond: rate as never })).toThrow(
      "Expected `tasksPerSecond` to be a number greater than 0, or Infinity for no limit",
    );
  });

  test("Infinity is no limit, whatever the burst", async () => {
    const options = { tasksPerSecond: Number.POSITIVE_INFINITY, burst: 1, concurrency: 1 };
    const { clock, tasks, starts, enqueue } = createLimited(options);
    enqueue(2_000);
    enqueue(1, 1_000_000);
    await clock.settle(10);
    expect(starts).toHaveLength(2_001);
    expect(clock.now()).toBe(0);
    expect(tasks.stats().limiter).toMatchObject({ tasksPerSecond: Number.POSITIVE_INFINITY });
  });

  test("1/3 a second starts one every three seconds, to the millisecond", async () => {
    const { clock, starts, enqueue } = createLimited({ tasksPerSecond: 1 / 3, burst: 1 });
    enqueue(5);
    await clock.advance(12_000);
    expect(starts.map(({ at }) => Math.round(at * 1_000) / 1_000)).toEqual([0, 3_000, 6_000, 9_000, 12_000]);
  });

  test("0.001 a second starts one every thousand seconds, and no timer fires in between", async () => {
    const { clock, tasks, starts, enqueue } = createLimited({ tasksPerSecond: 0.001, burst: 1 });
    let timers = 0;
    const { setTimeout } = clock;
    clock.setTimeout = (callback, delayMs) => {
      timers++;
      return setTimeout.call(clock, callback, delayMs);
    };
    enqueue(3);
    await clock.advance(999_999);
    expect(starts).toHaveLength(1);
    expect(timers).toBeLessThan(10);
    await clock.advance(1);
    expect(starts).toHaveLength(2);
    await clock.advance(1_000_000);
    expect(starts.map(({ at }) => at)).toEqual([0, 1_000_000, 2_000_000]);
    expect(tasks.stats().queued).toBe(0);
  });

  test.each([1e-9, 1e-300, Number.MIN_VALUE])("%s a second waits without a busy loop", async (rate) => {
    const { clock, starts, enqueue, tasks } = createLimited({ tasksPerSecond: rate, burst: 1 });
    let timers = 0;
    const { setTimeout } = clock;
    clock.setTimeout = (callback, delayMs) => {
      timers++;
      return setTimeout.call(clock, callback, delayMs);
    };
    enqueue(3);
    await clock.advance(2 ** 31);
    expect(starts).toHaveLength(1);
    expect(timers).toBeLessThan(20);
    tasks.setRate({ tasksPerSecond: 1 });
    await clock.advance(2_000);
    expect(starts).toHaveLength(3);
  });

  test("a million a second is not held back by the grain of timers more than is documented", async () => {
    const { clock, starts, enqueue } = createLimited({ tasksPerSecond: 1_000_000, burst: 2_000 });
    enqueue(20_000);
    for (let ms = 0; ms < 10; ms++) {
      await clock.advance(1);
      await clock.settle(6);
    }
    expect(starts.length).toBeGreaterThanOrEqual(10_000);
    expect(leastBurst(starts, 1_000_000)).toBeLessThanOrEqual(2_000 + ROUNDING);
  });

  test("the burst is by default what may run at once, and at least one", async () => {
    const { clock, tasks, starts, enqueue } = createLimited({ tasksPerSecond: 1, concurrency: 7 });
    enqueue(20);
    await clock.settle();
    expect(starts).toHaveLength(7);
    expect(tasks.stats().limiter).toEqual({ tasksPerSecond: 1, burst: 7, available: 0, closedForMs: 0 });
  });
});

describe("L3: after the event loop was blocked", () => {
  test("for 2 s, no more than the burst starts at once, and then the rate holds", async () => {
    const { clock, starts, enqueue } = createLimited({ tasksPerSecond: 100, burst: 5 });
    enqueue(1_000);
    await clock.advance(1_000);
    const before = starts.length;
    clock.block(2_000);
    await clock.advance(0);
    expect(starts.length - before).toBe(5);
    await clock.advance(1_000);
    expect(starts.length - before).toBe(105);
    expect(leastBurst(starts, 100)).toBeLessThanOrEqual(5 + ROUNDING);
  });

  test("by a handler, likewise", async () => {
    const { clock, tasks, starts, enqueue } = createLimited({ tasksPerSecond: 100, burst: 5 });
    tasks.enqueue(() => clock.block(2_000), { cost: 5 });
    enqueue(100);
    await clock.settle();
    expect(starts).toHaveLength(5);
    await clock.advance(100);
    expect(starts).toHaveLength(15);
  });

  test("while the manager was idle or paused, nothing more than the burst was saved up", async () => {
    const { clock, tasks, starts, enqueue } = createLimited({ tasksPerSecond: 10, burst: 3 });
    await clock.advance(60_000);
    await tasks.pause();
    enqueue(50);
    await clock.advance(60_000);
    tasks.resume();
    await clock.settle();
    expect(starts).toHaveLength(3);
    await clock.advance(1_000);
    expect(starts).toHaveLength(13);
  });
});

describe("L8: a rate that changes while tasks wait", () => {
  test("from 10 to 1,000 to 1 re-plans them within one period of the new rate", async () => {
    const { clock, tasks, starts, enqueue, startedBetween } = createLimited({ tasksPerSecond: 10, burst: 1 });
    enqueue(3_000);
    await clock.advance(1_050);
    expect(starts).toHaveLength(11);
    tasks.setRate({ tasksPerSecond: 1_000 });
    await clock.advance(1);
    expect(starts.length).toBeGreaterThanOrEqual(12);
    await clock.advance(999);
    const fast = startedBetween(1_050, 2_050);
    expect(fast).toBeGreaterThanOrEqual(980);
    expect(fast).toBeLessThanOrEqual(1_001);
    tasks.setRate({ tasksPerSecond: 1 });
    const before = starts.length;
    await clock.advance(1_000);
    expect(starts.length - before).toBe(1);
    await clock.advance(10_000);
    expect(starts.length - before).toBe(11);
    expect(leastBurst(starts.slice(before), 1)).toBeLessThanOrEqual(1 + ROUNDING);
  });

  test("keeps the saved permits that the new burst holds, and the burst that is not named", async () => {
    const { clock, tasks, starts, enqueue } = createLimited({ tasksPerSecond: 1, burst: 10 });
    tasks.setRate({ tasksPerSecond: 2 });
    expect(tasks.stats().limiter).toEqual({ tasksPerSecond: 2, burst: 10, available: 10, closedForMs: 0 });
    tasks.setRate({ tasksPerSecond: 2, burst: 4 });
    expect(tasks.stats().limiter.available).toBe(4);
    tasks.setRate({ tasksPerSecond: 2, burst: 100 });
    expect(tasks.stats().limiter.available).toBe(4);
    enqueue(10);
    await clock.settle();
    expect(starts).toHaveLength(4);
  });

  test("to Infinity starts all that wait at once, and back limits from a full bucket", async () => {
    const { clock, tasks, starts, enqueue } = createLimited({ tasksPerSecond: 0.001, burst: 1 });
    enqueue(100);
    await clock.settle();
    tasks.setRate({ tasksPerSecond: Number.POSITIVE_INFINITY });
    await clock.settle();
    expect(starts).toHaveLength(100);
    tasks.setRate({ tasksPerSecond: 10, burst: 2 });
    enqueue(10);
    await clock.settle();
    expect(starts).toHaveLength(102);
    await clock.advance(800);
    expect(starts).toHaveLength(110);
  });

  test("never loses a wake-up, however often it changes", async () => {
    const { clock, tasks, starts, enqueue } = createLimited({ tasksPerSecond: 1, burst: 1 });
    enqueue(400);
    for (let round = 0; round < 100; round++) {
      tasks.setRate({ tasksPerSecond: [0.1, 1_000, 3, 50][round % 4] ?? 1 });
      await clock.advance([0, 3, 0.5, 40][round % 4] ?? 0);
    }
    tasks.setRate({ tasksPerSecond: 1_000 });
    await clock.advance(400);
    expect(starts).toHaveLength(400);
  });
});
