import { strict as assert } from "node:assert";
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { TaskCancelledError, type TaskHandle, type TaskOptions } from "../../dist/index.js";
import { crowding } from "../support/crowding.js";
import {
  createThreads,
  heldTogether,
  inThread,
  rejection,
  setWord,
  shareWords,
  type ThreadScene,
  untilHolds,
  untilWord,
} from "../support/threads.js";

const REASON = { why: "not wanted" };

/** Cancels, and checks that this alone decided: one end, with its reason. */
async function cancelOnce({ watch }: ThreadScene, handle: TaskHandle): Promise<void> {
  expect(handle.cancel(REASON)).toBe(true);
  expect(handle.cancel("again")).toBe(false);
  const error = await rejection(handle.result());
  expect(error).toBeInstanceOf(TaskCancelledError);
  expect(error.cause).toBe(REASON);
  await watch.until(() => watch.finished.some(({ id }) => id === handle.id));
  const ends = watch.finished.filter(({ id }) => id === handle.id);
  expect(ends).toMatchObject([{ state: "cancelled", reason: "cancelled" }]);
}

/** A thread that does nothing until its word is set. */
async function occupy({ tasks }: ThreadScene): Promise<() => void> {
  const words = shareWords();
  tasks.enqueue("held", { words });
  await untilWord(words, 0, 1);
  return () => setWord(words, 1, 1);
}

const one = { threads: { max: 1 } };

describe("C1: a cancel in each state", () => {
  const waiting: [string, TaskOptions][] = [
    ["scheduled", { delayMs: 60_000 }],
    ["queued", {}],
  ];
  test.each(waiting)("%s: it never begins", async (state, options) => {
    const scene = createThreads(one);
    const release = await occupy(scene);
    const words = shareWords();
    const handle = scene.tasks.enqueue("held", { words }, options);
    await untilHolds(() => handle.state === state);
    await cancelOnce(scene, handle);
    release();
    await scene.run("add", { a: 1, b: 1 });
    expect(Atomics.load(words, 0)).toBe(0);
  });

  test("waiting for a permit: it never begins, and the next one has the permit", async () => {
    const scene = createThreads({ ...one, tasksPerSecond: 20, burst: 1 });
    await scene.run("add", { a: 1, b: 1 });
    const words = shareWords();
    const handle = scene.tasks.enqueue("held", { words });
    await cancelOnce(scene, handle);
    expect(await scene.run("add", { a: 1, b: 1 })).toBe(2);
    expect(Atomics.load(words, 0)).toBe(0);
  });

  test("in line for a thread that comes up: it never begins", async () => {
    const scene = createThreads(one);
    const words = shareWords();
    const handle = scene.tasks.enqueue("held", { words });
    await untilHolds(() => scene.tasks.stats().threads.starting === 1);
    expect(handle.state).toBe("running");
    await cancelOnce(scene, handle);
    expect(await scene.run("add", { a: 1, b: 1 })).toBe(2);
    expect(scene.watch.exited).toEqual([]);
    expect(Atomics.load(words, 0)).toBe(0);
  });

  test("while its module is imported: it never begins, and the thread goes on", async () => {
    const gate = shareWords();
    const more = { gated: inThread("gated.mjs") };
    const scene = createThreads({ threads: { max: 1, workerData: { words: gate } } }, more);
    const begun = shareWords();
    const handle = scene.tasks.enqueue("gated", { begun });
    await untilWord(gate, 0, 1);
    await cancelOnce(scene, handle);
    setWord(gate, 1, 1);
    expect(await scene.run("gated", { begun })).toBe("ran");
    expect(Atomics.load(begun, 0)).toBe(1);
    expect(scene.watch.exited).toEqual([]);
  });

  test("handed over and not begun: it never begins, and those behind it do", async () => {
    const scene = createThreads(one);
    const [first, second, third] = await heldTogether(scene, [{}, {}, {}]);
    assert(first !== undefined && second !== undefined && third !== undefined);
    setWord(third.words, 1, 1);
    await cancelOnce(scene, second.handle);
    setWord(first.words, 1, 1);
    await third.handle.result();
    expect(Atomics.load(second.words, 0)).toBe(0);
    expect(Atomics.load(third.words, 0)).toBe(1);
    expect(scene.watch.exited).toEqual([]);
  });

  test("running: through its signal", async () => {
    const scene = createThreads({ ...one, killAfterMs: 60_000 });
    const words = shareWords();
    const handle = scene.tasks.enqueue("held", { words });
    await untilWord(words, 0, 1);
    await cancelOnce(scene, handle);
    expect(scene.watch.exited).toEqual([]);
  });

  test("in backoff: at once, and it does not begin again", async () => {
    const scene = createThreads(one);
    const words = shareWords();
    const payload = { words, failures: 9, bytes: new ArrayBuffer(1) };
    const handle = scene.tasks.enqueue("failing", payload, { maxAttempts: 5, backoff: () => 60_000 });
    await untilHolds(() => handle.state === "scheduled");
    await cancelOnce(scene, handle);
    expect(Atomics.load(words, 0)).toBe(1);
  });

  test("over: it changes nothing", async () => {
    const { tasks, watch } = createThreads(one);
    const handle = tasks.enqueue("add", { a: 1, b: 2 });
    expect(await handle.result()).toBe(3);
    expect(handle.cancel()).toBe(false);
    expect(await handle.result()).toBe(3);
    await watch.until(() => watch.finished.length === 1);
  });
});

describe("C3, C4: signals of callers", () => {
  test("C3: a signal that is aborted already refuses the task, and no thread is made for it", async () => {
    const { tasks } = createThreads(one);
    const signal = AbortSignal.abort(REASON);
    const handle = (() => {
      try {
        return tasks.enqueue("add", { a: 1, b: 1 }, { signal });
      } catch (error) {
        return error as Error;
      }
    })();
    const error = handle instanceof Error ? handle : await rejection(handle.result());
    expect(error).toMatchObject({ name: "TaskCancelledError", cause: REASON });
    expect(tasks.stats().threads).toMatchObject({ alive: 0 });
  });

  test("C4: one signal of many tasks keeps no listener, and warns of none", async () => {
    const { tasks, watch } = createThreads();
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const controller = new AbortController();
    const { signal } = controller;
    const enqueueMany = (words?: Int32Array) =>
      Array.from({ length: 3_000 }, (_, a) =>
        words === undefined
          ? tasks.enqueue("add", { a, b: 1 }, { signal })
          : tasks.enqueue("held", { words }, { signal, killAfterMs: 10_000 }),
      );
    await Promise.all(enqueueMany().map((handle) => handle.result()));
    expect(getEventListeners(signal, "abort").length).toBe(0);
    const words = shareWords();
    const handles = enqueueMany(words);
    await untilWord(words, 0, 2);
    controller.abort(REASON);
    const errors = await Promise.all(handles.map((handle) => rejection(handle.result())));
    expect(errors.every((error) => error instanceof TaskCancelledError && error.cause === REASON)).toBe(true);
    expect(getEventListeners(signal, "abort").length).toBe(0);
    expect(warnings).toEqual([]);
    process.off("warning", warn);
    await watch.until(() => watch.finished.length === 6_000); // a stop waits for hooks for a tenth of a second only
  });
});

describe("C5: who does not heed", () => {
  test.each(["loop", "wait", "never", "ignoreAbort"])(
    "%s: its thread is replaced, its slot is back",
    async (how) => {
      const killAfterMs = 50;
      const scene = createThreads({ ...one, killAfterMs });
      const { tasks, watch } = scene;
      const words = shareWords();
      const handle = tasks.enqueue("die", { how, words }, { timeoutMs: false });
      await untilWord(words, 0, 1);
      const cancelledAt = performance.now();
      await cancelOnce(scene, handle);
      expect(performance.now() - cancelledAt).toBeLessThan((killAfterMs + 250) * crowding());
      expect(await scene.run("add", { a: 1, b: 1 })).toBe(2);
      expect(watch.exited).toMatchObject([{ reason: "killed" }]);
      expect(tasks.stats().lanes.threads).toMatchObject({ running: 0, abandoned: 0, free: 1 });
    },
  );
});

describe("C9: all at once", () => {
  test("cancelAll ends a hundred thousand that wait and those that run", { timeout: 60_000 }, async () => {
    const scene = createThreads({ capacity: 200_000, threads: { max: 4 }, killAfterMs: 50 });
    const { tasks } = scene;
    const words = shareWords();
    const running = Array.from({ length: 4 }, () => tasks.enqueue("held", { words }));
    await untilWord(words, 0, 4);
    const waiting = Array.from({ length: 100_000 }, (_, a) => tasks.enqueue("add", { a, b: 1 }));
    const all = [...running, ...waiting].map((handle) => rejection(handle.result()));
    const begunAt = performance.now();
    await tasks.cancelAll();
    const errors = await Promise.all(all);
    expect(performance.now() - begunAt).toBeLessThan(2_000 * crowding());
    expect(errors.every((error) => error instanceof TaskCancelledError)).toBe(true);
    expect(tasks.stats().lanes.threads).toMatchObject({ running: 0, abandoned: 0 });
    expect(await scene.run("add", { a: 1, b: 1 })).toBe(2);
  });
});
