import type { TaskSnapshot } from "../../task/task-snapshot.js";

/**
 * What the tracing channels `tracing:millrace:task:*` of `node:diagnostics_channel` publish of one task: the
 * same object at all its moments, to which a subscriber may add what it likes. One that freezes it keeps what
 * it has from being brought up to date, for all. No payload, and no value.
 */
export interface TracedTask {
  /** The task at this moment: as it was accepted, and from `error` or `asyncStart` on as it has ended. */
  readonly task: TaskSnapshot;
  /** Why it failed; one that was cancelled has none here, and its `task.reason`. */
  readonly error?: Error;
}

/**
 * What the tracing channels `tracing:millrace:attempt:*` publish of one attempt: the same object at all its
 * moments.
 */
export interface TracedAttempt extends TracedTask {
  /** Which one it is, from 1 up; the same again after one that asked to run again. */
  readonly attempt: number;
  /** Why this attempt failed, also where another will follow; steering and cancellations are no failures. */
  readonly error?: Error;
}
