import { DurableCounts } from "./durable-stats.js";

/** What has happened to tasks since the manager was made. Each number only grows. */
export interface TaskTally {
  /** Accepted. */
  readonly enqueued: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Attempts begun. */
  readonly started: number;
  /** Attempts that failed and were followed by another. */
  readonly retried: number;
  /** Handlers that asked to run again, no attempt used. */
  readonly rescheduled: number;
  /** Attempts that ran into their timeout. */
  readonly timedOut: number;
  /** Cancelled to make room. */
  readonly dropped: number;
  /** Attempts that were given up while their handler went on. */
  readonly abandoned: number;
  /** Tasks that were refused for want of room. */
  readonly refused: number;
  /** Attempts that came back from a worker thread before their handler had begun; no attempt was used. */
  readonly handedBack: number;
}

/**
 * What has happened to the tasks of one queue that have one handler, or none. Each number only grows. One
 * object for all tasks of its kind, so that counting costs an addition.
 */
export class GroupTally {
  /** `OTHER` where the queue has none of its own. */
  readonly queue: string;
  /** Name of the handler, or `OTHER`; undefined for plain functions. */
  readonly handler: string | undefined;
  enqueued = 0;
  started = 0;
  completed = 0;
  /** Failed, by reason. */
  readonly failed = { error: 0, timeout: 0, deadline: 0 };
  /** Cancelled, by reason. */
  readonly cancelled = { cancelled: 0, dropped: 0, stopped: 0 };
  retried = 0;
  rescheduled = 0;
  timedOut = 0;
  /** Chosen to make room for another. */
  dropped = 0;
  abandoned = 0;
  refused = 0;
  handedBack = 0;
  readonly durable = new DurableCounts();

  constructor(queue: string, handler: string | undefined) {
    this.queue = queue;
    this.handler = handler;
  }

  /** Counts a task that did not complete. */
  countDefeat(reason: DefeatReason): void {
    if (reason === "error" || reason === "timeout" || reason === "deadline") this.failed[reason]++;
    else this.cancelled[reason]++;
  }
}

/** Why a task failed or was cancelled. */
export type DefeatReason = keyof GroupTally["failed"] | keyof GroupTally["cancelled"];

/** Stands for the queues and handlers that have no tally of their own, being too many. */
export const OTHER = "_OTHER";

/** The sum of all groups. */
export function sumTallies(tallies: Iterable<GroupTally>): TaskTally {
  const total = {
    enqueued: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    started: 0,
    retried: 0,
    rescheduled: 0,
    timedOut: 0,
    dropped: 0,
    abandoned: 0,
    refused: 0,
    handedBack: 0,
  };
  for (const tally of tallies) {
    total.enqueued += tally.enqueued;
    total.completed += tally.completed;
    total.failed += tally.failed.error + tally.failed.timeout + tally.failed.deadline;
    total.cancelled += tally.cancelled.cancelled + tally.cancelled.dropped + tally.cancelled.stopped;
    total.started += tally.started;
    total.retried += tally.retried;
    total.rescheduled += tally.rescheduled;
    total.timedOut += tally.timedOut;
    total.dropped += tally.dropped;
    total.abandoned += tally.abandoned;
    total.refused += tally.refused;
    total.handedBack += tally.handedBack;
  }
  return total;
}
