import type { StoredError, StoredOutcome } from "../task/stored-outcome.js";

/** Looks at what a store has, whoever put it there. */
export interface BackendInspector {
  /** Each task, by its id; undefined where the store has none of that id, or none any more. */
  read(ids: readonly string[], options?: ReadOptions): Promise<readonly (StoredTask | undefined)[]>;

  counts(queues: readonly string[]): Promise<readonly QueueCounts[]>;

  /**
   * Puts dead letters back to work, as if they had just been enqueued: attempts and deliveries begin anew.
   * The envelope stays as it was; who claims the task is told when it was put back. It holds its idempotency
   * key again. Where another task holds that, it stays a dead letter: two would do the same work.
   * At most 1,000 for each call: `more` says that there are others, to be found by calling again.
   */
  replay(request: ReplayRequest): Promise<ReplayAnswer>;
}

/** What is wanted of the tasks that are read. */
export interface ReadOptions {
  /** Default: true. Payloads may be large: who asks again and again does without. */
  readonly payloads?: boolean | undefined;
}

/** Where a task is in the store. */
export type StoredPlace = "ready" | "delayed" | "leased" | "dead" | "finished";

/** A task as the store has it. */
export interface StoredTask {
  readonly id: string;
  readonly handler: string;
  readonly place: StoredPlace;
  /** Attempts that counted. */
  readonly attempts: number;
  readonly deliveries: number;
  /** Of its last claim; 0 before the first. */
  readonly token: number;
  readonly priority: number;
  readonly weight: number;
  readonly envelope: string;
  /** Undefined where it was not asked for, or the task has finished: the store keeps it no longer. */
  readonly payload: Uint8Array | undefined;
  /** By the store's clock, in milliseconds since the epoch. */
  readonly enqueuedAt: number;
  /** Until when it waits where it is delayed, or is leased; undefined elsewhere. */
  readonly until: number | undefined;
  readonly progress: Uint8Array | undefined;
  /** Why its last attempt failed. */
  readonly error: StoredError | undefined;
  /** How it ended, where it is finished or dead. */
  readonly outcome: StoredOutcome | undefined;
}

/** How many tasks of a queue are in which place. */
export interface QueueCounts {
  readonly ready: number;
  readonly delayed: number;
  readonly leased: number;
  readonly dead: number;
  /** Outcomes that are still kept. */
  readonly finished: number;
  /** Dead letters that were dropped, since there were too many or they were too old. */
  readonly deadDropped: number;
}

/** Which dead letters are to be put back to work. */
export interface ReplayRequest {
  readonly queue: string;
  /** Those of these ids; undefined for all that the filter lets through. */
  readonly ids: readonly string[] | undefined;
  readonly handler: string | undefined;
  readonly reason: string | undefined;
}

/** What came of a replay. */
export interface ReplayAnswer {
  /** The ids of those that were put back. */
  readonly replayed: readonly string[];
  /** Those that stay dead letters, since their work is another task's by now. */
  readonly held: readonly HeldDeadLetter[];
  readonly more: boolean;
}

/** A dead letter whose idempotency key another task holds. */
export interface HeldDeadLetter {
  readonly id: string;
  /** The task that holds it. */
  readonly heldBy: string;
}
