import type { Clock } from "../../ports/clock.js";
import type { Broadcaster } from "../events/broadcaster.js";
import type { Limiter } from "../limiter/limiter.js";
import { LIMITED, type QueueGroup, type TaskQueue } from "../queue/task-queue.js";
import type { Alarm, Alarms } from "./alarms.js";
import type { AttemptRunner } from "./attempt-runner.js";
import type { Backlog } from "./backlog.js";
import type { Canceller } from "./canceller.js";
import type { Lane } from "./lane.js";
import type { Lifecycle } from "./lifecycle.js";

/** After so many starts in one turn of the event loop, the loop gets its turn. */
const STARTS_PER_TURN = 512;

/** The same by time: tasks that end at once, or block, must not keep the loop from its work. */
const MAX_TURN_MS = 10;

export interface DispatcherParts {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly lifecycle: Lifecycle;
  readonly backlog: Backlog;
  readonly limiter: Limiter;
  readonly runner: AttemptRunner;
  readonly canceller: Canceller;
  readonly lanes: readonly Lane[];
  readonly results: Broadcaster;
}

/**
 * Starts attempts, one at a time and late: in one synchronous step it looks at the best eligible task and
 * takes its slot and its permits, or takes nothing. Whoever makes a start possible (a task became ready, a
 * slot or a queue free, a rate higher) calls `wake` or `dispatch`; what time alone makes possible, an alarm
 * does. So a free slot, an eligible task and a free permit are never together for longer than one turn of the
 * event loop.
 */
export class Dispatcher implements Alarm {
  alarmTicket = -1;
  readonly #parts: DispatcherParts;
  readonly #gates = new Map<TaskQueue, Alarm>();
  #paused = false;
  #awake = false;
  #dispatching = false;
  #starts = 0;
  #turnStartedAt = 0;
  #yielded = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.wake();
  }

  /**
   * Dispatches when the present call has returned, so that tasks enqueued together are chosen from together.
   */
  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    queueMicrotask(() => {
      this.#awake = false;
      this.dispatch();
    });
  }

  /** Starts whatever can be started now, within the turn. */
  dispatch(): void {
    if (this.#dispatching) return; // the loop below goes on and sees what has become possible
    this.#dispatching = true;
    try {
      while (this.#mayStart() && this.#startNext()) {}
    } finally {
      this.#dispatching = false;
    }
  }

  /** Permits may have become available. */
  ring(): void {
    this.dispatch();
  }

  /** A rate has changed: what was closed for want of permits is looked at anew. */
  reconsider(): void {
    for (const queue of [...this.#gates.keys()]) this.#openGate(queue);
    this.wake();
  }

  #mayStart(): boolean {
    const { lifecycle, results } = this.#parts;
    return !this.#yielded && !this.#paused && lifecycle.starting && !results.blocking;
  }

  /** One start, or one task that turned out not to be startable; false when nothing more can be done now. */
  #startNext(): boolean {
    const { backlog, limiter, canceller, clock } = this.#parts;
    const group = backlog.ready.next();
    const task = group?.head;
    if (group === undefined || task === undefined) return false;
    const now = clock.now();
    if (canceller.endsInsteadOfStarting(task, now)) {
      this.#countTurn(now); // a hundred thousand that end here must not hold the loop either
      return true;
    }
    const gateMs = limiter.queueWaitMs(task.queue, task.cost, now);
    if (gateMs > 0) {
      this.#closeGate(group.queue, now + gateMs);
      return true;
    }
    const waitMs = limiter.sharedWaitMs(task.cost, now);
    if (waitMs > 0) {
      this.#parts.alarms.set(this, now + waitMs);
      return false;
    }
    this.#start(group, now);
    return true;
  }

  #start(group: QueueGroup, now: number): void {
    const { backlog, limiter, runner, lanes } = this.#parts;
    const lane = lanes[group.lane.index] as Lane;
    const task = backlog.take(group);
    limiter.take(task.queue, task.cost, now);
    this.#countTurn(now);
    runner.start(task, group.queue, lane, now);
    backlog.left();
  }

  /**
   * Counts what this turn of the event loop has done, starts and ends instead of one; the turn is over when
   * the loop has come round.
   */
  #countTurn(now: number): void {
    if (this.#starts === 0) {
      this.#turnStartedAt = now;
      this.#parts.clock.setImmediate(() => this.#newTurn());
    }
    this.#starts++;
    this.#yielded = this.#starts >= STARTS_PER_TURN || now - this.#turnStartedAt >= MAX_TURN_MS;
  }

  #newTurn(): void {
    this.#starts = 0;
    if (!this.#yielded) return;
    this.#yielded = false;
    this.dispatch();
  }

  /** The queue's own limit has no permit: the others go on without it. */
  #closeGate(queue: TaskQueue, until: number): void {
    let gate = this.#gates.get(queue);
    if (gate === undefined) {
      gate = {
        alarmTicket: -1,
        ring: () => {
          this.#openGate(queue);
          this.dispatch();
        },
      };
      this.#gates.set(queue, gate);
    }
    this.#parts.alarms.set(gate, until);
    this.#parts.backlog.ready.close(queue, LIMITED);
  }

  #openGate(queue: TaskQueue): void {
    const gate = this.#gates.get(queue);
    if (gate !== undefined) this.#parts.alarms.clear(gate);
    this.#gates.delete(queue);
    this.#parts.backlog.ready.open(queue, LIMITED);
  }
}
