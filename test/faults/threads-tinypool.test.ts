import { describe, expect, test } from "vitest";
import {
  MillraceError,
  NotAcceptingError,
  OptionError,
  TaskCancelledError,
  WorkerExitError,
} from "../../dist/index.js";
import {
  createThreads,
  expectHundred,
  inThread,
  rejection,
  setWord,
  shareWords,
  untilWord,
} from "../support/threads.js";

const more = {
  throwing: inThread("throwing.mjs", "throwing"),
  unsent: inThread("throwing.mjs", "unsent"),
  untilAbort: inThread("throwing.mjs", "untilAbort"),
  tick: inThread("throwing.mjs", "tick"),
  measures: inThread("measures.mjs"),
  grows: inThread("measures.mjs", "grows"),
  missing: inThread("there-is-no-such-module.mjs"),
};

/** One thread, so that whatever is lost is missed at once. */
const one = { threads: { max: 1 } };

describe("what tinypool 2.2 does, and threads of a manager do not", () => {
  test("1: process.exit ends its task and its thread alone (tinypool: never settles, the slot is lost)", async () => {
    const scene = createThreads(one);
    const error = await rejection(scene.run("die", { how: "exit" }));
    expect(error).toBeInstanceOf(WorkerExitError);
    expect(error).toMatchObject({ exitCode: 7, code: "MILLRACE_WORKER_EXIT" });
    await expectHundred(scene);
    expect(await scene.tasks.stopGraceful()).toMatchObject({ abandoned: 0, interrupted: 0 });
    expect(scene.watch.reasons).toEqual(["exited", "stopped"]);
  });

  test("2: a module that cannot be imported rejects each task (tinypool: from the second on they hang)", async () => {
    const scene = createThreads(one, more);
    for (let time = 0; time < 3; time++) {
      expect(await rejection(scene.run("missing"))).toMatchObject({
        ...{ name: "HandlerLoadError", code: "MILLRACE_HANDLER_LOAD", handler: "missing" },
        message: expect.stringContaining("there-is-no-such-module.mjs"),
      });
    }
    await expectHundred(scene);
  });

  test("3: what is thrown keeps its name, code and fields (tinypool: plain clones)", async () => {
    const { run } = createThreads(one, more);
    const own = await rejection(run("throwing", { what: "own" }));
    expect(own).toBeInstanceOf(Error);
    expect(own).toMatchObject({
      name: "OwnError",
      message: "with fields",
      code: "E_OWN",
      detail: { order: 7 },
    });
    const dom = await rejection(run("throwing", { what: "dom" }));
    expect(dom).toBeInstanceOf(DOMException);
    expect(dom).toMatchObject({ name: "TimeoutError", message: "took too long" });
    const both = await rejection(run("throwing", { what: "aggregate" }));
    expect(both).toBeInstanceOf(AggregateError);
    expect((both as unknown as AggregateError).errors.map(({ name, message }) => [name, message])).toEqual([
      ["TypeError", "one"],
      ["RangeError", "two"],
    ]);
  });

  test.each(["null", "undefined", "text"])(
    "3: throwing %s fails the task, and is there as its cause (tinypool: `throw null` is a success)",
    async (what) => {
      const { run } = createThreads(one, more);
      const expected = { null: null, undefined: undefined, text: "just text" }[what];
      const error = await rejection(run("throwing", { what }));
      expect(error).toMatchObject({ name: "TaskFailedError", cause: expected });
    },
  );

  test("3: a result that cannot be sent rejects with the path of what is wrong (tinypool: a bare {})", async () => {
    const { run } = createThreads(one, more);
    const error = await rejection(run("unsent", { what: "function" }));
    expect(error).toMatchObject({ code: "MILLRACE_RESULT", handler: "unsent" });
    expect(error.message).toContain("result.rows[0].done");
  });

  test("4: the signal carries its reason, and a task may end in its own way (tinypool: it is killed)", async () => {
    const { tasks, watch } = createThreads({ ...one, killAfterMs: 60_000 }, more);
    const words = shareWords();
    const handle = tasks.enqueue("untilAbort", { words });
    await untilWord(words, 0, 1);
    expect(handle.cancel("no longer needed")).toBe(true);
    expect(await rejection(handle.result())).toBeInstanceOf(TaskCancelledError);
    expect(Atomics.load(words, 1)).toBe(1);
    expect(watch.exited).toEqual([]);
  });

  test("4: a graceful stop lets what runs in threads end (tinypool: it has no graceful close)", async () => {
    const { tasks } = createThreads(one);
    const words = shareWords();
    const handle = tasks.enqueue("held", { words });
    await untilWord(words, 0, 1);
    const stopped = tasks.stopGraceful();
    setWord(words, 1, 1);
    expect(await stopped).toMatchObject({ completed: 1, interrupted: 0 });
    expect(await handle.result()).toEqual(expect.any(Number));
  });

  test("5: timers of a thread go on between tasks (tinypool: its loop stands still)", async () => {
    const { run } = createThreads(one, more);
    const words = shareWords();
    await run("tick", { words });
    await untilWord(words, 0, 4);
  });

  test("5: a late throw rejects no innocent task (tinypool: the next one)", async () => {
    const { watch, run } = createThreads(one);
    for (const how of ["throwLate", "rejectLate", "exitLate"]) {
      const before = watch.lateFaults.length;
      expect(await run("die", { how })).toMatch(/^left/);
      const innocent = run("sleep", { ms: 40 });
      await watch.until(() => watch.lateFaults.length > before);
      expect(await innocent).toEqual(expect.any(Number));
    }
    expect(watch.lateFaults).toMatchObject([
      { handler: "die", error: { message: "thrown after its task" } },
      { handler: "die", error: { message: "rejected after its task" } },
      { handler: "die", error: { code: "MILLRACE_WORKER_EXIT", exitCode: 9 } },
    ]);
    await watch.until(() => watch.exited.length >= 3);
    expect(watch.reasons).toEqual(["late-fault", "late-fault", "late-fault"]);
  });

  test("6: who waits runs when what runs aborts or crashes, also with no least number of threads", async () => {
    const scene = createThreads({ threads: { min: 0, max: 1 } });
    const { run, tasks } = scene;
    for (const how of ["exit", "reject"]) {
      const dies = rejection(run("die", { how }));
      const waits = run("add", { a: 1, b: 2 });
      expect(await dies).toBeInstanceOf(Error);
      expect(await waits).toBe(3);
    }
    const words = shareWords();
    const held = tasks.enqueue("heldStill", { words });
    await untilWord(words, 0, 1);
    const waits = run("add", { a: 1, b: 2 });
    held.cancel();
    expect(await waits).toBe(3);
  });

  test("7: a moved buffer is never found empty by a second attempt: that is refused (tinypool: 0 bytes)", async () => {
    const { tasks, run } = createThreads(one);
    const bytes = new ArrayBuffer(64);
    const payload = { words: shareWords(), failures: 1, bytes };
    const retried = () => tasks.enqueue("failing", payload, { transfer: [bytes], maxAttempts: 2 });
    expect(retried).toThrow(OptionError);
    expect(await run("failing", payload, { maxAttempts: 2, backoff: () => 0 })).toBe(64);
    expect(bytes.byteLength).toBe(64);
  });

  test("8: nothing begins after a stop (tinypool: run() after destroy() makes a thread)", async () => {
    const { tasks, run } = createThreads(one);
    await run("add", { a: 1, b: 1 });
    await tasks.stopNow();
    expect(() => tasks.enqueue("add", { a: 1, b: 1 })).toThrow(NotAcceptingError);
    expect(tasks.stats().threads).toMatchObject({ alive: 0, started: 1 });
  });

  test("9: each error has a code (tinypool: messages alone)", async () => {
    const { run } = createThreads(one, more);
    const errors = await Promise.all([
      rejection(run("die", { how: "exit" })),
      rejection(run("missing")),
      rejection(run("die", { how: "loop" }, { timeoutMs: 20 })),
      rejection(run("unsent", { what: "symbol" })),
    ]);
    for (const error of errors) expect(error).toBeInstanceOf(MillraceError);
    expect(errors.map(({ code }) => code)).toEqual([
      "MILLRACE_WORKER_EXIT",
      "MILLRACE_HANDLER_LOAD",
      "MILLRACE_TASK_TIMEOUT",
      "MILLRACE_RESULT",
    ]);
  });

  test("10: nobody asks for the use of memory after each task (tinypool does, at a good part of its cost)", async () => {
    const { run } = createThreads({ threads: { max: 1, maxHeapMb: 1_000 } }, more);
    const before = await run("measures");
    for (let time = 0; time < 5; time++) await run("measures");
    expect(await run("measures")).toBe(before);
  });

  test("10: a thread is replaced all the same when its heap has grown too large, and no task fails", async () => {
    const { run, watch } = createThreads({ threads: { max: 1, maxHeapMb: 40 } }, more);
    for (let time = 0; time < 6; time++) expect(await run("grows")).toBe("grown");
    await watch.until(() => watch.exited.length > 0);
    expect(new Set(watch.reasons)).toEqual(new Set(["heap"]));
  });
});
