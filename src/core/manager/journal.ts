import type { Clock } from "../../ports/clock.js";
import { FinishedEvent } from "../../task/finished-event.js";
import type { Task } from "../../task/task.js";
import type { TaskEvent } from "../../task/task-event.js";
import { type TaskResult, toTaskResult } from "../../task/task-result.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import { toSnapshot } from "../../task/to-snapshot.js";
import { EventStream } from "../events/event-stream.js";

/** Pictures tasks for whoever observes them, and only when somebody does. */
export class Journal {
  readonly events = new EventStream();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  snapshot(task: Task): TaskSnapshot {
    return toSnapshot(task, this.#wallOffset());
  }

  /** Of a task that has ended. */
  result(task: Task, value: unknown): TaskResult {
    return toTaskResult(task, value, this.#wallOffset());
  }

  record(type: "queued" | "scheduled" | "started" | "dropped" | "abandoned", task: Task): void {
    if (this.events.hears(type)) this.events.publish({ type, task: this.snapshot(task) });
  }

  recordRetried(task: Task, delayMs: number, error: Error): void {
    if (this.events.hears("retried"))
      this.#publish({ type: "retried", task: this.snapshot(task), delayMs, error });
  }

  recordRescheduled(task: Task, delayMs: number): void {
    if (this.events.hears("rescheduled"))
      this.#publish({ type: "rescheduled", task: this.snapshot(task), delayMs });
  }

  /** Of a task that ends at this instant: the clock need not be asked for it again. */
  recordFinished(task: Task, value: unknown, now: number): void {
    if (this.events.hears("finished"))
      this.#publish(new FinishedEvent(task, value, this.#clock.wallNow() - now));
  }

  recordStopping(graceful: boolean): void {
    if (this.events.hears("stopping")) this.#publish({ type: "stopping", graceful });
  }

  #publish(event: TaskEvent): void {
    this.events.publish(event);
  }

  /** What turns a monotonic instant into one since the epoch. */
  #wallOffset(): number {
    return this.#clock.wallNow() - this.#clock.now();
  }
}
