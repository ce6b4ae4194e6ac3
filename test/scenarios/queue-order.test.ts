import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type TaskHandle, TaskManager, type TaskOptions } from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { createManager, untilAborted } from "../support/manual-manager.js";

interface Wish {
  readonly priority: number;
  readonly weight: number;
}

/** The order that is promised: priority, then the higher weight, then arrival. `sort` is stable. */
function inPromisedOrder(wishes: readonly Wish[]): number[] {
  const order = wishes.map((_, index) => index);
  const wish = (index: number) => wishes[index] as Wish;
  return order.sort((a, b) => wish(a).priority - wish(b).priority || wish(b).weight - wish(a).weight);
}

/** Enqueues while nothing starts, then lets one task at a time start, and says which in which order. */
async function startOrder(wishes: readonly TaskOptions[]): Promise<number[]> {
  const { clock, tasks } = createManager({ concurrency: 1, capacity: 10_000, autoStart: false });
  const started: number[] = [];
  wishes.forEach((options, index) => {
    tasks.enqueue(() => started.push(index), options);
  });
  tasks.start();
  const drained = tasks.drain();
  await clock.settle();
  await drained;
  return started;
}

describe("Q1: the order of starts is priority, then weight, then arrival", () => {
  test.each([1, 2, 3])("for 10,000 tasks that waited for one slot, seed %i", async (seed) => {
    const random = seededRandom(seed);
    const integer = (from: number, to: number) => from + Math.floor(random.next() * (to - from + 1));
    const wishes = Array.from({ length: 10_000 }, (_, index): Wish => {
      // Few values, so that all three rules decide, beside the whole range.
      if (index % 2 === 0) return { priority: integer(-2, 2), weight: integer(1, 3) };
      return { priority: integer(-1_000_000, 1_000_000), weight: integer(1, 1_000) };
    });
    expect(await startOrder(wishes)).toEqual(inPromisedOrder(wishes));
  });

  test("at the bounds of both ranges", async () => {
    const bounds = fc.record({
      priority: fc.constantFrom(-1_000_000, -999_999, -1, -0, 0, 1, 999_999, 1_000_000),
      weight: fc.constantFrom(1, 2, 500, 999, 1_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(bounds, { maxLength: 60 }), async (wishes) => {
        expect(await startOrder(wishes)).toEqual(inPromisedOrder(wishes));
      }),
      { numRuns: 50 },
    );
  });

  test("without options, a task has priority 0 and weight 1", async () => {
    const wishes = [{ priority: 1 }, {}, { priority: 0, weight: 2 }, { priority: 0, weight: 1 }, {}];
    expect(await startOrder(wishes)).toEqual([2, 1, 3, 4, 0]);
  });

  test("an urgent task that is enqueued later in the same call goes first", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    const started: string[] = [];
    tasks.enqueue(() => started.push("first"));
    tasks.enqueue(() => started.push("urgent"), { priority: -1 });
    await clock.settle();
    expect(started).toEqual(["urgent", "first"]);
  });
});

describe("Q3: equal tasks start in the order of their arrival", () => {
  test("1,000 of them", async () => {
    const started = await startOrder(Array.from({ length: 1_000 }, () => ({ priority: 7 })));
    expect(started).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  });

  test("also when others were taken out of their middle, in any order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(999), { maxLength: 400 }), async (removals) => {
        const { clock, tasks } = createManager({ concurrency: 1, autoStart: false });
        const started: number[] = [];
        const handles = Array.from({ length: 1_000 }, (_, index) =>
          tasks.enqueue(() => started.push(index), { priority: index === 500 ? 1 : 0 }),
        );
        for (const index of removals) handles[index]?.cancel();
        tasks.start();
        await clock.settle(8);
        const gone = new Set(removals);
        const left = handles.map((_, index) => index).filter((index) => !gone.has(index) && index !== 500);
        expect(started).toEqual(gone.has(500) ? left : [...left, 500]);
      }),
      { numRuns: 10 },
    );
  });
});

describe("reprioritize", () => {
  test("moves a waiting task, which keeps its place among those that become its equals", async () => {
    const { clock, tasks } = createManager({ concurrency: 1, autoStart: false });
    const started: string[] = [];
    const enqueue = (id: string, priority: number) => tasks.enqueue(() => started.push(id), { id, priority });
    enqueue("a", 0);
    enqueue("late", 5);
    enqueue("b", 0);
    enqueue("c", 0);
    expect(await tasks.reprioritize("late", 0)).toBe(true);
    expect(await tasks.reprioritize("a", 9)).toBe(true);
    expect(tasks.get("late")?.priority).toBe(0);
    tasks.start();
    await clock.settle();
    expect(started).toEqual(["late", "b", "c", "a"]);
  });

  test("keeps the weight, and there and back changes nothing", async () => {
    const { clock, tasks } = createManager({ concurrency: 1, autoStart: false });
    const started: string[] = [];
    for (const id of ["a", "b", "c"]) tasks.enqueue(() => started.push(id), { id, weight: 3 });
    tasks.enqueue(() => started.push("heavy"), { weight: 4 });
    await tasks.reprioritize("b", -5);
    await tasks.reprioritize("b", 0);
    expect(tasks.get("b")).toMatchObject({ priority: 0, weight: 3 });
    tasks.start();
    await clock.settle();
    expect(started).toEqual(["heavy", "a", "b", "c"]);
  });

  test("counts for a scheduled task when it falls due", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    const started: string[] = [];
    tasks.enqueue(() => started.push("a"), { id: "a", delayMs: 100 });
    tasks.enqueue(() => started.push("b"), { id: "b", delayMs: 100 });
    tasks.enqueue(() => started.push("c"), { id: "c", delayMs: 50, priority: 9 });
    expect(await tasks.reprioritize("b", -1)).toBe(true);
    await tasks.pause();
    await clock.advance(100);
    tasks.resume();
    await clock.settle();
    expect(started).toEqual(["b", "a", "c"]);
  });

  test("is false, and changes nothing, for a task that does not wait", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    tasks.enqueue(untilAborted, { id: "runs" });
    const done = tasks.enqueue(() => 1, { id: "cancelled" });
    await clock.settle();
    done.cancel();
    expect(await tasks.reprioritize("runs", -1)).toBe(false);
    expect(await tasks.reprioritize("cancelled", -1)).toBe(false);
    expect(await tasks.reprioritize("unknown", -1)).toBe(false);
    expect(tasks.get("runs")?.priority).toBe(0);
    expect(tasks.get("cancelled")?.priority).toBe(0);
  });

  test.each([1.5, Number.NaN, 1_000_001, "1" as never, undefined as never])(
    "refuses %s",
    async (priority) => {
      const { tasks } = createManager({ autoStart: false });
      tasks.enqueue(() => 1, { id: "a", priority: 3 });
      await expect(tasks.reprioritize("a", priority)).rejects.toMatchObject({
        code: "MILLRACE_OPTION",
        option: "priority",
      });
      expect(tasks.get("a")?.priority).toBe(3);
    },
  );
});

describe("delayMs and runAt", () => {
  test("start a task at that time and not before", async () => {
    const { clock, tasks } = createManager();
    const startedAt: Record<string, number> = {};
    const note = (name: string) => () => {
      startedAt[name] = clock.now();
    };
    tasks.enqueue(note("delayed"), { delayMs: 250 });
    tasks.enqueue(note("at"), { runAt: clock.wallNow() + 100.5 });
    tasks.enqueue(note("at a Date"), { runAt: new Date(clock.wallNow() + 1_000) });
    tasks.enqueue(note("in the past"), { runAt: new Date(0) });
    tasks.enqueue(note("without delay"), { delayMs: 0 });
    await clock.advance(2_000);
    expect(startedAt).toEqual({
      "in the past": 0,
      "without delay": 0,
      at: 100.5,
      delayed: 250,
      "at a Date": 1_000,
    });
  });

  test("are a delay from acceptance on: setting the calendar later changes nothing", async () => {
    const { clock, tasks } = createManager();
    let startedAt = Number.NaN;
    tasks.enqueue(() => (startedAt = clock.now()), { runAt: clock.wallNow() + 1_000 });
    clock.shiftWall(-86_400_000);
    await clock.advance(1_000);
    expect(startedAt).toBe(1_000);
  });

  test("of many tasks are one instant, though the calendar counts whole milliseconds", async () => {
    class CoarseCalendar extends ManualClock {
      override wallNow(): number {
        return Math.floor(super.wallNow());
      }
    }
    const clock = new CoarseCalendar();
    clock.block(0.6);
    const tasks = new TaskManager({ clock, concurrency: 1 });
    const runAt = clock.wallNow() + 1_000;
    const started: number[] = [];
    const early: number[] = [];
    for (let priority = 9; priority >= 0; priority--) {
      const work = () => {
        started.push(priority);
        if (clock.wallNow() < runAt) early.push(priority);
      };
      tasks.enqueue(work, { priority, runAt });
      clock.block(0.37);
    }
    await clock.advance(1_010);
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(early).toEqual([]);
    // A calendar that was set is believed.
    const earlier = tasks.enqueue(() => clock.now(), { runAt: clock.wallNow() + 1_000 });
    clock.shiftWall(400);
    const later = tasks.enqueue(() => clock.now(), { runAt: clock.wallNow() + 1_000 });
    const before = clock.now();
    await clock.advance(2_000);
    expect((await later.result()) - before).toBeCloseTo(1_000, -1);
    expect((await earlier.result()) - before).toBeCloseTo(1_000, -1);
    await tasks.stopNow();
  });

  test("are longer than any timer can be", async () => {
    const { clock, tasks } = createManager();
    const delayMs = 2 ** 33;
    let startedAt = Number.NaN;
    tasks.enqueue(() => (startedAt = clock.now()), { delayMs });
    await clock.advance(delayMs - 1);
    expect(startedAt).toBeNaN();
    await clock.advance(1);
    expect(startedAt).toBe(delayMs);
  });

  test("scheduled tasks take their place among equals when they fall due", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    await tasks.pause();
    const started: string[] = [];
    tasks.enqueue(() => started.push("delayed"), { delayMs: 10 });
    tasks.enqueue(() => started.push("before"));
    await clock.advance(10);
    tasks.enqueue(() => started.push("after"));
    tasks.resume();
    await clock.settle();
    expect(started).toEqual(["before", "delayed", "after"]);
  });

  test("tasks that fall due at different times while nothing starts go by priority, then by due time", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    await tasks.pause();
    const started: string[] = [];
    tasks.enqueue(() => started.push("third"), { delayMs: 30 });
    tasks.enqueue(() => started.push("second"), { delayMs: 20 });
    tasks.enqueue(() => started.push("first"), { delayMs: 40, priority: -1 });
    await clock.advance(40);
    tasks.resume();
    await clock.settle();
    expect(started).toEqual(["first", "second", "third"]);
  });

  test("a retry keeps its place among equals, a rescheduled task takes a new one", async () => {
    const { reschedule } = await import("../../src/index.js");
    const { clock, tasks } = createManager({ concurrency: 1, maxAttempts: 2, backoff: () => 5 });
    const started: string[] = [];
    const failOnce = (name: string, thrown: () => Error) => {
      let attempts = 0;
      return () => {
        started.push(name);
        if (attempts++ === 0) throw thrown();
      };
    };
    const handles: TaskHandle[] = [
      tasks.enqueue(failOnce("retried", () => new Error("once"))),
      tasks.enqueue(failOnce("rescheduled", () => reschedule({ delayMs: 5 }))),
    ];
    await clock.settle();
    await tasks.pause();
    handles.push(tasks.enqueue(failOnce("between", () => reschedule({ delayMs: 9 }))));
    await clock.advance(5);
    tasks.resume();
    await clock.settle();
    expect(started).toEqual(["retried", "rescheduled", "retried", "between", "rescheduled"]);
  });
});
