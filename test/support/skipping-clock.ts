import { SystemClock } from "../../src/adapters/system/system-clock.js";
import type { Clock, Timer } from "../../src/index.js";

interface WaitingTimer {
  readonly timer: Timer;
  readonly callback: () => void;
}

/**
 * Real time, with its fractions and its jitter, that can be sent ahead: so that a test need not wait for
 * what takes long, and yet has the real event loop and the real clocks.
 */
export class SkippingClock implements Clock {
  readonly #system = new SystemClock();
  readonly #waiting = new Set<WaitingTimer>();
  #skippedMs = 0;
  /** Called around each callback, to see how much one of them does. */
  aroundCallback: (call: () => void) => void = (call) => call();

  now(): number {
    return this.#system.now() + this.#skippedMs;
  }

  wallNow(): number {
    return this.#system.wallNow() + this.#skippedMs;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const fire = () => {
      this.#waiting.delete(waiting);
      this.aroundCallback(callback);
    };
    const timer = this.#system.setTimeout(fire, delayMs);
    const waiting: WaitingTimer = { timer, callback: fire };
    this.#waiting.add(waiting);
    return {
      cancel: () => {
        this.#waiting.delete(waiting);
        timer.cancel();
      },
      ref: () => timer.ref(),
      unref: () => timer.unref(),
    };
  }

  setImmediate(callback: () => void): void {
    this.#system.setImmediate(() => this.aroundCallback(callback));
  }

  /** Sends time ahead and fires all timers: who is called too early starts another. */
  skip(ms: number): void {
    this.#skippedMs += ms;
    for (const { timer, callback } of [...this.#waiting]) {
      timer.cancel();
      this.#system.setImmediate(callback);
    }
  }
}
