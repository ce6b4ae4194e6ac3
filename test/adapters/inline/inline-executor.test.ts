import { describe, expect, it } from "vitest";
import { InlineExecutor } from "../../../src/adapters/inline/inline-executor.js";
import type { RunnableAttempt } from "../../../src/ports/executor.js";
import type { Eventually, Outcome } from "../../../src/task/outcome.js";
import type { TaskContext, TaskFunction } from "../../../src/task/task-context.js";

const executor = new InlineExecutor();
const context = { id: "one" } as TaskContext;

/** The outcome: at once where the executor says it at once, else a promise of it. */
/** What an executor that runs an attempt here and now does not look at. */
const UNUSED = {
  headers: undefined,
  transfer: undefined,
  watched: true,
  placed: () => expect.unreachable("it counts no turns"),
  began: () => expect.unreachable("it begins with its start"),
  handBack: () => expect.unreachable("it begins at once"),
  follow: () => expect.unreachable("its signal says all"),
} satisfies Partial<RunnableAttempt>;

function run(work: TaskFunction): Eventually<Outcome> {
  let said: Outcome | undefined;
  const later = new Promise<Outcome>((resolve) => {
    const ended = (outcome: Outcome) => {
      said = outcome;
      resolve(outcome);
    };
    executor.run({ ...UNUSED, work, context, ended });
  });
  return said ?? later;
}

describe("InlineExecutor", () => {
  it("gives what a synchronous handler returns or throws at once", () => {
    expect(run(() => 5)).toEqual({ returned: true, value: 5 });
    expect(run(() => undefined)).toEqual({ returned: true, value: undefined });
    const thrown = { any: "thing" };
    expect(
      run(() => {
        throw thrown;
      }),
    ).toEqual({ returned: false, thrown });
  });

  it("gives the handler its context, and no this", () => {
    function handler(this: unknown, given: TaskContext) {
      return [this, given];
    }
    return expect(run(handler)).resolves.toEqual({ returned: true, value: [undefined, context] });
  });

  class Sub extends Promise<unknown> {}
  const tampered = Object.assign(Promise.resolve("real"), {
    then: (yes: (value: string) => void) => yes("tampered"),
  });
  const hostile = Object.defineProperty(Promise.resolve(1), "constructor", {
    get() {
      throw new Error("hostile");
    },
  });

  it.each<[string, () => unknown, unknown]>([
    ["a promise", () => Promise.resolve(1), { returned: true, value: 1 }],
    ["a rejected promise", () => Promise.reject("no"), { returned: false, thrown: "no" }],
    ["a subclass of Promise", () => Sub.resolve(2), { returned: true, value: 2 }],
    ["a promise of a promise", async () => Promise.resolve(3), { returned: true, value: 3 }],
    ["a promise with a then of its own, as await does", () => tampered, { returned: true, value: "real" }],
    ["an object", () => ({ a: 1 }), { returned: true, value: { a: 1 } }],
    [
      "a promise with a hostile constructor",
      () => hostile,
      { returned: false, thrown: new Error("hostile") },
    ],
  ])("waits for %s and never rejects", async (_, work, expected) => {
    expect(await run(work)).toEqual(expected);
  });

  it("can kill nothing, and has nothing to close", async () => {
    expect(executor.kill()).toBe(false);
    expect(executor.lane).toBe("inline");
    await executor.close();
  });
});
