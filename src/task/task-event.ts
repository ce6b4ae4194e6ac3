import type { DeadLetteredDetails } from "./dead-lettered-details.js";
import type { FinishedEvent } from "./finished-event.js";
import type { TaskSnapshot } from "./task-snapshot.js";
import type { LateFaultDetails, WorkerExitedDetails, WorkerStartedDetails } from "./worker-details.js";

/**
 * Everything observable. `task` is a frozen snapshot of the moment just after what happened; all who listen
 * are given the same one.
 */
export type TaskEvent =
  /** Accepted, or ready again after a delay or a retry. */
  | { readonly type: "queued"; readonly task: TaskSnapshot }
  /** Accepted with a delay. */
  | { readonly type: "scheduled"; readonly task: TaskSnapshot }
  | { readonly type: "started"; readonly task: TaskSnapshot }
  /** Its handler reported progress: the last value, where it did so more than once in 100 ms. */
  | { readonly type: "progress"; readonly task: TaskSnapshot; readonly value: unknown }
  /** An attempt failed and another one will follow after `delayMs`. */
  | { readonly type: "retried"; readonly task: TaskSnapshot; readonly delayMs: number; readonly error: Error }
  /** The handler asked to run again; no attempt was used. */
  | { readonly type: "rescheduled"; readonly task: TaskSnapshot; readonly delayMs: number }
  /**
   * Came back from a worker thread before its handler had begun: no attempt was used. `queued` follows,
   * unless who heard of this has ended it.
   */
  | { readonly type: "handedBack"; readonly task: TaskSnapshot }
  /**
   * Reached its terminal state; once for each task. `value` is what a completed one returned, `result`
   * what subscribers are given.
   */
  | FinishedEvent
  /** Was dropped to make room; comes just before its `finished`. */
  | { readonly type: "dropped"; readonly task: TaskSnapshot }
  /**
   * Its handler ignored its signal for `killAfterMs` and was given up; what became of it follows: `finished`
   * or `retried`.
   */
  | { readonly type: "abandoned"; readonly task: TaskSnapshot }
  /** A subscription did not keep a result: its buffer was full, or its reader left. Once for each of them. */
  | {
      readonly type: "resultDropped";
      /** Of the task. */
      readonly id: string;
      readonly handler: string | undefined;
      readonly queue: string;
      /** Name of the subscription. */
      readonly subscription: string;
    }
  /** A worker thread can take tasks. */
  | { readonly type: "workerStarted"; readonly worker: WorkerStartedDetails }
  /** A worker thread is no more. */
  | { readonly type: "workerExited"; readonly worker: WorkerExitedDetails }
  /** What a finished task had left behind in its thread has thrown since. */
  | { readonly type: "lateFault"; readonly fault: LateFaultDetails }
  /** A durable task that a stop cut off was handed back: another process goes on, at no attempt. */
  | { readonly type: "interrupted"; readonly task: TaskSnapshot }
  /** The lease of a durable task was lost: what its handler did here counts for nothing. */
  | { readonly type: "leaseLost"; readonly task: TaskSnapshot }
  /** A durable task ended here, and the store did not confirm it while the lease was held. */
  | { readonly type: "ackUnknown"; readonly task: TaskSnapshot }
  /** A durable task has become a dead letter. */
  | { readonly type: "deadLettered"; readonly letter: DeadLetteredDetails }
  /** The store of durable tasks has forgotten what it had of a queue. */
  | { readonly type: "storeLost"; readonly queue: string }
  /** A stop has begun. */
  | { readonly type: "stopping"; readonly graceful: boolean };

export type TaskEventType = TaskEvent["type"];
