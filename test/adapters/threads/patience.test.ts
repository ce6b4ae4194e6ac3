import { expect, test } from "vitest";
import { Patience } from "../../../src/adapters/threads/patience.js";
import { ManualClock } from "../../../src/testing/manual-clock.js";

interface Batch {
  readonly name: string;
  begun: boolean;
}

const begun = (name: string): Batch => ({ name, begun: true });
const waiting = (name: string): Batch => ({ name, begun: false });

function createPatience() {
  const clock = new ManualClock();
  const told: string[] = [];
  const patience = new Patience<Batch>(
    clock,
    ({ name }) => told.push(`${name} is slow`),
    ({ name }) => told.push(`${name} is held up`),
  );
  return { clock, told, patience };
}

test("tells once of a batch that has begun and is not over in time", async () => {
  const { clock, told, patience } = createPatience();
  patience.begin(begun("first"), clock.now());
  await clock.advance(19);
  expect(told).toEqual([]);
  await clock.advance(5_000);
  expect(told).toEqual(["first is slow"]);
  expect(clock.timers).toBe(0);
});

test("tells once of a batch that does not begin in a second", async () => {
  const { clock, told, patience } = createPatience();
  patience.begin(waiting("first"), clock.now());
  await clock.advance(999);
  expect(told).toEqual([]);
  await clock.advance(5_000);
  expect(told).toEqual(["first is held up"]);
  expect(clock.timers).toBe(0);
});

test("tells of no thread that is held up where the batch has begun after all", async () => {
  const { clock, told, patience } = createPatience();
  const batch = waiting("first");
  patience.begin(batch, clock.now());
  await clock.advance(500);
  batch.begun = true;
  await clock.advance(5_000);
  expect(told).toEqual(["first is slow"]);
});

test("begins anew with each batch, and has one timer for all of them", async () => {
  const { clock, told, patience } = createPatience();
  for (const name of ["first", "second", "third"]) {
    patience.begin(begun(name), clock.now());
    expect(clock.timers).toBe(1);
    await clock.advance(15);
  }
  expect(told).toEqual([]);
  await clock.advance(5);
  expect(told).toEqual(["third is slow"]);
});

test("tells nothing after its end", async () => {
  const { clock, told, patience } = createPatience();
  patience.begin(waiting("first"), clock.now());
  patience.end();
  await clock.advance(5_000);
  expect(told).toEqual([]);
  expect(clock.timers).toBe(0);
});
