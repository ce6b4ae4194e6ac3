import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "../../examples/demo/histogram.ts";

test("percentiles are those of the recorded durations, at most 2.5 % off", () => {
  const durations = fc.array(fc.double({ min: 0.02, max: 3_000_000, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(durations, (all) => {
      const histogram = new Histogram();
      for (const each of all) histogram.record(each);
      const sorted = all.toSorted((a, b) => a - b);
      const exact = (part: number) => sorted[Math.ceil(part * all.length) - 1] ?? Number.NaN;
      const { p50, p95, p99 } = histogram.percentiles() ?? { p50: 0, p95: 0, p99: 0 };
      for (const [found, part] of [[p50, 0.5] as const, [p95, 0.95] as const, [p99, 0.99] as const]) {
        expect(Math.abs(found / exact(part) - 1)).toBeLessThanOrEqual(0.025);
      }
    }),
  );
});

test("takes durations that are out of its range, and has no percentiles without any", () => {
  const histogram = new Histogram();
  expect(histogram.percentiles()).toBeNull();
  histogram.record(0);
  expect(histogram.percentiles()).toEqual({ p50: 0, p95: 0, p99: 0 });
  histogram.record(1e9);
  expect(histogram.percentiles()).toMatchObject({ p95: 1e9, p99: 1e9 });
  expect(histogram.percentiles()?.p50).toBeLessThanOrEqual(0.01);
});
