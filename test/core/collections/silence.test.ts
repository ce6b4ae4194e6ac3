import { describe, expect, test } from "vitest";
import { Silence } from "../../../src/core/collections/silence.js";

/** Looks every `everyMs` for so long, and says for how long there was silence at each look. */
function looked(forMs: number, signs: (now: number) => number, everyMs = 10): number[] {
  const silence = new Silence(10, signs(0), 0);
  const seen: number[] = [];
  for (let now = everyMs; now <= forMs; now += everyMs) seen.push(silence.look(signs(now), now));
  expect(silence.ms).toBe(seen.at(-1));
  return seen;
}

describe("Silence", () => {
  test("grows with each look that finds no new sign", () => {
    expect(looked(50, () => 7)).toEqual([10, 20, 30, 40, 50]);
  });

  test("is over with a sign, also where their number has wrapped round", () => {
    expect(looked(50, (now) => (now < 30 ? 2 ** 31 - 1 : -(2 ** 31)))).toEqual([10, 20, 0, 10, 20]);
  });

  test("does not count time in which nobody looked", () => {
    expect(looked(300, () => 0, 100)).toEqual([10, 20, 30]);
  });

  test("counts no more than has passed where it is looked more often", () => {
    expect(looked(8, () => 0, 4)).toEqual([4, 8]);
  });
});
