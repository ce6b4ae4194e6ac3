import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import {
  type Backoff,
  backoffCheck,
  backoffDelayMs,
  exponential,
  fixed,
  linear,
} from "../../src/task/backoff.js";

const input = (attempt: number) => ({
  attempt,
  error: new Error("fails"),
  snapshot: () => expect.unreachable("only a function of the user's is shown the task"),
});
const delays = (backoff: Backoff, attempts: readonly number[], random = 0.5) =>
  attempts.map((attempt) => backoffDelayMs(backoff, input(attempt), () => random));

describe("the built-in backoffs", () => {
  it("have the defaults that they name", () => {
    expect(fixed()).toEqual({ kind: "fixed", delayMs: 1e3, factor: 1, maxDelayMs: 1e3, jitter: "none" });
    expect(linear()).toEqual({ kind: "linear", delayMs: 1e3, factor: 1, maxDelayMs: 6e4, jitter: "none" });
    expect(exponential()).toEqual({
      ...{ kind: "exponential", delayMs: 1e3, factor: 2, maxDelayMs: 6e4, jitter: "full" },
    });
    for (const rule of [fixed(), linear(), exponential()]) expect(Object.isFrozen(rule)).toBe(true);
  });

  it("follow their formula up to their cap", () => {
    expect(delays(fixed({ delayMs: 7 }), [1, 2, 1e9])).toEqual([7, 7, 7]);
    expect(delays(linear({ delayMs: 10, maxDelayMs: 35 }), [1, 2, 3, 4, 1e9])).toEqual([10, 20, 30, 35, 35]);
    const rule = exponential({ delayMs: 10, factor: 3, maxDelayMs: 100, jitter: "none" });
    expect(delays(rule, [1, 2, 3, 4, 1e9])).toEqual([10, 30, 90, 100, 100]);
  });

  it("draw anywhere between nothing and that with full jitter", () => {
    const rule = exponential({ delayMs: 100 });
    expect(delays(rule, [1, 2, 3], 0)).toEqual([0, 0, 0]);
    expect(delays(rule, [1, 2, 3], 0.25)).toEqual([25, 50, 100]);
    expect(delays(fixed({ delayMs: 100, jitter: "full" }), [1, 9], 0.75)).toEqual([75, 75]);
    expect(delays(linear({ delayMs: 100, jitter: "full" }), [1, 3], 0.5)).toEqual([50, 150]);
  });

  it("give a duration for any rule and attempt: no overflow, no NaN, never above the cap", () => {
    const durations = fc.oneof(
      fc.constantFrom(0, 1, 8.64e15),
      fc.double({ min: 0, max: 8.64e15, noNaN: true }),
    );
    const rules = fc.oneof(
      durations.map((delayMs) => fixed({ delayMs, jitter: "full" })),
      fc.tuple(durations, durations).map(([delayMs, maxDelayMs]) => linear({ delayMs, maxDelayMs })),
      fc
        .tuple(durations, durations, fc.double({ min: 1, max: 1_000, noNaN: true }))
        .map(([delayMs, maxDelayMs, factor]) => exponential({ delayMs, maxDelayMs, factor })),
    );
    fc.assert(
      fc.property(
        rules,
        fc.integer({ min: 1, max: 1e9 }),
        fc.double({ min: 0, max: 0.999 }),
        (rule, n, draw) => {
          const [delay = Number.NaN, next = Number.NaN] = delays(
            rule,
            [n, n + 1],
            Number.isNaN(draw) ? 0 : draw,
          );
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(rule.maxDelayMs);
          expect(next).toBeGreaterThanOrEqual(delay); // of one draw, monotonic
        },
      ),
    );
  });

  it("refuse what is wrong, and options that are another's", () => {
    const wrong: object[] = [{ delayMs: -1 }, { delayMs: "5" }, { jitter: "half" }, { delay: 5 }];
    for (const options of wrong)
      for (const make of [fixed, linear, exponential]) expect(() => make(options)).toThrow(OptionError);
    expect(() => fixed({ maxDelayMs: 5 } as object)).toThrow("Unknown option `maxDelayMs`");
    expect(() => linear({ factor: 2 } as object)).toThrow("Unknown option `factor`");
    for (const factor of [0, 0.99, 1_001, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => exponential({ factor })).toThrow(OptionError);
  });
});

describe("backoff as an option", () => {
  it("takes functions and complete rules, copied and frozen", () => {
    const own = () => 5;
    expect(backoffCheck(own, "backoff")).toBe(own);
    const plain = { ...linear() };
    const rule = backoffCheck(plain, "backoff");
    expect(rule).toEqual(linear());
    plain.delayMs = 5;
    expect(rule).toMatchObject({ delayMs: 1_000 });
    expect(Object.isFrozen(rule)).toBe(true);
  });

  it.each([fixed, linear, exponential])("refuses %o that is not called, and takes what it gives", (make) => {
    expect(() => backoffCheck(make, "backoff")).toThrow(
      `Expected \`backoff\` to be a call, ${make.name}(), found a function`,
    );
    expect(backoffCheck(make(), "backoff")).toEqual(make());
  });

  it("refuses everything else", () => {
    for (const value of [null, 5, "exponential", [], {}, { kind: "fixed" }, { ...fixed(), delayMs: -1 }])
      expect(() => backoffCheck(value, "backoff")).toThrow(OptionError);
    expect(() => backoffCheck({ ...fixed(), kind: "none" }, "backoff")).toThrow(OptionError);
    expect(() => backoffCheck({ kind: "fixed", delayMs: 5 }, "q.backoff")).toThrow("`q.backoff.factor`");
  });
});
