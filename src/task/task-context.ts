import type { DurableTaskOptions } from "./durable-task-options.js";
import type { TaskMetadata } from "./metadata.js";
import type { TaskLocals } from "./task-locals.js";
import type { TaskOptions } from "./task-options.js";

/** What a handler is given: who it is, which attempt this is, and how it learns that it should end. */
export interface TaskContext {
  readonly id: string;
  /** The name of its handler; undefined for a plain function. */
  readonly handler: string | undefined;
  /** The label that the task was given for people. */
  readonly name: string | undefined;
  readonly queue: string;
  readonly priority: number;
  /** The attempt that is running, the first being 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly metadata: TaskMetadata;
  readonly correlationId: string | undefined;
  /**
   * Of a durable task: grows with each time that any process claims it. What it writes elsewhere can be
   * refused there if it comes with a smaller one than was seen before. Undefined for a local task.
   */
  readonly fencingToken: number | undefined;
  /**
   * Aborts when the attempt should end: the task was cancelled, ran into its timeout or deadline, or the
   * manager stops. Its `reason` is the error that says which. A handler that goes on regardless is given up
   * after `killAfterMs`. Made when it is first read: a handler that never asks costs nothing.
   */
  readonly signal: AbortSignal;
  /** Aborts when a graceful stop begins, before anything is aborted: long handlers may then wind up. */
  readonly stopping: AbortSignal;
  /**
   * Accepts another task, a function or one of the manager's handlers by name, and gives its id. It never
   * waits for room, and needs no result of the new task: whoever awaits tasks inside a handler holds a slot
   * for it, and may wait for ever when all slots do so. While the manager stops, it rejects with a
   * NotAcceptingError, also for what would be a duplicate: a handler that lets that through, also as the
   * cause of another error, has been ended by the stop, and is not tried again.
   * @throws what `enqueue` of the manager throws, as a rejection
   */
  readonly enqueue: EnqueueFromHandler;
  /**
   * Hands a durable task to the manager's backend, and gives its id when it is kept there. Like `enqueue`, it
   * is refused while the manager stops.
   * @throws what `enqueueDurable` of the manager throws, as a rejection
   */
  readonly enqueueDurable: EnqueueDurableFromHandler;
  /**
   * Whatever those who share this attempt want to hand on. Made when it is first read, without a prototype,
   * and anew for each attempt.
   */
  readonly locals: TaskLocals;
  /**
   * Reports progress to `onProgress`: at once, but at least 100 ms apart, where the last value wins; one that
   * was held back is reported before the end of the attempt is. That of a durable task is kept for its
   * handle's `progress()`, too. It does nothing where nobody listens and nothing is kept, nothing after the
   * attempt is over, and it never throws.
   */
  readonly progress: (value: unknown) => void;
}

/** What a handler is told of a task that it has enqueued. */
export interface EnqueuedTask {
  readonly id: string;
  /** Whether it was there before: its idempotency key was held, and this is its id. */
  readonly duplicate: boolean;
}

/** How a handler enqueues: as the manager's `enqueue`, but for what comes back. */
export interface EnqueueFromHandler {
  (work: TaskFunction, options?: TaskOptions): Promise<EnqueuedTask>;
  (handler: string, payload: unknown, options?: TaskOptions): Promise<EnqueuedTask>;
}

/** How a handler enqueues durable tasks. */
export type EnqueueDurableFromHandler = (
  handler: string,
  payload: unknown,
  options?: DurableTaskOptions,
) => Promise<EnqueuedTask>;

/** A task's work as a function. */
export type TaskFunction<R = unknown> = (context: TaskContext) => R | PromiseLike<R>;
