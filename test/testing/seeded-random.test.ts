import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/testing/index.js";

function take(seed: number, count: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.next());
}

/** Chi-squared of counts that should be equal, as standard deviations from its mean. */
function deviation(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const degrees = counts.length - 1;
  return (chiSquared - degrees) / Math.sqrt(2 * degrees);
}

describe("seededRandom", () => {
  // Computed by a C program made of the authors' reference code (https://prng.di.unimi.it/xoshiro128starstar.c).
  it.each([
    [0, [0.531314750053815, 0.9074295925487286, 0.6345402672196641]],
    [1, [0.4303572933998513, 0.5031992483566424, 0.3210079425064076]],
    [-1, [0.1860034985598152, 0.9644904038212829, 0.3547932990351177]],
    [42, [0.768236323318955, 0.6324214840017539, 0.8389095854763474]],
    [Number.MAX_SAFE_INTEGER, [0.3514585643968069, 0.09387791855235084, 0.6213364714165255]],
  ])("gives the numbers of seed %d in every version", (seed, numbers) => {
    for (const [index, number] of take(seed, 3).entries())
      expect(number).toBeCloseTo(numbers[index] ?? -1, 15);
  });

  it("gives the same numbers for the same seed, and each generator its own", () => {
    const one = seededRandom(7);
    const other = seededRandom(7);
    const first = [one.next(), one.next()];
    expect([other.next(), other.next()]).toEqual(first);
    expect(one.next()).toBe(other.next());
  });

  it("gives other numbers for other seeds, also for neighbours and for the same low word", () => {
    const seeds = [...Array.from({ length: 500 }, (_, index) => index - 250), 2 ** 32, 2 ** 33, 2 ** 32 + 1];
    expect(new Set(seeds.map((seed) => take(seed, 2).join())).size).toBe(seeds.length);
    const firsts = seeds.map((seed) => take(seed, 1)[0] ?? 0);
    expect(new Set(firsts).size).toBe(seeds.length);
    expect(firsts.reduce((sum, first) => sum + first, 0) / firsts.length).toBeCloseTo(0.5, 1);
  });

  it("spreads its numbers evenly from 0 up to, but not including, 1, each without regard to the last", () => {
    const single = new Array<number>(64).fill(0);
    const pairs = new Array<number>(256).fill(0);
    let last = 0;
    for (const number of take(2026, 200_000)) {
      if (!(number >= 0 && number < 1)) expect.fail(`${number} is out of range`);
      single[Math.floor(number * 64)] = (single[Math.floor(number * 64)] ?? 0) + 1;
      const pair = 16 * Math.floor(last * 16) + Math.floor(number * 16);
      pairs[pair] = (pairs[pair] ?? 0) + 1;
      last = number;
    }
    expect(Math.abs(deviation(single))).toBeLessThan(4);
    expect(Math.abs(deviation(pairs))).toBeLessThan(4);
  });

  it("uses all 53 bits of a number", () => {
    const low = take(3, 1_000).map((number) => (number * 2 ** 53) % 2 ** 10);
    expect(low.every(Number.isInteger)).toBe(true);
    expect(new Set(low).size).toBeGreaterThan(500);
  });

  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "7" as unknown as number])(
    "refuses the seed %s",
    (seed) => {
      expect(() => seededRandom(seed)).toThrow(RangeError);
    },
  );
});
