import { afterEach, describe, expect, it, vi } from "vitest";
import { OptionError, type TaskHandle, TaskManager } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("T7: a calendar that is broken", () => {
  it.each([
    ["frozen", Date.UTC(2020, 1, 1)],
    ["NaN", Number.NaN],
  ])("T7: durations are right on the system clock while Date.now is %s", async (_, broken) => {
    vi.spyOn(Date, "now").mockReturnValue(broken);
    const tasks = new TaskManager({ killAfterMs: 60 });
    const begin = performance.now();
    const lasted = async (promise: Promise<unknown>) => {
      await promise.catch(() => undefined);
      return performance.now() - begin;
    };
    const ends = await Promise.all([
      lasted(tasks.execute(() => 1, { delayMs: 40 })),
      lasted(tasks.execute(untilAborted, { timeoutMs: 40 })),
      lasted(tasks.execute(untilAborted, { ttlMs: 40 })),
      lasted(tasks.execute(({ attempt }) => (attempt > 1 ? 1 : Promise.reject(attempt)), retryOnce)),
      lasted(tasks.enqueue(untilAborted, { timeoutMs: 100 }).result({ timeoutMs: 40 })),
    ]);
    for (const end of ends) {
      expect(end).toBeGreaterThanOrEqual(40);
      expect(end).toBeLessThan(1_000); // far above any noise, far below what a broken clock gives
    }
    const report = await tasks.stopGraceful({ deadlineMs: 200 });
    expect(report.durationMs).toBeLessThan(1_000);
    expect(tasks.stats().total).toMatchObject({ enqueued: 5, completed: 2 });
  });

  const retryOnce = { maxAttempts: 2, backoff: () => 40 };

  it("T7: runAt and deadline are refused while the calendar cannot be read, and nothing is kept", async () => {
    class BrokenCalendar extends ManualClock {
      override wallNow(): number {
        return Number.NaN;
      }
    }
    const clock = new BrokenCalendar();
    const tasks = new TaskManager({ clock, retention: { maxEntries: 10 } });
    for (const option of ["runAt", "deadline"]) {
      const error = thrownBy(() => tasks.enqueue(() => 1, { [option]: 1_000, id: "mine" }));
      expect(error).toBeInstanceOf(OptionError);
      expect(tasks.get("mine")).toBeUndefined();
    }
    expect(tasks.stats()).toMatchObject({ queued: 0, scheduled: 0 });
    expect(tasks.stats().total.enqueued).toBe(0);
    const handle = tasks.enqueue(untilAborted, { ttlMs: 100, id: "mine" });
    await clock.advance(100);
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_DEADLINE" });
    await tasks.stopNow();
    expect(clock.timers).toBe(0);
  });

  it("T7: a calendar that jumps moves no task that was accepted", async () => {
    const clock = new ManualClock();
    const tasks = new TaskManager({ clock });
    const started: number[] = [];
    const note = () => started.push(clock.now());
    tasks.enqueue(note, { runAt: clock.wallNow() + 1_000 });
    clock.shiftWall(86_400_000);
    tasks.enqueue(note, { runAt: clock.wallNow() + 500 });
    clock.shiftWall(-2 * 86_400_000);
    await clock.advance(2_000);
    expect(started).toEqual([500, 1_000]);
    await tasks.stopNow();
  });
});

describe("a task that starts when another ends", () => {
  /** Time goes on whenever somebody asks for it, and when code takes long. */
  class TickingClock extends ManualClock {
    #passed = 0;

    pass(ms: number): void {
      this.#passed += ms;
    }

    override now(): number {
      this.pass(1);
      return super.now() + this.#passed;
    }
  }

  it("has its instants in order, though it was enqueued in the middle of that end", async () => {
    const clock = new TickingClock();
    const tasks = new TaskManager({ clock, concurrency: 1 });
    const handles: TaskHandle<unknown>[] = [];
    const ends: Promise<unknown>[] = [];
    const enqueue = () => {
      const handle = tasks.enqueue(() => value);
      handles.push(handle);
      ends.push(handle.result());
    };
    let reads = 0;
    // Read when the handler has returned it, and again when the promise of the result is resolved with it.
    const value = {
      get then() {
        reads += 1;
        if (reads % 2 === 0 && handles.length < 10) enqueue();
        return undefined;
      },
    };
    enqueue();
    for (let turn = 0; turn < 20; turn += 1) await clock.settle();
    expect(tasks.stats().total.completed).toBe(10);
    await Promise.all(ends);
    for (const { id } of handles) {
      const { enqueuedAt, startedAt = Number.NaN, finishedAt } = tasks.get(id) ?? expect.unreachable();
      expect(startedAt).toBeGreaterThanOrEqual(enqueuedAt);
      expect(finishedAt).toBeGreaterThanOrEqual(startedAt);
    }
    await tasks.stopNow();
  });

  it("keeps the limit, however long the code takes that runs at that end", async () => {
    const clock = new TickingClock();
    const tasks = new TaskManager({ clock, concurrency: 1, tasksPerSecond: 20, burst: 1 });
    const starts: number[] = [];
    const work = () => {
      const isLong = starts.push(clock.now()) % 2 === 1;
      if (isLong) clock.pass(60);
      let reads = 0;
      return {
        get then() {
          reads += 1;
          if (isLong && reads === 2) clock.pass(48);
          return undefined;
        },
      };
    };
    const ends = Array.from({ length: 20 }, () => tasks.enqueue(work).result());
    for (let turn = 0; turn < 40; turn += 1) await clock.advance(50);
    await Promise.all(ends);
    const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? Number.NaN));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50);
    await tasks.stopNow();
  });

  it("has its timeout whole, however long the code takes that runs at that end", async () => {
    const clock = new TickingClock();
    const tasks = new TaskManager({ clock, concurrency: 1 });
    const backoff = () => {
      clock.pass(80);
      return 1_000;
    };
    const failing = tasks.enqueue(() => Promise.reject(new Error("no")), { maxAttempts: 2, backoff });
    const next = tasks.enqueue(() => 1, { timeoutMs: 50 });
    for (let turn = 0; turn < 5; turn += 1) await clock.settle();
    expect(await next.result()).toBe(1);
    const { startedAt = Number.NaN, finishedAt = Number.NaN } = tasks.get(next.id) ?? expect.unreachable();
    expect(finishedAt - startedAt).toBeLessThan(50);
    await tasks.stopNow();
    expect(await rejectionOf(failing.result())).toMatchObject({ code: "MILLRACE_MANAGER_STOPPED" });
  });
});
