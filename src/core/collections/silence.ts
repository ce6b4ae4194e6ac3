/**
 * For how long somebody has shown no sign of life, who counts signs of it in a shared word. Time in which
 * nobody looked does not count: then the one who looks was blocked, or the whole process stood still.
 */
export class Silence {
  readonly #mostMs: number;
  #seen: number;
  #lookedAt: number;
  #ms = 0;

  /** @param lookEveryMs how often is to be looked: a look counts for no more */
  constructor(lookEveryMs: number, signs: number, now: number) {
    this.#mostMs = lookEveryMs;
    this.#seen = signs;
    this.#lookedAt = now;
  }

  /** As it was at the last look. */
  get ms(): number {
    return this.#ms;
  }

  /** @returns for how long it has lasted */
  look(signs: number, now: number): number {
    this.#ms = signs === this.#seen ? this.#ms + Math.min(now - this.#lookedAt, this.#mostMs) : 0;
    this.#lookedAt = now;
    this.#seen = signs;
    return this.#ms;
  }
}
