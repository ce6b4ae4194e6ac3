import type { DurableStats } from "./durable-stats.js";
import type { TaskTally } from "./group-tally.js";
import type { Overflow, ResultTally } from "./subscription.js";
import type { WorkerExitReason } from "./worker-details.js";

/**
 * The life of a manager:
 *
 * - `ready`: accepts tasks but starts none (`autoStart: false`); `start` leads on
 * - `running`: accepts and starts tasks
 * - `draining`: a graceful stop has begun; accepts nothing, starts what can still be done in time
 * - `aborting`: what runs was told to end; starts nothing
 * - `stopped`: nothing is left
 *
 * A phase never goes back.
 */
export type Phase = "ready" | "running" | "draining" | "aborting" | "stopped";

/** How many tasks came to which end. */
export interface EndTally {
  completed: number;
  failed: number;
  cancelled: number;
  retried: number;
}

/** What calls with a key came to. Each number only grows. */
export interface KeyTally {
  /** Calls that were given a handle to the task that holds their key. */
  kept: number;
  /** Waiting tasks that were cancelled for another with their key. */
  replaced: number;
  /** Calls that were refused for their key. */
  rejected: number;
  /** Keys of finished tasks that were let go before their time, for `maxKeys`. */
  forgotten: number;
}

/** The slots of one lane. */
export interface LaneStats {
  readonly concurrency: number;
  readonly running: number;
  readonly free: number;
  /** Attempts that were given up and still go on. */
  readonly abandoned: number;
  /** Slots that they hold back, being more than `maxAbandoned`. */
  readonly held: number;
}

/** The worker threads of a manager. */
export interface ThreadStats {
  readonly min: number;
  readonly max: number;
  /** Threads that are there, those that come up included. */
  readonly alive: number;
  readonly starting: number;
  /** Those that run a task now. */
  readonly busy: number;
  /** All that have come up. */
  readonly started: number;
  /** All that are no more, by reason. */
  readonly exited: Readonly<Record<WorkerExitReason, number>>;
  /** What finished tasks had left behind in a thread and has thrown since; see `onLateFault`. */
  readonly lateFaults: number;
  /** The time for which threads have had something to do, all added up, in milliseconds. */
  readonly busyMs: number;
  /** The time for which threads have been there, all added up, in milliseconds. */
  readonly aliveMs: number;
  /** Whether no thread can be started: ten starts in a row have failed. */
  readonly failing: boolean;
  /** Handlers whose module could not be loaded ten times in a row. */
  readonly failingHandlers: readonly string[];
}

/** The rate limit that all tasks share. */
export interface LimiterStats {
  readonly tasksPerSecond: number;
  readonly burst: number;
  /** Permits that could be taken now. */
  readonly available: number;
  /**
   * How long a handler's `rateLimited({ scope: "all" })` holds all starts back, in milliseconds; mostly 0.
   */
  readonly closedForMs: number;
}

/** Tasks that have something in common, and how many of them came to which end. */
export interface GateStats extends Readonly<EndTally> {
  readonly queued: number;
  readonly running: number;
}

/** One queue; its tally begins anew when a queue that no option names was empty and forgotten. */
export interface QueueStats extends GateStats {
  readonly paused: boolean;
}

/** One open subscription. */
export interface SubscriptionStats extends Readonly<ResultTally> {
  readonly name: string;
  /** Results that wait for its reader. */
  readonly buffered: number;
  readonly overflow: Overflow;
  /** Whether it is full and keeps tasks from starting. */
  readonly blocking: boolean;
}

/** Results that the subscriptions of one name have dropped, all of them since the manager was made. */
export interface DropTally {
  /** `_OTHER` for those without a name of their own, and those beyond the first 100. */
  readonly subscription: string;
  dropped: number;
}

/** What finished tasks returned, as far as it is kept. */
export interface RetainedValueStats {
  /** Of all that are kept. */
  readonly bytes: number;
  /** How many were let go for their bytes, while their tasks were retained. */
  readonly letGo: number;
}

/** Idempotency keys, and what calls that gave one came to. */
export interface IdempotencyStats extends Readonly<KeyTally> {
  /** Held now. */
  readonly keys: number;
}

/** One handler. */
export interface HandlerStats extends GateStats {
  /** How long its `rateLimited` holds all of its tasks back, in milliseconds; mostly 0. */
  readonly closedForMs: number;
}

/** The manager at one moment: a frozen picture. */
export interface TaskManagerStats {
  readonly phase: Phase;
  readonly paused: boolean;
  readonly queued: number;
  /** Waiting for their time, backoff included. */
  readonly scheduled: number;
  /** Those of them that wait for a retry. */
  readonly backingOff: number;
  readonly running: number;
  /** Finished tasks that are kept for `get` and `list`. */
  readonly retained: number;
  readonly retainedValues: RetainedValueStats;
  readonly idempotency: IdempotencyStats;
  readonly capacity: number;
  /** Calls of `enqueueAsync` and `execute` that wait for room. */
  readonly waitingForRoom: number;
  /** Calls of these that wait for an asynchronous schema. */
  readonly waitingForSchema: number;
  /** What has happened since the manager was made. */
  readonly total: Readonly<TaskTally>;
  readonly lanes: { readonly inline: LaneStats; readonly threads: LaneStats };
  readonly threads: ThreadStats;
  readonly durable: DurableStats;
  readonly limiter: LimiterStats;
  readonly queues: Readonly<Record<string, QueueStats>>;
  /** Each handler that is registered. */
  readonly handlers: Readonly<Record<string, HandlerStats>>;
  /** What became of the results of all subscriptions, those that have ended included. */
  readonly results: Readonly<ResultTally>;
  readonly subscriptions: readonly SubscriptionStats[];
  /** Hook calls that are still to be made: many where hooks are slower than what they are told of. */
  readonly waitingHookCalls: number;
  /** Hook calls that were not made: those beyond 100,000 that wait, and what a stop had no time for. */
  readonly droppedHookCalls: number;
  /** How often an observer has thrown or rejected; see `onObserverError`. */
  readonly observerErrors: number;
}

/** Why a manager is not quite well. */
export type HealthConcern =
  | "abandoned-holding-slots"
  | "threads-failing"
  | "handler-failing"
  | "rate-limited"
  | "handler-rate-limited"
  | "blocked-by-subscriber"
  /** Durable tasks are not enqueued, claimed, kept or ended: the store does not do what it is asked. */
  | "store-unreachable"
  /** The store had no room for a durable task in the last minute, and has kept none since. */
  | "store-full"
  /** The store has forgotten what it had, in the last five minutes. */
  | "store-lost"
  | "stopping"
  | "stopped"
  | "paused"
  | "not-started";

/** Whether the manager does its work, and if not, why. */
export interface TaskManagerHealth {
  /**
   * `ok`: all is well. `degraded`: it works with fewer slots, or not on everything, or not at present.
   * `stopped`: it works no more.
   */
  readonly status: "ok" | "degraded" | "stopped";
  readonly concerns: readonly HealthConcern[];
  readonly slots: LaneStats;
  readonly limiter: LimiterStats;
  /** Tasks that wait: queued, scheduled or in backoff. */
  readonly waiting: number;
  /** Tasks that may wait. */
  readonly capacity: number;
  /** How long the task has waited that became ready first and was never started; 0 when none waits. */
  readonly oldestWaitMs: number;
}
