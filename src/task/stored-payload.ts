import { codecOf } from "./codec.js";
import type { HandlerDefinition } from "./handler-definition.js";
import type { Eventually } from "./outcome.js";
import { type Checked, payloadError, startDecodedCheck } from "./payload.js";
import { type ByteLimit, fromBytes, toBytes } from "./stored-value.js";

/**
 * A payload as it is stored: what the handler's schema took, and not what came out of it, so that the schema
 * is run on it again when the handler is. A codec encodes it; else it is JSON text in UTF-8, with no bytes
 * at all for undefined.
 * @param input has been accepted by `checkPayload` or `startPayloadCheck`
 * @throws {PayloadError} where it would not come back as it is, or takes more than `maxPayloadBytes`
 */
export function encodePayload(definition: HandlerDefinition, input: unknown): Uint8Array {
  const stored = toBytes(input, codecOf(definition.payload), limitOf(definition));
  if (stored.refusal !== undefined) throw payloadError(definition.name, stored.refusal);
  return stored.made;
}

/**
 * As `encodePayload`, for an input that its schema has not seen. Where this gives bytes, the input is not too
 * large for the schema, and no other walk has to tell that. Undefined where the check has to come first: for
 * a codec, which takes nothing else; for a handler in a thread, to which the payload goes as a copy; and for
 * what is refused, since the schema's reasons are the better ones.
 */
export function encodeUnchecked(definition: HandlerDefinition, input: unknown): Uint8Array | undefined {
  if (definition.module !== undefined || codecOf(definition.payload) !== undefined) return undefined;
  const stored = toBytes(input, undefined, limitOf(definition));
  return stored.refusal === undefined ? stored.made : undefined;
}

/**
 * The payload that was stored, as it was given to the producer's `enqueueDurable`: not checked by the schema.
 * @param bytes may be anything
 * @throws {PayloadError}
 */
export function decodePayload(definition: HandlerDefinition, bytes: Uint8Array): unknown {
  const payload = fromBytes(bytes, codecOf(definition.payload), limitOf(definition));
  if (payload.refusal !== undefined) throw payloadError(definition.name, payload.refusal);
  return payload.made;
}

/**
 * What the handler is to be called with: the payload that was stored, when its schema has taken it again.
 * Gives a promise where the schema does.
 * @param bytes may be anything
 * @throws {PayloadError} at once, or as a rejection
 */
export function startStoredPayload(definition: HandlerDefinition, bytes: Uint8Array): Eventually<Checked> {
  return startDecodedCheck(definition, decodePayload(definition, bytes));
}

function limitOf({ maxPayloadBytes }: HandlerDefinition): ByteLimit {
  return { bytes: maxPayloadBytes, option: "maxPayloadBytes" };
}
