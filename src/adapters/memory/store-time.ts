import type { Clock } from "../../ports/clock.js";

/**
 * The time of a store: the same for whoever uses it, and the same throughout one call. Instants of the
 * calendar are those of its wall clock. What has a duration is measured by `elapsed`, which stands still
 * while the wall clock catches up with itself: when that steps back, no lease lives an hour longer.
 */
export class StoreTime {
  readonly #clock: Pick<Clock, "wallNow">;
  #now: number;
  #elapsed = 0;

  constructor(clock: Pick<Clock, "wallNow">) {
    this.#clock = clock;
    this.#now = clock.wallNow();
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    return this.#now;
  }

  /** Milliseconds that never go back. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** To be called when a call begins. */
  advance(): void {
    const now = this.#clock.wallNow();
    if (now > this.#now) this.#elapsed += now - this.#now;
    this.#now = now;
  }
}
