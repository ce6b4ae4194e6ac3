import type { GroupTally } from "../task/group-tally.js";
import type { Eventually, Outcome } from "../task/outcome.js";
import type { Task, TaskDetails } from "../task/task.js";

/**
 * What a carrier took along from the call that enqueued a task. Opaque to the core but for `headers`, which
 * travel with a task to another thread or process. Carriers keep local things in a class of their own rather
 * than in a field of a wrapper: with a million tasks waiting, each wrapper counts.
 */
export interface CapturedContext {
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A durable task that is about to be handed to its store. */
export interface OutgoingTask {
  readonly id: string;
  readonly queue: string;
  readonly handler: string;
  /** Where it is counted. */
  readonly tally: GroupTally;
  readonly details: Pick<TaskDetails, "correlationId">;
}

/** What a carrier does for a durable task on its way to the store. */
export interface Departure {
  /** What the task takes along to wherever it will run. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Told once what came of the way: the error of the call, or undefined where the store has the task. */
  ended?(error: unknown): void;
}

/**
 * Carries context (async context, trace headers, spans) from the enqueue call to the attempts, round their
 * middleware. What may change an outcome is middleware; who only wants to observe listens to events.
 */
export interface ContextCarrier {
  /** False while it has nothing to do: then it is passed over, and costs nothing. Default true. */
  readonly active?: boolean;
  /** Called inside the enqueue call, when the task has been accepted and waits in its place. */
  capture(task: Task): CapturedContext | undefined;
  /**
   * Called inside the call that enqueues a durable task, when that has been checked. Where the task is run,
   * `run` is given the headers of all carriers.
   */
  send?(task: OutgoingTask): Departure | undefined;
  /**
   * What has to travel with an attempt that runs elsewhere, such as a worker thread. Called in the attempt's
   * context, when it is handed over.
   */
  headers?(task: Task): Readonly<Record<string, string>> | undefined;
  /**
   * Called around each attempt. It calls `perform` and gives back what that gives: the outcome, steering
   * included, now or later. It sees the outcome and cannot change it.
   */
  run(
    captured: CapturedContext | undefined,
    task: Task,
    perform: () => Eventually<Outcome>,
  ): Eventually<Outcome>;
}

/** The carrier of the async context, which can also keep the context of a call that has to wait. */
export interface AsyncContextCarrier extends ContextCarrier {
  /** Gives `call` back so that it runs in the present context, wherever it is called. */
  bind<R>(call: () => R): () => R;
  /** Calls back in the captured context; `run` without an outcome, for where no closure should be made. */
  enter<A>(captured: CapturedContext | undefined, callback: (argument: A) => void, argument: A): void;
}
