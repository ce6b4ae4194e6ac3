import fc from "fast-check";
import { expect, it } from "vitest";
import { TaskIds } from "../../src/task/task-ids.js";

it("makes an id of the prefix and the number, whichever was asked for before", () => {
  const ids = new TaskIds("p-");
  const number = fc.oneof(fc.nat(3_000), fc.maxSafeNat());
  fc.assert(
    fc.property(fc.array(number, { minLength: 1 }), (numbers) => {
      for (const one of numbers) expect(ids.text(one)).toBe(`p-${one}`);
    }),
  );
});

it("keeps the zeros with which the last three digits begin", () => {
  const ids = new TaskIds("p-");
  expect([0, 7, 999, 1_000, 1_007, 1_000_000, 1_000_010].map((number) => ids.text(number))).toEqual([
    ...["p-0", "p-7", "p-999", "p-1000", "p-1007", "p-1000000", "p-1000010"],
  ]);
});
