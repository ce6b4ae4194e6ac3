import { describe, expect, test } from "vitest";
import { createThreads, inThread, rejection, shareWords, untilWord } from "../support/threads.js";

const named = (name: string) => [name, inThread("signals.mjs", name)] as const;
const more = Object.fromEntries(
  [
    ...["looks", "throwsIfAborted", "listens", "listenerThrows", "looksForStop", "listensForStop"],
    ...["enqueuesInStop", "wrapsRefusal", "keeps", "looksAtKept"],
  ].map(named),
);
const options = { threads: { max: 1 }, killAfterMs: 1_000 };

describe("the signal of a task in a thread", () => {
  test.each(["looks", "throwsIfAborted", "listens"])("%s: it sees the abort and its reason", async (how) => {
    const { tasks, watch } = createThreads({ ...options, killAfterMs: 10_000 }, more);
    const words = shareWords(3);
    const handle = tasks.enqueue(how, { words });
    await untilWord(words, 0, 1);
    handle.cancel({ order: 12 });
    expect(await rejection(handle.result())).toMatchObject({
      name: "TaskCancelledError",
      cause: { order: 12 },
    });
    await untilWord(words, 1, 1);
    expect([...words]).toEqual([1, 1, 12]);
    expect(watch.exited).toEqual([]);
  });

  test.each(["looks", "throwsIfAborted", "listens"])("%s: the same for a timeout", async (how) => {
    const { run, watch } = createThreads({ ...options, killAfterMs: 10_000 }, more);
    const words = shareWords(3);
    expect(await rejection(run(how, { words }, { timeoutMs: 50 }))).toMatchObject({
      name: "TaskTimeoutError",
    });
    await untilWord(words, 1, 1);
    expect(watch.exited).toEqual([]);
  });

  test("what a listener throws is the fault of its task, and of no other", async () => {
    const { tasks, run, watch } = createThreads({ ...options, killAfterMs: 10_000 }, more);
    const words = shareWords();
    const handle = tasks.enqueue("listenerThrows", { words });
    await untilWord(words, 0, 1);
    handle.cancel();
    expect(await rejection(handle.result())).toMatchObject({ name: "TaskCancelledError" });
    expect(await run("add", { a: 1, b: 2 })).toBe(3);
    await watch.until(() => watch.exited.length === 1);
    expect(watch.reasons).toEqual(["exited"]);
    expect(watch.lateFaults).toEqual([]);
  });

  test.each(["looksForStop", "listensForStop"])(
    "%s: a graceful stop is announced and aborts nothing",
    async (how) => {
      const { tasks } = createThreads(options, more);
      const words = shareWords();
      const handle = tasks.enqueue(how, { words });
      await untilWord(words, 0, 1);
      const stopped = tasks.stopGraceful();
      expect(await handle.result()).toMatchObject({
        ...{ aborted: false, stopping: { name: "ManagerStoppedError", code: "MILLRACE_MANAGER_STOPPED" } },
      });
      expect(await stopped).toMatchObject({ completed: 1, cancelled: 0 });
    },
  );

  test("what a handler enqueues in a stop is refused, which ends its task, and neither its thread nor a retry", async () => {
    const { tasks, watch } = createThreads({ ...options, maxAttempts: 3, backoff: () => 1 }, more);
    const words = shareWords();
    const handle = tasks.enqueue("enqueuesInStop", { words });
    const end = rejection(handle.result());
    await untilWord(words, 0, 1);
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, cancelled: 1, failed: 0 });
    expect(await end).toMatchObject({ name: "ManagerStoppedError", cause: { name: "NotAcceptingError" } });
    expect([tasks.stats().total.retried, watch.lateFaults]).toEqual([0, []]);
  });

  test("the same where it throws the refusal as the cause of its own error", async () => {
    const { tasks } = createThreads({ ...options, maxAttempts: 3, backoff: () => 1 }, more);
    const words = shareWords();
    const end = rejection(tasks.enqueue("wrapsRefusal", { words }).result());
    await untilWord(words, 0, 1);
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, cancelled: 1, failed: 0 });
    const cause = { message: "could not go on", cause: { name: "NotAcceptingError" } };
    expect(await end).toMatchObject({ name: "ManagerStoppedError", cause });
    expect(tasks.stats().total.retried).toBe(0);
  });

  test("that of a finished task is not fooled by the abort of the next one", async () => {
    const { tasks, run } = createThreads({ ...options, killAfterMs: 10_000 }, more);
    expect(await run("keeps")).toEqual([false, false]);
    expect(await run("keeps")).toEqual([false, false, false, false]);
    const words = shareWords();
    const handle = tasks.enqueue("looksAtKept", { words });
    await untilWord(words, 0, 1);
    handle.cancel();
    await rejection(handle.result());
    await untilWord(words, 1, 1);
    expect(Atomics.load(words, 1)).toBe(1); // none of those that were kept
    expect(await run("keeps")).toEqual([false, false, false, false, false, false]);
  });
});
