import { describe, expect, test } from "vitest";
import type { TaskManagerOptions } from "../../src/index.js";
import { createManager } from "../support/manual-manager.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

function createLimited(options: TaskManagerOptions) {
  const { clock, tasks } = createManager(options);
  const starts: (Start & { readonly queue: string })[] = [];
  const enqueue = (queue: string, count = 1, cost = 1) => {
    for (let index = 0; index < count; index++) {
      tasks.enqueue(() => starts.push({ at: clock.now(), cost, queue }), { queue, cost });
    }
  };
  const of = (queue: string) => starts.filter((start) => start.queue === queue);
  return { clock, tasks, starts, enqueue, of };
}

describe("the rate limit of a queue", () => {
  test("holds for that queue, and the others are not held up", async () => {
    const queues = { slow: { share: 9, rateLimit: { tasksPerSecond: 2 } } };
    const { clock, enqueue, of } = createLimited({ queues, concurrency: 1 });
    enqueue("slow", 10);
    enqueue("default", 100);
    await clock.settle();
    expect(of("default")).toHaveLength(100);
    expect(of("slow")).toHaveLength(1);
    await clock.advance(4_500);
    expect(of("slow").map(({ at }) => at)).toEqual([
      0, 500, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500,
    ]);
  });

  test("has a burst of 1 by default, and saves up to its own", async () => {
    const queues = {
      one: { rateLimit: { tasksPerSecond: 10 } },
      five: { rateLimit: { tasksPerSecond: 10, burst: 5 } },
    };
    const { clock, enqueue, of } = createLimited({ queues });
    enqueue("one", 20);
    enqueue("five", 20);
    await clock.advance(1_000);
    expect(of("one")).toHaveLength(11);
    expect(of("five")).toHaveLength(15);
  });

  test("and the shared one both hold, in every window, and whichever is tighter is used", async () => {
    const { clock, starts, enqueue, of } = createLimited({
      ...{ tasksPerSecond: 100, burst: 10, concurrency: 50 },
      queues: {
        narrow: { rateLimit: { tasksPerSecond: 20, burst: 3 } },
        wide: { rateLimit: { tasksPerSecond: 1_000, burst: 100 } },
      },
    });
    enqueue("narrow", 400);
    enqueue("wide", 2_000);
    await clock.advance(10_000);
    expect(leastBurst(starts, 100)).toBeLessThanOrEqual(10 + ROUNDING);
    expect(leastBurst(of("narrow"), 20)).toBeLessThanOrEqual(3 + ROUNDING);
    expect(leastBurst(of("wide"), 1_000)).toBeLessThanOrEqual(100 + ROUNDING);
    expect(starts.length).toBeGreaterThanOrEqual(1_000 * 0.98);
    expect(of("narrow").length).toBeGreaterThanOrEqual(200 * 0.98);
  });

  test("takes nothing while the shared one has no permit, and the other way round", async () => {
    const { clock, tasks, enqueue, of } = createLimited({
      ...{ tasksPerSecond: 1, burst: 1 },
      queues: { narrow: { rateLimit: { tasksPerSecond: 0.1, burst: 1 } } },
    });
    enqueue("default");
    await clock.settle();
    enqueue("narrow", 2);
    await clock.advance(500);
    // Had the queue's permit been taken with no shared one, the first would start 10 s later.
    await clock.advance(500);
    expect(of("narrow").map(({ at }) => at)).toEqual([1_000]);
    await clock.advance(2_000);
    // The second lacks its queue's permit, and takes no shared one meanwhile.
    expect(tasks.stats().limiter.available).toBe(1);
    enqueue("default");
    await clock.settle();
    expect(of("default")).toHaveLength(2);
    await clock.advance(8_000);
    expect(of("narrow").map(({ at }) => at)).toEqual([1_000, 11_000]);
  });

  test("is not spent by a task that finds no slot", async () => {
    const queues = { narrow: { rateLimit: { tasksPerSecond: 0.1, burst: 1 } } };
    const { clock, tasks, enqueue, of } = createLimited({ queues, concurrency: 1 });
    let end: () => void = () => undefined;
    tasks.enqueue(() => new Promise<void>((resolve) => (end = resolve)));
    await clock.settle();
    enqueue("narrow");
    await clock.advance(100);
    tasks.list({ queue: "narrow", state: "queued" }).forEach(({ id }) => void tasks.cancel(id));
    enqueue("narrow");
    end();
    await clock.settle();
    expect(of("narrow").map(({ at }) => at)).toEqual([100]);
  });

  test("an urgent or cheaper task that arrives in a closed queue opens it, if there are permits for it", async () => {
    const queues = { narrow: { rateLimit: { tasksPerSecond: 1, burst: 10 } } };
    const { clock, tasks, enqueue, of } = createLimited({ queues });
    enqueue("narrow", 1, 8);
    await clock.settle();
    enqueue("narrow", 1, 10);
    await clock.settle();
    const urgent = tasks.enqueue(() => "started", { queue: "narrow", cost: 2, priority: -1 });
    await clock.settle();
    expect(urgent.state).toBe("completed");
    await clock.advance(9_999);
    expect(of("narrow")).toHaveLength(1);
    await clock.advance(1);
    expect(of("narrow")).toHaveLength(2);
  });

  test("a head that lacks permits of its queue keeps its place within it", async () => {
    const queues = { narrow: { rateLimit: { tasksPerSecond: 1, burst: 5 } } };
    const { clock, enqueue, of } = createLimited({ queues });
    enqueue("narrow", 1, 5);
    await clock.settle();
    enqueue("narrow", 1, 5);
    enqueue("narrow", 2, 1);
    await clock.advance(4_999);
    expect(of("narrow")).toHaveLength(1);
    await clock.advance(2_001);
    expect(of("narrow").map(({ at, cost }) => [at, cost])).toEqual([
      [0, 5],
      [5_000, 5],
      [6_000, 1],
      [7_000, 1],
    ]);
  });

  test("a head that is cancelled lets the next one start at once, if there are permits for it", async () => {
    const queues = { narrow: { rateLimit: { tasksPerSecond: 1, burst: 10 } } };
    const { clock, tasks, enqueue, of } = createLimited({ queues });
    enqueue("narrow", 1, 9);
    await clock.settle();
    const head = tasks.enqueue(() => undefined, { queue: "narrow", cost: 10 });
    enqueue("narrow", 1, 1);
    await clock.settle();
    expect(of("narrow")).toHaveLength(1);
    head.cancel();
    await clock.settle();
    expect(of("narrow")).toHaveLength(2);
  });

  test("does not give the queue more turns afterwards: what it missed is not caught up", async () => {
    const queues = { narrow: { rateLimit: { tasksPerSecond: 1, burst: 100 } }, wide: {} };
    const { clock, tasks, starts, enqueue } = createLimited({ queues, concurrency: 1 });
    enqueue("narrow", 100);
    await clock.settle();
    enqueue("narrow", 40);
    enqueue("wide", 400);
    await clock.settle();
    starts.length = 0;
    await tasks.pause();
    enqueue("wide", 60);
    await clock.advance(40_000);
    tasks.resume();
    await clock.settle();
    const narrow = starts.slice(0, 60).filter(({ queue }) => queue === "narrow");
    expect(Math.abs(narrow.length - 30)).toBeLessThanOrEqual(1);
  });

  test("can be set while it waits, for any queue, and lifted again", async () => {
    const { clock, tasks, enqueue, of } = createLimited({});
    tasks.setRate({ queue: "late", tasksPerSecond: 1 });
    enqueue("late", 100);
    await clock.advance(2_000);
    expect(of("late")).toHaveLength(3);
    tasks.setRate({ queue: "late", tasksPerSecond: 10 });
    await clock.advance(1_000);
    expect(of("late")).toHaveLength(13);
    expect(tasks.stats().limiter.tasksPerSecond).toBe(Number.POSITIVE_INFINITY);
    tasks.setRate({ queue: "late", tasksPerSecond: Number.POSITIVE_INFINITY });
    await clock.settle();
    expect(of("late")).toHaveLength(100);
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
  });

  test("and a cost above its burst, after a live change, takes the whole burst", async () => {
    const queues = { narrow: { rateLimit: { tasksPerSecond: 10, burst: 10 } } };
    const { clock, tasks, enqueue, of } = createLimited({ queues });
    enqueue("narrow", 2, 10);
    await clock.settle();
    tasks.setRate({ queue: "narrow", tasksPerSecond: 10, burst: 2 });
    await clock.advance(199);
    expect(of("narrow")).toHaveLength(1);
    await clock.advance(1);
    expect(of("narrow")).toHaveLength(2);
  });

  test("survives the queue: one that was forgotten while it was closed and made anew is one queue", async () => {
    const { clock, tasks, enqueue } = createLimited({ concurrency: 4 });
    tasks.setRate({ queue: "narrow", tasksPerSecond: 1, burst: 2 });
    enqueue("narrow", 1, 2);
    enqueue("default", 3);
    await clock.settle();
    const gone = tasks.enqueue(() => undefined, { queue: "narrow", cost: 2 });
    await clock.settle();
    gone.cancel();
    enqueue("default", 3);
    await clock.advance(500);
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
    await tasks.pause({ queue: "narrow" });
    enqueue("narrow");
    // Here the alarm of the queue that was forgotten rings.
    await clock.advance(5_000);
    expect(tasks.stats().queues["narrow"]).toMatchObject({ queued: 1, paused: true });
    enqueue("narrow");
    tasks.resume({ queue: "narrow" });
    await clock.advance(1_000);
    expect(tasks.stats().queued).toBe(0);
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
  });
});
