/** Each reason, for those who count by it. */
export const WORKER_EXIT_REASONS = [
  "idle",
  "resized",
  "task-count",
  "heap",
  "killed",
  "late-fault",
  "exited",
  "out-of-memory",
  "start-failed",
  "load-failed",
  "stopped",
] as const;

/**
 * Why a worker thread is no more:
 *
 * - `idle`: it had nothing to do for `idleTimeoutMs`
 * - `resized`: there were more than the present `max`
 * - `task-count`, `heap`: it had run `maxTasksPerThread` tasks, or its heap had grown beyond `maxHeapMb`
 * - `killed`: its task went on for `killAfterMs` after an abort
 * - `late-fault`: something that a finished task had left behind threw or rejected
 * - `exited`: its task called `process.exit`, or threw outside of its handler
 * - `out-of-memory`: it met its heap limit
 * - `start-failed`, `load-failed`: it did not come up, or could not import a handler's module
 * - `stopped`: the manager stopped
 */
export type WorkerExitReason = (typeof WORKER_EXIT_REASONS)[number];

/** None of each. */
export function noExits(): Record<WorkerExitReason, number> {
  const entries = WORKER_EXIT_REASONS.map((reason) => [reason, 0] as const);
  return Object.fromEntries(entries) as Record<WorkerExitReason, number>;
}

/** One worker thread. */
export interface WorkerDetails {
  /** `threads.name` and a number, unique within its manager: `millrace-3`. */
  readonly worker: string;
  /** The `threadId` of `node:worker_threads`; -1 where the platform could not make one. */
  readonly threadId: number;
}

/** A worker thread that can take tasks. */
export interface WorkerStartedDetails extends WorkerDetails {
  /** How long it took to come up, `preload` included, in milliseconds. */
  readonly startMs: number;
}

/** A worker thread that is no more. */
export interface WorkerExitedDetails extends WorkerDetails {
  readonly reason: WorkerExitReason;
  /** What the thread ended with; undefined where the platform could not make one. */
  readonly exitCode: number | undefined;
  /** What it died of, where it did not end by itself. */
  readonly error: Error | undefined;
  /** How many attempts had begun in it. */
  readonly attempts: number;
  /** How long it had been there, in milliseconds. */
  readonly aliveMs: number;
}

/** What a finished task had left behind in its thread (a timer, a promise) threw, rejected or exited. */
export interface LateFaultDetails {
  readonly worker: string;
  /** Of the task; undefined where nothing tells whose fault it is, as with a timer of the module itself. */
  readonly id: string | undefined;
  readonly handler: string | undefined;
  readonly queue: string | undefined;
  readonly error: Error;
}
