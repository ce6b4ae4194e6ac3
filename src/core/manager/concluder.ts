import type { CapturedContext } from "../../ports/context-carrier.js";
import type { Random } from "../../ports/random.js";
import { backoffDelayMs } from "../../task/backoff.js";
import { toFailure } from "../../task/failure.js";
import type { Outcome } from "../../task/outcome.js";
import { findSteering } from "../../task/steering.js";
import { isStopRefusal } from "../../task/stop-refusal.js";
import type { Task } from "../../task/task.js";
import type { Attempt } from "./attempt.js";
import type { Carriers } from "./carriers.js";
import { type AbortCause, type Conclusion, conclude, stoppedError } from "./conclude.js";
import type { Journal } from "./journal.js";
import type { Lifecycle } from "./lifecycle.js";

/** A retry of which it is known when. */
export interface TimedRetry {
  readonly next: "retry";
  readonly error: Error;
  readonly delayMs: number;
}

export type TimedConclusion = Exclude<Conclusion, { readonly next: "retry" }> | TimedRetry;

export type Rescheduling = Extract<Conclusion, { readonly next: "reschedule" }>;

export interface ConcluderParts {
  readonly carriers: Carriers;
  readonly journal: Journal;
  readonly lifecycle: Lifecycle;
  readonly random: Random;
}

/** Decides what follows from an attempt, and when. */
export class Concluder {
  readonly #parts: ConcluderParts;

  constructor(parts: ConcluderParts) {
    this.#parts = parts;
  }

  /**
   * What follows, with the delay before a retry. A backoff of the user's, or a getter of what was thrown,
   * may cancel the task or stop the manager: so they are asked while the attempt can still be aborted, and
   * what they did counts.
   */
  conclude(attempt: Attempt, outcome: Outcome): TimedConclusion {
    const { cause: first, task } = attempt;
    let conclusion = conclude(task, first ?? this.#refusal(attempt, outcome), outcome);
    const { cause } = attempt;
    if (cause !== first) conclusion = conclude(task, cause, outcome);
    if (conclusion.next !== "retry") return conclusion;
    const timed = this.#timeRetry(task, conclusion.error);
    if (attempt.cause === cause) return timed;
    const second = conclude(task, attempt.cause, outcome);
    return second.next === "retry" ? timed : second;
  }

  /**
   * A handler that fails because its manager stops and refuses what it enqueues has been ended by the stop,
   * unless it says itself how its task goes on. An error from a thread has been made anew on its way, so that
   * nobody can tell whose refusal it was: there, that of any manager counts for this one's.
   */
  #refusal({ lane, stopReason, task }: Attempt, outcome: Outcome): AbortCause | undefined {
    if (stopReason === undefined || outcome.returned) return undefined;
    const { thrown } = outcome;
    const isFromThread = lane.executor.pool !== undefined;
    const isOurs = isFromThread ? isStopRefusal(thrown) : this.#parts.lifecycle.hasRefused(thrown);
    if (!isOurs || findSteering(thrown) !== undefined) return undefined;
    return { kind: "stopped", error: stoppedError(task, { cause: thrown }) };
  }

  #timeRetry(task: Task, error: Error): TimedConclusion {
    const { carriers, journal, random } = this.#parts;
    task.error = error;
    const input = { attempt: task.attempt, error, snapshot: () => journal.snapshot(task) };
    let timed: TimedConclusion = { next: "fail", reason: "error", error };
    const ask = () => {
      try {
        const delayMs = backoffDelayMs(task.settings.backoff, input, () => random.next());
        timed = { next: "retry", error, delayMs };
      } catch (refused) {
        timed = { next: "fail", reason: "error", error: toFailure(refused, task.id) };
      }
    };
    carriers.enter(task.captured as CapturedContext | undefined, ask, undefined);
    return timed;
  }
}

/** Whether the cause of its abort says what becomes of the task, and not only of this attempt. */
export function isDecided({ cause, task }: Attempt): boolean {
  if (cause === undefined || cause.kind === "stopped") return false;
  return cause.kind !== "timeout" || task.attempt >= task.settings.maxAttempts;
}
