import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { PulseCounter } from "../../../src/adapters/threads/inside/pulse-counter.js";

/** In so long, one turn at least is counted. */
const SOME_TURNS_MS = 250;

test("counts at once when something begins, and on until all of it has ended", async () => {
  const word = new Int32Array(1);
  const counter = new PulseCounter(word);
  counter.begin();
  expect(word[0]).toBe(1);
  counter.begin();
  counter.end();
  await delay(SOME_TURNS_MS);
  const turns = word[0] ?? 0;
  expect(turns).toBeGreaterThan(2);
  counter.end();
  await delay(SOME_TURNS_MS);
  const after = word[0];
  await delay(SOME_TURNS_MS);
  expect(word[0]).toBe(after);
  counter.begin();
  await delay(SOME_TURNS_MS);
  expect(word[0]).toBeGreaterThan((after ?? 0) + 1);
  counter.end();
});

test("has nothing to count in where no word was free, and takes no harm", async () => {
  const counter = new PulseCounter(undefined);
  expect(() => counter.begin()).not.toThrow();
  await delay(SOME_TURNS_MS); // nor when its timer fires
  expect(() => counter.end()).not.toThrow();
});
