import type { Clock } from "../../ports/clock.js";
import { OneTimer } from "./one-timer.js";

/** Tasks travel together that are likely to take a millisecond in all. One that takes this long is stuck. */
const PATIENCE_MS = 20;

/**
 * Tells of a batch that is not over in time. There is one timer however many batches come and go, since most
 * are over long before it fires.
 */
export class Patience<B> {
  readonly #clock: Clock;
  readonly #lost: (batch: B) => void;
  readonly #timer: OneTimer;
  #batch: B | undefined;
  #since = 0;

  /** @param lost called when the batch that was begun last has been going on for too long */
  constructor(clock: Clock, lost: (batch: B) => void) {
    this.#clock = clock;
    this.#lost = lost;
    this.#timer = new OneTimer(clock);
  }

  begin(batch: B, now: number): void {
    this.#batch = batch;
    this.#since = now;
    if (!this.#timer.isSet) this.#timer.set(PATIENCE_MS, this.#look);
  }

  end(): void {
    this.#batch = undefined;
    this.#timer.clear();
  }

  readonly #look = () => {
    const leftMs = this.#since + PATIENCE_MS - this.#clock.now();
    const batch = this.#batch;
    if (batch === undefined) return;
    if (leftMs > 0) {
      this.#timer.set(leftMs, this.#look);
      return;
    }
    this.#batch = undefined;
    this.#lost(batch);
  };
}
