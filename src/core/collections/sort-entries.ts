/** Items with the keys to order them by, each at one index of the three. */
export interface Entries<T> {
  readonly primaries: Float64Array;
  readonly secondaries: Float64Array;
  readonly items: (T | undefined)[];
}

export function entriesOf<T>(length: number): Entries<T> {
  return {
    primaries: new Float64Array(length),
    secondaries: new Float64Array(length),
    items: new Array<T | undefined>(length).fill(undefined),
  };
}

/** The bits of a number that are sorted by at once: of 2,048 counters all stay in the processor's cache. */
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const WORD_BITS = 32;
/** Of the two words of a number's 64 bits, the index of the one with the sign. */
const UPPER = new Uint32Array(new Float64Array([1]).buffer).indexOf(0) === 0 ? 1 : 0;

/**
 * Puts entries in order of `primary`, then `secondary`, in O(n): a radix sort of the bits of the keys (Knuth,
 * "The Art of Computer Programming", vol. 3, 5.2.5), from the last digit to the first, where each pass keeps
 * the order of the one before among equals. A key may be any number but NaN. Of two entries that tie in both
 * keys, either may come first.
 * @param count how many there are
 * @param positionOf for each index: above 0 where there is an entry, and then where its primary key is
 * @param secondaryOf by the same index, as `items`
 */
export function sortEntries<T>(
  count: number,
  positionOf: Int32Array,
  primaryAt: Float64Array,
  secondaryOf: Float64Array,
  items: readonly (T | undefined)[],
): Entries<T> {
  const primaries = new Float64Array(count);
  const secondaries = new Float64Array(count);
  const places = new Int32Array(count);
  for (let place = 0, index = 0; index < count; place += 1) {
    const position = positionOf[place] as number;
    if (position <= 0) continue;
    primaries[index] = primaryAt[position] as number;
    secondaries[index] = secondaryOf[place] as number;
    places[index] = place;
    index += 1;
  }

  const order = sortedOrder(primaries, secondaries);
  const sorted = entriesOf<T>(count);
  for (let index = 0; index < count; index += 1) {
    const from = order[index] as number;
    sorted.primaries[index] = primaries[from] as number;
    sorted.secondaries[index] = secondaries[from] as number;
    sorted.items[index] = items[places[from] as number];
  }
  return sorted;
}

/** The indices of the keys. */
function sortedOrder(primaries: Float64Array, secondaries: Float64Array): Uint32Array {
  const given = new Uint32Array(primaries.length);
  for (let index = 0; index < given.length; index += 1) given[index] = index;
  return sortedBy(primaries, isAscending(secondaries) ? given : sortedBy(secondaries, given));
}

function isAscending(keys: Float64Array): boolean {
  for (let index = 1; index < keys.length; index += 1)
    if ((keys[index] as number) < (keys[index - 1] as number)) return false;
  return true;
}

/** The indices of `order`, by their keys; those of equal keys stay in the order that they have. */
function sortedBy(keys: Float64Array, order: Uint32Array): Uint32Array {
  const { upper, lower } = toWords(keys);
  return sortedByWord(upper, sortedByWord(lower, order));
}

/** The bits of each number, changed so that as integers they are in the order of the numbers. */
function toWords(keys: Float64Array): { upper: Uint32Array; lower: Uint32Array } {
  const numbers = new Float64Array(keys.length);
  // -0 becomes 0, which it equals.
  for (let index = 0; index < keys.length; index += 1) numbers[index] = (keys[index] as number) + 0;
  const bits = new Uint32Array(numbers.buffer);
  const upper = new Uint32Array(keys.length);
  const lower = new Uint32Array(keys.length);
  for (let index = 0; index < keys.length; index += 1) {
    const high = bits[2 * index + UPPER] as number;
    const low = bits[2 * index + 1 - UPPER] as number;
    const isNegative = high >>> (WORD_BITS - 1) === 1;
    upper[index] = isNegative ? ~high : high ^ (1 << (WORD_BITS - 1));
    lower[index] = isNegative ? ~low : low;
  }
  return { upper, lower };
}

function sortedByWord(words: Uint32Array, order: Uint32Array): Uint32Array {
  let differing = 0;
  for (let index = 1; index < words.length; index += 1)
    differing |= (words[index] as number) ^ (words[0] as number);
  let sorted = order;
  for (let shift = 0; shift < WORD_BITS; shift += DIGIT_BITS)
    if (((differing >>> shift) & (DIGITS - 1)) !== 0) sorted = sortedByDigit(words, shift, sorted);
  return sorted;
}

function sortedByDigit(words: Uint32Array, shift: number, order: Uint32Array): Uint32Array {
  const starts = new Uint32Array(DIGITS + 1);
  for (let index = 0; index < words.length; index += 1) {
    const digit = ((words[index] as number) >>> shift) & (DIGITS - 1);
    starts[digit + 1] = (starts[digit + 1] as number) + 1;
  }
  for (let digit = 1; digit < DIGITS; digit += 1)
    starts[digit] = (starts[digit] as number) + (starts[digit - 1] as number);
  const sorted = new Uint32Array(order.length);
  for (let index = 0; index < order.length; index += 1) {
    const from = order[index] as number;
    const digit = ((words[from] as number) >>> shift) & (DIGITS - 1);
    const place = starts[digit] as number;
    starts[digit] = place + 1;
    sorted[place] = from;
  }
  return sorted;
}
