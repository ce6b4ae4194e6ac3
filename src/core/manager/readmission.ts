import { MOVES } from "../../task/states.js";
import type { Task } from "../../task/task.js";
import type { Limiter } from "../limiter/limiter.js";
import type { Attempt } from "./attempt.js";
import type { Backlog } from "./backlog.js";
import { stoppedBetweenAttempts } from "./conclude.js";
import type { Rescheduling, TimedRetry } from "./concluder.js";
import type { Journal } from "./journal.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Pauses } from "./pauses.js";
import type { Settler } from "./settler.js";

export interface ReadmissionParts {
  readonly backlog: Backlog;
  readonly journal: Journal;
  readonly lifecycle: Lifecycle;
  readonly limiter: Limiter;
  readonly settler: Settler;
  readonly pauses: Pauses;
}

/** Takes tasks back whose attempt has ended and was not the last. There is always room for them. */
export class Readmission {
  readonly #parts: ReadmissionParts;

  constructor(parts: ReadmissionParts) {
    this.#parts = parts;
  }

  retry({ task, group }: Attempt, { delayMs, error }: TimedRetry, now: number, abandoned: boolean): void {
    const { journal } = this.#parts;
    if (this.#tooLate(task, now + delayMs, now, abandoned)) return;
    task.tally.retried++;
    group.queue.tally.retried++;
    if (group.handler !== undefined) group.handler.tally.retried++;
    this.#again(task, "backoff", delayMs, now, () => journal.recordRetried(task, delayMs, error));
  }

  reschedule(task: Task, { reason, scope, delayMs }: Rescheduling, now: number): void {
    const { journal, limiter } = this.#parts;
    // What the other side said to one attempt holds for all tasks of its handler, or for all there are.
    if (scope === "all") limiter.closeUntil(now + delayMs);
    else if (reason === "rate-limited" && task.handler !== undefined)
      limiter.handlers.closeUntil(task.handler, now + delayMs, now);
    if (this.#tooLate(task, now + delayMs, now, false)) return;
    task.attempt--;
    task.sequence = 0; // it takes its place anew when it falls due
    task.tally.rescheduled++;
    this.#again(task, reason, delayMs, now, () => journal.recordRescheduled(task, delayMs));
  }

  /** The attempt has not been one: the task stands where it stood. */
  handBack({ before, task }: Attempt, now: number): void {
    task.tally.handedBack++;
    task.attempt--;
    task.startedAt = before?.startedAt;
    task.pastAttempt = before?.pastAttempt;
    if (this.#tooLate(task, now, now, false)) return;
    task.move(MOVES.running.queue);
    this.#parts.journal.record("handedBack", task);
    if (task.state === "queued") this.#parts.backlog.addReady(task); // unless who heard of it has ended it
  }

  /**
   * Ends a task that a stop leaves no time for one more attempt, or that a pause holds which stood when the
   * stop began. A pause made during the stop only holds it, until a resume or the abort.
   * @returns whether it has ended
   */
  #tooLate(task: Task, dueAt: number, now: number, abandoned: boolean): boolean {
    const { lifecycle, pauses, settler } = this.#parts;
    const hasTime = dueAt <= lifecycle.lastStartAt;
    if (hasTime && (lifecycle.phase !== "draining" || !pauses.holdsForGood(task))) return false;
    const error = stoppedBetweenAttempts(task);
    settler.defeat(task, { transition: "cancel", reason: "stopped", error }, now, abandoned);
    return true;
  }

  #again(
    task: Task,
    reason: "backoff" | "rescheduled" | "rate-limited",
    delayMs: number,
    now: number,
    record: () => void,
  ): void {
    const { backlog } = this.#parts;
    task.rememberAttempt(now);
    task.readyAt = now + delayMs;
    if (delayMs > 0) {
      task.move(MOVES.running.schedule, reason);
      backlog.addDelayed(task, now + delayMs);
      record();
    } else {
      task.move(MOVES.running.queue);
      record();
      if (task.state === "queued") backlog.addReady(task); // unless who heard of it has ended the task
    }
  }
}
