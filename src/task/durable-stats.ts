/** Why a task became a dead letter. */
export type DeadLetterReason = "error" | "timeout" | "deadline" | "crash-loop";

/** What has happened to durable tasks in this process. Each number only grows. */
export interface DurableTally {
  /** Tasks that came here after a process had let them down: their last lease ended without a word. */
  readonly redelivered: number;
  /** Leases that were lost while their tasks ran here, or before the store took what came of them. */
  readonly leasesLost: number;
  /** Tasks that were seen to become dead letters here, by reason. */
  readonly deadLettered: Readonly<Record<DeadLetterReason, number>>;
  /** Tasks that a stop cut off, and that another process goes on with. */
  readonly interrupted: number;
  /** Tasks that ended here, and of which it is not known whether the store has that. */
  readonly ackUnknown: number;
}

/** What a manager asks of its store. */
export const STORE_CALLS = [
  ...(["enqueue", "claim", "extend", "ack", "nack", "deadLetter", "cancel"] as const),
  ...(["read", "counts", "replay"] as const),
] as const;

/** What the store is asked: a method of `Backend`, or of its inspector. */
export type StoreCall = (typeof STORE_CALLS)[number];

/** What came of one kind of call to the store. */
export interface StoreCallStats {
  /** Calls that were answered, or failed; of renewals in a thread of their own, those that failed. */
  readonly count: number;
  /** How long they took, added up, in milliseconds. */
  readonly totalMs: number;
  /** How many of them failed, by the code of the error, or the name of its class. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Durable tasks, as this process sees them; all zeros where the manager has no `backend`. */
export interface DurableStats extends DurableTally {
  /** Tasks that this process holds, those included whose end the store has not confirmed. */
  readonly leased: number;
  /** Tasks that have ended here, and whose end the store has not confirmed. */
  readonly unconfirmed: number;
  /** Tasks that were enqueued here, and for which the store has not answered yet. */
  readonly waitingForStore: number;
  /** Leases that were renewed: one for each, though many travel in one call. */
  readonly renewals: number;
  /** Calls that should have renewed leases, and failed. */
  readonly failedRenewals: number;
  /** Leases, of any process, that had expired and were given back to the queue by a claim from here. */
  readonly reclaimed: number;
  /** How often the store was found to have forgotten what it had. */
  readonly storeLosses: number;
  /** How long ago the store last answered a claim, in milliseconds; undefined before the first answer. */
  readonly lastClaimAgoMs: number | undefined;
  readonly calls: Readonly<Record<StoreCall, StoreCallStats>>;
}

/** What is counted of the durable tasks of one group; one owner for each number. */
export class DurableCounts implements DurableTally {
  redelivered = 0;
  leasesLost = 0;
  readonly deadLettered = noDeadLetters();
  interrupted = 0;
  ackUnknown = 0;
}

function noDeadLetters(): Record<DeadLetterReason, number> {
  return { error: 0, timeout: 0, deadline: 0, "crash-loop": 0 };
}

/** The sum of all groups. */
export function sumDurable(tallies: Iterable<{ readonly durable: DurableTally }>): DurableTally {
  const sum = new DurableCounts();
  for (const { durable } of tallies) {
    sum.redelivered += durable.redelivered;
    sum.leasesLost += durable.leasesLost;
    sum.interrupted += durable.interrupted;
    sum.ackUnknown += durable.ackUnknown;
    for (const [reason, count] of Object.entries(durable.deadLettered))
      sum.deadLettered[reason as DeadLetterReason] += count;
  }
  return { ...sum, deadLettered: Object.freeze(sum.deadLettered) };
}

const NO_CALLS: StoreCallStats = Object.freeze({ count: 0, totalMs: 0, errors: Object.freeze({}) });

/** Where there is no store. */
export const NO_DURABLE: DurableStats = Object.freeze({
  ...sumDurable([]),
  ...{ leased: 0, unconfirmed: 0, waitingForStore: 0, renewals: 0, failedRenewals: 0, reclaimed: 0 },
  ...{ storeLosses: 0, lastClaimAgoMs: undefined },
  calls: Object.freeze(
    Object.fromEntries(STORE_CALLS.map((call) => [call, NO_CALLS])) as Record<StoreCall, StoreCallStats>,
  ),
});
