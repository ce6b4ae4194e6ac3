import { describe, expect, test } from "vitest";
import {
  ManagerStoppedError,
  TaskTimeoutError,
  WorkerExitError,
  WorkerOutOfMemoryError,
} from "../../dist/index.js";
import { crowding } from "../support/crowding.js";
import { makeNamedPipe } from "../support/named-pipe.js";
import {
  createThreads,
  expectHundred,
  rejection,
  shareWords,
  timeToSettle,
  untilAllExited,
  untilWord,
} from "../support/threads.js";

const GRACE_MS = 250;

describe("P2, P3: what never ends", () => {
  test.each(["loop", "wait", "never", "regex", "ignoreAbort"])(
    "%s ends by its timeout and the grace; its thread is replaced, and its neighbour is not harmed",
    async (how) => {
      const killAfterMs = 100;
      const scene = createThreads({ killAfterMs });
      const { tasks, watch } = scene;
      await expectHundred(scene); // threads are there
      const [words, neighbours] = [shareWords(), shareWords()];
      const neighbour = tasks.enqueue("held", { words: neighbours });
      await untilWord(neighbours, 0, 1);
      const handle = tasks.enqueue("die", { how, words }, { timeoutMs: 200 });
      const settled = timeToSettle(handle.result());
      await untilWord(words, 0, 1);
      expect(await settled).toBeLessThan((200 + killAfterMs + GRACE_MS) * crowding());
      expect(await rejection(handle.result())).toBeInstanceOf(TaskTimeoutError);
      await watch.until(() => watch.exited.length === 1);
      expect(watch.exited).toMatchObject([{ reason: "killed", error: undefined }]);
      expect(tasks.stats().total).toMatchObject({ timedOut: 1, abandoned: 0 });
      Atomics.store(neighbours, 1, 1);
      expect(await neighbour.result()).toEqual(expect.any(Number));
      await expectHundred(scene);
    },
  );

  test("one without a timeout holds up none that were handed over together with it", async () => {
    const scene = createThreads({ threads: { max: 1 } });
    const { tasks } = scene;
    const enqueueMany = (words: Int32Array) =>
      Array.from({ length: 40 }, () => tasks.enqueue("held", { words }, { timeoutMs: false }));
    // Handed over together, since the handler was fast so far; then one of them waits for the test.
    for (let round = 0; round < 3; round++) {
      const words = shareWords();
      Atomics.store(words, 1, 1);
      await Promise.all(enqueueMany(words).map((handle) => handle.result()));
    }
    await tasks.setConcurrency({ threads: { max: 2 } });
    const words = shareWords();
    Atomics.store(words, 1, 1);
    const stuck = tasks.enqueue("held", { words: shareWords() }, { timeoutMs: false });
    const others = enqueueMany(words);
    await Promise.all(others.map((handle) => handle.result()));
    expect(stuck.state).toBe("running");
    stuck.cancel();
    await rejection(stuck.result());
    expect(Atomics.load(words, 0)).toBe(others.length); // each began once
  });
});

describe("P3: native code, which nothing can end", () => {
  test("its task ends in time, its slot is given to another thread, and it counts once when it ends", async () => {
    const scene = createThreads({ threads: { max: 1 } });
    const { run, tasks, watch } = scene;
    const { path, release } = makeNamedPipe();
    await run("add", { a: 1, b: 1 });
    const settled = timeToSettle(run("die", { how: "native", path }, { timeoutMs: 200 }));
    expect(await settled).toBeLessThan((200 + 100 + GRACE_MS) * crowding());
    expect(tasks.stats().lanes.threads).toMatchObject({ concurrency: 0, running: 0 });
    expect(await run("add", { a: 1, b: 2 })).toBe(3);
    expect(watch.exited).toEqual([]); // it goes on
    expect(tasks.stats().lanes.threads).toMatchObject({ concurrency: 1 });
    release();
    await watch.until(() => watch.exited.length === 1);
    expect(watch.reasons).toEqual(["killed"]);
    await expectHundred(scene);
    expect(tasks.stats().lanes.threads).toMatchObject({ concurrency: 1, running: 0 });
    expect(tasks.stats().threads).toMatchObject({ alive: 1, started: 2 });
  });

  test("a stop does not wait for it", async () => {
    const { tasks } = createThreads({ threads: { max: 1 } });
    const [words, { path, release }] = [shareWords(), makeNamedPipe()];
    const ended = rejection(tasks.enqueue("die", { how: "native", words, path }).result());
    await untilWord(words, 0, 1);
    expect(await timeToSettle(tasks.stopNow())).toBeLessThan(1_000 * crowding());
    expect(tasks.stats().threads).toMatchObject({ started: 1, exited: { killed: 0 } }); // it goes on
    expect(await ended).toBeInstanceOf(ManagerStoppedError);
    release();
    await untilAllExited(tasks);
    expect(tasks.stats().threads.exited).toMatchObject({ killed: 1 });
  });
});

describe("P4: what throws beside its promise", () => {
  test("a throw in a timer fails the task that set the timer, and no other", async () => {
    const { run, watch } = createThreads();
    const words = shareWords();
    const neighbour = run("held", { words });
    await untilWord(words, 0, 1);
    const error = await rejection(run("die", { how: "throwLater" }));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: "thrown in a timer", cause: { message: "deep" } });
    Atomics.store(words, 1, 1);
    await neighbour;
    await watch.until(() => watch.exited.length > 0);
    expect(watch.exited).toMatchObject([{ reason: "exited" }]);
    expect(watch.lateFaults).toEqual([]);
  });

  test("so does a rejection that nobody handles", async () => {
    const scene = createThreads({ threads: { max: 1 } });
    const dies = rejection(scene.run("die", { how: "reject" }));
    const waits = scene.run("add", { a: 1, b: 1 });
    expect(await dies).toMatchObject({ name: "TypeError", message: "rejected for nobody" });
    expect(await waits).toBe(2);
    await expectHundred(scene);
  });

  test("each attempt of a task that ends its thread is counted, and the last says why", async () => {
    const { tasks, watch } = createThreads({ threads: { max: 1 } });
    const words = shareWords();
    const options = { maxAttempts: 3, backoff: () => 0 };
    const handle = tasks.enqueue("die", { how: "exitLater", words }, options);
    expect(await rejection(handle.result())).toMatchObject({ exitCode: 8 });
    expect(Atomics.load(words, 0)).toBe(3);
    expect(tasks.stats().total).toMatchObject({ started: 3, retried: 2, failed: 1 });
    expect(handle.state).toBe("failed");
    expect(watch.finished.at(-1)?.error).toBeInstanceOf(WorkerExitError);
  });
});

describe("P9: out of memory", () => {
  test("fails its task with that, replaces the thread and leaves the process alone", async () => {
    const threads = { max: 1, resourceLimits: { maxOldGenerationSizeMb: 32 } };
    const scene = createThreads({ threads });
    const error = await rejection(scene.run("die", { how: "outOfMemory" }));
    expect(error).toBeInstanceOf(WorkerOutOfMemoryError);
    expect(error).toMatchObject({ code: "MILLRACE_WORKER_OUT_OF_MEMORY", taskId: expect.any(String) });
    await expectHundred(scene);
    expect(scene.watch.exited).toMatchObject([{ reason: "out-of-memory", attempts: 1 }]);
  });
});

describe("X9: a stop while a thread loops", () => {
  test("stopNow ends in time, and the task with it", async () => {
    const { tasks } = createThreads();
    const words = shareWords();
    const options = { timeoutMs: false, killAfterMs: 60_000 } as const;
    const handle = tasks.enqueue("die", { how: "loop", words }, options);
    const ended = rejection(handle.result());
    await untilWord(words, 0, 1);
    const stopped = tasks.stopNow();
    expect(await timeToSettle(stopped)).toBeLessThan(1_000 * crowding());
    expect(await ended).toBeInstanceOf(ManagerStoppedError);
    expect(await stopped).toMatchObject({ abandoned: 0 });
    expect(tasks.stats().threads).toMatchObject({ alive: 0 });
  });

  test("a graceful stop is bounded by its deadline", async () => {
    const { tasks } = createThreads();
    const words = shareWords();
    const handle = tasks.enqueue("die", { how: "loop", words }, { timeoutMs: false });
    const ended = rejection(handle.result());
    await untilWord(words, 0, 1);
    const deadlineMs = 300;
    expect(await timeToSettle(tasks.stopGraceful({ deadlineMs }))).toBeLessThan(
      (deadlineMs + 450) * crowding(),
    );
    expect(await ended).toBeInstanceOf(ManagerStoppedError);
  });
});
