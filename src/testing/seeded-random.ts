import type { Random } from "../ports/random.js";

/**
 * Chance that comes out the same at every run, for tests. Give it to the manager as `random`.
 *
 * The generator is xoshiro128** 1.1 by David Blackman and Sebastiano Vigna (https://prng.di.unimi.it), with a
 * period of 2^128 - 1; as they advise, its state is filled by SplitMix, here of 32 bits with the finalizer of
 * MurmurHash3. Two outputs make a number of 53 bits. Not for secrets. The numbers of a seed stay the same in
 * all later versions.
 * @param seed a safe integer; different seeds give different sequences
 * @throws {RangeError} when it is not
 */
export function seededRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) {
    throw new RangeError(`Expected \`seed\` to be a safe integer, got ${String(seed)}`);
  }
  const fromLow = splitMix32(seed | 0);
  const fromHigh = splitMix32(Math.floor(seed / 2 ** 32) | 0);
  // A SplitMix gives each word once in 2^32, so the first and third are never both 0, which would be the end.
  const state = Uint32Array.of(fromLow(), fromLow() ^ fromHigh(), fromLow(), fromLow() ^ fromHigh());
  return {
    next() {
      const high = xoshiro128(state) >>> 5;
      const low = xoshiro128(state) >>> 6;
      return (high * 2 ** 26 + low) / 2 ** 53;
    },
  };
}

/** One step of xoshiro128** 1.1: the next 32 bits. */
function xoshiro128(state: Uint32Array): number {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9);
  const shifted = b << 9;
  c ^= a;
  d ^= b;
  b ^= c;
  a ^= d;
  c ^= shifted;
  d = rotateLeft(d, 11);
  state.set([a, b, c, d]);
  return result;
}

function splitMix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  };
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
