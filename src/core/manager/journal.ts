import type { DeadLetteredDetails } from "../../task/dead-lettered-details.js";
import { FinishedEvent } from "../../task/finished-event.js";
import type { Task } from "../../task/task.js";
import type { TaskEvent } from "../../task/task-event.js";
import { type TaskResult, toTaskResult } from "../../task/task-result.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import { toSnapshot } from "../../task/to-snapshot.js";
import type {
  LateFaultDetails,
  WorkerExitedDetails,
  WorkerStartedDetails,
} from "../../task/worker-details.js";
import { EventStream } from "../events/event-stream.js";
import type { ObserverErrors } from "../events/observer-errors.js";
import type { Calendar } from "./calendar.js";

/** Events that say nothing beside the task, and are rare. */
type PlainEventType =
  | "scheduled"
  | "handedBack"
  | "dropped"
  | "abandoned"
  | "interrupted"
  | "leaseLost"
  | "ackUnknown";

/** Pictures tasks for whoever observes them, and only when somebody does. */
export class Journal {
  readonly events: EventStream;
  readonly #calendar: Calendar;
  #wallOffset = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(calendar: Calendar, errors: ObserverErrors) {
    this.#calendar = calendar;
    this.events = new EventStream(errors);
  }

  snapshot(task: Task): TaskSnapshot {
    return toSnapshot(task, this.#calendar.origin());
  }

  /** Of a task that has ended. */
  result(task: Task, value: unknown): TaskResult {
    return toTaskResult(task, value, this.#calendar.origin());
  }

  record(type: PlainEventType, task: Task): void {
    if (this.events.heard[type] > 0) this.#publish({ type, task: this.snapshot(task) });
  }

  recordQueued(task: Task): void {
    if (this.events.heard.queued > 0) this.#publish({ type: "queued", task: this.snapshot(task) });
  }

  recordStarted(task: Task): void {
    if (this.events.heard.started > 0) this.#publish({ type: "started", task: this.snapshot(task) });
  }

  recordProgress(task: Task, value: unknown): void {
    if (this.events.heard.progress > 0) this.#publish({ type: "progress", task: this.snapshot(task), value });
  }

  recordRetried(task: Task, delayMs: number, error: Error): void {
    if (this.events.heard.retried === 0) return;
    this.#publish({ type: "retried", task: this.snapshot(task), delayMs, error });
  }

  recordRescheduled(task: Task, delayMs: number): void {
    if (this.events.heard.rescheduled === 0) return;
    this.#publish({ type: "rescheduled", task: this.snapshot(task), delayMs });
  }

  recordFinished(task: Task, value: unknown): void {
    if (this.events.heard.finished === 0) return;
    this.#publish(new FinishedEvent(task, value, this.#wallOffsetOf(task)));
  }

  recordWorkerStarted(worker: WorkerStartedDetails): void {
    if (this.events.heard.workerStarted > 0)
      this.#publish({ type: "workerStarted", worker: Object.freeze({ ...worker }) });
  }

  recordWorkerExited(worker: WorkerExitedDetails): void {
    if (this.events.heard.workerExited > 0)
      this.#publish({ type: "workerExited", worker: Object.freeze({ ...worker }) });
  }

  recordLateFault(fault: LateFaultDetails): void {
    if (this.events.heard.lateFault > 0)
      this.#publish({ type: "lateFault", fault: Object.freeze({ ...fault }) });
  }

  recordDeadLettered(letter: DeadLetteredDetails): void {
    if (this.events.heard.deadLettered > 0)
      this.#publish({ type: "deadLettered", letter: Object.freeze({ ...letter }) });
  }

  recordStoreLost(queue: string): void {
    if (this.events.heard.storeLost > 0) this.#publish({ type: "storeLost", queue });
  }

  recordStopping(graceful: boolean): void {
    if (this.events.heard.stopping > 0) this.#publish({ type: "stopping", graceful });
  }

  #publish(event: TaskEvent): void {
    this.events.publish(event);
  }

  /** Tasks that end within one millisecond share a look at the calendar: it takes as long as their events. */
  #wallOffsetOf({ finishedAt = 0 }: Task): number {
    if (Math.abs(finishedAt - this.#lookedAt) >= 1) {
      this.#lookedAt = finishedAt;
      this.#wallOffset = this.#calendar.origin();
    }
    return this.#wallOffset;
  }
}
