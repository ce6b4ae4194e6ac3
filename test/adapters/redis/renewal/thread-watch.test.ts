import { describe, expect, test } from "vitest";
import { LifeWords } from "../../../../src/adapters/redis/renewal/life-words.js";
import { ThreadWatch } from "../../../../src/adapters/redis/renewal/thread-watch.js";

const LEASE_MS = 30_000;

/** Looks at a thread for so long, which turns or does not, and says when it was judged to be wedged. */
function watched(forMs: number, turns: (now: number) => boolean, lookEveryMs?: number) {
  const watch = new ThreadWatch(LEASE_MS, 120_000);
  const life = new LifeWords();
  watch.begin(life, 0);
  const everyMs = lookEveryMs ?? watch.beatMs;
  for (let now = everyMs; now <= forMs; now += everyMs) {
    if (turns(now)) life.beatThread();
    if (watch.look(now)) return now;
  }
  return undefined;
}

describe("ThreadWatch", () => {
  test("looks ten times in what the main thread may be silent, at most once a second", () => {
    expect(new ThreadWatch(30_000, 120_000).beatMs).toBe(1_000);
    expect(new ThreadWatch(30_000, 1_000).beatMs).toBe(100);
  });

  test("finds nothing wrong with a thread that turns", () => {
    expect(watched(600_000, (now) => now % 5_000 === 0)).toBeUndefined();
  });

  test("gives one up that has turned and does not for a third of a lease", () => {
    expect(watched(60_000, (now) => now <= 5_000)).toBe(16_000);
  });

  test("gives one that comes up more time", () => {
    expect(watched(60_000, () => false)).toBe(16_000);
    expect(watched(60_000, (now) => now >= 14_000)).toBeUndefined();
  });

  test("does not count time in which it could not look itself", () => {
    expect(watched(540_000, () => false, 60_000)).toBeUndefined();
  });
});
