import { describe, expect, test } from "vitest";
import {
  ManagerStoppedError,
  MillraceError,
  OptionError,
  TaskCancelledError,
  withoutStack,
} from "../src/errors.js";

describe("errors", () => {
  test("have the name of their class, their code, and the cause that was given", () => {
    const cause = { any: "thing" };
    const error = new TaskCancelledError("gone", "task-1", { cause });
    expect(error).toBeInstanceOf(MillraceError);
    expect(error).toMatchObject({
      name: "TaskCancelledError",
      code: "MILLRACE_TASK_CANCELLED",
      taskId: "task-1",
    });
    expect(error.cause).toBe(cause);
    expect(new OptionError("priority", "wrong").option).toBe("priority");
    error.name = "Renamed";
    expect([error.name, new TaskCancelledError("gone", "task-2").name]).toEqual([
      "Renamed",
      "TaskCancelledError",
    ]);
  });

  test("made without a stack have no frames, and the next error has its own again", () => {
    const bare = withoutStack(() => new ManagerStoppedError("stopped", "task-1"));
    expect(bare.stack?.split("\n")).toHaveLength(1);
    expect(new OptionError("a", "b").stack).toContain("errors.test");
  });

  test("are made without a stack also when their making throws", () => {
    const limit = Error.stackTraceLimit;
    const broken = () => {
      throw new RangeError("broken");
    };
    expect(() => withoutStack(broken)).toThrow(RangeError);
    expect(Error.stackTraceLimit).toBe(limit);
  });
});
