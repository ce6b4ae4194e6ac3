import type { DurableStats } from "../../task/durable-stats.js";
import type { GroupTally } from "../../task/group-tally.js";
import { FUNCTION, type ObservedMetric } from "./metric.js";

/** What most errors are: a counter that is there from the beginning can be seen to rise. */
const NONE_YET = { MILLRACE_STORE_UNREACHABLE: 0 };

/** Durable tasks as this process sees them, and its calls to their store; nothing where it has no backend. */
const ALL: readonly ObservedMetric[] = [
  gauge("durable_leases", "{lease}", "Leases held here, those included whose tasks have just ended", {
    read: ({ leased }) => leased,
  }),
  gauge("durable_unconfirmed", "{task}", "Tasks that have ended here, which the store has not confirmed", {
    read: ({ unconfirmed }) => unconfirmed,
  }),
  gauge("durable_waiting_for_store", "{task}", "Tasks enqueued here, for which the store has not answered", {
    read: ({ waitingForStore }) => waitingForStore,
  }),
  counter("lease_renewals_total", "{lease}", "Leases renewed", { read: ({ renewals }) => renewals }),
  counter("lease_renewals_failed_total", "{call}", "Calls that should have renewed leases, and failed", {
    read: ({ failedRenewals }) => failedRenewals,
  }),
  byGroup(
    "leases_lost_total",
    "{lease}",
    "Leases lost while their tasks ran here, or before the store took their ends",
    ({ durable }) => durable.leasesLost,
  ),
  counter(
    "leases_reclaimed_total",
    "{lease}",
    "Expired leases, of any process, given back by claims from here",
    {
      read: ({ reclaimed }) => reclaimed,
    },
  ),
  byGroup(
    "tasks_redelivered_total",
    "{task}",
    "Durable tasks that came after a process had let them down",
    ({ durable }) => durable.redelivered,
  ),
  {
    ...{ name: "tasks_dead_lettered_total", kind: "counter", unit: "{task}" },
    attributes: ["queue", "handler", "reason"],
    description: "Durable tasks now dead letters, by reason: error, timeout, deadline, crash-loop",
    read: ({ tallies }, observe) => {
      for (const { queue, handler = FUNCTION, durable } of tallies)
        for (const [reason, count] of Object.entries(durable.deadLettered))
          observe(count, { queue, handler, reason });
    },
  },
  byGroup(
    "durable_interrupted_total",
    "{task}",
    "Durable tasks that a stop cut off, for another process to go on with",
    ({ durable }) => durable.interrupted,
  ),
  byGroup(
    "durable_ack_unknown_total",
    "{task}",
    "Ended tasks that the store did not confirm while the lease was held",
    ({ durable }) => durable.ackUnknown,
  ),
  {
    ...{ name: "store_calls_total", kind: "counter", unit: "{call}", attributes: ["call"] },
    description: "Calls to the store that were answered or failed, by method of the backend",
    read: ({ stats: { durable } }, observe) => {
      for (const [call, { count }] of Object.entries(durable.calls)) observe(count, { call });
    },
  },
  {
    ...{ name: "store_errors_total", kind: "counter", unit: "{error}", attributes: ["call", "error.type"] },
    description: "Calls to the store that failed, by code or class of the error",
    read: ({ stats: { durable } }, observe) => {
      for (const [call, { errors }] of Object.entries(durable.calls))
        for (const [type, count] of Object.entries({ ...NONE_YET, ...errors }))
          observe(count, { call, "error.type": type });
    },
  },
  {
    ...{ name: "store_reachable", kind: "gauge", unit: "1", attributes: [] },
    description: "0 while durable tasks are not enqueued, claimed, kept or ended as they should be, else 1",
    read: ({ health }, observe) => observe(health.concerns.includes("store-unreachable") ? 0 : 1),
  },
  {
    ...{ name: "store_last_claim_seconds", kind: "gauge", unit: "s", attributes: [] },
    description: "How long ago the store last answered a claim",
    read: ({ stats: { durable } }, observe) => {
      if (durable.lastClaimAgoMs !== undefined) observe(durable.lastClaimAgoMs / 1_000);
    },
  },
  counter("store_losses_total", "{loss}", "How often the store was found to have forgotten what it had", {
    read: ({ storeLosses }) => storeLosses,
  }),
];

export const DURABLE_METRICS: readonly ObservedMetric[] = ALL.map((metric) => ({
  ...metric,
  read: (readings, observe) => {
    if (readings.durable) metric.read(readings, observe);
  },
}));

/** One number of the durable tasks. */
interface DurableReading {
  readonly read: (durable: DurableStats) => number;
}

function gauge(name: string, unit: string, description: string, reading: DurableReading): ObservedMetric {
  return { name, unit, description, kind: "gauge", ...observed(reading) };
}

function counter(name: string, unit: string, description: string, reading: DurableReading): ObservedMetric {
  return { name, unit, description, kind: "counter", ...observed(reading) };
}

function observed({ read }: DurableReading): Pick<ObservedMetric, "attributes" | "read"> {
  return { attributes: [], read: ({ stats }, observe) => observe(read(stats.durable)) };
}

/** Plain functions are never durable; groups without a durable task say 0. */
function byGroup(
  name: string,
  unit: string,
  description: string,
  count: (tally: GroupTally) => number,
): ObservedMetric {
  return {
    ...{ name, unit, description, kind: "counter", attributes: ["queue", "handler"] },
    read: ({ tallies }, observe) => {
      for (const tally of tallies)
        observe(count(tally), { queue: tally.queue, handler: tally.handler ?? FUNCTION });
    },
  };
}
