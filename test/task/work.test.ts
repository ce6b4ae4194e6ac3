import { describe, expect, it } from "vitest";
import { ResultError } from "../../src/errors.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import type { TaskContext } from "../../src/task/task-context.js";
import { HandlerCall, perform } from "../../src/task/work.js";
import { rejectionOf, thrownBy } from "../support/manual-manager.js";
import { answering } from "../support/schemas.js";

const context = {} as TaskContext;
const payload = answering((value) => ({ value }));
const call = (entry: object, given: unknown = 1) =>
  new HandlerCall(readDefinition("send", { payload, ...entry }), given);

describe("perform", () => {
  it("calls a function with the context alone, and a handler with its payload first", () => {
    expect(perform((...given: unknown[]) => given, context)).toEqual([context]);
    expect(perform(call({ run: (...given: unknown[]) => given }, "mail"), context)).toEqual([
      "mail",
      context,
    ]);
  });

  it("gives what the handler gives, and makes no promise of it where there is no result schema", () => {
    const promise = Promise.resolve(5);
    expect(perform(call({ run: () => promise }), context)).toBe(promise);
    expect(perform(call({ run: () => 5 }), context)).toBe(5);
  });

  it("throws what the handler throws at once, also with a result schema", () => {
    const error = new Error("at once");
    const run = () => {
      throw error;
    };
    expect(thrownBy(() => perform(call({ run }), context))).toBe(error);
    expect(thrownBy(() => perform(call({ run, result: payload }), context))).toBe(error);
  });

  it("promises what comes out of the result schema, or its refusal", async () => {
    const result = answering((value) => (value === 2 ? { value: "two" } : { issues: [{ message: "no" }] }));
    expect(await perform(call({ run: async () => 2, result }), context)).toBe("two");
    const refused = perform(call({ run: () => 3, result }), context) as Promise<unknown>;
    expect(await rejectionOf(refused)).toBeInstanceOf(ResultError);
  });
});
