import type { HandlerDefinition } from "../../task/handler-definition.js";
import { HandlerLoadError, WorkerExitError, WorkerOutOfMemoryError } from "../../worker-errors.js";
import type { HandedAttempt } from "./handed-attempt.js";
import type { HandlerSource } from "./messages.js";
import { toText } from "./to-text.js";

/** How a thread has ended. */
interface EndedThread {
  readonly exitCode: number | undefined;
  readonly error: unknown;
}

/** Why an attempt has failed that ran when its thread ended. */
export function exitError({ attempt: { context } }: HandedAttempt, { exitCode, error }: EndedThread): Error {
  const options = error === undefined ? undefined : { cause: error };
  if (isOutOfMemory(error)) return new WorkerOutOfMemoryError(context.id, options);
  return new WorkerExitError(context.id, exitCode, options);
}

/** Why attempts have failed whose handler could not be loaded; one error for each of them. */
export function loadError({ name }: HandlerDefinition, cause: unknown): HandlerLoadError {
  const why = toText(cause);
  return new HandlerLoadError(name, `The module of handler "${name}" could not be loaded: ${why}`, { cause });
}

/** What Node says of a thread that has met its heap limit. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
}

/** Where threads find a handler. */
export function toSource({ name, module, maxResultBytes }: HandlerDefinition): HandlerSource {
  return { name, url: module?.url.href ?? "", exportName: module?.exportName ?? "", maxResultBytes };
}

/** Whatever was thrown, for those who are told of errors. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(toText(thrown), { cause: thrown });
}
