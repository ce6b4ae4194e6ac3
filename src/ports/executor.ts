import type { LaneName } from "../task/lane-name.js";
import type { ThreadStats } from "../task/manager-stats.js";
import type { Outcome } from "../task/outcome.js";
import type { TaskContext } from "../task/task-context.js";
import type { Transfer } from "../task/transfer.js";
import type { Work } from "../task/work.js";
import type { LateFaultDetails, WorkerExitedDetails, WorkerStartedDetails } from "../task/worker-details.js";

export type { LaneName };

/** How an executor that runs an attempt elsewhere hears what concerns it. */
export interface AttemptFollower {
  /** The attempt should end; `reason` is what its signal carries. Said again where a later cause decides. */
  aborted(reason: Error): void;
  /** A graceful stop has begun. */
  stopping(reason: Error): void;
}

/** One start of a handler, as an executor sees it. */
export interface RunnableAttempt {
  readonly work: Work;
  readonly context: TaskContext;
  /**
   * What has to travel with it for traces to go on where it runs; undefined where nobody traces. To be asked
   * for within `run`, which is called in the context of the attempt.
   */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /**
   * What moves to where it runs, instead of being copied; undefined for nothing. The executor says when it
   * has moved: then what the handler was to be called with is no more, should the task start again.
   */
  readonly transfer: Transfer | undefined;
  /**
   * To be called when the handler has ended; what is said after the first time is not heard.
   * @param runMs how long the handler itself ran, where its executor knows better than the time since `run`
   */
  ended(outcome: Outcome, runMs?: number): void;
  /** The handler begins only now: it had to wait for its place. Its timeout counts from here. */
  began(): void;
  /** The handler has not begun and will not: the task goes back to where it waited, and uses no attempt. */
  handBack(): void;
  /**
   * Whether it matters for its lease that the event loop turns in which it runs: who counts turns is to count
   * those, and to say where.
   */
  readonly watched: boolean;
  /**
   * Its handler runs in this place, or will: its turns are counted from now on. Undefined when that is over.
   * To be called where it is watched.
   * @param pulse the number of a word of `WorkerPool.pulses`
   */
  placed(pulse: number | undefined): void;
  /** From now on, and of what has happened already, `follower` is told. */
  follow(follower: AttemptFollower): void;
}

/**
 * Runs attempts. It owns nothing of a task's state: when an attempt ends and what follows is not its
 * business.
 */
export interface Executor {
  readonly lane: LaneName;
  /** Where its slots come and go: how it is to be fed. Undefined where their number is fixed. */
  readonly pool?: WorkerPool | undefined;
  /**
   * Runs the handler and calls `attempt.ended` when it has ended, before this returns or later. Whoever hears
   * of an end may call `run` from within it. This does not throw: whatever the handler does becomes the
   * outcome. A callback, since a promise of the outcome would cost each task one more promise and one more
   * turn of the microtask queue.
   */
  run(attempt: RunnableAttempt): void;
  /**
   * Forces an end to an attempt that was aborted and went on regardless.
   * @returns true when it is over and `ended` has been called, false when nothing can stop it and it must be
   * abandoned
   */
  kill(attempt: RunnableAttempt): boolean;
  /**
   * Lets go of whatever it holds. Resolves when nothing of it keeps the process alive. What is cut off by it,
   * and what is run later where handlers run elsewhere, ends too, and not by its handler.
   */
  close(): Promise<void>;
}

/** How many slots an executor may have. */
export interface PoolSize {
  readonly min: number;
  readonly max: number;
}

/** Slots that come and go with what there is to do. */
export interface WorkerPool {
  /**
   * Shared memory in which workers count the turns of their event loops, a word for each: as long as it runs
   * what is watched, and a few times a second. So it can be seen, by any thread, whether a worker is stuck.
   * Undefined where nobody counts.
   */
  readonly pulses?: Int32Array | undefined;
  /** Called once, before anything runs. */
  connect(host: PoolHost): void;
  /** The manager starts its work: as many workers as `min` says are wanted. */
  open(): void;
  resize(size: PoolSize): void;
  /**
   * How long a task that has been ready for `waitedMs` must go on waiting before one more slot is made for
   * it, where `used` slots are in use: 0 when it may start now.
   */
  waitMs(used: number, waitedMs: number): number;
  /** How many attempts of this work may share a slot, one after another; 1 for most. */
  batchSize(work: Work): number;
  /**
   * Whatever was given to `run` may be handed over now: nothing more comes at once. It is called often, and
   * when nothing was given too; what `run` is given without it is to be handed over all the same.
   */
  handOver(): void;
  /** False while the handler has waited for its place since `run`: its time has not begun to count. */
  hasBegun(attempt: RunnableAttempt): boolean;
  read(): ThreadStats;
}

/** What a pool tells of itself. */
export interface PoolHost {
  /** There are so many slots now, those that would be made on demand included. */
  setSlots(slots: number): void;
  workerStarted(details: WorkerStartedDetails): void;
  workerExited(details: WorkerExitedDetails): void;
  lateFault(details: LateFaultDetails): void;
  /** What carries context where attempts run has failed: an error of an observer, to be counted. */
  carrierFailed(error: unknown): void;
  /** Calls back in the async context in which the manager was made: a thread outlives who needed it first. */
  atRoot<R>(callback: () => R): R;
}
