import { codecOf } from "../../task/codec.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import type { WorkerExitReason } from "../../task/worker-details.js";
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
export function loadError({ name, module }: HandlerDefinition, cause: unknown): HandlerLoadError {
  const told = `The module of handler "${name}" (${module?.url.href}) could not be loaded: ${toText(cause)}`;
  return new HandlerLoadError(name, told, { cause });
}

/** What Node says of a thread that has met its heap limit. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
}

/** Whose fault it is where nothing tells. */
export const NOBODY = { id: undefined, handler: undefined, queue: undefined };

export function heldUpError(): Error {
  return new Error("The thread was held up by what a finished task had left behind");
}

/** Why a thread has ended that nobody has told to. */
export function reasonOfExit(error: unknown): WorkerExitReason {
  return isOutOfMemory(error) ? "out-of-memory" : "exited";
}

/** Where threads find a handler. */
export function toSource({ name, module, payload, maxResultBytes }: HandlerDefinition): HandlerSource {
  const { url, exportName = "" } = module ?? {};
  return { name, url: url?.href ?? "", exportName, maxResultBytes, codec: codecOf(payload)?.name };
}

/** Whatever was thrown, for those who are told of errors. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(toText(thrown), { cause: thrown });
}
