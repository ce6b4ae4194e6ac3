import { codecOf } from "./codec.js";
import type { HandlerDefinition } from "./handler-definition.js";
import { resultError } from "./payload.js";
import { type ByteLimit, fromBytes, isThenable, refuse, toBytes } from "./stored-value.js";

/**
 * What a handler returned as it is stored: as its `result` encodes it where that is a codec, else as JSON
 * text in UTF-8.
 * @param value has been accepted by `checkResult`
 * @returns undefined for undefined
 * @throws {ResultError} where it would not come back as it is, takes more than `maxResultBytes`, or is a
 * thenable, which nobody could await without running its code
 */
export function encodeResult(definition: HandlerDefinition, value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  const stored = hasThen(value)
    ? refuse("has a `then`, so that it would be waited for")
    : toBytes(value, codecOf(definition.result), limitOf(definition));
  if (stored.refusal !== undefined) throw resultError(definition.name, stored.refusal);
  return stored.made;
}

/**
 * What `encodeResult` was given. The `result` schema is not run again: it has seen this value before.
 * @param bytes may be anything
 * @throws {ResultError}
 */
export function decodeResult(definition: HandlerDefinition, bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  const value = fromBytes(bytes, codecOf(definition.result), limitOf(definition));
  if (value.refusal !== undefined) throw resultError(definition.name, value.refusal);
  return value.made;
}

/** What cannot be asked is refused a step later, in other words. */
function hasThen(value: unknown): boolean {
  try {
    return isThenable(value);
  } catch {
    return false;
  }
}

function limitOf({ maxResultBytes }: HandlerDefinition): ByteLimit {
  return { bytes: maxResultBytes, option: "maxResultBytes" };
}
