import type { Limiter } from "../limiter/limiter.js";
import { PAUSED, type QueueTally, type TaskQueue } from "../queue/task-queue.js";
import type { Core } from "./core.js";
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

/** One queue; its tally begins anew when a queue that no option names was empty and forgotten. */
export interface QueueStats extends Readonly<QueueTally> {
  readonly queued: number;
  readonly running: number;
  readonly paused: boolean;
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
  readonly capacity: number;
  /** Calls of `enqueueAsync` and `execute` that wait for room. */
  readonly waitingForRoom: number;
  /** What has happened since the manager was made. */
  readonly total: Readonly<TaskTally>;
  readonly lanes: { readonly inline: LaneStats };
  readonly limiter: LimiterStats;
  readonly queues: Readonly<Record<string, QueueStats>>;
  /**
   * How often an observer or a carrier of context has thrown, or call middleware when all was done already.
   */
  readonly observerErrors: number;
}

/** Why a manager is not quite well. */
export type HealthConcern =
  | "abandoned-holding-slots"
  | "rate-limited"
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
  const { backlog, clock, dispatcher, intake, journal, lane, lifecycle, limiter, retention, runner } = core;
  return Object.freeze({
    phase: lifecycle.phase,
    paused: dispatcher.paused,
    queued: backlog.queued,
    scheduled: backlog.scheduled,
    backingOff: backlog.backingOff,
    running: runner.running,
    retained: retention.size,
    capacity: intake.capacity,
    waitingForRoom: intake.waiting,
    total: Object.freeze({ ...core.tally }),
    lanes: Object.freeze({ inline: toLaneStats(lane) }),
    limiter: toLimiterStats(limiter, clock.now()),
    queues: toQueueStats(core.queues.queues()),
    observerErrors: journal.events.observerErrors + core.carriers.errors + (core.calls?.errors ?? 0),
  });
}

/** Judges the parts of a manager. */
export function toHealth(core: Core): TaskManagerHealth {
  const { backlog, clock, dispatcher, lane, lifecycle, limiter } = core;
  const now = clock.now();
  const oldest = backlog.oldest();
  const concerns: HealthConcern[] = [];
  if (lane.held > 0) concerns.push("abandoned-holding-slots");
  if (limiter.closedForMs(now) > 0) concerns.push("rate-limited");
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

function toLimiterStats(limiter: Limiter, now: number): LimiterStats {
  return Object.freeze({
    ...limiter.limit,
    available: limiter.available(now),
    closedForMs: limiter.closedForMs(now),
  });
}

function toQueueStats(queues: Iterable<TaskQueue>): Readonly<Record<string, QueueStats>> {
  const stats = Object.create(null) as Record<string, QueueStats>;
  for (const queue of queues) {
    const { waiting: queued, running, tally } = queue;
    stats[queue.name] = Object.freeze({ queued, running, paused: queue.isClosedBy(PAUSED), ...tally });
  }
  return Object.freeze(stats);
}
