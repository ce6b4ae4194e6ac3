import { assert } from "../../errors.js";
import { MOVES } from "../../task/states.js";
import type { Task } from "../../task/task.js";
import { ArrivalOrder } from "../queue/arrival-order.js";
import { DelayQueue } from "../queue/delay-queue.js";
import type { QueueSet } from "../queue/queue-set.js";
import type { QueueGroup } from "../queue/task-queue.js";
import type { Alarm, Alarms } from "./alarms.js";
import type { Lanes } from "./lane.js";

/** So many tasks that fall due together become ready in one turn of the event loop. */
const PROMOTIONS_PER_TURN = 1_000;

export interface BacklogEvents {
  /** A task has become ready. */
  ready(task: Task): void;
  /** One fewer waits. */
  room(): void;
  /** A task was taken out without a start: the next one may need fewer permits. */
  withdrawn(): void;
}

/** Everything that waits: what is ready, and what is not yet due. The one owner of how many that is. */
export class Backlog implements Alarm {
  alarmTicket = -1;
  readonly ready: QueueSet;
  readonly #delayed = new DelayQueue();
  readonly #arrivals = new ArrivalOrder();
  readonly #alarms: Alarms;
  readonly #lanes: Lanes;
  readonly #events: BacklogEvents;
  #backingOff = 0;

  constructor(ready: QueueSet, lanes: Lanes, alarms: Alarms, events: BacklogEvents) {
    this.ready = ready;
    this.#lanes = lanes;
    this.#alarms = alarms;
    this.#events = events;
  }

  /** Queued and scheduled tasks. */
  get size(): number {
    return this.ready.size + this.#delayed.size;
  }

  get queued(): number {
    return this.ready.size;
  }

  get scheduled(): number {
    return this.#delayed.size;
  }

  /** Scheduled tasks that wait for a retry. */
  get backingOff(): number {
    return this.#backingOff;
  }

  /** Takes a task that is in state queued. */
  addReady(task: Task): void {
    if (task.startedAt === undefined) this.#arrivals.push(task);
    const { inline, threads } = this.#lanes;
    const lane = task.profile.lane === "inline" ? inline : threads;
    assert(lane !== undefined, "a handler with a module has its lane");
    this.ready.push(task, lane);
    this.#events.ready(task);
  }

  /** Takes a task that is in state scheduled. */
  addDelayed(task: Task, dueAt: number): void {
    if (task.reason === "backoff") this.#backingOff++;
    this.#delayed.push(task, dueAt);
    this.#alarms.set(this, this.#delayed.nextDueAt);
  }

  /** Takes the head of a group for a start; `left` follows when it has started. */
  take(group: QueueGroup): Task {
    return this.ready.take(group);
  }

  /** The same, after its head was taken for a start of several at a time. */
  takeOneMore(group: QueueGroup): Task {
    return this.ready.takeOneMore(group);
  }

  /** Takes a waiting task out, wherever it waits; `left` follows when it has ended. */
  withdraw(task: Task): void {
    if (task.state === "scheduled" && task.reason === "backoff") this.#backingOff--;
    task.place?.remove(task);
    this.#events.withdrawn();
  }

  /**
   * A task that was taken out has gone on, and its place is free. Said only then: whoever gets the place, or
   * hears of it, must not meet a task that is neither here nor there.
   */
  left(): void {
    this.#arrivals.tidy(this.ready.size);
    this.#events.room();
  }

  /** The queued task that arrived first and was never started. */
  oldest(): Task | undefined {
    return this.#arrivals.oldest();
  }

  /** The first `count` of those, or fewer. */
  oldestFew(count: number): Task[] {
    return this.#arrivals.first(count);
  }

  /** What has fallen due becomes ready, in portions. */
  ring(now: number): void {
    for (let count = 0; count < PROMOTIONS_PER_TURN; count++) {
      const task = this.#delayed.shiftDue(now);
      if (task === undefined) break;
      if (task.reason === "backoff") this.#backingOff--;
      task.move(MOVES.scheduled.queue);
      this.addReady(task);
    }
    if (this.#delayed.size > 0) this.#alarms.set(this, Math.max(now, this.#delayed.nextDueAt));
  }
}
