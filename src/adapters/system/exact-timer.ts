import type { Timer } from "../../ports/clock.js";

/** By so much a timer of Node is late at most times, for a delay in whole milliseconds. */
const OVERSLEPT_MS = 0.25;

/**
 * A timer that is late by microseconds, where one of Node is by a millisecond or two, since those count in
 * whole ones. It sleeps for whole milliseconds, and spends the rest looking at the time, once in each turn
 * of the event loop, which goes on serving all else. For that rest it keeps the process alive.
 */
export class ExactTimer implements Timer {
  readonly #callback: () => void;
  readonly #dueAt: number;
  #seenAt: number;
  #timeout: NodeJS.Timeout | undefined = undefined;
  #immediate: NodeJS.Immediate | undefined = undefined;
  #keepsAlive = false;

  constructor(callback: () => void, delayMs: number) {
    this.#callback = callback;
    this.#seenAt = performance.now();
    this.#dueAt = this.#seenAt + delayMs;
    if (delayMs >= 1 + OVERSLEPT_MS) this.#sleep(Math.floor(delayMs - OVERSLEPT_MS));
    else this.#immediate = setImmediate(this.#look);
  }

  cancel(): void {
    clearTimeout(this.#timeout);
    clearImmediate(this.#immediate);
  }

  ref(): void {
    this.#keepsAlive = true;
    this.#timeout?.ref();
  }

  unref(): void {
    this.#keepsAlive = false;
    this.#timeout?.unref();
  }

  #sleep(delayMs: number): void {
    this.#timeout = setTimeout(this.#look, delayMs);
    if (!this.#keepsAlive) this.#timeout.unref();
  }

  readonly #look = () => {
    const now = performance.now();
    const hasPassed = now > this.#seenAt;
    this.#seenAt = now;
    if (now >= this.#dueAt) this.#callback();
    else if (hasPassed) this.#immediate = setImmediate(this.#look);
    else this.#sleep(1); // a clock that stands still, as a test's does, is not waited for by looking at it
  };
}
