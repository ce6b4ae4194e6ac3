import { describe, expect, test } from "vitest";
import { Limiter } from "../../../src/core/limiter/limiter.js";
import { OwnLimits } from "../../../src/core/limiter/own-limits.js";
import { UNLIMITED } from "../../../src/core/limiter/rate-limit.js";

const SLOW = { tasksPerSecond: 1, burst: 2 };

describe("limits by name", () => {
  test("hold for their name alone, and what has none never waits", () => {
    const limits = new OwnLimits(new Map([["slow", SLOW]]), 0);
    limits.start("slow", 2, 0);
    limits.start("other", 1_000, 0);
    expect(limits.waitMs("slow", 1, 0)).toBe(1_000);
    expect(limits.waitMs("other", 1_000, 0)).toBe(0);
    expect([limits.maxCost("slow"), limits.maxCost("other")]).toEqual([2, Number.POSITIVE_INFINITY]);
    expect([limits.get("slow"), limits.get("other")]).toEqual([SLOW, undefined]);
  });

  test("a name is closed until the latest instant, with a limit or without, and has no limit by that", () => {
    const limits = new OwnLimits(new Map([["slow", SLOW]]), 0);
    for (const name of ["slow", "free"]) {
      limits.closeUntil(name, 500, 0);
      limits.closeUntil(name, 200, 0);
      expect(limits.waitMs(name, 1, 100)).toBe(400);
      expect(limits.waitMs(name, 1, 500)).toBe(0);
    }
    expect(limits.get("free")).toBeUndefined();
    expect(limits.maxCost("free")).toBe(Number.POSITIVE_INFINITY);
    limits.start("free", 1_000, 500);
    expect(limits.waitMs("free", 1_000, 500)).toBe(0);
  });

  test.each([
    ["a rate", { tasksPerSecond: 1_000, burst: 5 }],
    ["none", UNLIMITED],
  ])("setting %s opens what was closed", (_, limit) => {
    const limits = new OwnLimits(new Map([["slow", SLOW]]), 0);
    for (const name of ["slow", "free"]) {
      limits.closeUntil(name, 5_000, 0);
      limits.set(name, limit, 100);
      expect(limits.waitMs(name, 1, 100)).toBe(0);
    }
  });

  test("a new rate keeps what was taken; one that had been closed is full", () => {
    const limits = new OwnLimits(new Map([["slow", SLOW]]), 0);
    limits.start("slow", 2, 0);
    limits.set("slow", { tasksPerSecond: 10, burst: 2 }, 0);
    expect(limits.waitMs("slow", 1, 0)).toBe(100);
    limits.closeUntil("free", 5_000, 0);
    limits.set("free", { tasksPerSecond: 1, burst: 3 }, 0);
    expect(limits.waitMs("free", 3, 0)).toBe(0);
    limits.start("free", 3, 0);
    expect(limits.waitMs("free", 1, 0)).toBe(1_000);
  });
});

test("a start takes its permits from the shared limit, its queue's and its handler's", () => {
  const limiter = new Limiter(
    {
      shared: { tasksPerSecond: 10, burst: 9 },
      queues: new Map([["mail", { tasksPerSecond: 10, burst: 8 }]]),
      handlers: new Map([["send", { tasksPerSecond: 10, burst: 7 }]]),
    },
    0,
  );
  expect(limiter.maxCost("mail", "send")).toBe(7);
  expect(limiter.maxCost("mail", undefined)).toBe(8);
  expect(limiter.maxCost("other", "other")).toBe(9);
  limiter.take("mail", "send", 7, 0);
  expect(limiter.available(0)).toBe(2);
  expect(limiter.queues.waitMs("mail", 2, 0)).toBe(100);
  expect(limiter.handlers.waitMs("send", 2, 0)).toBe(200);
  limiter.handlers.closeUntil("send", 900, 0);
  expect([limiter.closedForMs(0), limiter.queues.waitMs("mail", 1, 0)]).toEqual([0, 0]);
});
