import { assert } from "../../errors.js";

/** What a bucket is filled by. */
export interface BucketRate {
  /** Permits per second; `Infinity` for no limit. */
  readonly tasksPerSecond: number;
  /** Permits that it holds at most; `Infinity` only where there is no limit. */
  readonly burst: number;
}

/**
 * So much of a permit may be missing and is forgiven, relative to the burst: what a sum of fractions is off
 * by, so that a timer set for `waitMs` finds its permit. It is not given away, since the bucket goes below
 * nothing.
 */
const TOLERANCE = 1e-9;

/**
 * A token bucket: it is full at first, permits trickle in at a steady rate up to the burst, each start takes
 * its cost. So within any window of w seconds, starts take at most burst + rate × w. It refills lazily, knows
 * no clock, and takes time that stands still or goes back for no time.
 */
export class TokenBucket {
  #permits: number;
  #perMs: number;
  #burst: number;
  #refilledAt: number;
  #closedUntil = Number.NEGATIVE_INFINITY;

  constructor(rate: BucketRate, now: number) {
    assertRate(rate);
    this.#perMs = rate.tasksPerSecond / 1_000;
    this.#burst = rate.burst;
    this.#permits = rate.burst;
    this.#refilledAt = now;
  }

  /**
   * Milliseconds until `cost` permits can be taken, 0 when they can now. A cost above the burst is the burst.
   */
  waitMs(cost: number, now: number): number {
    this.#refill(now);
    const missing = Math.min(cost, this.#burst) - this.#permits;
    const refillMs = missing > this.#slack ? missing / this.#perMs : 0;
    return Math.max(refillMs, this.#closedUntil - now, 0);
  }

  /**
   * Takes the permits.
   * @throws {InvariantError} when `waitMs` is not 0
   */
  take(cost: number, now: number): void {
    assert(this.waitMs(cost, now) === 0, "permits are taken only when they are there");
    if (this.#perMs !== Number.POSITIVE_INFINITY) this.#permits -= Math.min(cost, this.#burst);
  }

  /** Permits that could be taken now. */
  available(now: number): number {
    this.#refill(now);
    return this.#closedUntil > now ? 0 : Math.max(0, this.#permits);
  }

  /** Changes the rate from now on. Permits that were saved up stay, as far as the new burst holds them. */
  setRate(rate: BucketRate, now: number): void {
    assertRate(rate);
    this.#refill(now);
    this.#perMs = rate.tasksPerSecond / 1_000;
    this.#burst = rate.burst;
    // A bucket that had no limit had no count: it starts full.
    this.#permits = Math.min(this.#permits, rate.burst);
  }

  /** Gives no permit before that instant; of several, the latest counts. Permits trickle in meanwhile. */
  closeUntil(at: number): void {
    assert(!Number.isNaN(at), "a bucket is closed until an instant");
    this.#closedUntil = Math.max(this.#closedUntil, at);
  }

  get #slack(): number {
    return Number.isFinite(this.#burst) ? this.#burst * TOLERANCE : 0;
  }

  #refill(now: number): void {
    const elapsed = now - this.#refilledAt;
    if (!(elapsed > 0)) return;
    this.#refilledAt = now;
    this.#permits = Math.min(this.#burst, this.#permits + elapsed * this.#perMs);
  }
}

function assertRate({ tasksPerSecond, burst }: BucketRate): void {
  assert(tasksPerSecond > 0, "a rate is above 0");
  assert(burst >= 1, "a burst is 1 or more");
  assert(
    burst < Number.POSITIVE_INFINITY || tasksPerSecond === Number.POSITIVE_INFINITY,
    "a limit has a burst",
  );
}
