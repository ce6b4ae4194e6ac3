import type { HandlerNames, ResultOfHandler } from "./handler-types.js";
import type { TaskMetadata } from "./metadata.js";
import type { TaskReason, TerminalState } from "./states.js";
import type { Task } from "./task.js";

/**
 * How a task ended. It is frozen, and all subscribers are given the same one; the value is the one that the
 * handler returned, not a copy.
 */
export interface TaskResult {
  readonly id: string;
  readonly name: string | undefined;
  /** Name of its registered handler; undefined for a plain function. */
  readonly handler: string | undefined;
  readonly queue: string;
  readonly state: TerminalState;
  /** Why it failed or was cancelled; undefined where it completed. */
  readonly reason: TaskReason | undefined;
  /** What a completed task returned. */
  readonly value: unknown;
  /** Why it failed or was cancelled, as an error. */
  readonly error: Error | undefined;
  /** Attempts begun. */
  readonly attempt: number;
  readonly metadata: TaskMetadata;
  readonly correlationId: string | undefined;
  /** How long it waited between being ready and its last start; undefined when it was never started. */
  readonly waitMs: number | undefined;
  /** How long its last attempt ran; undefined when it was never started. */
  readonly runMs: number | undefined;
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
}

/**
 * The results of a manager with handlers `H`: where the task completed, `handler` tells the type of `value`.
 */
export type TaskResultOf<H> = [HandlerNames<H>] extends [never]
  ? TaskResult
  : PlainResult | { [K in HandlerNames<H>]: NamedResult<H, K> }[HandlerNames<H>];

type PlainResult = TaskResult & { readonly handler: undefined };

type NamedResult<H, K extends HandlerNames<H>> =
  | (TaskResult & { readonly handler: K; readonly state: "completed"; readonly value: ResultOfHandler<H, K> })
  | (TaskResult & {
      readonly handler: K;
      readonly state: Exclude<TerminalState, "completed">;
      readonly value: undefined;
    });

/**
 * The result of a task that has ended.
 * @param wallOffset what turns a monotonic instant into one since the epoch
 */
export function toTaskResult(task: Task, value: unknown, wallOffset: number): TaskResult {
  return Object.freeze(new EndedTask(task, value, wallOffset));
}

/**
 * A class, and no literal: of a literal, V8 may conclude from those that wait in a full subscription that all
 * of them live for long, and then it makes them in the old generation.
 */
class EndedTask implements TaskResult {
  readonly id: string;
  readonly name: string | undefined;
  readonly handler: string | undefined;
  readonly queue: string;
  readonly state: TerminalState;
  readonly reason: TaskReason | undefined;
  readonly value: unknown;
  readonly error: Error | undefined;
  readonly attempt: number;
  readonly metadata: TaskMetadata;
  readonly correlationId: string | undefined;
  readonly waitMs: number | undefined;
  readonly runMs: number | undefined;
  readonly finishedAt: number;

  constructor(task: Task, value: unknown, wallOffset: number) {
    const { details } = task;
    this.id = task.id;
    this.name = details?.name;
    this.handler = task.handler;
    this.queue = task.queue;
    this.state = task.state as TerminalState;
    this.reason = task.reason;
    this.value = value;
    this.error = task.error;
    this.attempt = task.attempt;
    this.metadata = task.metadata;
    this.correlationId = details?.correlationId;
    this.waitMs = task.waitMs;
    this.runMs = task.runMs;
    this.finishedAt = (task.finishedAt ?? 0) + wallOffset;
  }
}
