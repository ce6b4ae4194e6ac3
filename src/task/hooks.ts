import { type Checks, callback, expected, isPlainObject, readOptions } from "./checks.js";
import type { DeadLetteredDetails } from "./dead-lettered-details.js";
import type { TaskSnapshot } from "./task-snapshot.js";
import type { LateFaultDetails, WorkerExitedDetails, WorkerStartedDetails } from "./worker-details.js";

/** A retry that was decided on. */
export interface RetriedDetails {
  /** Until the task is ready again, in milliseconds. */
  readonly delayMs: number;
  /** Why the attempt failed. */
  readonly error: Error;
}

/** What a handler asked for that is to run again. */
export interface RescheduledDetails {
  /** Until the task is ready again, in milliseconds. */
  readonly delayMs: number;
}

/** A result that a subscription did not keep. */
export interface ResultDroppedDetails {
  /** Of the task. */
  readonly id: string;
  /** Name of its registered handler; undefined for a plain function. */
  readonly handler: string | undefined;
  readonly queue: string;
  /** Name of the subscription. */
  readonly subscription: string;
}

/** A loss in the store of durable tasks. */
export interface StoreLostDetails {
  /** Of which the store has forgotten something. */
  readonly queue: string;
}

/** A stop that has begun. */
export interface StoppingDetails {
  /** False for a stop that lets nothing go on. */
  readonly graceful: boolean;
}

/**
 * Functions that are told what happens. All are optional, and `task` is a frozen picture of the moment of
 * which they are told, without payload or value.
 *
 * They are called one after another in the order in which things happened, once the call in which these
 * happened has returned: never while a task is chosen or started. A promise that one returns is not awaited.
 * They run in the async context in which the manager was made. Nothing that a hook does changes what becomes
 * of a task: what it throws, or rejects with, is counted in `stats().observerErrors` and given to
 * `onObserverError`. A hook that blocks the event loop blocks all.
 */
export interface Hooks {
  /** Accepted, or ready again after a delay or a retry. */
  onQueued?: ((task: TaskSnapshot) => void) | undefined;
  /** Accepted with a delay. */
  onScheduled?: ((task: TaskSnapshot) => void) | undefined;
  /** An attempt has begun. */
  onStarted?: ((task: TaskSnapshot) => void) | undefined;
  /**
   * Its handler reported progress: `value` is what it gave, not a copy. Reports of one attempt are at least
   * 100 ms apart, but for the last.
   */
  onProgress?: ((task: TaskSnapshot, value: unknown) => void) | undefined;
  /** An attempt failed, and another one will follow. */
  onRetried?: ((task: TaskSnapshot, details: RetriedDetails) => void) | undefined;
  /** The handler asked to run again, or met a limit elsewhere; no attempt was used. */
  onRescheduled?: ((task: TaskSnapshot, details: RescheduledDetails) => void) | undefined;
  /** Completed, failed or cancelled: exactly once for each task. */
  onFinished?: ((task: TaskSnapshot) => void) | undefined;
  /** Dropped to make room; its `onFinished` follows. */
  onTaskDropped?: ((task: TaskSnapshot) => void) | undefined;
  /** A subscription did not keep a result. */
  onResultDropped?: ((result: ResultDroppedDetails) => void) | undefined;
  /** Given up while its handler goes on; `onFinished` or `onRetried` follows. */
  onAbandoned?: ((task: TaskSnapshot) => void) | undefined;
  /** A worker thread can take tasks. */
  onWorkerStarted?: ((worker: WorkerStartedDetails) => void) | undefined;
  /** A worker thread is no more: `reason` says why. */
  onWorkerExited?: ((worker: WorkerExitedDetails) => void) | undefined;
  /** What a finished task had left behind in its thread has thrown since; the thread is replaced. */
  onLateFault?: ((fault: LateFaultDetails) => void) | undefined;
  /** A durable task that a stop cut off was handed back: another process goes on, at no attempt. */
  onInterrupted?: ((task: TaskSnapshot) => void) | undefined;
  /** The lease of a durable task was lost: what its handler did here counts for nothing. */
  onLeaseLost?: ((task: TaskSnapshot) => void) | undefined;
  /**
   * A durable task ended here, and the store did not confirm it while the lease was held: it may run again.
   */
  onAckUnknown?: ((task: TaskSnapshot) => void) | undefined;
  /** A durable task has become a dead letter. */
  onDeadLettered?: ((letter: DeadLetteredDetails) => void) | undefined;
  /**
   * The store has forgotten what it had of a queue from which this process takes tasks: it came back empty,
   * or in an older state, or is another one. Tasks that it had accepted may be gone. Each process that takes
   * tasks from there is told of it.
   */
  onStoreLost?: ((loss: StoreLostDetails) => void) | undefined;
  /** A stop has begun. */
  onStopping?: ((stop: StoppingDetails) => void) | undefined;
}

const CHECKS: Checks<Hooks> = {
  onQueued: callback(),
  onScheduled: callback(),
  onStarted: callback(),
  onProgress: callback(),
  onRetried: callback(),
  onRescheduled: callback(),
  onFinished: callback(),
  onTaskDropped: callback(),
  onResultDropped: callback(),
  onAbandoned: callback(),
  onWorkerStarted: callback(),
  onWorkerExited: callback(),
  onLateFault: callback(),
  onInterrupted: callback(),
  onLeaseLost: callback(),
  onAckUnknown: callback(),
  onDeadLettered: callback(),
  onStoreLost: callback(),
  onStopping: callback(),
};

/**
 * Hooks as an object of functions, or as an instance of a class that has them as methods.
 * @throws {OptionError} for an unknown hook, and for one that is no function
 */
export function readHooks(input: unknown, path: string): Hooks {
  if (input === undefined) throw expected(path, "an object of hooks", input);
  const isInstance = typeof input === "object" && input !== null && !isPlainObject(input);
  return readOptions<Hooks>(path, isInstance ? methodsOf(input) : input, CHECKS);
}

/** The hooks of an instance, each with that as its `this`. */
function methodsOf(instance: object): object {
  const hooks: Record<string, unknown> = {};
  for (const name of Object.keys(CHECKS)) {
    const hook: unknown = Reflect.get(instance, name);
    hooks[name] = typeof hook === "function" ? hook.bind(instance) : hook;
  }
  return hooks;
}
