import { expect, test } from "vitest";
import { Guard } from "../../../src/adapters/otel/guard.js";
import type { ObserverSource } from "../../../src/task/observer-error.js";

function createGuard(source?: ObserverSource) {
  const errors: unknown[] = [];
  const guard = new Guard({ recordError: (error, from) => errors.push([from, error]) }, source);
  return { guard, errors };
}

test("a guarded call gives what it gives, and nothing where it throws", () => {
  const { guard, errors } = createGuard();
  expect(guard.call(() => 7)).toBe(7);
  expect(errors).toEqual([]);
  const failure = guard.call(() => {
    throw "broken";
  });
  expect([failure, errors]).toEqual([undefined, [["listener", "broken"]]]);
  const outcomes = [() => undefined, () => JSON.parse("{")].map((call) => guard.succeeds(call));
  expect([outcomes, errors.length]).toEqual([[true, false], 2]);
});

test("a promise that should not have been given, and is rejected, is counted and handled", async () => {
  const { guard, errors } = createGuard();
  guard.call(() => Promise.reject("late"));
  guard.settled(Promise.reject("later"));
  guard.settled(Promise.resolve("fine"));
  expect(guard.settled(7)).toBe(7);
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors).toEqual([
    ["listener", "late"],
    ["listener", "later"],
  ]);
});

test("errors are counted as those of the source that was named", () => {
  const { guard, errors } = createGuard("carrier");
  guard.call(() => JSON.parse("{"));
  expect(errors).toEqual([["carrier", expect.any(SyntaxError)]]);
});

test("it is known whether a call is under way, also within another, and after one that threw", () => {
  const { guard } = createGuard();
  const seen: boolean[] = [];
  const look = () => seen.push(guard.calling);
  guard.call(() => {
    guard.call(() => JSON.parse("{"));
    guard.succeeds(look);
    look();
  });
  look();
  expect(seen).toEqual([true, true, false]);
});
