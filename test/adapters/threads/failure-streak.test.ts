import { describe, expect, test } from "vitest";
import { FailureStreak } from "../../../src/adapters/threads/failure-streak.js";

function failTimes(streak: FailureStreak, count: number, now = 0): void {
  for (let failure = 1; failure <= count; failure++) streak.failed(new Error(`failure ${failure}`), now);
}

describe("failures in a row", () => {
  test("are too many from the tenth on, and the last one is the cause", () => {
    const streak = new FailureStreak();
    failTimes(streak, 9);
    expect([streak.failing, streak.mayTry(0)]).toEqual([false, true]);
    failTimes(streak, 1);
    expect([streak.failing, streak.mayTry(0)]).toEqual([true, false]);
    expect(streak.cause).toEqual(new Error("failure 1"));
  });

  test("begin anew with a success", () => {
    const streak = new FailureStreak();
    failTimes(streak, 9);
    streak.succeeded();
    failTimes(streak, 9);
    expect(streak.failing).toBe(false);
    expect(streak.mayTry(0)).toBe(true);
  });

  test("let one try pass each second, so that what was mended is noticed", () => {
    const streak = new FailureStreak();
    failTimes(streak, 10, 5_000);
    expect(streak.mayTry(5_999)).toBe(false);
    expect(streak.mayTry(6_000)).toBe(true);
    streak.tried(6_000);
    expect(streak.mayTry(6_000)).toBe(false);
    expect(streak.mayTry(7_000)).toBe(true);
    streak.succeeded();
    expect([streak.failing, streak.mayTry(7_000)]).toEqual([false, true]);
  });
});
