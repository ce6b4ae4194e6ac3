import { assert } from "../../errors.js";
import type { Clock, Timer } from "../../ports/clock.js";
import { ExactTimer } from "./exact-timer.js";

/** The port's bound. Node turns a delay above 2^31 - 1 into 1 ms, and NaN as well. */
const MAX_DELAY_MS = 2 ** 30;

/** Time as Node tells it. The globals are looked up at each call, so that a test's fake timers reach it. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  /** @throws {InvariantError} when the delay is NaN, negative or above 2^30 ms */
  setTimeout(callback: () => void, delayMs: number, isExact = false): Timer {
    assert(delayMs >= 0 && delayMs <= MAX_DELAY_MS, "a timer's delay is from 0 to 2^30 ms");
    if (isExact) return new ExactTimer(callback, delayMs);
    // Node drops the fraction, which would wake the callback too early and make it wait a second time.
    return new SystemTimer(setTimeout(callback, Math.ceil(delayMs)));
  }

  setImmediate(callback: () => void): void {
    setImmediate(callback);
  }
}

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(timeout: NodeJS.Timeout) {
    this.#timeout = timeout;
    timeout.unref();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  ref(): void {
    this.#timeout.ref();
  }

  unref(): void {
    this.#timeout.unref();
  }
}
