import type { Clock, Timer } from "../../ports/clock.js";

/** Time as Node tells it. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    // Node counts whole milliseconds from the start of the loop's turn: rounding up spares a call too early.
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
