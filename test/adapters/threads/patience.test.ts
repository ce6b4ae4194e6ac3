import { expect, test } from "vitest";
import { Patience } from "../../../src/adapters/threads/patience.js";
import { ManualClock } from "../../../src/testing/manual-clock.js";

function createPatience() {
  const clock = new ManualClock();
  const lost: string[] = [];
  return { clock, lost, patience: new Patience<string>(clock, (batch) => lost.push(batch)) };
}

test("tells once of a batch that is not over in time", async () => {
  const { clock, lost, patience } = createPatience();
  patience.begin("first", clock.now());
  await clock.advance(19);
  expect(lost).toEqual([]);
  await clock.advance(100);
  expect(lost).toEqual(["first"]);
  expect(clock.timers).toBe(0);
});

test("begins anew with each batch, and has one timer for all of them", async () => {
  const { clock, lost, patience } = createPatience();
  for (const batch of ["first", "second", "third"]) {
    patience.begin(batch, clock.now());
    expect(clock.timers).toBe(1);
    await clock.advance(15);
  }
  expect(lost).toEqual([]);
  await clock.advance(5);
  expect(lost).toEqual(["third"]);
});

test("tells nothing after its end", async () => {
  const { clock, lost, patience } = createPatience();
  patience.begin("first", clock.now());
  patience.end();
  await clock.advance(100);
  expect(lost).toEqual([]);
  expect(clock.timers).toBe(0);
});
