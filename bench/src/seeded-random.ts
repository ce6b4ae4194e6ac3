/** Mulberry32: uniform in [0, 1), the same sequence for the same seed on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), bits | 61)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `count` integers from -1,000,000 to 1,000,000, the range of a task's priority. */
export function seededPriorities(count: number, seed = 1): Int32Array {
  const random = seededRandom(seed);
  return Int32Array.from({ length: count }, () => Math.floor(random() * 2_000_001) - 1_000_000);
}

/** `count` different integers below `range`, in random order. */
export function seededSample(count: number, range: number, seed = 1): Int32Array {
  const random = seededRandom(seed);
  const all = Int32Array.from({ length: range }, (_, index) => index);
  for (let index = 0; index < count; index += 1) {
    const other = index + Math.floor(random() * (range - index));
    const held = all[index] ?? 0;
    all[index] = all[other] ?? 0;
    all[other] = held;
  }
  return all.slice(0, count);
}
