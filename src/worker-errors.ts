import { MillraceError, TaskError } from "./errors.js";

/**
 * The worker thread ended while the task ran: its handler called `process.exit`, or took the thread down in
 * another way.
 */
export class WorkerExitError extends TaskError {
  readonly code = "MILLRACE_WORKER_EXIT";
  /** What the thread exited with. */
  readonly exitCode: number | undefined;

  constructor(taskId: string, exitCode: number | undefined, options?: ErrorOptions) {
    const with_ = exitCode === undefined ? "" : ` with code ${exitCode}`;
    super(`The worker thread of task ${taskId} ended${with_} before its handler had`, taskId, options);
    this.exitCode = exitCode;
  }
}

/** The worker thread met its heap limit while the task ran. */
export class WorkerOutOfMemoryError extends TaskError {
  readonly code = "MILLRACE_WORKER_OUT_OF_MEMORY";

  constructor(taskId: string, options?: ErrorOptions) {
    super(`The worker thread of task ${taskId} ran out of memory`, taskId, options);
  }
}

/**
 * The module of a handler could not be imported in a worker thread, or has no such function; `cause` is what
 * the import threw.
 */
export class HandlerLoadError extends MillraceError {
  readonly code = "MILLRACE_HANDLER_LOAD";
  /** Name of the handler. */
  readonly handler: string;

  constructor(handler: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.handler = handler;
  }
}

/** No worker thread could be started, ten times in a row; `cause` is what the last one died of. */
export class WorkerStartError extends MillraceError {
  readonly code = "MILLRACE_WORKER_START";
}
