import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_PRIORITY, MAX_WEIGHT, toOrder, toPriority, toWeight } from "../../src/task/order.js";

const priority = fc.integer({ min: -MAX_PRIORITY, max: MAX_PRIORITY });
const weight = fc.integer({ min: 1, max: MAX_WEIGHT });

describe("order", () => {
  it("puts lower priorities first, and of equals higher weights", () => {
    fc.assert(
      fc.property(priority, weight, priority, weight, (p1, w1, p2, w2) => {
        const expected = Math.sign(p1 - p2) || Math.sign(w2 - w1);
        expect(Math.sign(toOrder(p1, w1) - toOrder(p2, w2))).toBe(expected);
      }),
    );
  });

  it("gives back what went into it, at the ends of the range too", () => {
    const expectBack = (p: number, w: number) => {
      const order = toOrder(p, w);
      expect([toPriority(order), toWeight(order)]).toEqual([p, w]);
      expect(Math.abs(order)).toBeLessThan(2 ** 30); // what V8 keeps without a heap object
    };
    fc.assert(fc.property(priority, weight, expectBack));
    for (const p of [-MAX_PRIORITY, -1, 0, 1, MAX_PRIORITY])
      for (const w of [1, MAX_WEIGHT]) expectBack(p, w);
  });
});
