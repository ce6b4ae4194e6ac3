import { DeadlineError, QueueFullError, withoutStack } from "../../errors.js";
import { isTerminal, type TaskReason } from "../../task/states.js";
import type { Task } from "../../task/task.js";
import type { AttemptRunner } from "./attempt-runner.js";
import type { Backlog } from "./backlog.js";
import { type AbortCause, cancelledError, stoppedBetweenAttempts, stoppedError } from "./conclude.js";
import type { DurableEnds } from "./durable/durable-ends.js";
import type { Journal } from "./journal.js";
import type { Defeat, Settler } from "./settler.js";

export interface CancellerParts {
  readonly backlog: Backlog;
  readonly runner: AttemptRunner;
  readonly settler: Settler;
  readonly journal: Journal;
  /** Where those durable tasks are ended that have not begun; undefined where there are none. */
  readonly durable: () => Pick<DurableEnds, "endWaiting"> | undefined;
}

/** A walk over all tasks that is under way and ends some: those that it has not reached must not start. */
export interface Sweep {
  /** How many tasks it has ended. */
  readonly ended: number;
  /** Ends the task if it is one of those, and was there when the sweep began. */
  visit(task: Task, now: number): boolean;
  close(): void;
}

/**
 * Ends tasks from outside: a waiting one at once, a running one by its signal. Each method says whether it
 * decided what becomes of the task.
 */
export class Canceller {
  readonly #parts: CancellerParts;
  readonly #sweeps = new Set<Sweep>();

  constructor(parts: CancellerParts) {
    this.#parts = parts;
  }

  cancel(task: Task, reason: unknown, now: number): boolean {
    return this.#end(task, "cancel", "cancelled", () => cancelledError(task, reason), now);
  }

  /** The task's deadline has passed. */
  expire(task: Task, now: number): boolean {
    return this.#end(task, "fail", "deadline", () => deadlineError(task), now);
  }

  /** The manager stops. */
  stop(task: Task, now: number): boolean {
    const error = task.state === "running" ? () => stoppedError(task) : stoppedBetweenAttempts(task);
    return this.#end(task, "cancel", "stopped", error, now);
  }

  /** A waiting task makes room for another, unless who heard of a drop before it has ended it meanwhile. */
  drop(task: Task, capacity: number, now: number): void {
    const { journal } = this.#parts;
    if (isTerminal(task.state)) return;
    const error = () => droppedError(task, capacity);
    task.tally.dropped++;
    journal.record("dropped", task);
    if (isTerminal(task.state)) return;
    this.#endWaiting(task, { transition: "cancel", reason: "dropped", error }, now);
  }

  /**
   * From now on no task up to this number starts that is to be ended, until the sweep is closed.
   * @param end ends the task if it is to be, and says whether it did
   */
  beginSweep(upTo: number, end: (task: Task, now: number) => boolean): Sweep {
    let ended = 0;
    const sweep: Sweep = {
      get ended() {
        return ended;
      },
      visit: (task, now) => {
        if (task.number > upTo || !end(task, now)) return false;
        ended++;
        return true;
      },
      close: () => this.#sweeps.delete(sweep),
    };
    this.#sweeps.add(sweep);
    return sweep;
  }

  /** Ends a task that must not start any more, although nothing has come round to it yet. */
  endsInsteadOfStarting(task: Task, now: number): boolean {
    const expiresAt = task.details?.expiresAt;
    if (expiresAt !== undefined && expiresAt <= now) return this.expire(task, now);
    if (this.#sweeps.size === 0) return false;
    for (const sweep of this.#sweeps) if (sweep.visit(task, now)) return true;
    return false;
  }

  #end(
    task: Task,
    transition: "fail" | "cancel",
    reason: Exclude<AbortCause["kind"], "lease-lost"> & TaskReason,
    createError: () => Error,
    now: number,
  ): boolean {
    if (isTerminal(task.state)) return false;
    if (task.state === "running")
      return this.#parts.runner.abort(task, { kind: reason, error: createError() }, now);
    if (task.durable) {
      const error = createError();
      const cancelled = reason === "stopped" ? reason : "cancelled";
      const ending =
        transition === "cancel"
          ? ({ next: transition, reason: cancelled, error } as const)
          : ({ next: transition, reason: "deadline", error } as const);
      return this.#parts.durable()?.endWaiting(task, ending) ?? false;
    }
    this.#endWaiting(task, { transition, reason, error: createError }, now);
    return true;
  }

  #endWaiting(task: Task, defeat: Defeat, now: number): void {
    this.#parts.backlog.withdraw(task);
    this.#parts.settler.defeat(task, defeat, now);
    this.#parts.backlog.left();
  }
}

function deadlineError(task: Task): DeadlineError {
  const message = `Task ${task.id} did not end before its deadline`;
  return withoutStack(() => new DeadlineError(message, task.id));
}

function droppedError(task: Task, capacity: number): QueueFullError {
  const message = `Task ${task.id} was dropped to make room`;
  return withoutStack(() => new QueueFullError(message, capacity, task.id));
}
