import { describe, expect, test } from "vitest";
import { OptionError, TaskTimeoutError } from "../../dist/index.js";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { crowding } from "../support/crowding.js";
import { createThreads, fixture, heldTogether, inThread, rejection, setWord } from "../support/threads.js";

const LONG_MS = [2 ** 31 - 1, 2 ** 31, 2 ** 40];

describe("C6: durations that a timer cannot hold", () => {
  test.each(LONG_MS)("%d ms is honoured: nothing of it fires at once", async (ms) => {
    const threads = { max: 1, idleTimeoutMs: ms, startTimeoutMs: ms };
    const { run, watch } = createThreads({ threads });
    expect(await run("sleep", { ms: 30 }, { timeoutMs: ms, ttlMs: ms })).toEqual(expect.any(Number));
    await run("sleep", { ms: 30 });
    expect(watch.started.length).toBe(1);
    expect(watch.exited).toEqual([]);
  });

  test.each([Number.POSITIVE_INFINITY, Number.NaN, -1])("%d ms is refused", (ms) => {
    const { run } = createThreads();
    expect(() => createThreads({ threads: { idleTimeoutMs: ms } })).toThrow(OptionError);
    expect(() => createThreads({ threads: { startTimeoutMs: ms } })).toThrow(OptionError);
    expect(() => run("sleep", { ms: 1 }, { timeoutMs: ms })).toThrow(OptionError);
  });
});

describe("C7: a timeout counts from the real start", () => {
  const timeoutMs = 200 * crowding();

  test("not while a thread comes up, nor while its module is imported", async () => {
    const preload = [fixture("slow-import.mjs")];
    const slow = { slow: inThread("slow-import.mjs?again") };
    const { tasks } = createThreads({ threads: { max: 1, preload } }, slow);
    const handle = tasks.enqueue("slow", {}, { timeoutMs: 200 });
    expect(await handle.result()).toBe("ran");
    expect(tasks.stats().total).toMatchObject({ timedOut: 0, started: 1 });
  });

  test("not while it waits behind others with which it was handed over", async () => {
    const scene = createThreads({ threads: { max: 1 } });
    const behind = { timeoutMs };
    const held = await heldTogether(scene, [{ timeoutMs: 20_000 }, behind, behind, behind]);
    for (const { words } of held.slice(1)) setWord(words, 1, 1);
    await new Promise((resolve) => setTimeout(resolve, timeoutMs * 1.5)); // the time itself is what is tested
    for (const { words } of held) setWord(words, 1, 1);
    await Promise.all(held.map(({ handle }) => handle.result()));
    expect(scene.tasks.stats().total).toMatchObject({ timedOut: 0 });
  });

  test("but for all that it runs", async () => {
    const { run } = createThreads({ threads: { max: 1 } });
    const begunAt = performance.now();
    const error = await rejection(run("sleep", { ms: 60_000 }, { timeoutMs: 150 }));
    expect(error).toBeInstanceOf(TaskTimeoutError);
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(149);
  });
});

describe("C8: a timeout at the moment of success", () => {
  test("has one outcome, in which the task, its handle and the numbers agree", {
    timeout: 60_000,
  }, async () => {
    const random = seededRandom(8);
    const { tasks, watch } = createThreads({ threads: { max: 2 }, killAfterMs: 2_000 });
    const ends = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const timeoutMs = 5 + Math.floor(random.next() * 10);
        const handle = tasks.enqueue("sleep", { ms: timeoutMs + random.next() * 4 - 3 }, { timeoutMs });
        const outcome = await handle.result().then(
          () => "completed",
          (error: unknown) => (error instanceof TaskTimeoutError ? "failed" : String(error)),
        );
        expect(handle.state).toBe(outcome);
        return outcome;
      }),
    );
    await watch.until(() => watch.finished.length === 60);
    const { completed, failed, timedOut } = tasks.stats().total;
    expect(completed).toBe(ends.filter((end) => end === "completed").length);
    expect(failed).toBe(ends.filter((end) => end === "failed").length);
    expect(timedOut).toBe(failed);
    expect(tasks.stats().lanes.threads).toMatchObject({ running: 0 });
  });
});
