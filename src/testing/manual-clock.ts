import { setImmediate as nextTurn } from "node:timers";
import type { Clock, Timer } from "../ports/clock.js";

/** The port's bound on a delay. */
const MAX_DELAY_MS = 2 ** 30;
/** Instants this close to a whole microsecond are taken for it. */
const ROUNDING_ERROR_MS = 1e-9;
const DEFAULT_WALL_NOW = Date.UTC(2026, 0, 1);
/** Between two timers: the first lets promises settle, the second what they put off with setImmediate. */
const TURNS_BETWEEN_TIMERS = 2;
/** So many timers of no delay may fire at one instant: more than any chain of them that comes to an end. */
const MAX_CHAIN = 10_000;

interface ManualTimer extends Timer {
  readonly startedAt: number;
  readonly dueAt: number;
  readonly callback: () => void;
}

/** Settings of a `ManualClock`. */
export interface ManualClockOptions {
  /** What the calendar shows at the start: a Date or epoch milliseconds. Default 2026-01-01T00:00:00Z. */
  readonly wallNow?: number | Date | undefined;
}

/**
 * A clock for tests whose time moves only when told to, so that an hour of backoff takes no time and comes
 * out the same at every run. Give it to the manager as `clock`. `now` begins at 0.
 *
 * Only time stands still: promises, I/O and `setImmediate` go on in the real event loop. Its timers never
 * keep the process alive, whatever `ref` says.
 *
 * Instants that lie within a millionth of a microsecond of a whole microsecond are rounded to it: three waits
 * of 1000/3 ms end at 1000, not at 999.9999999999999.
 */
export class ManualClock implements Clock {
  #now = 0;
  #wallOffset: number;
  #advancing = false;
  /** By due time, then by creation. */
  readonly #timers: ManualTimer[] = [];

  /** @throws {RangeError} when `wallNow` is not a time */
  constructor({ wallNow = DEFAULT_WALL_NOW }: ManualClockOptions = {}) {
    this.#wallOffset = toFinite("wallNow", Number(wallNow));
  }

  /** Milliseconds since this clock was made, as far as it was told. */
  now(): number {
    return this.#now;
  }

  /** The calendar, in epoch milliseconds. It moves along with `now` and can be shifted by itself. */
  wallNow(): number {
    return this.#wallOffset + this.#now;
  }

  /** How many timers are started and have neither fired nor been cancelled: 0 where nothing leaks. */
  get timers(): number {
    return this.#timers.length;
  }

  /** When the next timer falls due, by `now`; undefined when there is none. It may have passed already. */
  get nextTimerAt(): number | undefined {
    return this.#timers[0]?.dueAt;
  }

  /**
   * Calls back from `advance`, as soon as that much time has passed.
   * @throws {RangeError} when the delay is NaN, negative or above 2^30 ms
   */
  setTimeout(callback: () => void, delayMs: number): Timer {
    if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) {
      throw new RangeError(`Expected \`delayMs\` to be a number from 0 to 2^30, got ${delayMs}`);
    }
    const dueAt = toInstant(this.#now + delayMs);
    const timer: ManualTimer = {
      startedAt: this.#now,
      // Rounding must not turn a delay into none: who waits for a rest of 1e-11 ms would do so for ever.
      dueAt: dueAt > this.#now ? dueAt : this.#now + delayMs,
      callback,
      cancel: () => this.#forget(timer),
      ref() {},
      unref() {},
    };
    const later = this.#timers.findLastIndex((other) => other.dueAt <= timer.dueAt) + 1;
    this.#timers.splice(later, 0, timer);
    return timer;
  }

  /** Calls back in the next turn of the real event loop. */
  setImmediate(callback: () => void): void {
    nextTurn(callback);
  }

  /**
   * Moves time on by `ms` and fires what falls due on the way, in order of due time and then of creation,
   * with `now` at the due time of each. The event loop turns before the first, between them and after the
   * last, so that promises settle; timers that are started meanwhile fire too when they fall due within the
   * span.
   *
   * A callback that throws rejects the call with its error at once. The clock then stands where that timer
   * fell due, and later timers are still to come: another `advance` goes on from there.
   * @throws {RangeError} when `ms` is negative or not finite
   * @throws {Error} when another `advance` of this clock has not ended yet, or when 10,000 timers of no delay
   *   have fired at one instant, as where each of them starts the next
   */
  async advance(ms: number): Promise<void> {
    if (toFinite("ms", ms) < 0) throw new RangeError(`Expected \`ms\` to be a number from 0 up, got ${ms}`);
    if (this.#advancing) throw new Error("This clock is advancing already: await the first advance()");
    this.#advancing = true;
    try {
      const target = toInstant(this.#now + ms);
      await this.settle(TURNS_BETWEEN_TIMERS);
      let chain = 0;
      for (let timer = this.#takeDue(target); timer !== undefined; timer = this.#takeDue(target)) {
        if (timer.dueAt > this.#now) chain = 0;
        this.#now = Math.max(this.#now, timer.dueAt);
        timer.callback();
        await this.settle(TURNS_BETWEEN_TIMERS);
        if (timer.dueAt === timer.startedAt && ++chain >= MAX_CHAIN) throw endlessChain(this.#now);
      }
      this.#now = Math.max(this.#now, target);
    } finally {
      this.#advancing = false;
    }
  }

  /** Lets the event loop turn without moving time, so that what can go on does. */
  async settle(turns = 3): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => nextTurn(resolve));
  }

  /**
   * Moves time on without firing anything, as when a long computation blocks the event loop. What fell due is
   * late: the next `advance`, `advance(0)` too, fires it with `now` past its due time.
   * @throws {RangeError} when `ms` is negative or not finite
   */
  block(ms: number): void {
    if (toFinite("ms", ms) < 0) throw new RangeError(`Expected \`ms\` to be a number from 0 up, got ${ms}`);
    this.#now = toInstant(this.#now + ms);
  }

  /**
   * Sets the calendar forward, or back when negative, as an administrator or NTP does. Durations and timers
   * do not notice.
   * @throws {RangeError} when `ms` is not finite
   */
  shiftWall(ms: number): void {
    this.#wallOffset += toFinite("ms", ms);
  }

  #takeDue(target: number): ManualTimer | undefined {
    const next = this.#timers[0];
    return next !== undefined && next.dueAt <= target ? this.#timers.shift() : undefined;
  }

  #forget(timer: ManualTimer): void {
    const index = this.#timers.indexOf(timer);
    if (index !== -1) this.#timers.splice(index, 1);
  }
}

function endlessChain(now: number): Error {
  const fired = `${MAX_CHAIN} timers of no delay have fired at ${now} ms`;
  return new Error(`${fired}, one after the other: time cannot move on while each starts the next`);
}

function toInstant(time: number): number {
  const whole = Math.round(time * 1000) / 1000;
  return Math.abs(time - whole) < ROUNDING_ERROR_MS ? whole : time;
}

function toFinite(name: string, value: number): number {
  if (!Number.isFinite(value)) throw new RangeError(`Expected \`${name}\` to be finite, got ${value}`);
  return value;
}
