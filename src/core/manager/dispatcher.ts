import type { Clock } from "../../ports/clock.js";
import type { WorkerPool } from "../../ports/executor.js";
import type { Task } from "../../task/task.js";
import type { Broadcaster } from "../events/broadcaster.js";
import type { Limiter } from "../limiter/limiter.js";
import { LIMITED } from "../queue/gate.js";
import type { HandlerGate } from "../queue/handler-gate.js";
import type { QueueGroup, TaskQueue } from "../queue/task-queue.js";
import type { Alarm, Alarms } from "./alarms.js";
import type { AttemptRunner } from "./attempt-runner.js";
import type { Backlog } from "./backlog.js";
import { Batch } from "./batch.js";
import type { Canceller } from "./canceller.js";
import { Growth } from "./growth.js";
import type { Lane } from "./lane.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Pauses } from "./pauses.js";

/** What has a rate limit of its own. */
type LimitedGate = TaskQueue | HandlerGate<QueueGroup>;

/** After so many starts in one turn of the event loop, the loop gets its turn. */
const STARTS_PER_TURN = 512;

/** The same by time: tasks that end at once, or block, must not keep the loop from its work. */
const MAX_TURN_MS = 10;

export interface DispatcherParts {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly lifecycle: Lifecycle;
  readonly pauses: Pauses;
  readonly backlog: Backlog;
  readonly limiter: Limiter;
  readonly runner: AttemptRunner;
  readonly canceller: Canceller;
  readonly lanes: readonly Lane[];
  readonly results: Broadcaster;
  /** Claims durable tasks, as far as there is room for them. */
  readonly claim: (contended: boolean) => void;
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
  isExact = false;
  readonly #parts: DispatcherParts;
  readonly #gates = new Map<LimitedGate, Alarm>();
  readonly #pools: readonly WorkerPool[];
  /** By the index of the lane; undefined where its slots are fixed in number. */
  readonly #growths: readonly (Growth | undefined)[];
  #awake = false;
  #dispatching = false;
  /** Somebody has called for a dispatch since the last look at what waits. */
  #again = false;
  #starts = 0;
  #turnStartedAt = 0;
  #yielded = false;
  /** Since when a task that could start has lacked a permit; undefined while none does. */
  #limitedSince: number | undefined = undefined;
  #limitedMs = 0;
  readonly #dispatchSoon = () => {
    this.#awake = false;
    this.dispatch();
  };
  readonly #beginTurn = () => {
    this.#starts = 0;
    if (!this.#yielded) return;
    this.#yielded = false;
    this.dispatch();
  };

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#pools = parts.lanes.flatMap((lane) => lane.executor.pool ?? []);
    this.#growths = parts.lanes.map((lane) => {
      const { pool } = lane.executor;
      return pool && new Growth(lane, pool, parts.alarms, () => this.wake());
    });
  }

  get paused(): boolean {
    return this.#parts.pauses.all;
  }

  /** Whether a task that could start lacks permits of the shared limit. */
  get limited(): boolean {
    return this.#limitedSince !== undefined;
  }

  /** For how long, in all, the shared limit alone has kept a task from its start, in milliseconds. */
  limitedMs(now: number): number {
    return this.#limitedMs + (this.#limitedSince === undefined ? 0 : now - this.#limitedSince);
  }

  /** Starts nothing more, of one queue where one is named. */
  pause(queue?: string): void {
    this.#parts.pauses.pause(queue);
    if (queue === undefined) this.#endLimited();
    else this.reconsider(); // permits may have been saved up for a task of that queue
  }

  resume(queue?: string): void {
    this.#parts.pauses.resume(queue);
    this.wake();
  }

  /**
   * Dispatches when the present call has returned, so that tasks enqueued together are chosen from together.
   */
  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    queueMicrotask(this.#dispatchSoon);
  }

  /** Starts whatever can be started now, within the turn. */
  dispatch(): void {
    this.#again = true;
    if (this.#dispatching) return; // the loop below goes on and sees what has become possible
    this.#dispatching = true;
    try {
      while (this.#again) {
        this.#again = false;
        this.#parts.claim(this.#parts.backlog.queued > 0); // before what waits here takes all there is
        while (!this.#yielded && !this.#isHeldBack() && this.#startNext()) {}
        this.#parts.claim(false); // and what these have left
        for (const pool of this.#pools) pool.handOver(); // which may end some, and make room for others
      }
      if (this.#isHeldBack()) this.#endLimited();
    } finally {
      this.#dispatching = false;
    }
  }

  /**
   * Permits may have become available. What else is due at this instant rings first: after a blocked event
   * loop, the queue that opened last may have the best task.
   */
  ring(): void {
    this.wake();
  }

  /** What was closed for want of permits is looked at anew: there are more of them, or fewer are wanted. */
  reconsider(): void {
    for (const gate of [...this.#gates.keys()]) this.#openGate(gate);
    this.wake();
  }

  /** Whether something keeps all tasks from their start, whatever permits there are. */
  #isHeldBack(): boolean {
    const { lifecycle, pauses, results } = this.#parts;
    return pauses.all || !lifecycle.starting || results.blocking;
  }

  /** One start, or one task that turned out not to be startable; false when nothing more can be done now. */
  #startNext(): boolean {
    const { backlog, limiter, canceller, clock } = this.#parts;
    const group = backlog.ready.next();
    const task = group?.head;
    if (group === undefined || task === undefined) {
      this.#endLimited();
      return false;
    }
    const now = clock.now();
    if (canceller.endsInsteadOfStarting(task, now)) {
      this.#countTurn(now); // a hundred thousand that end here must not hold the loop either
      return true;
    }
    if (this.#closesGate(group, task, now)) return true;
    if (this.#growths[group.lane.index]?.holdsBack(task, now)) return true;
    const waitMs = limiter.sharedWaitMs(task.cost, now);
    if (waitMs > 0) {
      this.#limitedSince ??= now;
      this.isExact = limiter.shared.isTight(task.cost);
      this.#parts.alarms.set(this, now + waitMs);
      return false;
    }
    this.#endLimited(now);
    const lane = this.#parts.lanes[group.lane.index] as Lane;
    const { pool } = lane.executor;
    if (pool === undefined) this.#start(backlog.take(group), group, lane, now);
    else this.#startBatch(group, lane, toBatchSize(task, pool), now);
    return true;
  }

  #endLimited(now?: number): void {
    if (this.#limitedSince === undefined) return;
    this.#limitedMs += (now ?? this.#parts.clock.now()) - this.#limitedSince;
    this.#limitedSince = undefined;
  }

  /** Whether the task's queue or handler lacks permits; the others go on without it. */
  #closesGate({ queue, handler }: QueueGroup, task: Task, now: number): boolean {
    const { queues, handlers } = this.#parts.limiter;
    const queueMs = queues.waitMs(queue.name, task.cost, now);
    if (queueMs > 0) this.#closeGate(queue, now + queueMs, queues.isTight(queue.name, task.cost));
    const handlerMs = handler === undefined ? 0 : handlers.waitMs(handler.name, task.cost, now);
    if (handler !== undefined && handlerMs > 0)
      this.#closeGate(handler, now + handlerMs, handlers.isTight(handler.name, task.cost));
    return queueMs > 0 || handlerMs > 0;
  }

  #start(task: Task, group: QueueGroup, lane: Lane, now: number, batch?: Batch): void {
    const { backlog, limiter, runner } = this.#parts;
    limiter.take(task.queue, task.handler, task.cost, now);
    this.#countTurn(now);
    runner.start(task, group, lane, now, batch);
    backlog.left();
  }

  /**
   * Starts the head of a group, and after it as many more of the same group and priority as its pool takes at
   * a time. They share a slot; each takes its permits and its queue's turn.
   */
  #startBatch(group: QueueGroup, lane: Lane, size: number, now: number): void {
    const head = this.#parts.backlog.take(group);
    const { priority } = head;
    const batch = size > 1 ? new Batch(lane) : undefined;
    this.#start(head, group, lane, now, batch);
    if (batch === undefined) return;
    for (let left = size - 1; left > 0 && !this.#yielded && !this.#isHeldBack(); ) {
      const started = this.#startNextOf(group, priority, lane, batch);
      if (started === undefined) return;
      if (started) left--;
    }
  }

  /** One more of a batch: false where a task was not to be started, undefined when the batch is complete. */
  #startNextOf(group: QueueGroup, priority: number, lane: Lane, batch: Batch): boolean | undefined {
    const { backlog, canceller, clock, limiter } = this.#parts;
    const task = group.head;
    if (task === undefined || !group.eligible || task.priority !== priority) return undefined;
    if (task.details?.transfer !== undefined) return undefined;
    const now = clock.now();
    if (canceller.endsInsteadOfStarting(task, now)) {
      this.#countTurn(now);
      return false;
    }
    if (this.#closesGate(group, task, now) || limiter.sharedWaitMs(task.cost, now) > 0) return undefined;
    this.#start(backlog.takeOneMore(group), group, lane, now, batch);
    return true;
  }

  /**
   * Counts what this turn of the event loop has done, starts and ends instead of one; the turn is over when
   * the loop has come round.
   */
  #countTurn(now: number): void {
    if (this.#starts === 0) {
      this.#turnStartedAt = now;
      this.#parts.clock.setImmediate(this.#beginTurn);
    }
    this.#starts++;
    this.#yielded = this.#starts >= STARTS_PER_TURN || now - this.#turnStartedAt >= MAX_TURN_MS;
  }

  #closeGate(limited: LimitedGate, until: number, isExact: boolean): void {
    let alarm = this.#gates.get(limited);
    if (alarm === undefined) {
      alarm = {
        alarmTicket: -1,
        ring: () => {
          this.#openGate(limited);
          this.wake();
        },
      };
      this.#gates.set(limited, alarm);
    }
    alarm.isExact = isExact;
    this.#parts.alarms.set(alarm, until);
    limited.close(LIMITED);
  }

  #openGate(limited: LimitedGate): void {
    const alarm = this.#gates.get(limited);
    if (alarm !== undefined) this.#parts.alarms.clear(alarm);
    this.#gates.delete(limited);
    this.#parts.backlog.ready.open(limited, LIMITED);
  }
}

/** How many tasks may share a slot, this one being the first. */
function toBatchSize({ details, work }: Task, pool: WorkerPool): number {
  return work === undefined || details?.transfer !== undefined ? 1 : pool.batchSize(work);
}
