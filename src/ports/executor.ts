import type { Eventually, Outcome } from "../task/outcome.js";
import type { TaskContext, TaskFunction } from "../task/task-context.js";

/** Where attempts run: on the event loop, or in worker threads. Each lane has slots of its own. */
export type LaneName = "inline" | "threads";

/** One start of a handler, as an executor sees it. */
export interface RunnableAttempt {
  readonly run: TaskFunction;
  readonly context: TaskContext;
}

/**
 * Runs attempts. It owns nothing of a task's state: when an attempt ends and what follows is not its
 * business.
 */
export interface Executor {
  readonly lane: LaneName;
  /** Runs the handler. Neither throws nor rejects: whatever the handler does becomes the outcome. */
  run(attempt: RunnableAttempt): Eventually<Outcome>;
  /**
   * Forces an end to an attempt that was aborted and went on regardless.
   * @returns true when it is over and its slot free, false when nothing can stop it and it must be abandoned
   */
  kill(attempt: RunnableAttempt): boolean;
  /** Lets go of whatever it holds. Resolves when nothing of it keeps the process alive. */
  close(): Promise<void>;
}
