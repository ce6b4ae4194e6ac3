import type { TaskMetadata } from "./metadata.js";

/** What a handler is given: who it is, which attempt this is, and how it learns that it should end. */
export interface TaskContext {
  readonly id: string;
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
   * Aborts when the attempt should end: the task was cancelled, ran into its timeout or deadline, or the
   * manager stops. Its `reason` is the error that says which. A handler that goes on regardless is given up
   * after `killAfterMs`. Made when it is first read: a handler that never asks costs nothing.
   */
  readonly signal: AbortSignal;
  /** Aborts when a graceful stop begins, before anything is aborted: long handlers may then wind up. */
  readonly stopping: AbortSignal;
}

/** A task's work as a function. */
export type TaskFunction<R = unknown> = (context: TaskContext) => R | PromiseLike<R>;
