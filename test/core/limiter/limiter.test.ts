import { describe, expect, test } from "vitest";
import { Limiter } from "../../../src/core/limiter/limiter.js";
import { UNLIMITED } from "../../../src/core/limiter/rate-limit.js";
import { InvariantError } from "../../../src/errors.js";

function createLimiter() {
  const shared = { tasksPerSecond: 10, burst: 5 };
  const queues = new Map([["narrow", { tasksPerSecond: 1, burst: 2 }]]);
  return new Limiter({ shared, queues }, 0);
}

describe("a limiter", () => {
  test("takes the permits of a start from the shared bucket and from its queue's", () => {
    const limiter = createLimiter();
    limiter.take("narrow", undefined, 2, 0);
    expect(limiter.available(0)).toBe(3);
    expect(limiter.queues.waitMs("narrow", 1, 0)).toBe(1_000);
    expect(limiter.queues.waitMs("other", 1, 0)).toBe(0);
    expect(limiter.sharedWaitMs(3, 0)).toBe(0);
    limiter.take("other", undefined, 3, 0);
    expect(limiter.sharedWaitMs(1, 0)).toBe(100);
    expect(limiter.sharedWaitMs(5, 0)).toBe(500);
    expect(limiter.queues.waitMs("narrow", 1, 0)).toBe(1_000);
    expect(limiter.queues.waitMs("narrow", 2, 600)).toBe(1_400);
  });

  test("takes nothing that is not there", () => {
    const limiter = createLimiter();
    limiter.take("other", undefined, 5, 0);
    expect(() => limiter.take("other", undefined, 1, 0)).toThrow(InvariantError);
    const narrow = createLimiter();
    narrow.take("narrow", undefined, 2, 0);
    expect(() => narrow.take("narrow", undefined, 1, 0)).toThrow(InvariantError);
  });

  test("knows the largest cost of each queue: the smaller burst of the two", () => {
    const limiter = createLimiter();
    expect(limiter.maxCost("other", undefined)).toBe(5);
    expect(limiter.maxCost("narrow", undefined)).toBe(2);
    limiter.queues.set("narrow", { tasksPerSecond: 1, burst: 9 }, 0);
    expect(limiter.maxCost("narrow", undefined)).toBe(5);
    limiter.setRate(UNLIMITED, 0);
    expect(limiter.maxCost("narrow", undefined)).toBe(9);
    expect(limiter.maxCost("other", undefined)).toBe(Number.POSITIVE_INFINITY);
  });

  test("without limits never makes anyone wait", () => {
    const limiter = new Limiter({ shared: UNLIMITED }, 0);
    limiter.take("any", undefined, 1_000_000, 0);
    expect(limiter.sharedWaitMs(1_000_000, 0)).toBe(0);
    expect(limiter.queues.waitMs("any", 1_000_000, 0)).toBe(0);
    expect(limiter.available(0)).toBe(Number.POSITIVE_INFINITY);
    expect(limiter.limit).toBe(UNLIMITED);
    expect(limiter.queues.get("any")).toBeUndefined();
  });

  test("is closed for all until the latest of the instants it was told, and its queues are not", () => {
    const limiter = createLimiter();
    limiter.closeUntil(700);
    limiter.closeUntil(300);
    expect(limiter.sharedWaitMs(1, 200)).toBe(500);
    expect(limiter.available(200)).toBe(0);
    expect(limiter.queues.waitMs("narrow", 1, 200)).toBe(0);
    expect(limiter.sharedWaitMs(1, 700)).toBe(0);
    expect(limiter.available(700)).toBe(5);
  });

  test("changes a rate in place: what was taken stays taken", () => {
    const limiter = createLimiter();
    limiter.take("narrow", undefined, 2, 0);
    limiter.queues.set("narrow", { tasksPerSecond: 100, burst: 2 }, 0);
    expect(limiter.queues.waitMs("narrow", 1, 0)).toBe(10);
    expect(limiter.queues.get("narrow")).toEqual({ tasksPerSecond: 100, burst: 2 });
    limiter.setRate({ tasksPerSecond: 1_000, burst: 4 }, 0);
    expect(limiter.available(0)).toBe(3);
    expect(limiter.limit).toEqual({ tasksPerSecond: 1_000, burst: 4 });
    expect(limiter.sharedWaitMs(4, 0)).toBe(1);
  });

  test("gives a queue that had no limit a full bucket", () => {
    const limiter = createLimiter();
    limiter.take("late", undefined, 1, 0);
    limiter.queues.set("late", { tasksPerSecond: 1, burst: 3 }, 50);
    expect(limiter.queues.waitMs("late", 3, 50)).toBe(0);
    expect(limiter.queues.waitMs("late", 1, 50)).toBe(0);
  });
});
