import { skipRetry } from "../../task/steering.js";
import type { HandedAttempt } from "./handed-attempt.js";
import type { HandedTask, TaskExtras } from "./messages.js";
import { unsentError } from "./unsent.js";

/**
 * A task as it is sent to a thread.
 * @throws whatever a getter throws that middleware has put into `locals`
 */
export function packTask(handed: HandedAttempt, maxAttempts: number): HandedTask {
  const { context } = handed.attempt;
  const extras = toExtras(handed, maxAttempts);
  if (extras === undefined) return [context.id, context.attempt, handed.payload];
  return [context.id, context.attempt, handed.payload, extras];
}

/** The same as a copy, which can be sent whatever it was made of; or why there can be none. */
export function packCopy(handed: HandedAttempt, maxAttempts: number): HandedTask | Error {
  const { context } = handed.attempt;
  let path = "payload";
  try {
    const payload: unknown = structuredClone(handed.payload);
    path = "locals";
    const extras = structuredClone(toExtras(handed, maxAttempts));
    return extras === undefined
      ? [context.id, context.attempt, payload]
      : [context.id, context.attempt, payload, extras];
  } catch (error) {
    const refusal = unsentError(handed.handler.name, path, error);
    // A payload stays what it is; locals are made anew for each attempt.
    return path === "payload" ? skipRetry(refusal) : refusal;
  }
}

/** What goes beyond the plain task; undefined for most. */
function toExtras({ attempt, headers }: HandedAttempt, maxAttempts: number): TaskExtras | undefined {
  const { context } = attempt;
  const { name, metadata, correlationId, locals } = context;
  const hasLocals = Object.keys(locals).length > 0;
  const hasMetadata = Object.keys(metadata).length > 0;
  const isPlain = (name ?? correlationId ?? headers) === undefined && !hasLocals && !hasMetadata;
  if (isPlain && context.maxAttempts === maxAttempts) return undefined;
  return {
    ...{ name, correlationId, headers, maxAttempts: context.maxAttempts },
    metadata: hasMetadata ? metadata : undefined,
    locals: hasLocals ? { ...locals } : undefined,
  };
}
