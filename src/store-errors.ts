import { MillraceError, TaskError } from "./errors.js";

/** A durable task was asked for, and the manager was given no `backend`. */
export class BackendMissingError extends MillraceError {
  readonly code = "MILLRACE_BACKEND_MISSING";
}

/**
 * The store did not answer in time, or could not be reached; `cause` is what was met there. What was asked of
 * it may have been done all the same.
 */
export class StoreUnreachableError extends MillraceError {
  readonly code = "MILLRACE_STORE_UNREACHABLE";
}

/** The store has no memory left for another task. What it has goes on. */
export class StoreFullError extends MillraceError {
  readonly code = "MILLRACE_STORE_FULL";
}

/** The store refuses what was asked, and would again: its set-up has to be changed. `cause` says why. */
export class StoreRefusedError extends MillraceError {
  readonly code = "MILLRACE_STORE_REFUSED";
}

/** The lease of a durable task is held no more: another process may run it, and this result is void. */
export class LeaseLostError extends TaskError {
  readonly code = "MILLRACE_LEASE_LOST";
}

/** A durable task was delivered `maxDeliveries` times in a row, and no holder lived to report back. */
export class CrashLoopError extends TaskError {
  readonly code = "MILLRACE_CRASH_LOOP";
  /** Claims in a row without a word from the holder. */
  readonly deliveries: number;

  constructor(taskId: string, deliveries: number) {
    super(`Task ${taskId} was delivered ${deliveries} times, and no holder reported back`, taskId);
    this.deliveries = deliveries;
  }
}
