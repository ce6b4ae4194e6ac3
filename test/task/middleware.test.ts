import { describe, expect, it } from "vitest";
import { OptionError, TaskManager } from "../../src/index.js";
import { middlewareCheck } from "../../src/task/middleware.js";
import type { TaskContext } from "../../src/task/task-context.js";
import { thrownBy } from "../support/manual-manager.js";

const context = { id: "one" } as TaskContext;
const next = async () => "value";
const read = (...list: unknown[]) => middlewareCheck(list, "middleware");

describe("middlewareCheck", () => {
  it("takes a bare function for one that wraps attempts, and names it", () => {
    const timing = () => 1;
    expect(read(timing, { call: () => 2 })).toEqual([
      { name: "timing", attempt: timing, call: undefined },
      { name: "middleware.1", attempt: undefined, call: expect.any(Function) },
    ]);
    expect(read({ name: "mine", attempt: timing })).toMatchObject([{ name: "mine" }]);
    expect(read({ attempt: timing })).toMatchObject([{ name: "timing" }]);
    expect(read({ attempt: () => 1 })).toMatchObject([{ name: "middleware.0" }]);
  });

  it("takes an object of a class, with its methods and whatever else it has", () => {
    class Counter {
      count = 0;
      attempt() {
        return ++this.count;
      }
    }
    const counter = new Counter();
    const [middleware] = read(counter);
    expect(middleware?.attempt?.(context, next)).toBe(1);
    expect(counter.count).toBe(1);
  });

  it("takes what it gave", () => {
    const given = read(() => 1, { name: "two", attempt: () => 2, call: () => 3 });
    const [one, two] = read(...given);
    expect([one?.attempt?.(context, next), two?.attempt?.(context, next), two?.name]).toEqual([1, 2, "two"]);
  });

  it.each([
    ["middleware", {}],
    ["middleware", "logging"],
    ["middleware.0", [undefined]],
    ["middleware.0", ["logging"]],
    ["middleware.0", [{}]],
    ["middleware.1", [() => 1, { name: "neither" }]],
    ["middleware.0.attempt", [{ attempt: 5 }]],
    ["middleware.0.call", [{ call: {} }]],
    ["middleware.0.name", [{ name: 5, call: () => 1 }]],
    ["middleware.0.atempt", [{ atempt: () => 1, call: () => 1 }]],
  ])("refuses by the name of %s what is no middleware: %j", (option, wrong) => {
    const error = thrownBy(() => new TaskManager({ middleware: wrong as never }));
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ option });
  });
});
