import type { Random } from "../../src/ports/random.js";

/** What a schedule leaves to chance, from its seed alone: sfc32 by Chris Doty-Humphrey, for its speed. */
export class Chance implements Random {
  #a = 0x9e3779b9;
  #b = 0x243f6a88;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#c = seed | 0;
    this.#a ^= Math.floor(seed / 2 ** 32);
    for (let round = 0; round < 12; round++) this.#next();
  }

  next(): number {
    return this.#next() / 2 ** 32;
  }

  /** A whole number from 0 up to, but not including, `below`. */
  below(below: number): number {
    return Math.floor((this.#next() / 2 ** 32) * below);
  }

  between(from: number, to: number): number {
    return from + (this.#next() / 2 ** 32) * (to - from);
  }

  /** Whether something happens whose probability is this. */
  happens(probability: number): boolean {
    return probability > 0 && this.#next() < probability * 2 ** 32;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Another source, which draws independently of this one from now on. */
  fork(): Chance {
    return new Chance(this.#next() + this.#next() * 2 ** 21);
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}
