import { describe, expect, test } from "vitest";
import { OptionError, StoreFullError, TaskCancelledError, WorkerExitError } from "../../dist/index.js";
import { createThreads, inThread, rejection, shareWords, untilWord } from "../support/threads.js";

const one = { threads: { max: 1 } };
const handlers = Object.fromEntries(
  ["steer", "throwOurs", "throwAlike", "reasonOfAbort", "refusals", "knowEachOther"].map((name) => [
    name,
    inThread("classes.mjs", name, { maxAttempts: 2 }),
  ]),
);

describe("a handler that imports the package has the classes that its thread has", () => {
  test.each(["skipRetry", "skipRetryOfWorker"])("%s fails it at once", async (how) => {
    const { tasks, run } = createThreads(one, handlers);
    const error = await rejection(run("steer", { how, words: shareWords() }));
    expect(error).toBeInstanceOf(RangeError);
    expect(tasks.stats().total.retried).toBe(0);
  });

  test("cancelTask cancels it", async () => {
    const { run } = createThreads(one, handlers);
    const error = await rejection(run("steer", { how: "cancelTask", words: shareWords() }));
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error.cause).toBe("not wanted");
  });

  test.each(["reschedule", "rateLimited"])("%s lets it run again, and uses no attempt", async (how) => {
    const { tasks, run } = createThreads(one, handlers);
    expect(await run("steer", { how, words: shareWords() })).toBe(1);
    expect(tasks.stats().total).toMatchObject({ completed: 1, failed: 0 });
  });

  test.each([
    ["OptionError", OptionError, ["payload", "no good"]],
    ["StoreFullError", StoreFullError, ["no memory"]],
    ["WorkerExitError", WorkerExitError, ["task", 3]],
  ])("%s comes out as one", async (type, expected, given) => {
    const { run } = createThreads(one, handlers);
    const error = await rejection(run("throwOurs", { type, given }, { maxAttempts: 1 }));
    expect(error).toBeInstanceOf(expected);
  });

  test("what only looks like one of them comes out as an Error", async () => {
    const { run } = createThreads(one, handlers);
    const error = await rejection(run("throwAlike", {}, { maxAttempts: 1 }));
    expect(error).not.toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ code: "MILLRACE_OPTION", message: "alike" });
  });

  test("the reason of an abort is an instance", async () => {
    const { tasks } = createThreads(one, handlers);
    const words = shareWords();
    const handle = tasks.enqueue("reasonOfAbort", { words }, { killAfterMs: 10_000 });
    await untilWord(words, 0, 1);
    handle.cancel();
    await rejection(handle.result());
    await untilWord(words, 1, 1);
    expect(words[1]).toBe(2);
  });

  test("so are the refusals of what it enqueues", async () => {
    const { run } = createThreads(one, handlers);
    const ours = { unknown: true, unsent: true, full: true };
    expect(await run("refusals")).toEqual([ours, ours]);
  });

  test("and its two entry points know the steering of each other", async () => {
    const { run } = createThreads(one, handlers);
    expect(await run("knowEachOther")).toEqual([true, true, false]);
  });
});
