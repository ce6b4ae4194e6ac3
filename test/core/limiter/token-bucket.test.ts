import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BucketRate, TokenBucket } from "../../../src/core/limiter/token-bucket.js";
import { InvariantError } from "../../../src/errors.js";

/** One start as the tests record it. */
interface Start {
  readonly at: number;
  readonly cost: number;
  /** Permits that may be saved up, and that had come since the beginning, both at that instant. */
  readonly burst: number;
  readonly come: number;
}

/** I11: in every window that begins and ends with a start, permits given out <= burst + rate * length. */
function checkAllWindows(starts: readonly Start[]): void {
  for (const [first, from] of starts.entries()) {
    let given = 0;
    for (const to of starts.slice(first)) {
      given += to.cost;
      const allowed = from.burst + (to.come - from.come);
      // A start may owe a billionth of its cost and of a millisecond's permits; rounding is far below that.
      const hair = 1e-8 * (1 + allowed);
      if (given > allowed + hair) {
        expect.fail(`from ${from.at} to ${to.at} ms it gave ${given}, but only ${allowed} were allowed`);
      }
    }
  }
}

const tasksPerSecond = fc.oneof(
  fc.constantFrom(0.001, 1 / 3, 0.5, 1, 3, 7, 10, 200, 1_000, 5_000),
  fc.double({ min: 0.001, max: 5_000, noNaN: true }),
);
const burst = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 1_000 }));
const rate = fc.record({ tasksPerSecond, burst });
const origin = fc.oneof(fc.constant(0), fc.double({ min: -1e6, max: 1e12, noNaN: true }));
const cost = fc.oneof(
  { weight: 4, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 9 }) },
);

describe("TokenBucket", () => {
  it("starts full and holds a start back until its permit has come", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 2 }, 0);
    expect(bucket.available(0)).toBe(2);
    bucket.take(1, 0);
    bucket.take(1, 0);
    expect(bucket.available(0)).toBe(0);
    expect(bucket.waitMs(1, 0)).toBe(100);
    expect(bucket.waitMs(1, 40)).toBe(60);
    expect(bucket.available(40)).toBeCloseTo(0.4, 12);
    expect(bucket.waitMs(2, 100)).toBe(100);
    expect(bucket.waitMs(1, 100)).toBe(0);
    bucket.take(1, 100);
    expect(bucket.waitMs(1, 100)).toBe(100);
  });

  it("refuses to give what is not there, and keeps what is", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 2 }, 0);
    bucket.take(1, 0);
    expect(() => bucket.take(2, 0)).toThrow(InvariantError);
    expect(bucket.available(0)).toBe(1);
    bucket.take(1, 0);
    expect(() => bucket.take(1, 99)).toThrow(InvariantError);
  });

  it("counts a cost above the burst as the whole burst", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 4 }, 0);
    bucket.take(1_000, 0);
    expect(bucket.available(0)).toBe(0);
    expect(bucket.waitMs(1_000, 0)).toBe(400);
    expect(bucket.waitMs(4, 0)).toBe(400);
    bucket.take(1_000, 400);
    expect(bucket.available(400)).toBe(0);
  });

  it("lets a start of cost 0 through whenever it is open", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 1, burst: 1 }, 0);
    bucket.take(1, 0);
    expect(bucket.waitMs(0, 0)).toBe(0);
    bucket.closeUntil(5);
    expect(bucket.waitMs(0, 0)).toBe(5);
  });

  it("L3: saves up no more than the burst, however far time jumps", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 100, burst: 3 }, 0);
    bucket.take(3, 0);
    expect(bucket.available(2_000)).toBe(3);
    expect(bucket.available(1e15)).toBe(3);
    bucket.take(3, 1e15);
    expect(bucket.waitMs(1, 1e15)).toBeGreaterThan(0);
  });

  it("gives nothing for time that stands still or goes back", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 1_000, burst: 5 }, 1_000);
    bucket.take(5, 1_000);
    expect(bucket.available(1_000)).toBe(0);
    expect(bucket.available(0)).toBe(0);
    expect(bucket.available(1_000)).toBe(0);
    expect(bucket.available(1_002)).toBe(2);
    expect(bucket.available(1_001)).toBe(2);
    bucket.take(2, 1_001);
    expect(bucket.available(1_002)).toBe(0);
  });

  it("waits for a clock that went back to return, instead of waking up in vain", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 1_000, burst: 1 }, 5_000);
    bucket.take(1, 5_000);
    expect(bucket.waitMs(1, 2_000)).toBe(3_001);
    expect(bucket.waitMs(1, 5_001)).toBe(0);
  });

  it("without a limit lets everything through, whatever the burst", () => {
    for (const burstOf of [1, Number.POSITIVE_INFINITY]) {
      const bucket = new TokenBucket({ tasksPerSecond: Number.POSITIVE_INFINITY, burst: burstOf }, 0);
      for (let index = 0; index < 100; index += 1) bucket.take(7, 0);
      expect(bucket.waitMs(1_000, 0)).toBe(0);
      expect(bucket.available(0)).toBe(Number.POSITIVE_INFINITY);
    }
  });

  it("without a limit is still held back by closeUntil", () => {
    const bucket = new TokenBucket({ tasksPerSecond: Number.POSITIVE_INFINITY, burst: 1 }, 0);
    bucket.closeUntil(50);
    expect(bucket.waitMs(1, 20)).toBe(30);
    expect(bucket.available(20)).toBe(0);
    expect(() => bucket.take(1, 49.9)).toThrow(InvariantError);
    expect(bucket.waitMs(1, 50)).toBe(0);
    expect(bucket.available(50)).toBe(Number.POSITIVE_INFINITY);
  });

  it("with an infinite burst begins with no bound and keeps what it saves", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 1, burst: Number.POSITIVE_INFINITY }, 0);
    bucket.take(1e9, 0);
    expect(bucket.waitMs(1e9, 0)).toBe(0);
    bucket.setRate({ tasksPerSecond: 1, burst: 5 }, 0);
    bucket.take(5, 0);
    bucket.setRate({ tasksPerSecond: 1, burst: Number.POSITIVE_INFINITY }, 0);
    expect(bucket.available(60_000)).toBe(60);
  });

  it("closes until the latest of several instants, and saves up meanwhile", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 3 }, 0);
    bucket.take(3, 0);
    bucket.closeUntil(1_000);
    bucket.closeUntil(200);
    expect(bucket.waitMs(1, 0)).toBe(1_000);
    expect(bucket.available(999)).toBe(0);
    expect(() => bucket.take(1, 999)).toThrow(InvariantError);
    expect(bucket.available(1_000)).toBe(3);
  });

  it("waits for the permit where it comes later than the opening", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 3 }, 0);
    bucket.take(3, 0);
    bucket.closeUntil(30);
    expect(bucket.waitMs(1, 0)).toBe(100);
  });

  it("stays closed for ever when told so", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 3 }, 0);
    bucket.closeUntil(Number.POSITIVE_INFINITY);
    expect(bucket.waitMs(1, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(bucket.available(1e12)).toBe(0);
  });

  it("is not closed by an instant that has passed", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 3 }, 100);
    bucket.closeUntil(50);
    expect(bucket.waitMs(1, 100)).toBe(0);
  });

  it("L8: counts at the old rate until the change, at the new one after it", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 10 }, 0);
    bucket.take(10, 0);
    bucket.setRate({ tasksPerSecond: 1_000, burst: 10 }, 200);
    expect(bucket.available(200)).toBe(2);
    expect(bucket.available(203)).toBe(5);
    bucket.setRate({ tasksPerSecond: 1, burst: 10 }, 203);
    expect(bucket.waitMs(6, 203)).toBe(1_000);
  });

  it("L8: keeps no more than the new burst, and gives nothing for a larger one", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 10 }, 0);
    bucket.setRate({ tasksPerSecond: 10, burst: 4 }, 0);
    expect(bucket.available(0)).toBe(4);
    bucket.setRate({ tasksPerSecond: 10, burst: 100 }, 0);
    expect(bucket.available(0)).toBe(4);
    bucket.setRate({ tasksPerSecond: 10, burst: 1 }, 0);
    bucket.take(9, 0);
    expect(bucket.waitMs(9, 0)).toBe(100);
  });

  it("L8: is full when a limit comes where there was none, and stays closed through a change", () => {
    const bucket = new TokenBucket(
      { tasksPerSecond: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY },
      0,
    );
    bucket.take(500, 0);
    bucket.closeUntil(70);
    bucket.setRate({ tasksPerSecond: 10, burst: 4 }, 50);
    expect(bucket.waitMs(1, 50)).toBe(20);
    expect(bucket.available(70)).toBe(4);
  });

  it("L2: refuses rates, bursts, costs and instants that mean nothing", () => {
    for (const bad of [0, -1, Number.NaN]) {
      expect(() => new TokenBucket({ tasksPerSecond: bad, burst: 1 }, 0)).toThrow(InvariantError);
      expect(() => new TokenBucket({ tasksPerSecond: 1, burst: bad }, 0)).toThrow(InvariantError);
    }
    expect(() => new TokenBucket({ tasksPerSecond: 1, burst: 1 }, Number.NaN)).toThrow(InvariantError);
    const bucket = new TokenBucket({ tasksPerSecond: 1, burst: 2 }, 0);
    for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => bucket.waitMs(bad, 0)).toThrow(InvariantError);
      expect(() => bucket.take(bad, 0)).toThrow(InvariantError);
    }
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(() => bucket.waitMs(1, bad)).toThrow(InvariantError);
    }
    expect(() => bucket.closeUntil(Number.NaN)).toThrow(InvariantError);
    expect(() => bucket.setRate({ tasksPerSecond: 0, burst: 1 }, 0)).toThrow(InvariantError);
    expect(() => bucket.setRate({ tasksPerSecond: 1, burst: 0.5 }, 0)).toThrow(InvariantError);
    expect(bucket.available(0)).toBe(2);
  });

  it("L2: comes out even after waits that no number expresses", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 3, burst: 1 }, 0);
    bucket.take(1, 0);
    for (let second = 1; second <= 1_000; second += 1) {
      for (const at of [second * 1_000 - 2_000 / 3, second * 1_000 - 1_000 / 3, second * 1_000]) {
        expect(bucket.waitMs(1, at)).toBe(0);
        expect(bucket.available(at)).toBe(1);
        bucket.take(1, at);
        expect(bucket.available(at)).toBe(0);
      }
    }
  });

  it("does not let what is owed for rounding add up", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 1_000, burst: 1 }, 0);
    let at = 0;
    bucket.take(1, at);
    for (let starts = 1; starts <= 100_000; starts += 1) {
      // So early that it is let through; given away, this would be 50 ns in the end.
      at += bucket.waitMs(1, at) - 5e-10;
      bucket.take(1, at);
      if (at < starts - 1e-8) expect.fail(`start ${starts} came at ${at} ms`);
    }
  });

  it("L2: finds the permit exactly when the wait is over, at any rate and any age of the clock", () => {
    fc.assert(
      fc.property(rate, origin, fc.array(cost, { minLength: 1, maxLength: 50 }), (limit, start, costs) => {
        const bucket = new TokenBucket(limit, start);
        let now = start;
        for (const each of costs) {
          const wait = bucket.waitMs(each, now);
          now += wait;
          expect(bucket.waitMs(each, now)).toBe(0);
          bucket.take(each, now);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("L2: says a wait that moves even a clock too coarse for it", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 1e9, burst: 1 }, 1e13);
    bucket.take(1, 1e13);
    const wait = bucket.waitMs(1, 1e13);
    expect(1e13 + wait).toBeGreaterThan(1e13);
    expect(wait).toBeLessThan(0.01);
    expect(bucket.waitMs(1, 1e13 + wait)).toBe(0);
  });

  it("L2: says Infinity where no number can express the wait", () => {
    const bucket = new TokenBucket({ tasksPerSecond: Number.MIN_VALUE, burst: 1 }, 0);
    bucket.take(1, 0);
    expect(bucket.waitMs(1, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([0.001, 0.5, 1 / 3, 10, 200, 5_000])(
    "L1: at %d a second keeps to the bound in every window and wastes nothing when served in time",
    (perSecond) => {
      fc.assert(
        fc.property(burst, fc.array(cost, { minLength: 20, maxLength: 100, size: "max" }), (most, costs) => {
          const bucket = new TokenBucket({ tasksPerSecond: perSecond, burst: most }, 0);
          const starts: Start[] = [];
          let now = 0;
          for (const each of costs) {
            now += bucket.waitMs(each, now);
            bucket.take(each, now);
            starts.push({
              at: now,
              cost: Math.min(each, most),
              burst: most,
              come: (now * perSecond) / 1_000,
            });
          }
          checkAllWindows(starts);
          const given = starts.reduce((sum, start) => sum + start.cost, 0);
          const allowed = most + (now * perSecond) / 1_000;
          // The burst is not used up where the costs are too few for it; then no one waited at all.
          if (now > 0) expect(given).toBeGreaterThan(0.999_999 * allowed);
        }),
        { numRuns: 100 },
      );
    },
  );

  it("I11: keeps to the bound in every window, whatever time, rates and closings do", () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("serve" as const), cost }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("pass" as const),
          ms: fc.oneof(fc.double({ min: 0, max: 50, noNaN: true }), fc.constantFrom(0, -20, 1, 2_000, 1e7)),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("setRate" as const), rate }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("close" as const), ms: fc.integer({ min: -10, max: 500 }) }),
      },
    );
    fc.assert(
      fc.property(rate, fc.array(step, { maxLength: 80, size: "max" }), (first, steps) => {
        const bucket = new TokenBucket(first, 0);
        const starts: Start[] = [];
        let limit: BucketRate = first;
        let now = 0;
        let latest = 0;
        let come = 0;
        let closedUntil = Number.NEGATIVE_INFINITY;
        const pass = (to: number) => {
          come += (Math.max(0, to - latest) * limit.tasksPerSecond) / 1_000;
          latest = Math.max(latest, to);
          now = to;
        };
        for (const each of steps) {
          if (each.kind === "pass") {
            pass(now + each.ms);
            // An instant that the bucket was never told cannot be held against it.
            bucket.available(now);
          } else if (each.kind === "close") {
            closedUntil = Math.max(closedUntil, now + each.ms);
            bucket.closeUntil(now + each.ms);
          } else if (each.kind === "setRate") {
            bucket.setRate(each.rate, now);
            limit = each.rate;
          } else {
            // As many as go now without waiting, then one that waits.
            for (let more = 0; more < 5 && bucket.waitMs(each.cost, now) === 0; more += 1) start(each.cost);
            pass(now + bucket.waitMs(each.cost, now));
            start(each.cost);
          }
        }
        checkAllWindows(starts);

        function start(asked: number): void {
          bucket.take(asked, now);
          expect(latest).toBeGreaterThanOrEqual(closedUntil);
          starts.push({ at: now, cost: Math.min(asked, limit.burst), burst: limit.burst, come });
        }
      }),
      { numRuns: 1_500 },
    );
  });

  it("agrees with exact arithmetic where the numbers are whole", () => {
    const move = fc.record({ ms: fc.integer({ min: 0, max: 20 }), cost: fc.integer({ min: 1, max: 12 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(move),
        (perMs, most, moves) => {
          const bucket = new TokenBucket({ tasksPerSecond: perMs * 1_000, burst: most }, 0);
          let now = 0;
          let permits = most;
          for (const { ms, cost: asked } of moves) {
            now += ms;
            permits = Math.min(most, permits + ms * perMs);
            expect(bucket.available(now)).toBe(permits);
            const wanted = Math.min(asked, most);
            expect(bucket.waitMs(asked, now)).toBeCloseTo(Math.max(0, wanted - permits) / perMs, 9);
            if (permits < wanted) continue;
            bucket.take(asked, now);
            permits -= wanted;
          }
        },
      ),
    );
  });
});

describe("what starts have taken", () => {
  it("is counted, one above the burst as the burst, and nothing else is", () => {
    const bucket = new TokenBucket({ tasksPerSecond: 10, burst: 5 }, 0, true);
    bucket.start(2, 0);
    bucket.take(3, 0);
    bucket.giveBack(3, 0, 0);
    expect(bucket.taken).toBe(2);
    bucket.start(50, 1_000);
    expect(bucket.taken).toBe(7);
    expect(bucket.available(1_000)).toBe(0);
  });
});

describe("how exact a timer must be", () => {
  /** How much of the rate is used by starts of one cost that come 2 ms after each permit, as timers may. */
  function usedByLateStarts(rate: BucketRate, each: number): number {
    const bucket = new TokenBucket(rate, 0);
    bucket.take(rate.burst, 0);
    const starts = 500;
    let now = 0;
    for (let count = 0; count < starts; count++) {
      now += bucket.waitMs(each, now) + 2;
      bucket.take(each, now);
    }
    return (starts * each * 1_000) / (now * rate.tasksPerSecond);
  }

  it("is told by whether more than a hundredth of the rate is lost by usual ones", () => {
    const cases = fc.record({
      tasksPerSecond: fc.double({ min: 0.01, max: 2_000, noNaN: true }),
      burst: fc.integer({ min: 1, max: 10 }),
      each: fc.integer({ min: 1, max: 10 }),
    });
    const seen = { tight: 0, slack: 0 };
    fc.assert(
      fc.property(cases, ({ each, ...rate }) => {
        const wanted = Math.min(each, rate.burst);
        fc.pre(rate.tasksPerSecond * 2 <= wanted * 1_000); // faster ones follow each other at once
        const isTight = new TokenBucket(rate, 0).isTight(each);
        seen[isTight ? "tight" : "slack"]++;
        const used = usedByLateStarts(rate, wanted);
        if (isTight) expect(used).toBeLessThan(0.9901);
        else expect(used).toBeGreaterThan(0.985); // the first of them waits for a whole permit
      }),
      { numRuns: 500 },
    );
    expect(Math.min(seen.tight, seen.slack)).toBeGreaterThan(20);
  });

  it.each([
    { tasksPerSecond: 5, burst: 1, why: "2 ms of 200 are a hundredth" },
    { tasksPerSecond: 100, burst: 2, why: "a second permit may come meanwhile" },
    { tasksPerSecond: 501, burst: 1, why: "the processor would never rest" },
    { tasksPerSecond: Number.POSITIVE_INFINITY, burst: 1, why: "nothing is limited" },
  ])("is no matter where $why", (rate) => {
    expect(new TokenBucket(rate, 0).isTight(1)).toBe(false);
  });

  it.each([6, 20, 100, 500])("matters for one at a time at %d per second", (tasksPerSecond) => {
    expect(new TokenBucket({ tasksPerSecond, burst: 1 }, 0).isTight(1)).toBe(true);
  });
});
