import { PayloadError } from "../../errors.js";
import { codecOf } from "../../task/codec.js";
import { skipRetry } from "../../task/steering.js";
import { encodePayload } from "../../task/stored-payload.js";
import type { HandedAttempt } from "./handed-attempt.js";
import type { HandedTask, TaskExtras } from "./messages.js";
import { unsentError } from "./unsent.js";

/**
 * A task as it is sent to a thread.
 * @throws whatever a getter throws that middleware has put into `locals`
 * @throws {PayloadError} where its codec does not encode the payload
 */
export function packTask(handed: HandedAttempt, maxAttempts: number): HandedTask {
  return toTuple(handed, encoded(handed) ?? handed.payload, toExtras(handed, maxAttempts));
}

/** The same as a copy, which can be sent whatever it was made of; or why there can be none. */
export function packCopy(handed: HandedAttempt, maxAttempts: number): HandedTask | Error {
  let path = "payload";
  try {
    const payload: unknown = encoded(handed) ?? structuredClone(handed.payload);
    path = "locals";
    return toTuple(handed, payload, structuredClone(toExtras(handed, maxAttempts)));
  } catch (error) {
    if (error instanceof PayloadError) return skipRetry(error); // of its codec
    const refusal = unsentError(handed.handler.name, path, error);
    // A payload stays what it is; locals are made anew for each attempt.
    return path === "payload" ? skipRetry(refusal) : refusal;
  }
}

/** The payload as its codec makes bytes of it; undefined where it has none, and is cloned. */
function encoded({ handler, payload }: HandedAttempt): Uint8Array | undefined {
  return codecOf(handler.payload) === undefined ? undefined : encodePayload(handler, payload);
}

function toTuple({ attempt }: HandedAttempt, payload: unknown, extras: TaskExtras | undefined): HandedTask {
  const { id, attempt: number } = attempt.context;
  return extras === undefined ? [id, number, payload] : [id, number, payload, extras];
}

/** What goes beyond the plain task; undefined for most. */
function toExtras({ attempt, headers }: HandedAttempt, maxAttempts: number): TaskExtras | undefined {
  const { context } = attempt;
  const { name, metadata, correlationId, fencingToken, locals } = context;
  const hasLocals = Object.keys(locals).length > 0;
  const hasMetadata = Object.keys(metadata).length > 0;
  const isPlain =
    (name ?? correlationId ?? headers ?? fencingToken) === undefined && !hasLocals && !hasMetadata;
  if (isPlain && context.maxAttempts === maxAttempts) return undefined;
  return {
    name,
    correlationId,
    headers,
    fencingToken,
    maxAttempts: context.maxAttempts,
    metadata: hasMetadata ? metadata : undefined,
    locals: hasLocals ? { ...locals } : undefined,
  };
}
