import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DelayQueue } from "../../../src/core/queue/delay-queue.js";
import { InvariantError } from "../../../src/errors.js";
import { toOrder } from "../../../src/task/order.js";
import type { Task } from "../../../src/task/task.js";
import { createTask } from "../../support/waiting-task.js";

interface Entry {
  readonly task: Task;
  readonly dueAt: number;
}

/** By due time, then priority and weight, then acceptance. */
function inOrder(one: Entry, other: Entry): number {
  return one.dueAt - other.dueAt || one.task.order - other.task.order || one.task.number - other.task.number;
}

/** Few due times and orders, so that all three rules decide. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant("push" as const),
    dueAt: fc.integer({ min: 0, max: 5 }),
    priority: fc.integer({ min: -1, max: 1 }),
  }),
  fc.record({ kind: fc.constantFrom("remove" as const), pick: fc.nat(99) }),
  fc.record({
    kind: fc.constant("reorder" as const),
    pick: fc.nat(99),
    priority: fc.integer({ min: -1, max: 1 }),
  }),
  fc.record({ kind: fc.constant("shift" as const), now: fc.integer({ min: -1, max: 6 }) }),
);

describe("a delay queue", () => {
  test("does what a sorted list would do", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new DelayQueue();
        const model: Entry[] = [];
        for (const each of steps) {
          const picked = "pick" in each ? model[each.pick % Math.max(1, model.length)] : undefined;
          if (each.kind === "push") {
            const task = createTask({ priority: each.priority, state: "scheduled" });
            queue.push(task, each.dueAt);
            expect(task.readyAt).toBe(each.dueAt);
            expect(task.place).toBe(queue);
            model.push({ task, dueAt: each.dueAt });
          } else if (each.kind === "remove" && picked !== undefined) {
            queue.remove(picked.task);
            expect(picked.task.place).toBeUndefined();
            model.splice(model.indexOf(picked), 1);
          } else if (each.kind === "reorder" && picked !== undefined) {
            picked.task.order = toOrder(each.priority, 1);
            queue.reorder(picked.task);
          } else if (each.kind === "shift") {
            const first = model.sort(inOrder)[0];
            const due = first !== undefined && first.dueAt <= each.now ? first : undefined;
            expect(queue.shiftDue(each.now)).toBe(due?.task);
            if (due !== undefined) expect(due.task.place).toBeUndefined();
            if (due !== undefined) model.shift();
          }
          expect(queue.size).toBe(model.length);
          expect(queue.nextDueAt).toBe(Math.min(...model.map(({ dueAt }) => dueAt)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("gives those that fall due together in the order in which they should start", () => {
    const queue = new DelayQueue();
    const tasks = [
      createTask({ priority: 1 }),
      createTask({ priority: 0 }),
      createTask({ priority: 0, weight: 2 }),
      createTask({ priority: 0 }),
    ];
    for (const task of tasks) queue.push(task, 10);
    const order = Array.from({ length: 4 }, () => queue.shiftDue(10));
    expect(order.map((task) => tasks.indexOf(task as Task))).toEqual([2, 1, 3, 0]);
    expect(queue.shiftDue(10)).toBeUndefined();
  });

  test("gives nothing before its time, and what is due at that very instant", () => {
    const queue = new DelayQueue();
    expect([queue.size, queue.nextDueAt]).toEqual([0, Number.POSITIVE_INFINITY]);
    const task = createTask();
    queue.push(task, 10.5);
    expect(queue.shiftDue(10.499)).toBeUndefined();
    expect(queue.shiftDue(10.5)).toBe(task);
    expect(queue.shiftDue(Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  test("knows when a task that it does not hold is taken out", () => {
    const queue = new DelayQueue();
    const task = createTask();
    queue.push(task, 1);
    queue.remove(task);
    expect(() => queue.remove(task)).toThrow(InvariantError);
  });
});
