import { ManagerStoppedError, TaskCancelledError, withoutStack } from "../../errors.js";
import { toFailure } from "../../task/failure.js";
import type { Outcome } from "../../task/outcome.js";
import { findSteering, type RateLimitScope, type Steering } from "../../task/steering.js";
import type { Task } from "../../task/task.js";

/** Why an attempt was told to end before it had ended by itself. */
export interface AbortCause {
  readonly kind: "cancelled" | "timeout" | "deadline" | "stopped" | "lease-lost";
  /** The reason that the handler's signal carries. */
  readonly error: Error;
}

/** What follows from the end of an attempt. */
export type Conclusion =
  | { readonly next: "complete"; readonly value: unknown }
  | { readonly next: "fail"; readonly reason: "error" | "timeout" | "deadline"; readonly error: Error }
  | { readonly next: "cancel"; readonly reason: "cancelled" | "stopped"; readonly error: Error }
  | { readonly next: "retry"; readonly error: Error }
  /** The lease of a durable task is another's: nothing follows from what this process did. */
  | { readonly next: "leave" }
  | {
      readonly next: "reschedule";
      readonly reason: "rescheduled" | "rate-limited";
      readonly delayMs: number;
      readonly scope: RateLimitScope;
    };

/**
 * Decides what follows from an attempt. An abort's outcome stands, whatever the handler did after it; only
 * after an abort by a stop, a handler that still returns has completed.
 */
export function conclude(task: Task, cause: AbortCause | undefined, outcome: Outcome): Conclusion {
  if (cause !== undefined) return concludeAborted(task, cause, outcome);
  if (outcome.returned) return { next: "complete", value: outcome.value };
  const steering = findSteering(outcome.thrown);
  if (steering !== undefined) return concludeSteered(task, steering);
  return failOrRetry(task, "error", toFailure(outcome.thrown, task.id));
}

function concludeAborted(task: Task, cause: AbortCause, outcome: Outcome): Conclusion {
  switch (cause.kind) {
    case "cancelled":
      return { next: "cancel", reason: "cancelled", error: cause.error };
    case "deadline":
      return { next: "fail", reason: "deadline", error: cause.error };
    case "timeout":
      return failOrRetry(task, "timeout", cause.error);
    case "lease-lost":
      return { next: "leave" };
    case "stopped":
      if (outcome.returned) return { next: "complete", value: outcome.value };
      return { next: "cancel", reason: "stopped", error: cause.error };
  }
}

function concludeSteered(task: Task, steering: Steering): Conclusion {
  switch (steering.steering) {
    case "reschedule":
      return { next: "reschedule", reason: "rescheduled", delayMs: steering.delayMs, scope: "handler" };
    case "rate-limited": {
      const { retryAfterMs: delayMs, scope } = steering;
      return { next: "reschedule", reason: "rate-limited", delayMs, scope };
    }
    case "skip-retry":
      return { next: "fail", reason: "error", error: toFailure(steering.cause, task.id) };
    case "cancel-task": {
      const error = cancelledError(task, steering.reason);
      return { next: "cancel", reason: "cancelled", error };
    }
  }
}

function failOrRetry(task: Task, reason: "error" | "timeout", error: Error): Conclusion {
  if (task.attempt < task.settings.maxAttempts) return { next: "retry", error };
  return { next: "fail", reason, error };
}

/** The error of a cancelled task; the reason is kept as its cause. */
export function cancelledError(task: Task, reason: unknown): TaskCancelledError {
  const message = `Task ${task.id} was cancelled`;
  return withoutStack(() => new TaskCancelledError(message, task.id, { cause: reason }));
}

/** The error of a task that a stop ended, with what that made its handler throw, if it did, as `cause`. */
export function stoppedError(task: Task, options?: { readonly cause: unknown }): ManagerStoppedError {
  const message = `Task ${task.id} was ended by a stop of its manager`;
  return withoutStack(() => new ManagerStoppedError(message, task.id, options));
}

/** The same where no attempt runs: why the last one failed, if it did, is the `cause`. */
export function stoppedBetweenAttempts(task: Task): () => ManagerStoppedError {
  const { error: cause } = task;
  return () => stoppedError(task, cause === undefined ? undefined : { cause });
}
