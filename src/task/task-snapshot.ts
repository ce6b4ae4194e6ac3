import type { TaskMetadata } from "./metadata.js";
import type { TaskReason, TaskState } from "./states.js";

/**
 * A frozen picture of a task, without its function, payload or value. Instants are milliseconds since the
 * epoch, for people; durations were measured by the monotonic clock.
 */
export interface TaskSnapshot {
  readonly id: string;
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** Name of its registered handler; undefined for a plain function. */
  readonly handler: string | undefined;
  readonly queue: string;
  readonly state: TaskState;
  readonly reason: TaskReason | undefined;
  readonly priority: number;
  readonly weight: number;
  readonly cost: number;
  readonly metadata: TaskMetadata;
  readonly correlationId: string | undefined;
  /** Attempts begun. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly enqueuedAt: number;
  /** When a scheduled task will be ready; undefined in other states. */
  readonly dueAt: number | undefined;
  /** When its last attempt started. */
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** How long it waited between being ready and its last start; undefined before the first. */
  readonly waitMs: number | undefined;
  /** How long its last attempt ran; undefined before the first start and while it runs. */
  readonly runMs: number | undefined;
  /** Why it failed or was cancelled, or why its last attempt failed. */
  readonly error: Error | undefined;
}
