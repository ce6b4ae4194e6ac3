import { InvariantError } from "../errors.js";

/** Where a task is in its life. Why it is there is its `TaskReason`. */
export type TaskState = "scheduled" | "queued" | "running" | TerminalState;

/** The states that a task never leaves. */
export type TerminalState = "completed" | "failed" | "cancelled";

/** What moves a task from one state to another. */
export type TaskTransition = "schedule" | "queue" | "start" | "complete" | "fail" | "cancel";

/**
 * Why a task is in its state.
 *
 * - scheduled: `backoff` (a failed attempt will be tried again), `rescheduled` (its handler asked for it),
 *   `rate-limited` (its handler met a limit elsewhere), or none (it was enqueued with a delay)
 * - failed: `error`, `timeout`, `deadline`
 * - cancelled: `cancelled`, `dropped` (to make room), `stopped` (by a stop of the manager)
 */
export type TaskReason =
  | "backoff"
  | "rescheduled"
  | "rate-limited"
  | "error"
  | "timeout"
  | "deadline"
  | "cancelled"
  | "dropped"
  | "stopped";

/** The whole table: a pair that is not in it is an illegal move. */
export const TRANSITIONS: Readonly<Record<TaskState, Readonly<Partial<Record<TaskTransition, TaskState>>>>> =
  {
    scheduled: { queue: "queued", fail: "failed", cancel: "cancelled" },
    queued: { start: "running", fail: "failed", cancel: "cancelled" },
    running: {
      schedule: "scheduled",
      queue: "queued",
      complete: "completed",
      fail: "failed",
      cancel: "cancelled",
    },
    completed: {},
    failed: {},
    cancelled: {},
  };

/**
 * The state that `transition` leads to from `state`.
 * @throws {InvariantError} when the table has no such move
 */
export function nextState(state: TaskState, transition: TaskTransition): TaskState {
  const next = TRANSITIONS[state][transition];
  if (next === undefined) throw new InvariantError(`a ${state} task must not ${transition}`);
  return next;
}

/** True for the states that a task never leaves. */
export function isTerminal(state: TaskState): state is TerminalState {
  return state === "completed" || state === "failed" || state === "cancelled";
}
