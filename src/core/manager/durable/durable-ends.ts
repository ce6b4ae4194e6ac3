import type { Clock } from "../../../ports/clock.js";
import type { LaneName } from "../../../task/lane-name.js";
import type { Outcome } from "../../../task/outcome.js";
import { MOVES } from "../../../task/states.js";
import { encodeProgress } from "../../../task/stored-progress.js";
import { encodeResult } from "../../../task/stored-result.js";
import type { Task } from "../../../task/task.js";
import type { Consumer } from "../../durable/consumer.js";
import type { HeldLease } from "../../durable/held-lease.js";
import type { Limiter } from "../../limiter/limiter.js";
import type { QueueSet } from "../../queue/queue-set.js";
import type { Aftermath } from "../aftermath.js";
import type { Attempt } from "../attempt.js";
import type { Rescheduling, TimedConclusion, TimedRetry } from "../concluder.js";
import type { Journal } from "../journal.js";
import type { Lifecycle } from "../lifecycle.js";
import type { Settler } from "../settler.js";
import type { DurableEnding } from "./durable-ending.js";
import { type DurableRun, runOf, runUnder } from "./durable-run.js";
import { toSettlement, withinLife } from "./to-settlement.js";

export interface DurableEndsParts {
  readonly clock: Clock;
  readonly consumer: () => Consumer;
  readonly journal: Journal;
  readonly lifecycle: Lifecycle;
  readonly limiter: Limiter;
  readonly queues: QueueSet;
  readonly settler: Settler;
}

const INLINE: LaneName = "inline";

/**
 * What becomes of durable tasks: the store is told first, and only what it has confirmed counts. Until then a
 * task is still running here, though its slot is free.
 */
export class DurableEnds implements Aftermath {
  readonly #parts: DurableEndsParts;

  constructor(parts: DurableEndsParts) {
    this.#parts = parts;
  }

  /** Its handler begins in this lane, or stands in line there. */
  begins({ held, task }: DurableRun, lane: LaneName): void {
    const { timeoutMs, killAfterMs } = task.settings;
    const atMostMs = timeoutMs === false ? Number.POSITIVE_INFINITY : timeoutMs + killAfterMs;
    this.#parts.consumer().begins(held, atMostMs, lane !== INLINE);
  }

  /** One that is watched has its place by now, on which its lease depends. */
  began(attempt: Attempt): void {
    const { lane, task } = attempt;
    const run = runOf(task);
    if (run !== undefined && !attempt.watched) this.begins(run, lane.executor.lane);
  }

  placed({ task }: Attempt, pulse: number | undefined): void {
    const run = runOf(task);
    if (run !== undefined) this.#parts.consumer().placed(run.held, pulse);
  }

  progressed({ task }: Attempt, value: unknown): void {
    const run = runOf(task);
    if (run !== undefined) this.#parts.consumer().report(run.held, encodeProgress(value));
  }

  /** What cannot be stored is no result: the attempt has failed. */
  weigh({ task }: Attempt, outcome: Outcome): Outcome {
    const run = runOf(task);
    if (!outcome.returned || run === undefined) return outcome;
    try {
      run.value = encodeResult(run.handler, outcome.value);
      return outcome;
    } catch (error) {
      return { returned: false, thrown: error };
    }
  }

  complete(attempt: Attempt, value: unknown, now: number): void {
    this.act(attempt, { next: "complete", value }, now, false);
  }

  act({ task }: Attempt, conclusion: TimedConclusion, now: number, abandoned: boolean): void {
    const run = runOf(task);
    if (run === undefined) return;
    run.abandoned = abandoned;
    if (conclusion.next === "reschedule") this.#closeGates(task, conclusion, now);
    if (conclusion.next === "leave" || run.held.state === "over") {
      this.#leave(run);
    } else if (abandoned && !this.#parts.lifecycle.accepting) {
      // Its handler goes on: nobody may run it beside that before the lease has expired.
      this.#parts.consumer().abandon(run.held);
      this.#leave(run, "interrupted");
    } else if (conclusion.next === "cancel" && conclusion.reason === "stopped") {
      this.settle(run, { next: "hand-back", event: "interrupted" });
    } else {
      this.settle(run, conclusion);
    }
  }

  /** It has not begun, though it was started: it comes back to wherever there is a thread for it. */
  handBack({ task }: Attempt): void {
    const run = runOf(task);
    if (run === undefined) return;
    task.tally.handedBack++;
    task.attempt--;
    if (run.held.state === "over") this.#leave(run);
    else this.settle(run, { next: "hand-back", event: "handedBack" });
  }

  /** Ends a claimed task that has not begun; false where the store has been told of its end already. */
  endWaiting(task: Task, ending: Extract<DurableEnding, { next: "cancel" | "fail" }>): boolean {
    const run = runOf(task);
    if (run?.held.state !== "held") return false;
    const isStop = ending.next === "cancel" && ending.reason === "stopped";
    this.settle(run, isStop ? { next: "hand-back", event: "interrupted" } : ending);
    return true;
  }

  /** Tells the store; what follows here waits until it has confirmed that. */
  settle(run: DurableRun, wanted: DurableEnding): void {
    const now = this.#parts.clock.now();
    const ending = withinLife(run, wanted, now);
    run.ending = ending;
    run.task.rememberAttempt(now); // the way to the store is no part of it
    this.#parts.consumer().settle(run.held, toSettlement(run, ending));
  }

  confirmed(held: HeldLease): void {
    const run = runUnder(held);
    if (run?.ending === undefined) return;
    const { abandoned, ending, task } = run;
    const now = this.#parts.clock.now();
    switch (ending.next) {
      case "complete":
        run.end();
        this.#parts.settler.complete(task, ending.value, now);
        break;
      case "fail":
        run.end();
        this.#parts.settler.defeat(task, { ...ending, transition: "fail" }, now, abandoned);
        if (run.leavesDeadLetter) {
          task.tally.durable.deadLettered[ending.reason]++;
          this.#parts.journal.recordDeadLettered(toDeadLetter(run, ending.reason));
        }
        break;
      case "cancel":
        run.end();
        this.#parts.settler.defeat(task, { ...ending, transition: "cancel" }, now, abandoned);
        break;
      case "retry":
      case "reschedule":
        this.#goesOn(run, ending, now);
        break;
      case "hand-back":
        this.#leave(run, ending.event);
    }
  }

  /** Lets go of one that has not begun. */
  drop(run: DurableRun): void {
    this.#leave(run);
  }

  refused(held: HeldLease): void {
    const run = runUnder(held);
    if (run !== undefined) this.#leave(run, "leaseLost");
  }

  unknown(held: HeldLease): void {
    const run = runUnder(held);
    if (run !== undefined) this.#leave(run, "ackUnknown");
  }

  /** What the other side said to one attempt holds for all tasks of its handler, or for all that run here. */
  #closeGates({ handler }: Task, { reason, scope, delayMs }: Rescheduling, now: number): void {
    const { limiter } = this.#parts;
    if (scope === "all") limiter.closeUntil(now + delayMs);
    else if (reason === "rate-limited" && handler !== undefined)
      limiter.handlers.closeUntil(handler, now + delayMs, now);
  }

  /** It will run again, here or elsewhere. */
  #goesOn(run: DurableRun, ending: TimedRetry | Rescheduling, now: number): void {
    const { journal, queues } = this.#parts;
    const { task } = run;
    const { delayMs } = ending;
    task.readyAt = now + delayMs;
    const reason = ending.next === "retry" ? "backoff" : ending.reason;
    if (delayMs > 0) task.move(MOVES.running.schedule, reason);
    else task.move(MOVES.running.queue);
    if (ending.next === "retry") {
      task.tally.retried++;
      const queue = queues.known(task.queue);
      if (queue !== undefined) queue.tally.retried++;
      const handler = queues.handler(run.handler.name);
      if (handler !== undefined) handler.tally.retried++;
      journal.recordRetried(task, delayMs, ending.error);
    } else {
      task.tally.rescheduled++;
      journal.recordRescheduled(task, delayMs);
    }
    run.end();
    this.#parts.settler.leave(task, run.abandoned);
  }

  #leave(run: DurableRun, event?: LeavingEvent): void {
    const { journal, settler } = this.#parts;
    const { task } = run;
    run.end();
    if (task.state === "running") task.move(MOVES.running.queue);
    if (event === "interrupted" || event === "ackUnknown") task.tally.durable[event]++;
    else if (event === "leaseLost") task.tally.durable.leasesLost++;
    if (event !== undefined) journal.record(event, task);
    settler.leave(task, run.abandoned);
  }
}

/** Why a task goes on without this process. */
type LeavingEvent = "interrupted" | "handedBack" | "leaseLost" | "ackUnknown";

function toDeadLetter({ handler, task }: DurableRun, reason: string) {
  return { id: task.id, handler: handler.name, queue: task.queue, reason, attempts: task.attempt };
}
