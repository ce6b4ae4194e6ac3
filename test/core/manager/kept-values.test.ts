import { describe, expect, test } from "vitest";
import { KeptValues } from "../../../src/core/manager/kept-values.js";
import type { Task } from "../../../src/task/task.js";
import { collectGarbage } from "../../core/collections/collect-garbage.js";
import { newTask } from "../../support/new-task.js";

let made = 0;
const numberedTask = () => newTask({ number: ++made });

const atMost = (maxBytes: number) => () => maxBytes;

/** Keeps the value of a new task. */
function keep(values: KeptValues, value: unknown, maxBytes = 1_000): Task {
  const task = numberedTask();
  values.fill(values.reserve(task), value, atMost(maxBytes));
  return task;
}

const held = (values: KeptValues) => values.kept().map(({ value }) => value);

describe("kept values", () => {
  test("are there in the order of their tasks' end, undefined ones too", () => {
    const values = new KeptValues();
    for (const value of ["one", undefined, { two: 2 }]) keep(values, value);
    expect(held(values)).toEqual(["one", undefined, { two: 2 }]);
    expect([values.size, values.bytes, values.letGo]).toEqual([3, 5 + 0 + 9, 0]);
  });

  test("let go those that ended first when they are more than their bound, with a count", () => {
    const values = new KeptValues();
    for (const text of ["a", "b", "c"]) keep(values, text.repeat(8), 25);
    expect(held(values)).toEqual(["bbbbbbbb", "cccccccc"]);
    expect([values.bytes, values.letGo]).toEqual([20, 1]);
    values.shrinkTo(10);
    expect(held(values)).toEqual(["cccccccc"]);
    expect([values.bytes, values.letGo]).toEqual([10, 2]);
  });

  test("leave out one that is larger by itself, or cannot be measured, and keep the others", () => {
    const values = new KeptValues();
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const value of ["a", "x".repeat(100), cycle, "b"]) keep(values, value, 50);
    expect(held(values)).toEqual(["a", "b"]);
    expect([values.bytes, values.letGo]).toEqual([6, 2]);
  });

  test("go with their tasks, which are no more in the order of their end", () => {
    const values = new KeptValues();
    const before = numberedTask(); // it ended before values were kept
    const [first, second] = [keep(values, "first"), keep(values, "second")];
    values.forget(before.number);
    expect(held(values)).toEqual(["first", "second"]);
    values.forget(first.number);
    expect(held(values)).toEqual(["second"]);
    values.forget(second.number);
    expect([values.size, values.bytes, values.letGo]).toEqual([0, 0, 0]);
  });

  test("are not measured where the task is no longer retained, and not kept where it goes meanwhile", () => {
    const values = new KeptValues();
    let looks = 0;
    const acting = (act: () => void) => ({
      get member(): number {
        looks++;
        act();
        return 1;
      },
    });
    const gone = values.reserve(numberedTask());
    values.forget(gone.task.number);
    values.fill(
      gone,
      acting(() => undefined),
      atMost(100),
    );
    expect(looks).toBe(0);
    const going = values.reserve(numberedTask());
    values.fill(
      going,
      acting(() => values.clear()),
      atMost(100),
    );
    expect([looks, values.size, values.bytes, going.value]).toEqual([1, 0, 0, undefined]);
  });

  test("stay in order when measuring one makes another task end", () => {
    const values = new KeptValues();
    const first = values.reserve(numberedTask());
    const outer = {
      get member(): number {
        keep(values, "inner");
        return 1;
      },
    };
    values.fill(first, outer, atMost(1_000));
    expect(held(values)).toEqual([outer, "inner"]);
    values.forget(first.task.number);
    expect(held(values)).toEqual(["inner"]);
  });

  test("are referred to by nothing once they are let go", async () => {
    const values = new KeptValues();
    const place = values.reserve(numberedTask());
    const ref = fillWatched(values, place);
    values.shrinkTo(0);
    await collectGarbage();
    expect(ref.deref()).toBeUndefined();
    expect(place.state).toBe("gone");
  });
});

/** A function of its own: a frame that goes on would keep the value. */
function fillWatched(values: KeptValues, place: ReturnType<KeptValues["reserve"]>): WeakRef<object> {
  const value = { big: new Array(100).fill(0) };
  values.fill(place, value, atMost(10_000));
  return new WeakRef(value);
}
