import { setImmediate as nextTurn } from "node:timers";
import { expect, test } from "vitest";
import { type TaskFunction, TaskManager } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { crowding } from "../support/crowding.js";
import { runProgram } from "../support/model-program.js";

/** What no crowd of tasks may hold the event loop for. */
const MOST_MS = 50;

/**
 * A program that blocks the loop does so every time, a busy machine and a big collection only now and then:
 * so the best of some processes counts, and mostly one is enough. What no machine can disturb, how much one
 * turn does, is tested below.
 */
const PROCESSES = 4;

interface Gaps {
  readonly longestMs: number;
  readonly turns: number;
  readonly ended: number;
  readonly started: number;
}

test.each([
  "sync no-ops",
  "async no-ops",
  "async failures with a retry at once",
  "failures with a retry that falls due together",
  "tasks that fall due together",
  "reschedules of each task",
  "a mix",
])("100,000 tasks hold the event loop for less than 50 ms: %s", { timeout: 60_000 }, async (kind) => {
  const found: number[] = [];
  for (let count = 0; count < PROCESSES; count++) {
    const gaps = await runProgram<Gaps>("loop-gaps.ts", [], kind);
    expect(gaps).toMatchObject({ ended: 100_000 });
    found.push(gaps.longestMs);
    if (gaps.longestMs < MOST_MS) break;
  }
  expect(Math.min(...found)).toBeLessThan(MOST_MS * crowding());
});

/** Starts in each turn of the event loop, while tasks of this kind are run to their end. */
async function startsPerTurn(
  work: (clock: ManualClock) => unknown,
  count: number,
): Promise<readonly number[]> {
  const clock = new ManualClock();
  const tasks = new TaskManager({ clock, capacity: count, concurrency: 1_000_000 });
  const starts = [0];
  const run: TaskFunction = () => {
    starts.push((starts.pop() ?? 0) + 1);
    return work(clock);
  };
  for (let index = 0; index < count; index++) tasks.enqueue(run);
  while (tasks.stats().total.completed < count) {
    await new Promise<void>((resolve) => nextTurn(resolve));
    starts.push(0);
  }
  await tasks.stopNow();
  return starts.filter((turn) => turn > 0);
}

test.each<[string, (clock: ManualClock) => unknown]>([
  ["end at once", () => 1],
  ["end in a microtask", async () => 1],
  ["end after a turn", () => new Promise((resolve) => nextTurn(resolve))],
])("no turn of the event loop starts more than 512 tasks that %s", async (_, work) => {
  const starts = await startsPerTurn(work, 5_000);
  expect(Math.max(...starts)).toBeLessThanOrEqual(512);
  expect(starts.length).toBeLessThan(30); // nor does each turn start only a few
});

test("a turn of the event loop starts no more once 10 ms are over", async () => {
  const starts = await startsPerTurn((clock) => clock.block(4), 40);
  expect(Math.max(...starts)).toBeLessThanOrEqual(4);
});
