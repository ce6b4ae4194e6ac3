import type { Clock } from "../../ports/clock.js";
import type { Task } from "../../task/task.js";
import type { Alarm, Alarms } from "./alarms.js";
import type { Journal } from "./journal.js";

/** The least time between two reports of one attempt. */
const INTERVAL_MS = 100;

export interface ProgressParts {
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly journal: Journal;
}

/**
 * What the handler of one attempt says of its progress. The first word is published at once, the others when
 * their time has come; of those that come too early, the last one counts. Where the task lives is told what
 * is published.
 */
export class Progress implements Alarm {
  alarmTicket = -1;
  readonly #task: Task;
  readonly #parts: ProgressParts;
  readonly #tell: (value: unknown) => void;
  #publishedAt = Number.NEGATIVE_INFINITY;
  #held: { readonly value: unknown } | undefined;

  constructor(task: Task, parts: ProgressParts, tell: (value: unknown) => void) {
    this.#task = task;
    this.#parts = parts;
    this.#tell = tell;
  }

  report(value: unknown): void {
    const { alarms, clock } = this.#parts;
    const now = clock.now();
    const nextAt = this.#publishedAt + INTERVAL_MS;
    const isHeld = this.#held !== undefined;
    this.#held = { value };
    if (now >= nextAt) this.#publish(now);
    else if (!isHeld) alarms.set(this, nextAt);
  }

  /** The attempt is about to end: what was held back is published now. */
  end(now: number): void {
    if (this.#held !== undefined) this.#publish(now);
  }

  ring(now: number): void {
    this.#publish(now);
  }

  #publish(now: number): void {
    const held = this.#held;
    this.#held = undefined;
    this.#parts.alarms.clear(this);
    this.#publishedAt = now;
    if (held === undefined) return;
    this.#tell(held.value);
    this.#parts.journal.recordProgress(this.#task, held.value);
  }
}
