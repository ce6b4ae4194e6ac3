import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GroupTally } from "../../src/task/group-tally.js";
import { toOrder } from "../../src/task/order.js";
import { BUILT_IN_SETTINGS } from "../../src/task/settings.js";
import { MOVES } from "../../src/task/states.js";
import { Task, type TaskDetails } from "../../src/task/task.js";
import { TaskIds } from "../../src/task/task-ids.js";
import { toSnapshot } from "../../src/task/to-snapshot.js";

function newTask(details?: TaskDetails): Task {
  return new Task({
    profile: {
      ...{
        ids: new TaskIds("prefix-"),
        queue: "mail",
        handler: undefined,
        lane: "inline" as const,
        settings: BUILT_IN_SETTINGS,
      },
      tally: new GroupTally("mail", undefined),
    },
    ...{ number: 7, work: () => 1, order: toOrder(-3, 5), details, enqueuedAt: 100, state: "queued" },
  });
}

describe("Task", () => {
  it("has the id that it was given, or makes one up", () => {
    expect(newTask().id).toBe("prefix-7");
    expect(newTask({ id: "mine" }).id).toBe("mine");
  });

  it("unpacks its order and fills in what few tasks have", () => {
    expect(newTask()).toMatchObject({ queue: "mail", priority: -3, weight: 5, cost: 1 });
    expect(newTask({ cost: 4 }).cost).toBe(4);
    expect(Object.keys(newTask().metadata)).toEqual([]);
  });

  it("keeps when it started and ended to a thousandth of a millisecond, and never too early", () => {
    const instants = fc.double({ min: 100, max: 1e9, noNaN: true });
    const check = (one: number, other: number) => {
      const task = newTask();
      task.readyAt = Math.min(one, other);
      task.startedAt = Math.min(one, other);
      task.finishedAt = Math.max(one, other);
      expect(task.waitMs).toBeCloseTo(0, 2);
      expect(task.waitMs).toBeGreaterThanOrEqual(0);
      expect(task.finishedAt).toBeGreaterThanOrEqual(Math.max(one, other) - Number.EPSILON * 1e9);
      expect((task.finishedAt ?? 0) - Math.max(one, other)).toBeLessThan(0.001);
      expect(task.runMs).toBeGreaterThanOrEqual(0);
      expect(Math.abs((task.runMs ?? 0) - Math.abs(one - other))).toBeLessThan(0.001);
    };
    fc.assert(fc.property(instants, instants, check), { numRuns: 1_000 });
  });

  it("keeps whole milliseconds as they are, for as long as a process may run", () => {
    const task = newTask();
    expect(task).toMatchObject({ startedAt: undefined, finishedAt: undefined, runMs: undefined });
    task.startedAt = 101;
    task.finishedAt = 100 + 10 * 365 * 86_400_000;
    expect(task).toMatchObject({
      startedAt: 101,
      finishedAt: 315_360_000_100,
      waitMs: 1,
      runMs: 315_359_999_999,
    });
    task.startedAt = undefined;
    expect(task).toMatchObject({ startedAt: undefined, waitMs: undefined, runMs: undefined });
  });

  it("has the same id before and after its end", () => {
    const task = newTask();
    task.move(MOVES.queued.start);
    task.move(MOVES.running.complete);
    expect([task.id, task.id]).toEqual(["prefix-7", "prefix-7"]);
  });

  it("makes its error when somebody looks, and only once", () => {
    const task = newTask();
    let made = 0;
    task.error = () => {
      made++;
      return new Error("made late");
    };
    expect(made).toBe(0);
    const { error } = task;
    expect(error).toMatchObject({ message: "made late" });
    expect(task.error).toBe(error);
    expect(toSnapshot(task, 0).error).toBe(error);
    expect(made).toBe(1);
    task.error = undefined;
    expect(task.error).toBeUndefined();
  });
});

describe("toSnapshot", () => {
  it("is frozen and turns instants into those of the calendar", () => {
    const task = newTask({ name: "n", description: "d", correlationId: "c" });
    task.move(MOVES.queued.start);
    task.attempt = 1;
    task.startedAt = 150;
    expect(toSnapshot(task, 1_000)).toMatchObject({
      ...{ id: "prefix-7", name: "n", description: "d", correlationId: "c", state: "running", attempt: 1 },
      ...{ enqueuedAt: 1_100, startedAt: 1_150, waitMs: 50, runMs: undefined, finishedAt: undefined },
      ...{ dueAt: undefined, maxAttempts: 1 },
    });
    task.move(MOVES.running.schedule, "backoff");
    task.readyAt = 300;
    expect(toSnapshot(task, 1_000)).toMatchObject({ state: "scheduled", reason: "backoff", dueAt: 1_300 });
    task.move(MOVES.scheduled.cancel, "cancelled");
    task.finishedAt = 310;
    const last = toSnapshot(task, 1_000);
    expect(last).toMatchObject({ state: "cancelled", finishedAt: 1_310, dueAt: undefined });
    expect(Object.isFrozen(last)).toBe(true);
    expect(last).not.toHaveProperty("run");
  });
});
