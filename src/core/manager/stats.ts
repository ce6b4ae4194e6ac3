import type { Overflow, ResultTally } from "../../task/subscription.js";
import type { ResultSubscription } from "../events/result-subscription.js";
import type { Limiter } from "../limiter/limiter.js";
import { type EndTally, type Gate, PAUSED } from "../queue/gate.js";
import type { TaskQueue } from "../queue/task-queue.js";
import type { Core } from "./core.js";
import type { KeyTally } from "./idempotency-keys.js";
import type { Lane } from "./lane.js";
import type { Phase } from "./lifecycle.js";
import type { TaskTally } from "./tally.js";

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
  readonly lanes: { readonly inline: LaneStats };
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
  | "rate-limited"
  | "blocked-by-subscriber"
  | "stopping"
  | "stopped"
  | "paused"
  | "not-started";

/** Whether the manager does its work, and if not, why. */
export interface TaskManagerHealth {
  /**
   * `ok`: all is well. `degraded`: it works with fewer slots, or not at present. `stopped`: it works no more.
   */
  readonly status: "ok" | "degraded" | "stopped";
  readonly concerns: readonly HealthConcern[];
  readonly slots: LaneStats;
  readonly limiter: LimiterStats;
  /** How long the task has waited that became ready first and was never started; 0 when none waits. */
  readonly oldestWaitMs: number;
}

/** Pictures the parts of a manager. */
export function toStats(core: Core): TaskManagerStats {
  const { backlog, dispatcher, intake, lane, lifecycle, limiter, results, retention, runner } = core;
  return Object.freeze({
    phase: lifecycle.phase,
    paused: dispatcher.paused,
    queued: backlog.queued,
    scheduled: backlog.scheduled,
    backingOff: backlog.backingOff,
    running: runner.running,
    retained: retention.size,
    retainedValues: Object.freeze({ bytes: retention.values.bytes, letGo: retention.values.letGo }),
    idempotency: Object.freeze({ keys: core.keys.size, ...core.keys.tally }),
    capacity: intake.capacity,
    waitingForRoom: intake.waiting,
    waitingForSchema: intake.checking,
    total: Object.freeze({ ...core.tally }),
    lanes: Object.freeze({ inline: toLaneStats(lane) }),
    limiter: toLimiterStats(limiter, core.clock.now()),
    queues: toRecord(core.queues.queues(), toQueueStats),
    handlers: toRecord(core.queues.handlers(), (handler) => ({
      ...toGateStats(handler),
      closedForMs: limiter.handlers.closedForMs(handler.name, core.clock.now()),
    })),
    results: Object.freeze({ ...results.tally }),
    subscriptions: Object.freeze(results.subscriptions.map(toSubscriptionStats)),
    waitingHookCalls: core.hooks.waiting,
    droppedHookCalls: core.hooks.dropped,
    observerErrors: core.observerErrors.count,
  });
}

/** Judges the parts of a manager. */
export function toHealth(core: Core): TaskManagerHealth {
  const { backlog, clock, dispatcher, lane, lifecycle, limiter, results } = core;
  const now = clock.now();
  const oldest = backlog.oldest();
  const concerns: HealthConcern[] = [];
  if (lane.held > 0) concerns.push("abandoned-holding-slots");
  if (limiter.closedForMs(now) > 0) concerns.push("rate-limited");
  if (results.blocking) concerns.push("blocked-by-subscriber");
  if (lifecycle.phase === "ready") concerns.push("not-started");
  else if (lifecycle.phase === "stopped") concerns.push("stopped");
  else if (lifecycle.phase !== "running") concerns.push("stopping");
  else if (dispatcher.paused) concerns.push("paused");
  const healthy = concerns.length === 0 ? "ok" : "degraded";
  return Object.freeze({
    status: lifecycle.phase === "stopped" ? "stopped" : healthy,
    concerns: Object.freeze(concerns),
    slots: toLaneStats(lane),
    limiter: toLimiterStats(limiter, now),
    oldestWaitMs: oldest === undefined ? 0 : now - (oldest.readyAt ?? oldest.enqueuedAt),
  });
}

function toLaneStats({ concurrency, running, free, abandoned, held }: Lane): LaneStats {
  return Object.freeze({ concurrency, running, free, abandoned, held });
}

function toSubscriptionStats(subscription: ResultSubscription): SubscriptionStats {
  const { name, buffered, published, delivered, dropped, overflow, blocking } = subscription;
  return Object.freeze({ name, buffered, published, delivered, dropped, overflow, blocking });
}

function toLimiterStats(limiter: Limiter, now: number): LimiterStats {
  return Object.freeze({
    ...limiter.limit,
    available: limiter.available(now),
    closedForMs: limiter.closedForMs(now),
  });
}

function toQueueStats(queue: TaskQueue): QueueStats {
  return { ...toGateStats(queue), paused: queue.isClosedBy(PAUSED) };
}

function toGateStats({ waiting: queued, running, tally }: Gate): GateStats {
  return { queued, running, ...tally };
}

/** By name, without a prototype: a name may be any word. */
function toRecord<G extends Gate, S>(
  gates: Iterable<G>,
  toStats: (gate: G) => S,
): Readonly<Record<string, S>> {
  const record = Object.create(null) as Record<string, S>;
  for (const gate of gates) record[gate.name] = Object.freeze(toStats(gate));
  return Object.freeze(record);
}
