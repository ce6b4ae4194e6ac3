import type { Attributes } from "@opentelemetry/api";
import type { GroupTally } from "../../task/group-tally.js";
import { type AttributeKey, FUNCTION, type ObservedMetric } from "./metric.js";

/** Counts of tasks by queue and handler. */
export const TASK_COUNTERS: readonly ObservedMetric[] = [
  counter("tasks_scheduled_total", "Tasks accepted", ({ enqueued }) => enqueued),
  counter("tasks_started_total", "Attempts started", ({ started }) => started, "{attempt}"),
  counter("tasks_completed_total", "Tasks completed", ({ completed }) => completed),
  counterByReason(
    "tasks_failed_total",
    "Tasks failed, by reason: error, timeout, deadline",
    ({ failed }) => failed,
  ),
  counterByReason(
    "tasks_cancelled_total",
    "Tasks cancelled, by reason: cancelled, dropped, stopped",
    ({ cancelled }) => cancelled,
  ),
  counter(
    "tasks_retried_total",
    "Attempts that failed and were followed by another",
    ({ retried }) => retried,
    "{attempt}",
  ),
  counter(
    "tasks_rescheduled_total",
    "Attempts whose handler asked to run again later",
    ({ rescheduled }) => rescheduled,
    "{attempt}",
  ),
  counter(
    "tasks_timed_out_total",
    "Attempts that ran into their timeout",
    ({ timedOut }) => timedOut,
    "{attempt}",
  ),
  counter("tasks_dropped_total", "Tasks dropped to make room for others", ({ dropped }) => dropped),
  counter("tasks_refused_total", "Tasks refused for want of room", ({ refused }) => refused),
  counter(
    "tasks_abandoned_total",
    "Attempts given up while their handler went on",
    ({ abandoned }) => abandoned,
    "{attempt}",
  ),
  counter(
    "tasks_handed_back_total",
    "Attempts that came back from a worker thread before their handler had begun",
    ({ handedBack }) => handedBack,
    "{attempt}",
  ),
  counter(
    "tasks_interrupted_total",
    "Tasks ended by a stop of their manager",
    ({ cancelled }) => cancelled.stopped,
  ),
];

function counter(
  name: string,
  description: string,
  count: (tally: GroupTally) => number,
  unit = "{task}",
): ObservedMetric {
  return {
    ...about(name, description, []),
    unit,
    read: ({ tallies }, observe) => {
      for (const tally of tallies) observe(count(tally), toAttributes(tally));
    },
  };
}

function counterByReason(
  name: string,
  description: string,
  counts: (tally: GroupTally) => Readonly<Record<string, number>>,
): ObservedMetric {
  return {
    ...about(name, description, ["reason"]),
    read: ({ tallies }, observe) => {
      for (const tally of tallies) {
        const attributes = toAttributes(tally);
        for (const [reason, count] of Object.entries(counts(tally)))
          observe(count, { ...attributes, reason });
      }
    },
  };
}

function about(name: string, description: string, more: readonly AttributeKey[]) {
  const attributes = ["queue", "handler", ...more] as const;
  return { name, description, kind: "counter", unit: "{task}", attributes } as const;
}

function toAttributes({ queue, handler }: GroupTally): Attributes {
  return { queue, handler: handler ?? FUNCTION };
}
