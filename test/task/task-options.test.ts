import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { readTaskOptions, type TaskOptions } from "../../src/task/task-options.js";
import { thrownBy } from "../support/manual-manager.js";

describe("readTaskOptions", () => {
  it("gives one shared nothing for none, and what was said for some", () => {
    expect(readTaskOptions(undefined)).toBe(readTaskOptions(undefined));
    expect(readTaskOptions({})).toEqual({});
    const { signal } = new AbortController();
    const said = { id: "a", queue: "q", priority: -1, weight: 5, cost: 2, context: false, signal };
    expect(readTaskOptions(said)).toEqual(said);
    expect(readTaskOptions({ runAt: new Date(5), deadline: new Date(9) })).toEqual({ runAt: 5, deadline: 9 });
  });

  it("refuses delayMs beside runAt, not one of them beside undefined", () => {
    expect(thrownBy(() => readTaskOptions({ delayMs: 1, runAt: 1 }))).toMatchObject({ option: "runAt" });
    expect(readTaskOptions({ delayMs: 1, runAt: undefined })).toEqual({ delayMs: 1 });
  });

  const WRONG: Record<string, readonly unknown[]> = {
    id: ["", "a b", 5, "x".repeat(129), "a{b}"],
    queue: ["", "a:b", 5, null],
    priority: [0.5, 1_000_001, -1_000_001, Number.NaN, "5", null, 2 ** 53],
    weight: [0, 1_001, 1.5, Number.NaN],
    name: [5, "x".repeat(129)],
    description: [5, "x".repeat(1_025)],
    metadata: [5, [], { a: {} }],
    correlationId: [5, "x".repeat(129)],
    signal: [{}, new AbortController(), null],
    cost: [0, -1, 0.5, Number.POSITIVE_INFINITY],
    context: [0, "false", null],
    timeoutMs: [true, 0, null],
    maxAttempts: [0, 1e9 + 1],
    backoff: [5, {}],
    killAfterMs: [-1, false],
    timeout: [5],
    attempts: [5],
  };

  it.each(Object.entries(WRONG))("refuses %s of %j", (option, values) => {
    for (const value of values) {
      const error = thrownBy(() => readTaskOptions({ [option]: value } as TaskOptions));
      expect(error).toBeInstanceOf(OptionError);
      expect((error as OptionError).option.split(".")[0]).toBe(option);
    }
  });
});
