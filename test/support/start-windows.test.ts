import fc from "fast-check";
import { expect, test } from "vitest";
import { leastBurst, ROUNDING, type Start } from "./start-windows.js";

/** The same by looking at every window. */
function leastBurstOfAllWindows(starts: readonly Start[], tasksPerSecond: number): number {
  let most = 0;
  for (let from = 0; from < starts.length; from++) {
    let taken = 0;
    for (let to = from; to < starts.length; to++) {
      taken += starts[to]?.cost ?? 0;
      const length = (starts[to]?.at ?? 0) - (starts[from]?.at ?? 0);
      most = Math.max(most, taken - (tasksPerSecond * length) / 1_000);
    }
  }
  return most;
}

test("leastBurst looks at every window", () => {
  const start = fc.record({ at: fc.nat(10_000), cost: fc.integer({ min: 1, max: 5 }) });
  fc.assert(
    fc.property(fc.array(start, { maxLength: 40 }), fc.integer({ min: 1, max: 100 }), (unordered, rate) => {
      const starts = unordered.sort((one, other) => one.at - other.at);
      const difference = leastBurst(starts, rate) - leastBurstOfAllWindows(starts, rate);
      expect(Math.abs(difference)).toBeLessThan(ROUNDING);
    }),
  );
});

test("leastBurst finds one window among many that is too dense", () => {
  const steady = Array.from({ length: 100 }, (_, index) => ({ at: index * 100, cost: 1 }));
  expect(leastBurst(steady, 10)).toBeCloseTo(1);
  expect(leastBurst([...steady.slice(0, 50), { at: 4_950, cost: 2 }, ...steady.slice(50)], 10)).toBeCloseTo(
    3,
  );
});
