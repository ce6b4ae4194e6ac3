/** What has happened to tasks since the manager was made. Each number only grows. */
export interface TaskTally {
  /** Accepted. */
  enqueued: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** Attempts begun. */
  started: number;
  /** Attempts that failed and were followed by another. */
  retried: number;
  /** Handlers that asked to run again, no attempt used. */
  rescheduled: number;
  /** Attempts that ran into their timeout. */
  timedOut: number;
  /** Cancelled to make room. */
  dropped: number;
  /** Attempts that were given up while their handler went on. */
  abandoned: number;
  /** Tasks that were refused for want of room. */
  refused: number;
}

export function createTally(): TaskTally {
  return {
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
  };
}
