import { fromJsonEnvelope, toJsonEnvelope } from "./envelope-json.js";
import { isError } from "./error-classes.js";
import { type EnvelopeLimits, LEAST_LENGTH, MAX_NAME_LENGTH } from "./error-envelope.js";
import { toErrorType } from "./error-type.js";
import { fromEnvelope } from "./from-envelope.js";
import type { StoredError } from "./stored-outcome.js";
import { toEnvelope } from "./to-envelope.js";

/** UTF-8 bytes: thousands of dead letters are kept, each with its error. */
export const MAX_STORED_ERROR_BYTES = 32_768;

/** In UTF-16 units. What others have written is read up to several times of what is written here. */
const MAX_READ_LENGTH = 4 * MAX_STORED_ERROR_BYTES;

/**
 * What is kept of an error, in steps: letters outside ASCII, and what is escaped, take up to six bytes for
 * each unit, and each error of many may say a little however little room there is.
 */
const STEPS: readonly EnvelopeLimits[] = [
  { messageLength: 8_192, stackLength: 8_192, errors: 16, fieldBytes: 4_096, bytes: 20_480 },
  { messageLength: 4_096, stackLength: 4_096, errors: 8, fieldBytes: 1_024, bytes: 8_192 },
  { messageLength: LEAST_LENGTH, stackLength: LEAST_LENGTH, errors: 2, fieldBytes: 256, bytes: 1_024 },
];

const WHAT = "The error that the store kept";

/**
 * Whatever was thrown as JSON text, of at most 32 KiB: an error with its class, message, stack, causes and
 * fields, where what has no room is cut or left out, and says so. Message and stack have up to 8,192 units
 * each. Fields that JSON has no word for survive: bigints, Dates, buffers, NaN, undefined, Maps, Sets and
 * cycles. It never throws.
 */
export function toStoredError(thrown: unknown): StoredError {
  for (const limits of STEPS) {
    const text = write(thrown, limits);
    if (Buffer.byteLength(text) <= MAX_STORED_ERROR_BYTES) return text;
  }
  const type = toErrorType(thrown).slice(0, MAX_NAME_LENGTH);
  return write(new Error(`An error (${type}) that takes too much to be kept`), STEPS[0] as EnvelopeLimits);
}

/**
 * The error that was kept; one of our catalogue is an instance of its class again. What was thrown and is no
 * Error is the cause of one. It never throws: of junk, and of what another version has written, it gives an
 * Error that says so.
 * @param text may be anything
 */
export function fromStoredError(text: StoredError): Error {
  const thrown = fromEnvelope(parse(text), undefined, WHAT);
  if (isError(thrown)) return thrown;
  return new Error("A handler threw what is no Error", { cause: thrown });
}

function write(thrown: unknown, limits: EnvelopeLimits): string {
  return JSON.stringify(toJsonEnvelope(toEnvelope(thrown, limits)));
}

function parse(text: unknown): unknown {
  if (typeof text !== "string" || text.length > MAX_READ_LENGTH) return undefined;
  try {
    return fromJsonEnvelope(JSON.parse(text));
  } catch {
    return undefined; // no envelope
  }
}
