import { assert } from "../../errors.js";
import { LevelTrail } from "./level-trail.js";

/** How fast permits come, and how many may be saved up. */
export interface BucketRate {
  /** Permits per second, above 0; Infinity for no limit. */
  readonly tasksPerSecond: number;
  /** Permits that it holds at most, at least 1; may be Infinity. */
  readonly burst: number;
}

/**
 * What may be missing, as a part of the permits wanted and of those that come in a millisecond. Sums of
 * fractions such as 1000/3 ms end a hair beside the instant that was meant. What was missing is owed: it
 * does not add up over the starts.
 */
const TOLERANCE = 1e-9;

/** By so much a usual timer may be late, in milliseconds. */
const LATE_MS = 2;

/** Such a part of the permits may be lost by that. */
const MAX_LOST = 0.01;

/**
 * A token bucket that knows no clock: each method is told the time in milliseconds. It is full at first, and
 * permits trickle in up to the burst, reckoned from the last time that some were taken. In every window of w
 * seconds it gives out at most `burst + tasksPerSecond * w` permits (and `TOLERANCE`), because at no instant
 * more than `burst` are there. Time that stands still or goes back adds nothing.
 *
 * With an unlimited rate only `closeUntil` holds it back, whatever the burst.
 */
export class TokenBucket {
  #rate: BucketRate;
  #permits: number;
  #countedAt: number;
  #latest: number;
  #closedUntil = Number.NEGATIVE_INFINITY;
  #taken = 0;
  readonly #trail: LevelTrail | undefined;

  /**
   * @param returnable whether permits may be given back
   * @throws {InvariantError} when the rate is not above 0 or the burst is below 1
   */
  constructor(rate: BucketRate, now: number, returnable = false) {
    assertRate(rate);
    assert(Number.isFinite(now), "a bucket starts at a finite instant");
    this.#rate = rate;
    this.#permits = rate.burst;
    this.#countedAt = now;
    this.#latest = now;
    this.#trail = returnable ? new LevelTrail() : undefined;
  }

  /**
   * How long until `cost` permits can be taken, in milliseconds with fractions: 0 when they can be taken now.
   * A cost above the burst counts as the whole burst. Whoever looks again at `now + waitMs` finds them, if no
   * one else came before; Infinity when no number can express the wait.
   * @throws {InvariantError} when the cost is negative or not finite
   */
  waitMs(cost: number, now: number): number {
    assert(cost >= 0 && cost < Number.POSITIVE_INFINITY, "a cost is a number from 0 up");
    const at = this.#advance(now);
    const wanted = Math.min(cost, this.#rate.burst);
    if (this.#canTake(wanted, at)) return 0;
    const missing = Math.max(0, wanted - this.#permitsAt(at));
    // After a clock went back, nothing happens until it has caught up.
    const behind = at - now;
    let wait = behind + Math.max((missing * 1000) / this.#rate.tasksPerSecond, this.#closedUntil - at);
    // Rounding may put `now + wait` just before the permit. Then a timer would fire in vain, maybe for ever.
    let step = Math.max(Math.abs(now), wait) * Number.EPSILON;
    while (!this.#canTake(wanted, now + wait)) {
      wait += step;
      step *= 2;
    }
    return wait;
  }

  /**
   * Whether starts of this cost want a timer that is exact: permits that come while the bucket is full are
   * lost, and as late as a usual timer is, those would be too many. Where such starts follow one another
   * faster than that, an exact one would never let the processor rest.
   */
  isTight(cost: number): boolean {
    const { burst, tasksPerSecond } = this.#rate;
    return (LATE_MS * tasksPerSecond) / 1000 <= Math.min(cost, burst) && this.losesBy(LATE_MS, cost);
  }

  /** Whether more than a hundredth of the permits is lost where each start of this cost is so late. */
  losesBy(lateMs: number, cost: number): boolean {
    const { burst, tasksPerSecond } = this.#rate;
    const wanted = Math.min(cost, burst);
    if (tasksPerSecond === Number.POSITIVE_INFINITY) return false;
    return (lateMs * tasksPerSecond) / 1000 - (burst - wanted) > MAX_LOST * wanted;
  }

  /**
   * Takes `cost` permits, at most the whole burst.
   * @throws {InvariantError} when `waitMs(cost, now)` is not 0
   */
  take(cost: number, now: number): void {
    assert(this.waitMs(cost, now) === 0, "permits are taken only when they are there");
    this.#remove(cost, this.#latest);
  }

  /**
   * Takes permits that may still be to come, for what is to start when they are there: `giveBack` first. What
   * is missing is owed, and nobody else has what comes before that.
   */
  reserve(cost: number, now: number): void {
    this.#remove(cost, this.#advance(now));
  }

  /** Takes permits for an attempt that starts now. */
  start(cost: number, now: number): void {
    this.take(cost, now);
    this.#taken += Math.min(cost, this.#rate.burst);
  }

  /** Permits that starts have ever taken. */
  get taken(): number {
    return this.#taken;
  }

  get burst(): number {
    return this.#rate.burst;
  }

  /**
   * Takes back what was taken at an instant for a start that did not come about. Then the bucket stands as if
   * it had never been taken, and not higher: where it would have been full in the meantime, permits would
   * have been lost. So the bound of what it gives out holds for starts that came about.
   */
  giveBack(cost: number, takenAt: number, now: number): void {
    assert(this.#trail !== undefined, "only a bucket with a trail takes permits back");
    const { burst, tasksPerSecond } = this.#rate;
    if (tasksPerSecond === Number.POSITIVE_INFINITY) return;
    const at = this.#advance(now);
    const level = this.#permitsAt(at);
    const peak = Math.max(level, this.#trail.peakSince(takenAt));
    const given = Math.max(0, Math.min(cost, burst - peak));
    this.#permits = level + given;
    this.#countedAt = at;
    this.#trail.raise(given, burst);
  }

  /**
   * How many permits can be taken now: 0 while closed, Infinity without a limit. What is within `TOLERANCE`
   * of a whole number reads as that number, so that its integer part agrees with `waitMs`.
   */
  available(now: number): number {
    const at = this.#advance(now);
    if (at < this.#closedUntil) return 0;
    if (this.#rate.tasksPerSecond === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const permits = Math.max(0, this.#permitsAt(at));
    const whole = Math.round(permits);
    return Math.abs(permits - whole) <= this.#tolerance(1) ? whole : permits;
  }

  /**
   * Changes the rate. What came until now came at the old rate; of it no more is kept than the new burst. A
   * bucket that had no limit was full.
   * @throws {InvariantError} when the rate is not above 0 or the burst is below 1
   */
  setRate(rate: BucketRate, now: number): void {
    assertRate(rate);
    const at = this.#advance(now);
    // From here on `permitsAt` holds them to the new burst.
    this.#permits = this.#permitsAt(at);
    this.#countedAt = at;
    this.#rate = rate;
    this.#trail?.forget(at);
  }

  /** Gives no permit before that instant; of several, the latest counts. Permits trickle in meanwhile. */
  closeUntil(at: number): void {
    assert(!Number.isNaN(at), "a bucket is closed until an instant");
    this.#closedUntil = Math.max(this.#closedUntil, at);
  }

  /** Undoes `closeUntil`. */
  reopen(): void {
    this.#closedUntil = Number.NEGATIVE_INFINITY;
  }

  /** How long it stays closed, in milliseconds; 0 when it is not. */
  closedForMs(now: number): number {
    return Math.max(0, this.#closedUntil - this.#advance(now));
  }

  #remove(cost: number, at: number): void {
    const level = this.#permitsAt(at);
    if (this.#rate.tasksPerSecond < Number.POSITIVE_INFINITY) this.#trail?.note(at, level);
    this.#permits = level - Math.min(cost, this.#rate.burst);
    this.#countedAt = at;
  }

  /** The present, which never goes back. */
  #advance(now: number): number {
    assert(Number.isFinite(now), "now is a finite instant");
    this.#latest = Math.max(this.#latest, now);
    return this.#latest;
  }

  #canTake(wanted: number, at: number): boolean {
    if (at < this.#closedUntil) return false;
    if (this.#rate.tasksPerSecond === Number.POSITIVE_INFINITY) return true;
    return this.#permitsAt(at) >= wanted - this.#tolerance(wanted);
  }

  #permitsAt(at: number): number {
    const { tasksPerSecond, burst } = this.#rate;
    if (tasksPerSecond === Number.POSITIVE_INFINITY) return burst;
    return Math.min(burst, this.#permits + ((at - this.#countedAt) * tasksPerSecond) / 1000);
  }

  #tolerance(permits: number): number {
    return TOLERANCE * (permits + this.#rate.tasksPerSecond / 1000);
  }
}

function assertRate({ tasksPerSecond, burst }: BucketRate): void {
  assert(tasksPerSecond > 0, "tasksPerSecond is a number above 0");
  assert(burst >= 1, "burst is a number from 1 up");
}
