import type { StoredError, StoredOutcome } from "../task/stored-outcome.js";
import type { BackendInspector } from "./backend-inspector.js";
import type { BackendSignals } from "./backend-signals.js";
import type { BackendRenewer } from "./lease-renewal.js";
import type { BackendLog } from "./logger.js";

/**
 * Where durable tasks live, between the processes that share them. A task there is in one place at a time:
 *
 * - ready: it waits for a claim; ordered by priority, weight, sequence
 * - delayed: it waits for its time, by the store's clock
 * - leased: a process has claimed it, and may run it until the lease expires
 * - dead: a dead letter, kept after its last failure
 * - finished: it has ended; its outcome is kept for a while
 *
 * The id of a task is `queue:rest`, split at its first colon. Each call is a batch. What concerns one task is
 * one atomic transition; tasks of one batch may be of several queues, and one that is refused does not keep
 * the others from theirs. Answers are in the order of what was asked.
 *
 * Every claim gives a lease with a fencing token that is larger than any that was given for the task before:
 * `max(last + 1, server time in µs)`. Each later write names it, and is refused without any change where it
 * is not that of the present lease. All instants are the store's own: the clocks of processes never count.
 *
 * Each call settles, and within a time that is a small part of a lease. A rejection means that it is not
 * known whether the call was executed: it can be made again as it was, and then changes nothing more.
 * @throws {StoreUnreachableError} as a rejection, where the store does not answer
 */
export interface Backend {
  readonly signals: BackendSignals;
  readonly inspector: BackendInspector;
  /** Undefined where leases live by calls of `extend` alone. */
  readonly renewer?: BackendRenewer | undefined;
  /** Undefined where it says nothing but by what its calls come to. */
  readonly log?: BackendLog | undefined;

  /**
   * Keeps new tasks. One that comes twice in a call is kept once, and `taken` the second time.
   * @param requestId that of a call which is made again
   * @throws {StoreFullError} as a rejection; of one queue, either all tasks were kept then, or none, if they
   * are a thousand at most and have 8 MiB at most
   */
  enqueue(requestId: string, tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]>;

  /**
   * Leases the best of what is ready in one queue, as far as the budget goes. Before it does so, it makes
   * ready what is due, and what holders have let expire: of both a bounded number at a time. Made again with
   * the same `requestId`, it gives the same leases, as far as they are still held, and no others; they
   * expire when they would have.
   */
  claim(request: ClaimRequest): Promise<ClaimAnswer>;

  /** Lets leases expire `leaseMs` from now. One that has expired lives on, if nobody has come for it. */
  extend(extensions: readonly Extension[]): Promise<readonly ExtendAnswer[]>;

  /**
   * Ends tasks that leave no dead letter. Done again by the same lease, it is done; any other write of a
   * lease that has ended is refused.
   * @returns for each, whether the lease was held
   */
  ack(ends: readonly Ack[]): Promise<readonly boolean[]>;

  /**
   * Gives tasks back that have not ended; those that somebody wants to be cancelled end so. Done again by the
   * same lease, it is done, as long as nobody has claimed the task since.
   * @returns for each, whether the lease was held
   */
  nack(returns: readonly Nack[]): Promise<readonly boolean[]>;

  /**
   * Ends tasks that have failed, and keeps each as a dead letter; the oldest of these make room, counted.
   * Done again by the same lease, it is done.
   * @returns for each, whether the lease was held
   */
  deadLetter(ends: readonly DeadLetter[]): Promise<readonly boolean[]>;

  /**
   * Ends tasks that are ready or delayed; asks the holders of leased ones to end them. Where a holder gives
   * the task back or lets its lease expire instead, the store ends it, and nobody claims it again.
   */
  cancel(cancellations: readonly Cancellation[]): Promise<readonly CancelAnswer[]>;

  /** Lets go of the store. Calls after it reject. */
  close(): Promise<void>;
}

/** A task that is to be kept. */
export interface NewTask {
  /** `queue:rest` */
  readonly id: string;
  readonly handler: string;
  /**
   * What its handler is given, encoded: bytes that mean nothing to the store. They may lie in a buffer with
   * others: who keeps them longer than the call copies them, and not the buffer under them.
   */
  readonly payload: Uint8Array;
  /** What only processes read of it: text that means nothing to the store. */
  readonly envelope: string;
  /** Lower goes first. */
  readonly priority: number;
  /** Higher goes first, among equals. */
  readonly weight: number;
  /** What it takes of a claim's permits. */
  readonly cost: number;
  /** Claims in a row that may end without a word from the holder; the next one makes it a dead letter. */
  readonly maxDeliveries: number;
  /** From now, by the store's clock; 0 makes it ready at once. */
  readonly delayMs: number;
  /** Not before this instant, in milliseconds since the epoch. */
  readonly runAt: number | undefined;
  /**
   * Its whole life, from now: what `delayMs` and `runAt` say makes it ready no later than that ends, for
   * whoever claims it to end it. Means nothing else to the store.
   */
  readonly ttlMs?: number | undefined;
  /** The same as an instant, in milliseconds since the epoch. The earlier counts. */
  readonly deadlineAt?: number | undefined;
  readonly idempotency: IdempotencyClaim | undefined;
}

/** Holds a key for a task, among those of the same queue and handler. */
export interface IdempotencyClaim {
  readonly key: string;
  /** From the acceptance. While its task lives, the key is held however long that is. */
  readonly ttlMs: number;
  /** What happens where another task holds the key; `replace` cancels that one, if it waits. */
  readonly onDuplicate: "keep" | "replace" | "reject";
  /** Whether the key is let go of when its task fails, as when that is cancelled. Undefined: it is held. */
  readonly onFailure?: "hold" | "free" | undefined;
}

/**
 * - `kept`: the store has it, from this call or from the same call before
 * - `duplicate`: another task holds its key, which has the given id; nothing was kept
 * - `taken`: another task has its id, or holds its key where that is to be refused; nothing was kept
 */
export type EnqueueAnswer =
  /** `replaced`: the task that held the key, and was cancelled for this one. */
  | { readonly outcome: "kept"; readonly replaced: string | undefined }
  | { readonly outcome: "duplicate"; readonly id: string }
  | { readonly outcome: "taken"; readonly id: string };

/** What a process has room for. */
export interface ClaimRequest {
  readonly requestId: string;
  readonly queue: string;
  readonly leaseMs: number;
  /** The handlers that this process has; tasks of others are not seen. */
  readonly handlers: readonly ClaimableHandler[];
  /** Free slots, by the index of the lane. */
  readonly slots: readonly number[];
  /** What the tasks may cost in all; Infinity where nothing limits that. */
  readonly permits: number;
}

/** A handler whose tasks may be claimed. */
export interface ClaimableHandler {
  readonly name: string;
  /** Index of the lane in which it runs. */
  readonly lane: number;
  /** How many more of its tasks may run; Infinity where nothing limits that. */
  readonly room: number;
}

/** What a claim came to. */
export interface ClaimAnswer {
  /** In the order in which they are to be started. */
  readonly tasks: readonly ClaimedTask[];
  /** What the first one costs that was not claimed for want of permits alone. */
  readonly stoppedAtCost: number | undefined;
  /**
   * How long until something more becomes ready by the passing of time; 0 where there is more now than the
   * call may deal with; undefined where nothing is to come.
   */
  readonly nextDueMs: number | undefined;
  /** Tasks that were to be delivered once too often, and are dead letters now. */
  readonly crashed: readonly CrashedTask[];
  /** So many leases of any holder had expired, and were given back. */
  readonly reclaimed: number;
  /**
   * How long the store itself was asked, in milliseconds, where the call may have waited for something else
   * before, as for a connection. Without it, all of the call counts.
   */
  readonly tookMs?: number | undefined;
}

/** The right to run a task, and the proof of it. */
export interface Lease {
  readonly id: string;
  readonly token: number;
}

/** A task with the lease that was given for it. */
export interface ClaimedTask extends Lease {
  readonly handler: string;
  readonly payload: Uint8Array;
  readonly envelope: string;
  readonly priority: number;
  readonly weight: number;
  readonly cost: number;
  /** Attempts used before this one. */
  readonly attempts: number;
  /** Claims in a row without a word from the holder, this one included. */
  readonly deliveries: number;
  /** By the store's clock, in milliseconds since the epoch. */
  readonly enqueuedAt: number;
  /** When it was last put back from the dead letters, by the same clock; undefined where it never was. */
  readonly replayedAt: number | undefined;
  /** When the claim was answered, by the same clock: where that is made again, the answer that this is of. */
  readonly claimedAt: number;
  /** How long it had been ready, by the same clock. */
  readonly waitMs: number;
}

/** A task that is a dead letter now, of which nobody had reported back. */
export interface CrashedTask {
  readonly id: string;
  readonly handler: string;
  /** Those that there were. */
  readonly deliveries: number;
  /** Attempts that had counted before. */
  readonly attempts: number;
}

/** A lease that is to live longer. */
export interface Extension extends Lease {
  readonly leaseMs: number;
  /** What the handler last told of its progress, encoded; undefined where it has told nothing new. */
  readonly progress: Uint8Array | undefined;
}

/** What is said to a holder who extends a lease. */
export interface ExtendAnswer {
  /** Whether the lease was held, and is now extended. */
  readonly held: boolean;
  /** Somebody wants the task to be cancelled, and gave this reason. */
  readonly cancel: StoredError | undefined;
}

/** The end of a task. */
export interface Ack extends Lease {
  readonly outcome: StoredOutcome;
  /** How long the outcome is kept. */
  readonly resultTtlMs: number;
}

/**
 * - `retry`: an attempt has failed; it counts, and the task keeps its place among equals
 * - `reschedule`: the handler asked for it; no attempt was used, and it takes its place anew
 * - `hand-back`: it was not run, or not to its end; no attempt was used, and it keeps its place
 */
export type NackKind = "retry" | "reschedule" | "hand-back";

/** A task that is given back. */
export interface Nack extends Lease {
  readonly kind: NackKind;
  /** 0 makes it ready at once. */
  readonly delayMs: number;
  /** Why the attempt failed; undefined where it did not. */
  readonly error: StoredError | undefined;
}

/** The end of a task that is kept as a dead letter. */
export interface DeadLetter extends Lease {
  readonly reason: string;
  readonly error: StoredError;
  /** Whether the attempt counts. */
  readonly charged: boolean;
  /** How long the outcome is kept; for how long the dead letter is, the store's own rule says. */
  readonly resultTtlMs: number;
}

/** A task that somebody wants to be cancelled. */
export interface Cancellation {
  readonly id: string;
  readonly error: StoredError;
  readonly resultTtlMs: number;
}

/**
 * - `cancelled`: it waited, and has ended
 * - `asked`: it is leased, and its holder has been asked, now or before
 * - `ended`: it had ended before
 * - `unknown`: the store has no such task
 */
export type CancelAnswer = "cancelled" | "asked" | "ended" | "unknown";
