import type { Readings } from "../../ports/instrumentation.js";
import type { ThreadStats } from "../../task/manager-stats.js";
import type { ObservedMetric } from "./metric.js";

/**
 * The worker threads of a manager; nothing of a manager none of whose handlers runs in them. Of threads by
 * name nothing is told: as many names come and go as there are threads.
 */
const ALL: readonly ObservedMetric[] = [
  {
    ...gauge("worker_threads", "{thread}", "Worker threads, by state: starting, idle, busy"),
    attributes: ["state"],
    read: ({ stats: { threads } }, observe) => {
      const { alive, busy, starting } = threads;
      const states = { starting, idle: alive - starting - busy, busy };
      for (const [state, count] of Object.entries(states)) observe(count, { state });
    },
  },
  threadGauge("worker_threads_min", "{thread}", "Threads that are kept while there is nothing to do", {
    read: ({ min }) => min,
  }),
  threadGauge("worker_threads_max", "{thread}", "Threads that there may be at once", {
    read: ({ max }) => max,
  }),
  threadCounter("worker_threads_started_total", "{thread}", "Threads that have come up", {
    read: ({ started }) => started,
  }),
  {
    ...{ name: "worker_threads_exited_total", kind: "counter", unit: "{thread}", attributes: ["reason"] },
    description: "Threads that are no more, by reason: those of onWorkerExited",
    read: ({ stats: { threads } }, observe) => {
      for (const [reason, count] of Object.entries(threads.exited)) observe(count, { reason });
    },
  },
  threadCounter("worker_threads_busy_seconds_total", "s", "How long threads had something to do, added up", {
    read: ({ busyMs }) => busyMs / 1_000,
  }),
  threadCounter("worker_threads_alive_seconds_total", "s", "How long threads were there, added up", {
    read: ({ aliveMs }) => aliveMs / 1_000,
  }),
  threadGauge("worker_threads_failing", "1", "1 where ten starts in a row have failed, 0 where not", {
    read: ({ failing }) => (failing ? 1 : 0),
  }),
  threadCounter(
    "worker_late_faults_total",
    "{fault}",
    "What finished tasks had left behind in a thread and has thrown since",
    { read: ({ lateFaults }) => lateFaults },
  ),
  {
    ...gauge(
      "handler_failing",
      "1",
      "1 where the module could not be loaded ten times in a row, 0 where not",
    ),
    attributes: ["handler"],
    read: ({ stats: { handlers, threads } }, observe) => {
      const failing = new Set(threads.failingHandlers);
      for (const handler of Object.keys(handlers)) observe(failing.has(handler) ? 1 : 0, { handler });
    },
  },
];

export const THREAD_METRICS: readonly ObservedMetric[] = ALL.map((metric) => ({
  ...metric,
  read: (readings, observe) => {
    if (readings.threaded) metric.read(readings, observe);
  },
}));

/** One number of the threads. */
interface ThreadReading {
  readonly read: (threads: ThreadStats) => number;
}

function gauge(name: string, unit: string, description: string) {
  return { name, unit, description, kind: "gauge" } as const;
}

function threadGauge(name: string, unit: string, description: string, reading: ThreadReading) {
  return { ...gauge(name, unit, description), ...observed(reading) };
}

function threadCounter(
  name: string,
  unit: string,
  description: string,
  reading: ThreadReading,
): ObservedMetric {
  return { name, unit, description, kind: "counter", ...observed(reading) };
}

function observed({ read }: ThreadReading): Pick<ObservedMetric, "attributes" | "read"> {
  return {
    attributes: [],
    read: ({ stats }: Readings, observe) => observe(read(stats.threads)),
  };
}
