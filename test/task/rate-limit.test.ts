import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { rateLimitCheck } from "../../src/task/rate-limit.js";

describe("rateLimitCheck", () => {
  it("copies and freezes what it takes", () => {
    const given = { tasksPerSecond: 0.5, burst: 3 };
    const read = rateLimitCheck(given, "rateLimit");
    given.burst = 9;
    expect(read).toEqual({ tasksPerSecond: 0.5, burst: 3 });
    expect(Object.isFrozen(read)).toBe(true);
    expect(rateLimitCheck({ tasksPerSecond: Number.POSITIVE_INFINITY }, "rateLimit").burst).toBeUndefined();
  });

  it("refuses what is no rate, a burst without a rate, and unknown names", () => {
    const wrong = [null, 5, {}, { burst: 2 }, { tasksPerSecond: 0 }, { tasksPerSecond: "5" }, []];
    for (const value of [...wrong, { tasksPerSecond: 1, burst: 0 }, { tasksPerSecond: 1, burst: 1.5 }])
      expect(() => rateLimitCheck(value, "rateLimit")).toThrow(OptionError);
    expect(() => rateLimitCheck({ tasksPerSecond: 1, brust: 2 }, "rateLimit")).toThrow(
      "did you mean `burst`?",
    );
  });
});
