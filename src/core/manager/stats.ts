import { NO_DURABLE } from "../../task/durable-stats.js";
import type {
  GateStats,
  HealthConcern,
  LaneStats,
  LimiterStats,
  QueueStats,
  SubscriptionStats,
  TaskManagerHealth,
  TaskManagerStats,
} from "../../task/manager-stats.js";
import type { ResultSubscription } from "../events/result-subscription.js";
import type { Limiter } from "../limiter/limiter.js";
import { type Gate, PAUSED } from "../queue/gate.js";
import type { TaskQueue } from "../queue/task-queue.js";
import type { Core } from "./core.js";
import type { Lane } from "./lane.js";

/** Pictures the parts of a manager. */
export function toStats(core: Core): TaskManagerStats {
  const { backlog, dispatcher, intake, lanes, lifecycle, limiter, results, retention, runner } = core;
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
    total: Object.freeze(core.tallies.total()),
    lanes: Object.freeze({ inline: toLaneStats(lanes.inline), threads: toLaneStats(lanes.threads) }),
    threads: core.pool.read(),
    durable: core.durable?.read() ?? NO_DURABLE,
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
  const { backlog, clock, dispatcher, durable, lanes, lifecycle, limiter, pool, results } = core;
  const now = clock.now();
  const oldest = backlog.oldest();
  const concerns: HealthConcern[] = [];
  const { failing, failingHandlers } = pool.read();
  if (lanes.inline.held > 0 || (lanes.threads?.held ?? 0) > 0) concerns.push("abandoned-holding-slots");
  if (failing) concerns.push("threads-failing");
  if (failingHandlers.length > 0) concerns.push("handler-failing");
  if (limiter.closedForMs(now) > 0) concerns.push("rate-limited");
  if (limiter.handlers.closesAny(now)) concerns.push("handler-rate-limited");
  if (results.blocking) concerns.push("blocked-by-subscriber");
  if (durable?.condition.unreachable(now)) concerns.push("store-unreachable");
  if (durable?.condition.full(now)) concerns.push("store-full");
  if (durable?.condition.lost(now)) concerns.push("store-lost");
  if (lifecycle.phase === "ready") concerns.push("not-started");
  else if (lifecycle.phase === "stopped") concerns.push("stopped");
  else if (lifecycle.phase !== "running") concerns.push("stopping");
  else if (dispatcher.paused) concerns.push("paused");
  const healthy = concerns.length === 0 ? "ok" : "degraded";
  return Object.freeze({
    status: lifecycle.phase === "stopped" ? "stopped" : healthy,
    concerns: Object.freeze(concerns),
    slots: toLaneStats(lanes.inline),
    limiter: toLimiterStats(limiter, now),
    waiting: backlog.size,
    capacity: core.intake.capacity,
    oldestWaitMs: oldest === undefined ? 0 : now - oldest.readySince,
  });
}

/** A lane that there is no need for has no slots. */
const NO_SLOTS: LaneStats = { concurrency: 0, running: 0, free: 0, abandoned: 0, held: 0 };

function toLaneStats(lane: Lane | undefined): LaneStats {
  const { concurrency, running, free, abandoned, held } = lane ?? NO_SLOTS;
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
