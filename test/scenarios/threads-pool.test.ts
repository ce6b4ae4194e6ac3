import { describe, expect, test } from "vitest";
import { crowding } from "../support/crowding.js";
import { createThreads, inThread, setWord, shareWords, untilHolds, untilWord } from "../support/threads.js";

const hoard = { hoard: inThread("hoard.mjs") };

describe("the number of threads", () => {
  test("is none before the first task, and one for tasks that come one after another", async () => {
    const { tasks, run } = createThreads();
    expect(tasks.stats().threads).toMatchObject({ min: 0, max: 2, alive: 0, started: 0 });
    for (let a = 0; a < 5; a++) expect(await run("add", { a, b: 1 })).toBe(a + 1);
    expect(tasks.stats().threads).toMatchObject({ alive: 1, started: 1 });
  });

  test("grows to max for tasks that come together, and not beyond", async () => {
    const { tasks, watch } = createThreads({ threads: { max: 2 } });
    const words = shareWords();
    const held = [1, 2, 3].map(() => tasks.enqueue("held", { words }));
    await untilWord(words, 0, 2);
    expect(tasks.stats().lanes.threads).toMatchObject({ concurrency: 2, running: 2, free: 0 });
    expect(tasks.stats().threads).toMatchObject({ alive: 2, busy: 2 });
    expect(tasks.stats().queued).toBe(1);
    setWord(words, 1, 1);
    await Promise.all(held.map((handle) => handle.result()));
    expect(watch.started).toHaveLength(2);
  });

  test("is min from the start on, without a task", async () => {
    const { tasks, watch } = createThreads({ threads: { min: 2, max: 3 } });
    await watch.until(() => watch.started.length === 2);
    expect(tasks.stats().threads).toMatchObject({ min: 2, alive: 2, busy: 0, started: 2 });
  });

  test("grows only for a task that has been ready for scaleUpAfterMs", async () => {
    const waitMs = 300;
    const { tasks, watch, run } = createThreads({ threads: { max: 2, scaleUpAfterMs: waitMs } });
    const words = shareWords();
    const held = tasks.enqueue("held", { words });
    await untilWord(words, 0, 1);
    // A short one finds the only thread busy, and waits for another for as long as it is told to.
    await run("add", { a: 1, b: 1 });
    await watch.until(() => watch.finished.length === 1);
    expect(watch.finished[0]?.waitMs).toBeGreaterThanOrEqual(waitMs - 1);
    expect(watch.started).toHaveLength(2);
    setWord(words, 1, 1);
    await held.result();
  });

  test("does not grow where the task is served before", async () => {
    const { tasks, watch } = createThreads({ threads: { max: 2, scaleUpAfterMs: 60_000 } });
    const handles = Array.from({ length: 20 }, (_, a) => tasks.enqueue("add", { a, b: 1 }));
    await Promise.all(handles.map((handle) => handle.result()));
    expect(watch.started).toHaveLength(1);
  });

  test("shrinks to min when there is nothing to do", async () => {
    const { tasks, watch } = createThreads({ threads: { min: 1, max: 3, idleTimeoutMs: 50 } });
    const words = shareWords();
    const held = [1, 2, 3].map(() => tasks.enqueue("held", { words }));
    await untilWord(words, 0, 3);
    setWord(words, 1, 1);
    await Promise.all(held.map((handle) => handle.result()));
    await watch.until(() => watch.exited.length === 2);
    expect(watch.reasons).toEqual(["idle", "idle"]);
    expect(tasks.stats().threads).toMatchObject({ alive: 1, exited: { idle: 2 } });
  });
});

describe("setConcurrency", () => {
  test("lets threads go that are too many: idle ones at once, busy ones after their task", async () => {
    const { tasks, watch } = createThreads({ threads: { max: 3 } });
    const words = shareWords();
    const [one, two] = [shareWords(), shareWords()];
    const held = [words, one, two].map((own) => tasks.enqueue("held", { words: own }));
    for (const own of [words, one, two]) await untilWord(own, 0, 1);
    setWord(words, 1, 1);
    await held[0]?.result();
    await untilHolds(() => tasks.stats().threads.busy === 2);
    tasks.setConcurrency({ threads: { max: 1 } });
    await watch.until(() => watch.exited.length === 1); // the idle one
    expect(tasks.stats().threads).toMatchObject({ max: 1, alive: 2, busy: 2 });
    for (const own of [one, two]) setWord(own, 1, 1);
    await Promise.all(held.map((handle) => handle.result()));
    await watch.until(() => watch.exited.length === 2);
    expect(watch.reasons).toEqual(["resized", "resized"]);
    expect(tasks.stats().total).toMatchObject({ completed: 3, failed: 0 });
  });

  test("makes room for more, at once", async () => {
    const { tasks } = createThreads({ threads: { max: 1 } });
    const words = shareWords();
    const held = [1, 2].map(() => tasks.enqueue("held", { words }));
    await untilWord(words, 0, 1);
    tasks.setConcurrency({ threads: { max: 2 } });
    await untilWord(words, 0, 2);
    setWord(words, 1, 1);
    await Promise.all(held.map((handle) => handle.result()));
  });

  test("keeps more of them while there is nothing to do", async () => {
    const { tasks, watch } = createThreads({ threads: { min: 0, max: 2 } });
    tasks.setConcurrency({ threads: { min: 2 } });
    await watch.until(() => watch.started.length === 2);
    expect(() => tasks.setConcurrency({ threads: { max: 1 } })).toThrow(/threads\.min/);
    expect(tasks.stats().threads).toMatchObject({ min: 2, max: 2, alive: 2 });
  });
});

describe("threads that are replaced", () => {
  test("after maxTasksPerThread tasks, of which none fails", async () => {
    const { tasks, watch } = createThreads({ threads: { max: 2, maxTasksPerThread: 25 } });
    const handles = Array.from({ length: 500 }, (_, a) => tasks.enqueue("add", { a, b: 1 }));
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(handles.map((_, a) => a + 1));
    await tasks.stopNow();
    const counted = watch.exited.filter(({ reason }) => reason === "task-count");
    expect(counted.length).toBeGreaterThanOrEqual(18);
    for (const { attempts } of watch.exited) expect(attempts).toBeLessThanOrEqual(25);
  });

  test("when their heap has grown beyond maxHeapMb, between tasks, of which none fails", async () => {
    const { tasks, watch } = createThreads({ threads: { max: 1, maxHeapMb: 48 } }, hoard);
    for (let count = 0; count < 30; count++) {
      expect(await tasks.enqueue("hoard", { mib: 4 }).result()).toBeGreaterThan(0);
    }
    await tasks.stopNow();
    expect(watch.reasons.filter((reason) => reason === "heap").length).toBeGreaterThanOrEqual(1);
    expect(tasks.stats().total).toMatchObject({ completed: 30, failed: 0 });
  });
});

describe("small tasks of one handler", () => {
  test("travel together once it is known that they are small, and tell the truth about each", async () => {
    const { tasks, watch } = createThreads({ capacity: 3_000, threads: { max: 1 } });
    const enqueue = (count: number) =>
      Array.from({ length: count }, (_, a) => tasks.enqueue("whichThread", { a }));
    await Promise.all(enqueue(200).map((handle) => handle.result()));
    await Promise.all(enqueue(2_000).map((handle) => handle.result()));
    await watch.until(() => watch.finished.length === 2_200); // hooks may be told after results
    for (const { waitMs, runMs } of watch.finished) {
      expect(waitMs).toBeGreaterThanOrEqual(0);
      expect(runMs).toBeGreaterThanOrEqual(0);
      expect(runMs).toBeLessThan(100 * crowding());
    }
  });

  test("keep the order of their priorities, also with batches", async () => {
    const { tasks, watch } = createThreads({ threads: { max: 1 }, autoStart: false });
    for (let a = 0; a < 300; a++) tasks.enqueue("add", { a, b: 1 }, { priority: (a * 7) % 10 });
    tasks.start();
    await tasks.drain();
    await watch.until(() => watch.finished.length === 300);
    const priorities = watch.finished.map(({ priority }) => priority);
    expect(priorities).toEqual([...priorities].sort((a, b) => a - b));
  });

  test("travel alone where batching is off", async () => {
    const { tasks, run } = createThreads({ threads: { max: 1, batching: false } });
    for (let a = 0; a < 100; a++) await run("add", { a, b: 1 });
    const handles = Array.from({ length: 200 }, (_, a) => tasks.enqueue("add", { a, b: 1 }));
    let together = 0;
    const looked = handles.map((handle) =>
      handle.result().then(() => {
        together = Math.max(together, tasks.stats().running);
      }),
    );
    await Promise.all(looked);
    expect(together).toBeLessThanOrEqual(1);
  });
});
