import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Limiter } from "../../../src/core/limiter/limiter.js";
import { UNLIMITED } from "../../../src/core/limiter/rate-limit.js";
import { TokenBucket } from "../../../src/core/limiter/token-bucket.js";

const createBucket = (tasksPerSecond: number, burst: number) =>
  new TokenBucket({ tasksPerSecond, burst }, 0, true);

describe("permits that come back", () => {
  it("are there again", () => {
    const bucket = createBucket(1, 5);
    bucket.take(2, 0);
    bucket.take(2, 0);
    bucket.giveBack(2, 0, 0);
    expect(bucket.available(0)).toBe(3);
  });

  it("are all there of a bucket that was empty all along", () => {
    const bucket = createBucket(1_000, 10);
    for (let count = 0; count < 10; count++) bucket.take(1, 0);
    for (let now = 1; now <= 500; now++) bucket.take(1, now);
    for (let count = 0; count < 5; count++) bucket.giveBack(1, 0, 500);
    expect(bucket.available(500)).toBe(5);
  });

  it("are as many as there would be had they not been taken: what is beyond the burst is lost", () => {
    const bucket = createBucket(10, 10);
    bucket.take(10, 0);
    bucket.take(5, 500); // without the first, five would be left
    bucket.giveBack(10, 0, 500);
    expect(bucket.available(500)).toBe(5);
  });

  it("are none where the bucket is full, or was", () => {
    const bucket = createBucket(10, 10);
    bucket.take(4, 0);
    bucket.take(10, 1_000);
    bucket.giveBack(4, 0, 1_000);
    expect(bucket.available(1_000)).toBe(0);
    expect(bucket.available(9_000)).toBe(10);
    bucket.giveBack(10, 1_000, 9_000);
    expect(bucket.available(9_000)).toBe(10);
  });

  it("count for no more than the burst, as when they were taken", () => {
    const bucket = createBucket(1, 3);
    bucket.take(100, 0);
    bucket.giveBack(100, 0, 0);
    expect(bucket.available(0)).toBe(3);
  });

  it("from before a change of the rate are gone, and so are those of a bucket without one", () => {
    const bucket = createBucket(1, 10);
    bucket.take(5, 0);
    bucket.setRate({ tasksPerSecond: 1, burst: 20 }, 10);
    bucket.giveBack(5, 0, 10);
    expect(bucket.available(10)).toBeLessThan(6);
    const free = new TokenBucket(UNLIMITED, 0, true);
    free.take(1, 0);
    free.giveBack(1, 0, 0);
    expect(free.available(0)).toBe(Number.POSITIVE_INFINITY);
  });

  it("come back to all buckets that concern the start", () => {
    const rate = { tasksPerSecond: 1, burst: 3 };
    const limits = { shared: rate, queues: new Map([["q", rate]]), handlers: new Map([["h", rate]]) };
    const limiter = new Limiter({ ...limits, returnable: true }, 0);
    limiter.take("q", "h", 3, 0);
    limiter.giveBack({ queue: "q", handler: "h", cost: 3 }, 0, 0);
    expect(limiter.available(0)).toBe(3);
    expect([limiter.queues.waitMs("q", 3, 0), limiter.handlers.waitMs("h", 3, 0)]).toEqual([0, 0]);
    limiter.take("q", "h", 3, 0);
    limiter.giveBack({ queue: "other", handler: undefined, cost: 3 }, 0, 0);
    expect(limiter.queues.waitMs("q", 1, 0)).toBeGreaterThan(0);
  });

  it("may have been taken ahead of their time: nobody else has what is owed, and nothing is lost", () => {
    const bucket = createBucket(10, 1);
    bucket.take(1, 0);
    bucket.reserve(1, 80); // of which there is no more than .8
    expect([bucket.available(99), bucket.waitMs(1, 100)]).toEqual([0, 100]);
    bucket.giveBack(1, 80, 100);
    expect(bucket.available(100)).toBe(1);
    bucket.take(1, 100);
    bucket.reserve(1, 180);
    bucket.giveBack(1, 180, 190); // too early: it is not there yet
    expect(bucket.waitMs(1, 190)).toBeCloseTo(10, 6);
  });

  it("I11: never let more starts come about in any window than the rate allows", () => {
    const step = fc.record({
      afterMs: fc.constantFrom(0, 0, 1, 7, 50, 400),
      cost: fc.integer({ min: 1, max: 4 }),
      back: fc.option(fc.nat(30), { nil: undefined }),
      isAhead: fc.boolean(),
    });
    const rate = fc.record({
      tasksPerSecond: fc.constantFrom(3, 20, 1_000),
      burst: fc.integer({ min: 4, max: 12 }),
    });
    fc.assert(
      fc.property(rate, fc.array(step, { maxLength: 120 }), ({ tasksPerSecond, burst }, steps) => {
        const bucket = createBucket(tasksPerSecond, burst);
        const starts: { at: number; cost: number }[] = [];
        const reserved: { at: number; cost: number }[] = [];
        let now = 0;
        for (const { afterMs, cost, back, isAhead } of steps) {
          now += afterMs;
          const from = isAhead ? reserved : starts;
          if (isAhead && back === undefined) {
            bucket.reserve(cost, now);
            reserved.push({ at: now, cost });
          } else if (back !== undefined) {
            const [start] = from.splice(back % Math.max(1, from.length), 1);
            if (start !== undefined) bucket.giveBack(start.cost, start.at, now);
            expect(bucket.available(now)).toBeLessThanOrEqual(burst);
          } else if (bucket.waitMs(cost, now) === 0) {
            bucket.take(cost, now);
            starts.push({ at: now, cost });
          }
        }
        for (const [first, { at }] of starts.entries()) {
          let taken = 0;
          for (const start of starts.slice(first)) {
            taken += start.cost;
            expect(taken).toBeLessThanOrEqual(burst + (tasksPerSecond * (start.at - at)) / 1_000 + 1e-6);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
