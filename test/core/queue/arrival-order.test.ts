import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArrivalOrder } from "../../../src/core/queue/arrival-order.js";
import { MOVES } from "../../../src/task/states.js";
import type { Task } from "../../../src/task/task.js";
import { createTask } from "../../support/waiting-task.js";

/** Lets a task leave the queue: by a start, or by an end without one. */
function leave(task: Task, started: boolean): void {
  if (started) {
    task.move(MOVES.queued.start);
    task.startedAt = 0;
  } else {
    task.move(MOVES.queued.cancel, "cancelled");
  }
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: "push" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("leave" as const), pick: fc.nat(), started: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "shift" as const }) },
);

describe("an arrival order", () => {
  test("does what a list of the waiting ones would do", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), fc.nat(5), (steps, few) => {
        const order = new ArrivalOrder();
        const model: Task[] = [];
        for (const each of steps) {
          if (each.kind === "push") {
            const task = createTask();
            order.push(task);
            model.push(task);
          } else {
            const index = each.kind === "leave" && model.length > 0 ? each.pick % model.length : 0;
            const task = model[index];
            if (task === undefined) continue;
            leave(task, each.kind === "shift" || each.started);
            model.splice(index, 1);
            order.tidy(model.length);
          }
          const oldest = order.oldest();
          if (oldest !== model[0]) expect(oldest).toBe(model[0]);
          const [first, expected] = [order.first(few), model.slice(0, few)];
          const isSame = first.length === expected.length && first.every((task, at) => task === expected[at]);
          if (!isSame) expect(first).toEqual(expected);
        }
        expect(order.first(Number.POSITIVE_INFINITY)).toEqual(model);
      }),
      { numRuns: 100 },
    );
  });

  test("does not count a task that waits for a retry: it was started before", () => {
    const order = new ArrivalOrder();
    const [first, second] = [createTask(), createTask()];
    for (const task of [first, second]) order.push(task);
    leave(first, true);
    first.move(MOVES.running.queue);
    order.tidy(2);
    expect(order.oldest()).toBe(second);
    expect(order.first(9)).toEqual([second]);
  });

  test("has one place for a task that was handed over and came back", () => {
    const order = new ArrivalOrder();
    const [first, second, third] = [createTask(), createTask(), createTask()];
    for (const task of [first, second, third]) order.push(task);
    leave(second, true);
    order.tidy(2);
    second.move(MOVES.running.queue);
    second.startedAt = undefined;
    order.push(second);
    expect(order.first(2)).toEqual([first, second]);
    expect(order.first(9)).toEqual([first, second, third]);
  });

  test("lets go of tasks that have gone on, when they are most of the line", () => {
    const order = new ArrivalOrder();
    const first = createTask();
    order.push(first);
    const others = Array.from({ length: 10_000 }, () => createTask());
    for (const task of others) order.push(task);
    let looks = 0;
    const look = () => {
      looks++;
      return "running";
    };
    for (const [index, task] of others.entries()) {
      leave(task, true);
      // Whoever stays in the line is looked at when the others are sought.
      Object.defineProperty(task, "state", { get: look });
      order.tidy(others.length - index);
    }
    looks = 0;
    expect(order.first(9)).toEqual([first]);
    expect(looks).toBeLessThanOrEqual(64);
  });
});
