import type { Outcome } from "../task/outcome.js";
import type { TaskContext } from "../task/task-context.js";
import type { Work } from "../task/work.js";

/** Where attempts run: on the event loop, or in worker threads. Each lane has slots of its own. */
export type LaneName = "inline" | "threads";

/** One start of a handler, as an executor sees it. */
export interface RunnableAttempt {
  readonly work: Work;
  readonly context: TaskContext;
  /** To be called when the handler has ended; what is said after the first time is not heard. */
  ended(outcome: Outcome): void;
}

/**
 * Runs attempts. It owns nothing of a task's state: when an attempt ends and what follows is not its
 * business.
 */
export interface Executor {
  readonly lane: LaneName;
  /**
   * Runs the handler and calls `attempt.ended` when it has ended, at once or later. It does not throw:
   * whatever the handler does becomes the outcome. A callback, since a promise of the outcome would cost each
   * task one more promise and one more turn of the microtask queue.
   */
  run(attempt: RunnableAttempt): void;
  /**
   * Forces an end to an attempt that was aborted and went on regardless.
   * @returns true when it is over and its slot free, false when nothing can stop it and it must be abandoned
   */
  kill(attempt: RunnableAttempt): boolean;
  /** Lets go of whatever it holds. Resolves when nothing of it keeps the process alive. */
  close(): Promise<void>;
}
