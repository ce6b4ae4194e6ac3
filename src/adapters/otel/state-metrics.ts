import type { GroupReading, Readings } from "../../ports/instrumentation.js";
import type { LaneStats, QueueStats } from "../../task/manager-stats.js";
import { FUNCTION, type MetricDefinition, type Observe, type ObservedMetric } from "./metric.js";

/** What waits and runs, what holds it up, and who reads its results. */
export const STATE_METRICS: readonly ObservedMetric[] = [
  byGroup("queue_depth", "Tasks that are ready and wait for their start", ({ queued }) => queued),
  byGroup("tasks_running", "Tasks that run", ({ running }) => running),
  gauge(
    "tasks_delayed",
    "{task}",
    "Tasks that wait for their time, by state: scheduled, backoff",
    ["state"],
    {
      read: ({ stats: { scheduled, backingOff } }, observe) => {
        observe(scheduled - backingOff, { state: "scheduled" });
        observe(backingOff, { state: "backoff" });
      },
    },
  ),
  gauge("tasks_paused", "{task}", "Tasks that are ready, in queues that are paused by their names", [], {
    read: ({ stats }, observe) => observe(countPaused(Object.values(stats.queues))),
  }),
  gauge("tasks_capacity", "{task}", "Tasks that may wait", [], {
    read: ({ stats }, observe) => observe(stats.capacity),
  }),
  gauge("calls_waiting", "{call}", "Calls of enqueueAsync that wait, for room or a schema", ["awaited"], {
    read: ({ stats }, observe) => {
      observe(stats.waitingForRoom, { awaited: "room" });
      observe(stats.waitingForSchema, { awaited: "schema" });
    },
  }),
  gauge("oldest_wait_seconds", "s", "How long the task has waited that became ready first", [], {
    read: ({ health }, observe) => observe(health.oldestWaitMs / 1_000),
  }),
  byLane("slots", "{slot}", "Slots of the lane", ({ concurrency }) => concurrency),
  byLane("slots_held", "{slot}", "Slots held back by abandoned attempts", ({ held }) => held),
  byLane("slots_utilization", "1", "Part of the slots that is taken, from 0 to 1", (lane) =>
    lane.concurrency === 0 ? 0 : 1 - lane.free / lane.concurrency,
  ),
  byLane("attempts_abandoned", "{attempt}", "Abandoned attempts that still go on", (lane) => lane.abandoned),
  gauge("limiter_permits", "{permit}", "Permits of the shared limit; 0 where there is none", [], {
    read: ({ stats }, observe) => observe(orZero(stats.limiter.available)),
  }),
  gauge("limiter_rate", "{permit}/s", "Permits a second of the shared limit; 0 where there is none", [], {
    read: ({ stats }, observe) => observe(orZero(stats.limiter.tasksPerSecond)),
  }),
  {
    ...{ name: "limiter_wait_seconds_total", kind: "counter", unit: "s", attributes: [] },
    description: "How long only the shared limit or rateLimited() for all kept tasks from their start",
    read: ({ limitedMs }, observe) => observe(limitedMs / 1_000),
  },
  gauge("manager_phase", "1", "1 for the phase of the manager, 0 for the others; paused is one", ["phase"], {
    read: observePhase,
  }),
  gauge("queue_paused", "1", "1 where the queue is paused by its name, 0 where it is not", ["queue"], {
    read: ({ groups, stats }, observe) => {
      for (const queue of new Set(groups.map((group) => group.queue)))
        observe(stats.queues[queue]?.paused === true ? 1 : 0, { queue });
    },
  }),
  gauge(
    "handler_closed_seconds",
    "s",
    "How long rateLimited() still holds the handler's tasks back",
    ["handler"],
    {
      read: ({ stats }, observe) => {
        for (const [handler, { closedForMs }] of Object.entries(stats.handlers))
          observe(closedForMs / 1_000, { handler });
      },
    },
  ),
  gauge("idempotency_keys", "{key}", "Idempotency keys that are held", [], {
    read: ({ stats }, observe) => observe(stats.idempotency.keys),
  }),
  gauge("subscriptions", "{subscription}", "Open subscriptions", [], {
    read: ({ stats }, observe) => observe(stats.subscriptions.length),
  }),
  gauge("results_buffered", "{result}", "Results that wait for their readers", [], {
    read: ({ stats }, observe) =>
      observe(stats.subscriptions.reduce((sum, { buffered }) => sum + buffered, 0)),
  }),
  countOf(
    "results_published_total",
    "{result}",
    "Results meant for subscribers",
    ({ stats }) => stats.results.published,
  ),
  countOf(
    "results_delivered_total",
    "{result}",
    "Results taken by readers",
    ({ stats }) => stats.results.delivered,
  ),
  {
    ...{ name: "results_dropped_total", kind: "counter", unit: "{result}", attributes: ["subscription"] },
    description: "Results that a subscription did not keep",
    read: ({ drops }, observe) => {
      for (const { subscription, dropped } of drops) observe(dropped, { subscription });
    },
  },
  gauge("hook_calls_waiting", "{call}", "Hook calls that are still to be made", [], {
    read: ({ stats }, observe) => observe(stats.waitingHookCalls),
  }),
  countOf(
    "observer_errors_total",
    "{error}",
    "Errors of hooks and other observers",
    ({ stats }) => stats.observerErrors,
  ),
  countOf(
    "hook_calls_dropped_total",
    "{call}",
    "Hook calls that were not made",
    ({ stats }) => stats.droppedHookCalls,
  ),
];

type Reading = Pick<ObservedMetric, "read">;

function gauge(
  name: string,
  unit: string,
  description: string,
  attributes: MetricDefinition["attributes"],
  { read }: Reading,
): ObservedMetric {
  return { name, unit, description, attributes, kind: "gauge", read };
}

function byGroup(name: string, description: string, count: (group: GroupReading) => number): ObservedMetric {
  return gauge(name, "{task}", description, ["queue", "handler", "lane"], {
    read: ({ groups }, observe) => {
      for (const group of groups) {
        const { queue, handler = FUNCTION, lane } = group;
        observe(count(group), { queue, handler, lane });
      }
    },
  });
}

function byLane(
  name: string,
  unit: string,
  description: string,
  value: (lane: LaneStats) => number,
): ObservedMetric {
  return gauge(name, unit, description, ["lane"], {
    read: ({ stats: { lanes }, threaded }, observe) => {
      observe(value(lanes.inline), { lane: "inline" });
      if (threaded) observe(value(lanes.threads), { lane: "threads" });
    },
  });
}

function countOf(
  name: string,
  unit: string,
  description: string,
  count: (readings: Readings) => number,
): ObservedMetric {
  const read = (readings: Readings, observe: Observe) => observe(count(readings));
  return { name, unit, description, attributes: [], kind: "counter", read };
}

/** Over all queues, also those that are too many to have a label each. */
function countPaused(queues: readonly QueueStats[]): number {
  return queues.reduce((sum, { paused, queued }) => sum + (paused ? queued : 0), 0);
}

/** Infinity is no number in the JSON of OTLP. */
function orZero(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

const PHASES = ["ready", "running", "paused", "draining", "aborting", "stopped"] as const;

/** Paused is no phase of its own, but on a dashboard it is what one looks for. */
function observePhase({ stats }: Readings, observe: Observe): void {
  const present = stats.phase === "running" && stats.paused ? "paused" : stats.phase;
  for (const phase of PHASES) observe(phase === present ? 1 : 0, { phase });
}
