import { expect, test } from "vitest";
import { EarliestTimer } from "../../../src/core/durable/earliest-timer.js";
import { ManualClock } from "../../../src/testing/index.js";

function createTimer() {
  const clock = new ManualClock();
  const fired: number[] = [];
  return { clock, fired, timer: new EarliestTimer(clock, () => fired.push(clock.now())) };
}

test("fires once, at the earliest instant that it was set for", async () => {
  const { clock, fired, timer } = createTimer();
  timer.set(500);
  timer.set(200);
  timer.set(300);
  timer.set(Number.POSITIVE_INFINITY);
  expect(clock.timers).toBe(1);
  await clock.advance(1_000);
  expect(fired).toEqual([200]);
  timer.set(300); // which is past
  await clock.advance(1);
  expect([fired, clock.timers]).toEqual([[200, 1_000], 0]);
});

test("does not fire once it was cleared, nor when it was set for no instant", async () => {
  const { clock, fired, timer } = createTimer();
  timer.set(Number.POSITIVE_INFINITY);
  expect(clock.timers).toBe(0);
  timer.set(500);
  timer.clear();
  await clock.advance(1_000);
  expect([fired, clock.timers]).toEqual([[], 0]);
});
