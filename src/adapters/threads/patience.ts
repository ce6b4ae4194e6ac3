import type { Clock } from "../../ports/clock.js";
import { OneTimer } from "./one-timer.js";

/** Tasks travel together that are likely to take a millisecond in all. One that takes this long is slow. */
const SLOW_MS = 20;

/** A thread that has not begun what it was given after so long is held up by something else. */
const HELD_UP_MS = 1_000;

/** What is waited for. */
export interface Awaited {
  /** Whether the first of it has begun. */
  readonly begun: boolean;
}

/**
 * Tells of a batch that has begun and is not over in time, and of one that is not begun in time. There is one
 * timer however many batches come and go, since most are over long before it fires.
 */
export class Patience<B extends Awaited> {
  readonly #clock: Clock;
  readonly #slow: (batch: B) => void;
  readonly #heldUp: (batch: B) => void;
  readonly #timer: OneTimer;
  #batch: B | undefined;
  #since = 0;

  constructor(clock: Clock, slow: (batch: B) => void, heldUp: (batch: B) => void) {
    this.#clock = clock;
    this.#slow = slow;
    this.#heldUp = heldUp;
    this.#timer = new OneTimer(clock);
  }

  begin(batch: B, now: number): void {
    this.#batch = batch;
    this.#since = now;
    if (!this.#timer.isSet) this.#timer.set(SLOW_MS, this.#look);
  }

  end(): void {
    this.#batch = undefined;
    this.#timer.clear();
  }

  readonly #look = () => {
    const batch = this.#batch;
    if (batch === undefined) return;
    const waitedMs = this.#clock.now() - this.#since;
    const { begun } = batch;
    if (waitedMs < SLOW_MS) this.#timer.set(SLOW_MS - waitedMs, this.#look);
    else if (!begun && waitedMs < HELD_UP_MS) this.#timer.set(HELD_UP_MS - waitedMs, this.#look);
    else {
      this.#batch = undefined;
      if (begun) this.#slow(batch);
      else this.#heldUp(batch);
    }
  };
}
