import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { MAX_BATCH, TaskWords } from "../../../src/adapters/threads/task-words.js";

/** The same as `begin`, in a thread of its own, slowly enough that both sides meet on the way. */
const RIVAL = `
  const { parentPort, workerData } = require("node:worker_threads");
  parentPort.on("message", ({ batch, count }) => {
    const begun = [];
    for (let index = 0; index < count; index++) {
      for (let look = 0; look < 300; look++) Atomics.load(workerData, 1 + index);
      const waiting = (batch << 2) | 0;
      if (Atomics.compareExchange(workerData, 1 + index, waiting, (batch << 2) | 1) === waiting) begun.push(index);
    }
    parentPort.postMessage(begun);
  });
`;

describe("the words of a batch", () => {
  test("let a task begin once, and be withdrawn only before", () => {
    const words = new TaskWords();
    words.lay(1, 2);
    expect(words.begin(1, 0)).toBe(true);
    expect(words.begin(1, 0)).toBe(false);
    expect(words.withdraw(1, 0)).toBe(false);
    expect(words.hasBegun(1, 0)).toBe(true);
    expect(words.withdraw(1, 1)).toBe(true);
    expect(words.begin(1, 1)).toBe(false);
    expect(words.hasBegun(1, 1)).toBe(false);
  });

  test("tell a task that has begun of its abort, and no other", () => {
    const words = new TaskWords();
    words.lay(1, 2);
    words.begin(1, 0);
    words.abort(1, 0);
    words.abort(1, 1);
    expect([words.isAborted(1, 0), words.isAborted(1, 1)]).toEqual([true, false]);
    expect(words.hasBegun(1, 0)).toBe(true);
    expect(words.begin(1, 1)).toBe(true);
  });

  test("give a batch nothing of the one after it", () => {
    const words = new TaskWords();
    words.lay(1, 1);
    words.begin(1, 0);
    words.abort(1, 0);
    words.lay(2, 1);
    expect(words.isAborted(1, 0)).toBe(false);
    expect(words.begin(1, 0)).toBe(false);
    expect(words.withdraw(1, 0)).toBe(false);
    expect(words.begin(2, 0)).toBe(true);
  });

  test("hold the number of a batch however many there have been", () => {
    const words = new TaskWords();
    for (const number of [2 ** 29 - 1, 2 ** 29, 2 ** 31, 2 ** 40]) {
      words.lay(number, 1);
      expect(words.begin(number, 0), String(number)).toBe(true);
      expect(words.isAborted(number, 0)).toBe(false);
    }
  });

  test("are seen from where they are shared, that of the stop too", () => {
    const mine = new TaskWords();
    const theirs = new TaskWords(mine.words);
    mine.lay(7, 1);
    expect(theirs.stopping).toBe(false);
    mine.announceStop();
    expect([theirs.begin(7, 0), mine.hasBegun(7, 0), theirs.stopping]).toEqual([true, true, true]);
  });

  test("leave each task to exactly one of two threads that reach for it", async () => {
    const words = new TaskWords();
    const rival = new Worker(RIVAL, { eval: true, workerData: words.words });
    for (let batch = 1; batch <= 200; batch++) {
      words.lay(batch, MAX_BATCH);
      const mine: number[] = [];
      // The last one is taken before the rival hears of the batch, and the first one is left to it.
      if (words.withdraw(batch, MAX_BATCH - 1)) mine.push(MAX_BATCH - 1);
      const answer = once(rival, "message");
      rival.postMessage({ batch, count: MAX_BATCH });
      while (batch % 2 === 0 && !words.hasBegun(batch, 0)) {}
      for (let index = MAX_BATCH - 2; index > 0; index--) if (words.withdraw(batch, index)) mine.push(index);
      const [theirs] = (await answer) as [number[]];
      expect(theirs).toContain(0);
      expect([...mine, ...theirs].sort((a, b) => a - b)).toEqual([...new Array(MAX_BATCH).keys()]);
    }
    await rival.terminate();
  });
});
