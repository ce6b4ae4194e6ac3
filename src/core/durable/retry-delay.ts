import type { Random } from "../../ports/random.js";

/**
 * The delay before a call to the store is made again: exponential, with full jitter on its upper half, so
 * that many processes do not come back at once, and none at once.
 */
export class RetryDelay {
  readonly #random: Random;
  readonly #minMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor(random: Random, minMs: number, maxMs: number) {
    this.#random = random;
    this.#minMs = minMs;
    this.#maxMs = Math.max(minMs, maxMs);
  }

  /** It has failed, once more in a row. */
  next(): number {
    const ceiling = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return ceiling * (0.5 + this.#random.next() / 2);
  }

  succeeded(): void {
    this.#failures = 0;
  }
}
