import type { Clock, Timer } from "../../ports/clock.js";
import type { AsyncContextCarrier } from "../../ports/context-carrier.js";
import { atRoot } from "./at-root.js";

/**
 * A clock whose timers belong to nobody's request: they call back in the context in which the manager was
 * made. Else the timer that happens to be set in some request would keep its AsyncLocalStorage alive, and
 * hand it to whatever it wakes.
 */
export class RootedClock implements Clock {
  readonly #clock: Clock;
  readonly #carrier: AsyncContextCarrier;

  constructor(clock: Clock, carrier: AsyncContextCarrier) {
    this.#clock = clock;
    this.#carrier = carrier;
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  setTimeout(callback: () => void, delayMs: number, isExact?: boolean | undefined): Timer {
    return atRoot(this.#carrier, () => this.#clock.setTimeout(callback, delayMs, isExact));
  }

  setImmediate(callback: () => void): void {
    this.#carrier.enter(undefined, () => this.#clock.setImmediate(callback), undefined);
  }
}
