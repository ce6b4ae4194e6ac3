import { lengthOfView } from "./built-ins.js";
import type { CodecPart } from "./codec.js";
import { findNotJson } from "./json-walk.js";
import type { Refusal } from "./schema.js";

/** What came of turning a value into bytes, or bytes into a value. */
export type Conversion<T> =
  | { readonly made: T; readonly refusal?: undefined }
  | { readonly refusal: Refusal };

/** How many bytes a value may take, and what the option is called that says so. */
export interface ByteLimit {
  readonly bytes: number;
  readonly option: string;
}

/** A byte order mark is no white space: it is left where it is, and then is no JSON. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A value as bytes: as its codec encodes it, else the UTF-8 of its JSON text, and no bytes at all for
 * undefined. What would come back as something else is refused. It never throws.
 */
export function toBytes(
  value: unknown,
  codec: CodecPart | undefined,
  limit: ByteLimit,
): Conversion<Uint8Array> {
  try {
    return codec === undefined ? toJsonBytes(value, limit) : toCodecBytes(value, codec, limit);
  } catch (cause) {
    return refuse("cannot be read", cause);
  }
}

/** The value that `toBytes` made bytes of. They may be anything: it never throws. */
export function fromBytes(
  bytes: Uint8Array,
  codec: CodecPart | undefined,
  limit: ByteLimit,
): Conversion<unknown> {
  if (!isBytes(bytes)) return refuse("is not stored as bytes");
  if (lengthOfView(bytes) > limit.bytes) return refuseSize(limit);
  return codec === undefined ? fromJsonBytes(bytes) : fromCodecBytes(bytes, codec);
}

function toJsonBytes(value: unknown, limit: ByteLimit): Conversion<Uint8Array> {
  if (value === undefined) return { made: new Uint8Array() };
  const { issue, tooLarge, hasNegativeZero } = findNotJson(value, limit.bytes);
  if (issue !== undefined) return { refusal: { issues: [issue] } };
  if (tooLarge) return refuseSize(limit);
  // Small ones share the memory of a pool: for an encoder, each would be an allocation outside the heap.
  const made = Buffer.from(hasNegativeZero ? writeJson(value) : JSON.stringify(value));
  return made.length > limit.bytes ? refuseSize(limit) : { made };
}

/** As `JSON.stringify` writes what has passed the walk, but -0 as itself. */
function writeJson(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${writeJson(member)}`).join(",")}}`;
}

function fromJsonBytes(bytes: Uint8Array): Conversion<unknown> {
  if (bytes.length === 0) return { made: undefined };
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return refuse("is not stored as UTF-8");
  }
  try {
    const made: unknown = JSON.parse(text);
    const { issue } = findNotJson(made, Number.POSITIVE_INFINITY);
    return issue === undefined ? { made } : { refusal: { issues: [issue] } };
  } catch {
    return refuse("is not stored as JSON"); // what the parser says shows what it has met
  }
}

function toCodecBytes(value: unknown, codec: CodecPart, limit: ByteLimit): Conversion<Uint8Array> {
  let encoded: unknown;
  try {
    encoded = codec.encode(value);
  } catch (cause) {
    return refuse(`the codec ${JSON.stringify(codec.name)} could not encode it`, cause);
  }
  if (!isBytes(encoded)) {
    muteRejection(encoded);
    return refuse(`the codec ${JSON.stringify(codec.name)} gave no Uint8Array`);
  }
  if (lengthOfView(encoded) > limit.bytes) return refuseSize(limit);
  return { made: new Uint8Array(encoded) };
}

function fromCodecBytes(bytes: Uint8Array, codec: CodecPart): Conversion<unknown> {
  try {
    const made = codec.decode(new Uint8Array(bytes));
    if (!isThenable(made)) return { made };
    muteRejection(made);
    return refuse(`the codec ${JSON.stringify(codec.name)} gave what can be waited for`);
  } catch (cause) {
    return refuse(`the codec ${JSON.stringify(codec.name)} could not decode it`, cause);
  }
}

/** Whether somebody who awaits it, even by chance, would run code of it. */
export function isThenable(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof Reflect.get(value, "then") === "function";
}

/** Codecs answer at once. The promise of one that does not troubles nobody. */
function muteRejection(value: unknown): void {
  if (value instanceof Promise) Promise.prototype.then.call(value, undefined, () => {});
}

/** No proxy of one, which has no bytes. */
function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && ArrayBuffer.isView(value);
}

function refuseSize({ bytes, option }: ByteLimit): { readonly refusal: Refusal } {
  return refuse(`takes more than ${bytes} bytes (${option})`);
}

/** @param cause what was thrown; absent where nothing was */
export function refuse(message: string, ...cause: readonly [unknown?]): { readonly refusal: Refusal } {
  const issues = [{ message }];
  return { refusal: cause.length === 0 ? { issues } : { issues, cause: cause[0] } };
}
