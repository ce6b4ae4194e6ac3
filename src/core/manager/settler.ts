import type { DefeatReason } from "../../task/group-tally.js";
import { MOVES, moveFrom } from "../../task/states.js";
import { deliver, type Task } from "../../task/task.js";
import type { Mishaps } from "../events/mishaps.js";
import type { QueueSet } from "../queue/queue-set.js";
import type { IdempotencyKeys } from "./idempotency-keys.js";
import type { Journal } from "./journal.js";
import type { Registry } from "./registry.js";
import type { Retention } from "./retention.js";
import type { Watches } from "./watches.js";

/** How a task ended without completing. */
export interface Defeat {
  readonly transition: "fail" | "cancel";
  readonly reason: DefeatReason;
  /** What makes the error, where many tasks may end at once and nobody may ask for theirs. */
  readonly error: Error | (() => Error);
}

export interface SettlerParts {
  readonly keys: IdempotencyKeys;
  readonly journal: Journal;
  readonly queues: QueueSet;
  readonly retention: Retention;
  readonly registry: Registry;
  readonly watches: Watches;
  readonly mishaps: Mishaps;
}

/** What a running stop wants to know of each task that ends. */
export type EndListener = (task: Task, abandoned: boolean) => void;

/**
 * The one place that ends a task: it moves to its terminal state, everything that refers to its work is let
 * go, its waiters get the outcome, and the end is published. Nothing else makes a terminal state.
 */
export class Settler {
  readonly #parts: SettlerParts;
  /** Told of each end before it is published; set by a stop. */
  onEnd: EndListener | undefined = undefined;
  /** Told how many are unsettled, whenever that has changed. */
  onChange: ((unsettled: number) => void) | undefined = undefined;
  #unsettled = 0;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** Accepted tasks that have not ended. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** A task was accepted. */
  begin(task: Task): void {
    this.#unsettled++;
    if (!task.durable) task.tally.enqueued++; // that was counted where it was handed to the store
    if (this.#unsettled === 1) this.onChange?.(1);
  }

  complete(task: Task, value: unknown, now: number): void {
    task.move(MOVES.running.complete);
    task.error = undefined; // that of an attempt before
    task.tally.completed++;
    this.#finish(task, value, now, false);
  }

  /** Ends a task that is in any live state; a waiting one has been taken out of its place before. */
  defeat(task: Task, { transition, reason, error }: Defeat, now: number, abandoned = false): void {
    task.move(moveFrom(task.state, transition), reason);
    task.error = error;
    task.tally.countDefeat(reason);
    this.#finish(task, undefined, now, abandoned);
  }

  /** A durable task goes on elsewhere: this process forgets it. */
  leave(task: Task, abandoned: boolean): void {
    const { registry, watches } = this.#parts;
    task.work = undefined;
    task.captured = undefined;
    watches.unwatch(task);
    registry.delete(task.number);
    this.#unsettled--;
    this.onEnd?.(task, abandoned);
    this.onChange?.(this.#unsettled);
  }

  #finish(task: Task, value: unknown, now: number, abandoned: boolean): void {
    const { journal, keys, queues, retention, watches } = this.#parts;
    task.finishedAt = now;
    task.work = undefined;
    task.captured = undefined;
    const { state } = task;
    if (state === "completed" || state === "failed" || state === "cancelled") {
      const queue = queues.known(task.queue);
      if (queue !== undefined) queue.tally[state]++;
      const handler = task.handler === undefined ? undefined : queues.handler(task.handler);
      if (handler !== undefined) handler.tally[state]++;
    }
    if (task.details !== undefined) {
      watches.unwatch(task);
      if (task.details.idempotencyKey !== undefined) keys.ended(task, now);
    }
    const place = retention.keep(task, now);
    this.#unsettled--;
    const { sink } = task;
    task.sink = undefined;
    const isHeard = sink?.[deliver](task, value) === true;
    if (state === "failed" && !isHeard && !task.durable) this.#parts.mishaps.record({ type: "failed", task });
    this.onEnd?.(task, abandoned);
    if (place !== undefined) retention.keepValue(place, value);
    journal.recordFinished(task, value);
    this.onChange?.(this.#unsettled);
  }
}
