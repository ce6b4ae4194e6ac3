import { isDeepStrictEqual } from "node:util";
import { type HandlerNames, OptionError, type PayloadInputOf } from "../index.js";
import type { DurableTaskOptions } from "../task/durable-task-options.js";
import type { TaskMetadata } from "../task/metadata.js";
import type { TaskState } from "../task/states.js";
import type { TaskFunction } from "../task/task-context.js";
import type { TaskOptions } from "../task/task-options.js";

/** A task that was enqueued: what was asked for, and what became of that when it was accepted. Frozen. */
export interface EnqueuedTask<P = unknown> {
  readonly id: string;
  /** The name of its handler; undefined for a plain function. */
  readonly handler: string | undefined;
  /** What `enqueue` was given for the handler, before its schema; not a copy. Undefined for a function. */
  readonly payload: P;
  /** The function that does the work; undefined where a handler does it. */
  readonly work: TaskFunction | undefined;
  /** The options as they were given; `{}` when there were none. */
  readonly options: TaskOptions | DurableTaskOptions;
  /** Whether it was given to the backend. */
  readonly durable: boolean;
  /** Where it is now; of a durable task, undefined while, or since, it is not with this manager. */
  readonly state: TaskState | undefined;
  readonly queue: string;
  readonly priority: number;
  readonly weight: number;
  readonly cost: number;
  readonly maxAttempts: number;
  /** How long after its acceptance it may start, `runAt` included; 0 for at once. In milliseconds. */
  readonly delayMs: number;
  /** When it was accepted, in milliseconds since the epoch, by the manual clock. */
  readonly enqueuedAt: number;
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly metadata: TaskMetadata;
  readonly correlationId: string | undefined;
  readonly idempotencyKey: string | undefined;
}

/** The tasks of one handler, with the type of their payload. */
export type EnqueuedTaskOf<H, K extends HandlerNames<H>> = EnqueuedTask<PayloadInputOf<H, K>> & {
  readonly handler: K;
};

/** Which of the enqueued tasks: those that have all of this. What is undefined does not matter. */
export interface EnqueuedFilter {
  readonly queue?: string | undefined;
  readonly durable?: boolean | undefined;
  /** Where they are now. */
  readonly state?: TaskState | undefined;
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
  readonly cost?: number | undefined;
  readonly maxAttempts?: number | undefined;
  /** In milliseconds; 0 for those that may start at once. */
  readonly delayMs?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** All of the metadata, compared deeply. */
  readonly metadata?: TaskMetadata | undefined;
}

/** What a payload should be: equal to a value, deeply and in whole, or let through by a function. */
export type PayloadMatch<P> = P | ((payload: P) => boolean);

const FILTER_KEYS: Readonly<Record<keyof EnqueuedFilter, true>> = {
  queue: true,
  durable: true,
  state: true,
  priority: true,
  weight: true,
  cost: true,
  maxAttempts: true,
  delayMs: true,
  correlationId: true,
  idempotencyKey: true,
  metadata: true,
};

/** @throws {OptionError} for an unknown name: a misspelt condition must not let everything through */
export function readFilter(filter: EnqueuedFilter): [key: keyof EnqueuedFilter, value: unknown][] {
  return Object.entries(filter).flatMap(([key, value]): [keyof EnqueuedFilter, unknown][] => {
    if (!Object.hasOwn(FILTER_KEYS, key)) {
      const known = Object.keys(FILTER_KEYS).join(", ");
      throw new OptionError(key, `Unknown option \`${key}\`; known are ${known}`);
    }
    return value === undefined ? [] : [[key as keyof EnqueuedFilter, value]];
  });
}

/** Whether a task has all that is asked for. */
export function hasAll(task: EnqueuedTask, asked: readonly [keyof EnqueuedFilter, unknown][]): boolean {
  return asked.every(([key, value]) => isDeepStrictEqual(task[key], value));
}

/** Whether a payload is what it should be; `undefined` is any. What a function throws goes to the caller. */
export function matches(payload: unknown, match: unknown): boolean {
  if (match === undefined) return true;
  return typeof match === "function" ? Boolean(match(payload)) : isDeepStrictEqual(payload, match);
}
