import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TaskLine } from "../../../src/core/queue/task-line.js";
import { toOrder } from "../../../src/task/order.js";
import type { Task } from "../../../src/task/task.js";
import { seededRandom } from "../../../src/testing/seeded-random.js";
import { createTask } from "../../support/waiting-task.js";

let arrived = 0;

function arrive(priority: number): Task {
  const task = createTask({ priority });
  task.sequence = ++arrived;
  return task;
}

/** A line, and beside it all that waits there in an array. */
class Scene {
  readonly line = new TaskLine();
  readonly waiting: Task[] = [];

  push(task: Task): void {
    this.line.push(task);
    this.waiting.push(task);
  }

  shift(): void {
    const [first] = this.inOrder();
    const shifted = this.line.shift();
    if (shifted !== first) expect(shifted).toBe(first);
    if (first !== undefined) this.#forget(first);
  }

  remove(task: Task): void {
    this.line.remove(task);
    this.#forget(task);
  }

  reorder(task: Task, priority: number): void {
    task.order = toOrder(priority, 1);
    this.line.reorder(task);
  }

  inOrder(): Task[] {
    return this.waiting.toSorted((one, other) => one.order - other.order || one.sequence - other.sequence);
  }

  drain(): void {
    while (this.waiting.length > 0) this.shift();
    expect(this.line.size).toBe(0);
    expect(this.line.head).toBeUndefined();
  }

  #forget(task: Task): void {
    this.waiting.splice(this.waiting.indexOf(task), 1);
  }
}

const priority = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 2 }));
const pick = fc.nat();
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("push" as const), priority, times: fc.nat(40) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("shift" as const), times: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), pick, times: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reorder" as const), pick, priority }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("return" as const) }) },
);

describe("a task line", () => {
  test("gives the tasks in the order of priority and arrival, whatever is done to it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const scene = new Scene();
        const picked = (number: number) => scene.waiting[number % scene.waiting.length];
        for (const each of steps) {
          if (each.kind === "push") {
            for (let time = 0; time < each.times; time++) scene.push(arrive(each.priority));
          } else if (each.kind === "shift") {
            for (let time = 0; time < each.times; time++) scene.shift();
          } else if (each.kind === "remove") {
            for (let time = 0; time < each.times; time++) {
              const task = picked(each.pick + 7 * time);
              if (task !== undefined) scene.remove(task);
            }
          } else if (each.kind === "reorder") {
            const task = picked(each.pick);
            if (task !== undefined) scene.reorder(task, each.priority);
          } else {
            const task = scene.line.shift(); // as a retry, which comes back with its sequence
            if (task !== undefined) scene.line.push(task);
          }
          expect(scene.line.size).toBe(scene.waiting.length);
          expect(scene.line.head).toBe(scene.inOrder()[0]);
        }
        scene.drain();
      }),
      { numRuns: 200 },
    );
  });

  test("keeps the order of those that are left when most are taken out of its middle", () => {
    const scene = new Scene();
    const tasks = Array.from({ length: 1_000 }, () => arrive(0));
    for (const task of tasks) scene.push(task);
    for (const [index, task] of tasks.entries()) if (index % 10 !== 0) scene.remove(task);
    scene.push(arrive(0));
    scene.drain();
  });

  test("Q1: keeps the order of twenty thousand, of which some leave and some are moved", () => {
    const random = seededRandom(23);
    const draw = () => Math.floor(random.next() * 2_000) - 1_000;
    const line = new TaskLine();
    const tasks = Array.from({ length: 20_000 }, () => arrive(draw()));
    for (const task of tasks) line.push(task);
    for (const [index, task] of tasks.entries()) {
      if (index % 3 === 0) line.remove(task);
      else if (index % 5 === 0) {
        task.order = toOrder(draw(), 1);
        line.reorder(task);
      }
    }
    const left = tasks.filter((_, index) => index % 3 !== 0);
    left.sort((one, other) => one.order - other.order || one.sequence - other.sequence);
    expect(line.size).toBe(left.length);
    for (const [index, task] of left.entries())
      if (line.head !== task || line.shift() !== task) expect.fail(`another than task ${index} was next`);
    expect(line.shift()).toBeUndefined();
  });

  test("goes on while one task waits and a hundred thousand come and go behind it", () => {
    const line = new TaskLine();
    const first = arrive(0);
    line.push(first);
    for (let round = 0; round < 100_000; round++) {
      const task = arrive(0);
      line.push(task);
      line.remove(task);
      if (line.size !== 1) expect.fail(`${line.size} are left after round ${round}`);
    }
    expect(line.shift()).toBe(first);
    expect(line.shift()).toBeUndefined();
  });
});
