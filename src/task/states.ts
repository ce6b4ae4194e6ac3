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

/** One way from one state to another. */
export interface Move {
  readonly from: TaskState;
  readonly transition: TaskTransition;
  readonly to: TaskState;
}

/**
 * The whole table: a pair that is not in it is an illegal move. Who knows where the task is names the move,
 * which takes no search at each start and end.
 */
export const MOVES = {
  scheduled: {
    queue: move("scheduled", "queue", "queued"),
    fail: move("scheduled", "fail", "failed"),
    cancel: move("scheduled", "cancel", "cancelled"),
  },
  queued: {
    start: move("queued", "start", "running"),
    fail: move("queued", "fail", "failed"),
    cancel: move("queued", "cancel", "cancelled"),
  },
  running: {
    schedule: move("running", "schedule", "scheduled"),
    queue: move("running", "queue", "queued"),
    complete: move("running", "complete", "completed"),
    fail: move("running", "fail", "failed"),
    cancel: move("running", "cancel", "cancelled"),
  },
  completed: {},
  failed: {},
  cancelled: {},
} as const satisfies Readonly<Record<TaskState, Readonly<Partial<Record<TaskTransition, Move>>>>>;

function move(from: TaskState, transition: TaskTransition, to: TaskState): Move {
  return { from, transition, to };
}

/**
 * The move that `transition` is from `state`.
 * @throws {InvariantError} when the table has no such move
 */
export function moveFrom(state: TaskState, transition: TaskTransition): Move {
  const moves: Readonly<Partial<Record<TaskTransition, Move>>> = MOVES[state];
  const found = moves[transition];
  if (found === undefined) throw new InvariantError(`a ${state} task must not ${transition}`);
  return found;
}

/** True for the states that a task never leaves. */
export function isTerminal(state: TaskState): state is TerminalState {
  return state === "completed" || state === "failed" || state === "cancelled";
}
