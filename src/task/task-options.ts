import { OptionError } from "../errors.js";
import { type Backoff, backoffCheck } from "./backoff.js";
import * as check from "./checks.js";
import { type IdempotencyOptions, idempotencyCheck, idempotencyKeyCheck } from "./idempotency.js";
import { metadataCheck } from "./metadata.js";
import { MAX_PRIORITY, MAX_WEIGHT } from "./order.js";
import { transferCheck } from "./transfer.js";

/** Options of one task. Durations are in milliseconds; `undefined` means the default. */
export interface TaskOptions {
  /**
   * Your own id: 1 to 128 of `A-Z a-z 0-9 _ . : -`, unique among live and retained tasks. Default: made up.
   */
  id?: string | undefined;
  /** The queue it waits in. Default: the manager's `defaultQueue`. */
  queue?: string | undefined;
  /** Lower goes first: an integer of at most ±1,000,000. Default 0. */
  priority?: number | undefined;
  /**
   * Among tasks of one priority, higher goes first: 1 to 1,000. Default 1. Then the order of arrival counts.
   */
  weight?: number | undefined;
  /** A label for people, at most 128 characters. */
  name?: string | undefined;
  /** A sentence for people, at most 1,024 characters. */
  description?: string | undefined;
  /** Up to 64 keys and 16 KiB of strings, finite numbers and booleans; copied. */
  metadata?: Record<string, string | number | boolean> | undefined;
  /** Ties this task to others, such as all that came from one request; at most 128 characters. */
  correlationId?: string | undefined;
  /** Cancels the task when it aborts; its reason becomes the cause of the TaskCancelledError. */
  signal?: AbortSignal | undefined;
  /** Permits that each start takes from the rate limits: an integer from 1 up. Default 1. */
  cost?: number | undefined;
  /**
   * The same work once: while a task of the same queue and handler holds this key, `enqueue` gives a handle
   * to that task. The payload and the other options of this call, its `id` included, are checked and then
   * count for nothing. 1 to 512 characters, no control characters. All plain functions of a queue count as
   * one handler.
   *
   * A key is held while its task is live, and after it completed or failed until `idempotency.ttlMs` from its
   * acceptance. A task that was cancelled, dropped or stopped frees its key with its end, and with
   * `idempotency.onFailure: "free"` one that has failed.
   */
  idempotencyKey?: string | undefined;
  /** How the key is held, and what a duplicate gets. Default: the handler's, then the manager's. */
  idempotency?: IdempotencyOptions | undefined;
  /**
   * `false`: the function does not run in the async context (AsyncLocalStorage) of this call. Default true.
   */
  context?: boolean | undefined;
  /** Do not start before this long has passed. Not together with `runAt`. */
  delayMs?: number | undefined;
  /** Do not start before this calendar time. Taken as a delay when the task is accepted. */
  runAt?: Date | number | undefined;
  /**
   * The task's whole life ends at this calendar time; when it passes, the task fails with a DeadlineError. It
   * is watched from the acceptance on: `signal` bounds how long `enqueueAsync` may wait for room.
   */
  deadline?: Date | number | undefined;
  /** The task's whole life, from its acceptance. With `deadline`, the earlier one counts. */
  ttlMs?: number | undefined;
  /** Limit of one attempt, from its real start; `false` for none. Default 300,000. */
  timeoutMs?: number | false | undefined;
  /** Starts of the handler, the first included. Default 1. */
  maxAttempts?: number | undefined;
  /** The delay before a retry. Default `exponential()`. */
  backoff?: Backoff | undefined;
  /**
   * How long an attempt that was aborted may go on before it is given up. Default 1,000; at a stop the
   * manager's value caps it.
   */
  killAfterMs?: number | undefined;
  /**
   * ArrayBuffers, MessagePorts and other transferable objects in the payload that move to the worker thread
   * when the task starts, instead of being copied: at most 1,000. Only for a handler with `module` whose
   * `payload` is no codec, and only where `maxAttempts` is 1. Default: none.
   */
  transfer?: readonly object[] | undefined;
}

/** Task options after the door: each value checked, times turned into milliseconds. */
export type CheckedTaskOptions = Partial<
  Omit<{ [K in keyof TaskOptions]-?: Exclude<TaskOptions[K], undefined> }, "runAt" | "deadline"> & {
    readonly runAt: number;
    readonly deadline: number;
  }
>;

/** A limit of one attempt: a duration, or `false` for none. */
export const timeoutCheck: check.Check<number | false> = (value, path) => {
  if (value === false) return false;
  if (typeof value !== "number" || !(value >= 1 && value <= check.MAX_DURATION_MS)) {
    const range = `from 1 to ${check.MAX_DURATION_MS}`;
    throw check.expected(path, `a number of milliseconds ${range}, or false for none`, value);
  }
  return value;
};

/** Attempts are counted in 31 bits. */
const MAX_ATTEMPTS = 1_000_000_000;

/** The checks of those options that a task, a queue and the manager share. */
export const SETTINGS_CHECKS = {
  timeoutMs: timeoutCheck,
  maxAttempts: check.integer(1, MAX_ATTEMPTS),
  backoff: backoffCheck,
  killAfterMs: check.duration(0),
};

/** The checks of what a task is called. */
export const TASK_TEXT_CHECKS = {
  name: check.text(128),
  description: check.text(1_024),
  correlationId: check.text(128),
};

/** The check of each option of a task. */
export const TASK_CHECKS = {
  id: check.name,
  queue: check.queueName,
  priority: check.integer(-MAX_PRIORITY, MAX_PRIORITY),
  weight: check.integer(1, MAX_WEIGHT),
  ...TASK_TEXT_CHECKS,
  metadata: metadataCheck,
  signal: check.abortSignal,
  cost: check.integer(1),
  idempotencyKey: idempotencyKeyCheck,
  idempotency: idempotencyCheck,
  context: check.flag,
  delayMs: check.duration(0),
  runAt: check.instant,
  deadline: check.instant,
  ttlMs: check.duration(1),
  ...SETTINGS_CHECKS,
  transfer: transferCheck,
} satisfies Record<keyof TaskOptions, unknown> as check.Checks<CheckedTaskOptions>;

const NOTHING: CheckedTaskOptions = Object.freeze({});

/**
 * The priority of options that say nothing else; undefined for all others, wrong ones among them. Most
 * options are such, and they are spared the record of what was read: half of what enqueuing allocates.
 * @throws {OptionError}
 */
export function readPriorityAlone(options: unknown): number | undefined {
  if (typeof options !== "object" || options === null) return undefined;
  let found = false;
  for (const key in options) {
    if (key !== "priority" || !Object.hasOwn(options, key)) return undefined;
    found = true;
  }
  const priority = found ? (options as TaskOptions).priority : undefined;
  return priority === undefined ? undefined : TASK_CHECKS.priority(priority, "priority");
}

/**
 * Checks the options of one task.
 * @throws {OptionError} for a wrong value, an unknown name, or two options that exclude each other
 */
export function readTaskOptions(options: unknown): CheckedTaskOptions {
  if (options === undefined) return NOTHING;
  const read = check.readOptions<CheckedTaskOptions>("", options, TASK_CHECKS);
  refuseExclusive(read);
  return read;
}

/** @throws {OptionError} for two options that exclude each other */
export function refuseExclusive(read: CheckedTaskOptions): void {
  if (read.delayMs !== undefined && read.runAt !== undefined) {
    throw new OptionError("runAt", "Expected `delayMs` or `runAt`, found both");
  }
  if (read.idempotency !== undefined && read.idempotencyKey === undefined) {
    throw new OptionError("idempotency", "Expected `idempotencyKey` beside `idempotency`, found none");
  }
}
