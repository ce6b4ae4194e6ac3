import type { Clock, Timer } from "../../ports/clock.js";

/** One timer for many instants: it fires at the earliest that it was set for, and is then to be set anew. */
export class EarliestTimer {
  readonly #clock: Clock;
  readonly #fire: () => void;
  #timer: Timer | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** When it fires; Infinity where it is not set. */
  get at(): number {
    return this.#at;
  }

  /** Infinity sets nothing. */
  set(at: number): void {
    if (at >= this.#at) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.clear();
        this.#fire();
      },
      Math.max(0, at - this.#clock.now()),
    );
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }
}
