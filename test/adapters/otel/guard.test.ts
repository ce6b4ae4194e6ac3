import { expect, test } from "vitest";
import { Guard } from "../../../src/adapters/otel/guard.js";

function createGuard() {
  const errors: unknown[] = [];
  const guard = new Guard({ recordError: (error, source) => errors.push([source, error]) });
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
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors).toEqual([
    ["listener", "late"],
    ["listener", "later"],
  ]);
});
