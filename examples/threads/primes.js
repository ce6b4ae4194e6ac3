// @ts-check
// Imported by worker threads; the main thread takes only its types.

/**
 * Counts the primes below a limit, which keeps a core busy for a while.
 *
 * @param {{ below: number }} payload
 * @returns {number}
 */
export default function countPrimes({ below }) {
  const composite = new Uint8Array(below);
  let primes = 0;
  for (let number = 2; number < below; number++) {
    if (composite[number]) continue;
    primes++;
    for (let multiple = number * number; multiple < below; multiple += number) composite[multiple] = 1;
  }
  return primes;
}

/**
 * Another export of the same module, for another handler.
 *
 * @param {number} value
 * @returns {Promise<{ value: number, factors: number[] }>}
 */
export async function factorize(value) {
  const factors = [];
  for (let rest = value, factor = 2; rest > 1; factor++) {
    for (; rest % factor === 0; rest /= factor) factors.push(factor);
  }
  return { value, factors };
}
