import { startInterval, stopInterval } from "./thread-clock.js";

/** A turn is counted so often, since nobody looks closer than at tenths of a second. */
const BEAT_MS = 100;

/**
 * Counts turns of this event loop in a shared word, while anything runs that is watched. Between two that
 * come close together the timer stays: most tasks are over long before it fires.
 */
export class PulseCounter {
  readonly #word: Int32Array | undefined;
  #watched = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(word: Int32Array | undefined) {
    this.#word = word;
  }

  begin(): void {
    this.#watched++;
    this.#count();
    this.#timer ??= startInterval(() => this.#beat(), BEAT_MS).unref();
  }

  end(): void {
    this.#watched--;
  }

  #beat(): void {
    if (this.#watched > 0) {
      this.#count();
      return;
    }
    stopInterval(this.#timer);
    this.#timer = undefined;
  }

  #count(): void {
    if (this.#word !== undefined) Atomics.add(this.#word, 0, 1);
  }
}
