/** Deeper nesting than this is refused, here and by `json()`; it also is what ends a walk round a cycle. */
export const MAX_JSON_DEPTH = 1_000;

/** Larger bigints count as infinite: turning one into digits takes more than linear time. */
const LARGEST_BIGINT = 1n << 32_768n;

/** The years 0 to 9999, which have four digits in an ISO text; the others have a sign and six. */
const FOUR_DIGIT_YEARS = { from: -62_167_219_200_000, to: 253_402_300_799_999 };

const TYPED_ARRAY: object = Object.getPrototypeOf(Uint8Array.prototype);

/**
 * The UTF-8 bytes of the JSON text of a value, counted by a walk that does not build the text. For plain JSON
 * values it is exactly `Buffer.byteLength(JSON.stringify(value))`, and 0 for what has no such text
 * (undefined, a function, a symbol).
 *
 * Values that JSON cannot hold are measured too: a bigint by its digits, an ArrayBuffer or a view by its
 * bytes, a Set as an array, a Map as an array of pairs, a Date as its ISO text, anything else by its own
 * enumerable members. No `toJSON` is called.
 *
 * It never throws. `Infinity` means: more than `max`; nested deeper than 1,000, which every cycle is; a
 * bigint of more than about 9,800 digits; more than `max` members that JSON leaves out; or something that
 * cannot be read, such as a getter or a proxy that throws. The walk ends as soon as that is known.
 */
export function countJsonBytes(value: unknown, max: number): number {
  const size = measureJson(value, max);
  return typeof size === "number" ? size : Number.POSITIVE_INFINITY;
}

/** Why `countJsonBytes` gives `Infinity`; a bigint and what JSON leaves out can be too large, too. */
export type Unmeasured = "too-large" | "too-deep" | "unreadable";

/** The same, but tells why it gives no number. */
export function measureJson(value: unknown, max: number): number | Unmeasured {
  if (hasNoText(value)) return 0;
  const count = new ByteCount(max);
  try {
    count.addValue(value, 0);
    return count.bytes;
  } catch (thrown) {
    if (thrown === TOO_DEEP) return "too-deep";
    return thrown === TOO_LARGE ? "too-large" : "unreadable";
  }
}

/** Thrown by the walk to the functions above, never seen outside: an Error would cost more than the walk. */
const TOO_LARGE = Symbol("too large");
const TOO_DEEP = Symbol("too deep");

class ByteCount {
  readonly #max: number;
  /** Members that JSON leaves out take no bytes, but time: a shared object can hold them many times over. */
  #leftOut = 0;
  bytes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  addValue(value: unknown, depth: number): void {
    if (typeof value === "string") this.#addText(value);
    else if (typeof value === "object" && value !== null) this.#addObject(value, depth + 1);
    else this.#add(scalarBytes(value));
  }

  #add(bytes: number): void {
    this.bytes += bytes;
    if (!(this.bytes <= this.#max)) throw TOO_LARGE;
  }

  #addObject(value: object, depth: number): void {
    if (depth > MAX_JSON_DEPTH) throw TOO_DEEP;
    if (Array.isArray(value)) this.#addElements(value, depth);
    else if (isPlain(value)) this.#addMembers(value, depth);
    else if (value instanceof Map) this.#addEntries(value, depth);
    else if (value instanceof Set) this.#addEach(Set.prototype.values.call(value), depth);
    else this.#addOpaque(value, depth);
  }

  #addOpaque(value: object, depth: number): void {
    const bytes = opaqueBytes(value);
    if (bytes === undefined) this.#addMembers(value, depth);
    else this.#add(bytes);
  }

  #addElements(elements: readonly unknown[], depth: number): void {
    this.#add(2);
    for (let index = 0; index < elements.length; index++) {
      if (index > 0) this.#add(1);
      this.addValue(elements[index], depth);
    }
  }

  #addMembers(value: object, depth: number): void {
    this.#add(2);
    let separator = 0;
    for (const key of Object.keys(value)) {
      const member: unknown = (value as Record<string, unknown>)[key];
      if (hasNoText(member)) {
        if (++this.#leftOut > this.#max) throw TOO_LARGE;
        continue;
      }
      this.#add(separator + 1);
      separator = 1;
      this.#addText(key);
      this.addValue(member, depth);
    }
  }

  #addEach(values: Iterable<unknown>, depth: number): void {
    this.#add(2);
    let separator = 0;
    for (const value of values) {
      this.#add(separator);
      separator = 1;
      this.addValue(value, depth);
    }
  }

  #addEntries(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    this.#addEach(Map.prototype.keys.call(map), depth);
    for (const value of Map.prototype.values.call(map)) {
      this.#add(3); // the brackets of the pair and the comma in it
      this.addValue(value, depth);
    }
  }

  #addText(text: string): void {
    this.#add(text.length + 2); // the least that it can take; what some characters take beyond that follows
    this.#add(extraTextBytes(text));
  }
}

/** What a text takes in JSON beyond one byte for each UTF-16 unit: characters outside ASCII, and escapes. */
export function extraTextBytes(text: string): number {
  let extra = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x20 && unit < 0x80) {
      if (unit === 0x22 || unit === 0x5c) extra++;
    } else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) {
      extra += 2; // four bytes for the pair
      index++;
    } else {
      extra += extraBytes(unit);
    }
  }
  return extra;
}

/** What `JSON.stringify` leaves out of an object. */
function hasNoText(value: unknown): boolean {
  return value === undefined || typeof value === "function" || typeof value === "symbol";
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

/** What a code unit outside ASCII, a control character or a lone surrogate takes beyond one byte. */
function extraBytes(unit: number): number {
  if (unit >= 0x80) {
    if (unit < 0x800) return 1;
    return unit >= 0xd800 && unit < 0xe000 ? 5 : 2; // a lone surrogate is escaped
  }
  const isShort = unit >= 0x08 && unit <= 0x0d && unit !== 0x0b; // \b \t \n \f \r
  return isShort ? 1 : 5;
}

function scalarBytes(value: unknown): number {
  if (typeof value === "number") return numberBytes(value);
  if (typeof value === "bigint") return bigintBytes(value);
  return value === false ? 5 : 4; // true, null, and what null stands for in an array
}

/** The digits of a number in JSON, where those that it cannot hold are null. */
export function numberBytes(value: number): number {
  if (!Number.isFinite(value)) return 4; // null stands for it
  if (!Number.isSafeInteger(value)) return String(value).length;
  let digits = 1;
  for (let power = 10; power <= Math.abs(value); power *= 10) digits++;
  return value < 0 ? digits + 1 : digits;
}

function bigintBytes(value: bigint): number {
  if (value > LARGEST_BIGINT || value < -LARGEST_BIGINT) throw TOO_LARGE;
  return String(value).length;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The bytes of a value whose members do not count, or undefined when they do. */
function opaqueBytes(value: object): number | undefined {
  if (value instanceof Date) return dateBytes(value);
  if (value instanceof DataView) return ownBytes(DataView.prototype, value);
  if (ArrayBuffer.isView(value)) return ownBytes(TYPED_ARRAY, value);
  if (value instanceof ArrayBuffer) return ownBytes(ArrayBuffer.prototype, value);
  if (value instanceof SharedArrayBuffer) return ownBytes(SharedArrayBuffer.prototype, value);
  return undefined;
}

/** Read by the prototype's own method, which a member of the Date cannot replace. */
function dateBytes(value: Date): number {
  const at = Date.prototype.getTime.call(value);
  if (Number.isNaN(at)) return 4; // null stands for it
  return at >= FOUR_DIGIT_YEARS.from && at <= FOUR_DIGIT_YEARS.to ? 26 : 29;
}

/** `byteLength` by the prototype's own getter, which a member of the value cannot replace. */
function ownBytes(prototype: object, value: object): number {
  return Number(Reflect.get(prototype, "byteLength", value));
}
