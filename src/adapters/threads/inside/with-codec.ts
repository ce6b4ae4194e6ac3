import type { Codec, CodecPart } from "../../../task/codec.js";
import { payloadError } from "../../../task/payload.js";
import { fromBytes } from "../../../task/stored-value.js";
import type { TaskContext } from "../../../task/task-context.js";
import type { HandlerSource } from "../messages.js";
import type { ThreadFunction } from "./served-handlers.js";

/** Of the registry of symbols, since a bundle may hold a second copy of this module. */
const KEY = Symbol.for("millrace.codec");

/** They have been measured when they were encoded. */
const NO_LIMIT = { bytes: Number.POSITIVE_INFINITY, option: "maxPayloadBytes" };

/**
 * The function of a handler whose payload is a codec: `export default withCodec(mail, async (sent) => …)`.
 * Its payloads come to the thread as the bytes that the codec made of them, and are decoded there; a codec is
 * code, which cannot be sent along. It has to be the one that `defineHandlers` is given, or one of its name.
 */
export function withCodec<In, Out extends In, R>(
  codec: Codec<In, Out>,
  run: (payload: Out, context: TaskContext) => R,
): (payload: Out, context: TaskContext) => R {
  const decoding = (payload: Out, context: TaskContext) => run(payload, context);
  return Object.defineProperty(decoding, KEY, { value: codec["~codec"] });
}

/**
 * The function as it is to be called with what is sent to the thread.
 * @throws {TypeError} where the payloads are encoded, and the function has no codec to decode them
 */
export function toDecoding(run: ThreadFunction, { name, url, codec }: HandlerSource): ThreadFunction {
  if (codec === undefined) return run;
  const part: CodecPart | undefined = Reflect.get(run, KEY);
  if (part?.name !== codec) {
    const found = part === undefined ? "it was not made by withCodec()" : `it has the codec "${part.name}"`;
    throw new TypeError(`The function of handler "${name}" in ${url} cannot decode "${codec}": ${found}`);
  }
  return (bytes, context) => {
    const payload = fromBytes(bytes, part, NO_LIMIT);
    if (payload.refusal !== undefined) throw payloadError(name, payload.refusal);
    return run(payload.made as never, context);
  };
}
