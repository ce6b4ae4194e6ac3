import { describe, expect, it } from "vitest";
import { TaskFailedError } from "../../src/errors.js";
import { toFailure } from "../../src/task/failure.js";

describe("toFailure", () => {
  it("labels a usable Error with a hidden taskId that can be written again", () => {
    const error = new Error("fails");
    expect(toFailure(error, "one")).toBe(error);
    expect(Object.getOwnPropertyDescriptor(error, "taskId")).toEqual({
      ...{ value: "one", writable: true, configurable: true, enumerable: false },
    });
    expect(toFailure(error, "two")).toBe(error);
    expect(error).toMatchObject({ taskId: "two" });
    expect(JSON.stringify(error)).toBe("{}");
  });

  it("keeps what cannot be labelled as the cause", () => {
    for (const make of [Object.freeze, Object.seal, Object.preventExtensions]) {
      const error = make(new Error("closed"));
      const failure = toFailure(error, "one");
      expect(failure).toBeInstanceOf(TaskFailedError);
      expect(failure.cause).toBe(error);
    }
  });

  it.each([
    ["a plain one", "text", 'Task one threw "text"'],
    ["undefined", undefined, "Task one threw undefined"],
    ["null", null, "Task one threw null"],
    ["a symbol", Symbol("s"), "Task one threw Symbol(s)"],
    ["an object", {}, "Task one threw an object that is no usable Error"],
    ["a function", () => 1, "Task one threw a function"],
    ["a bigint", 5n, "Task one threw 5"],
  ])("says what was thrown: %s", (_, thrown, message) => {
    expect(toFailure(thrown, "one")).toMatchObject({ message, taskId: "one", code: "MILLRACE_TASK_FAILED" });
  });
});
