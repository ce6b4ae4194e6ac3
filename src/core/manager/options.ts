import type { Backend } from "../../ports/backend.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Random } from "../../ports/random.js";
import type { Backoff } from "../../task/backoff.js";
import * as check from "../../task/checks.js";
import { type AnyHandlers, definitionsOf } from "../../task/handler-registry.js";
import { type Hooks, readHooks } from "../../task/hooks.js";
import { type ManagerIdempotencyOptions, managerIdempotencyCheck } from "../../task/idempotency.js";
import { type MiddlewareEntry, middlewareCheck } from "../../task/middleware.js";
import type { ObserverErrorReporter } from "../../task/observer-error.js";
import { type RateLimitOptions, rateLimitCheck } from "../../task/rate-limit.js";
import { SETTINGS_CHECKS } from "../../task/task-options.js";
import { type ThreadOptions, threadOptionsCheck } from "../../task/thread-options.js";
import { isTaken } from "../durable/taken-backends.js";
import type { RetentionLimits } from "./retention.js";

/**
 * Options of one queue. What it says of attempts holds for its tasks, unless they say otherwise themselves.
 */
export interface QueueOptions {
  /** Turns among queues that have something eligible: 1 to 1,000. Default 1. */
  share?: number | undefined;
  /** At most so many of its tasks run at once, over all lanes. Default: no limit. */
  maxConcurrency?: number | undefined;
  /** A limit of its own, beside the shared one. Default: none. */
  rateLimit?: RateLimitOptions | undefined;
  timeoutMs?: number | false | undefined;
  maxAttempts?: number | undefined;
  backoff?: Backoff | undefined;
  killAfterMs?: number | undefined;
}

/** How long finished tasks are kept for `get` and `list`. */
export interface RetentionOptions {
  /** At most so many; 0 keeps none. Default 1,000. */
  maxEntries?: number | undefined;
  /** At most so long after their end, in milliseconds. Default 3,600,000. */
  ttlMs?: number | undefined;
  /** Keep the values of tasks that complete from now on too, for `subscribe({ replay })`. Default false. */
  values?: boolean | undefined;
  /**
   * Of all values together, counted as the UTF-8 bytes of their JSON text; those that ended first are let go
   * first. Default 16,777,216.
   */
  maxBytes?: number | undefined;
}

/** Options of a manager. All are optional, durations are in milliseconds, `undefined` means the default. */
export interface TaskManagerOptions<H extends AnyHandlers = AnyHandlers> {
  /** What can be enqueued by name: made by `defineHandlers` or `combineHandlers`. Default: nothing. */
  handlers?: H | undefined;
  /** Tasks on the event loop at once: 1 to 1,000,000. Default 16. */
  concurrency?: number | undefined;
  /** Worker threads, for handlers with a `module`: how many, and what each is given. Made on first need. */
  threads?: ThreadOptions | undefined;
  /** Tasks that may wait (queued, scheduled or in backoff); a retry is always taken back. Default 10,000. */
  capacity?: number | undefined;
  /**
   * When as many wait as `capacity` allows: `"reject"` the new one with a QueueFullError (default), or
   * `"drop-oldest"`, which cancels the queued task that arrived first and was never started, in any queue.
   */
  whenFull?: "reject" | "drop-oldest" | undefined;
  /**
   * Starts per second over all lanes and queues, each times the task's `cost`. Default `Infinity`: no limit.
   */
  tasksPerSecond?: number | undefined;
  /**
   * Starts that can be saved up: at least 1, and what `cost` may be at most. Default: `concurrency`, and
   * `threads.max` beside it where a handler has a `module`. Timers have a grain of a millisecond, so a rate
   * above 500 × burst cannot be used in full.
   */
  burst?: number | undefined;
  /** Queues with settings of their own. A queue that is not named here has share 1 and no limits. */
  queues?: Record<string, QueueOptions> | undefined;
  /** Where a task waits that names no queue. Default `"default"`. */
  defaultQueue?: string | undefined;
  /** Drain queues of a higher share first, instead of giving each its turns. Default false. */
  strictQueues?: boolean | undefined;
  /** Limit of one attempt, from its real start; `false` for none. Default 300,000. */
  timeoutMs?: number | false | undefined;
  /** Starts of a handler, the first included. Default 1. */
  maxAttempts?: number | undefined;
  /** The delay before a retry. Default `exponential()`. */
  backoff?: Backoff | undefined;
  /**
   * How long an aborted attempt may go on before it is given up. Default 1,000. At a stop it caps each task's
   * own.
   */
  killAfterMs?: number | undefined;
  /**
   * Attempts that were given up and go on without a slot, at most; each one more holds its slot until it
   * ends. Default: `concurrency`.
   */
  maxAbandoned?: number | undefined;
  retention?: RetentionOptions | undefined;
  /** Functions that are told what happens; `observe` adds more at run time. Default: none. */
  hooks?: Hooks | undefined;
  /**
   * Told of each error that a hook, the filter of a subscription, instrumentation or the `logger` throws or
   * rejects with, after the call in which that happened. All are counted in `stats().observerErrors`; while
   * 10,000 wait to be told, further ones are only counted, and so is what this function throws. Default:
   * none.
   */
  onObserverError?: ObserverErrorReporter | undefined;
  /**
   * Wraps attempts and calls, the first given outermost; a bare function wraps attempts. Default: none.
   */
  middleware?: readonly MiddlewareEntry[] | undefined;
  /** How idempotency keys are held, unless a handler or task says otherwise, and how many. */
  idempotency?: ManagerIdempotencyOptions | undefined;
  /**
   * Where durable tasks live, such as `memoryBackend()`. The manager closes it when it has stopped: so no
   * other manager may be given the same one. Default: none, and calls for durable tasks do not compile, or
   * fail where the compiler cannot know.
   */
  backend?: Backend | undefined;
  /**
   * Queues whose durable tasks run here: `"all"` that `queues`, a handler or `defaultQueue` name; some names;
   * or `false` for a process that only enqueues. Only tasks of handlers that have `run` or `module` here are
   * claimed. Default `"all"`.
   */
  consume?: "all" | readonly string[] | false | undefined;
  /**
   * How long a claimed durable task is this process's without a renewal, from 1,000 up to a day; it is
   * renewed every third of that. When a process dies, its tasks run elsewhere after so long. Default 30,000.
   */
  leaseMs?: number | undefined;
  /**
   * For how long leases are renewed though an event loop does not turn, in milliseconds, from 1,000 up. Where
   * the backend renews them in a thread of its own, so that a blocked event loop costs none: then tasks that
   * run on it are left to other processes. Those in worker threads have their `timeoutMs`; where they have
   * none, it is the event loop of their thread that counts, in any backend. Default 120,000.
   */
  maxBlockedMs?: number | undefined;
  /** False: tasks are accepted, but none starts before `start()`. Default true. */
  autoStart?: boolean | undefined;
  /** When it aborts, the manager stops as by `stopNow`. */
  signal?: AbortSignal | undefined;
  /**
   * Told what an operator has to know: that a stop has begun and what it came to (`info`), that attempts
   * were abandoned, tasks dropped or refused for want of room, results or hook calls dropped, worker threads
   * lost, what finished tasks had left behind in one threw, and that an observer failed (`warn`, each kind
   * once in 10 seconds at most, with the `count` since its last line; what is left is said with the next one,
   * or at the stop). So is what the `backend` has to say, unless it has a logger of its own. Never a payload,
   * metadata, or the text of an error. Default: silent. For a line about each attempt there is `logging`.
   */
  logger?: Logger | undefined;
  /** Where time comes from; `ManualClock` of `millrace/testing` serves tests. Default: the system. */
  clock?: Clock | undefined;
  /** Where chance comes from (jitter, the prefix of ids). Default: `Math.random`. */
  random?: Random | undefined;
}

const MAX_CONCURRENCY = 1_000_000;
const MAX_SHARE = 1_000;
/** A day. */
const MAX_LEASE_MS = 86_400_000;
export const concurrencyCheck = check.integer(1, MAX_CONCURRENCY);

export const RATE_CHECKS: check.Checks<RateLimitOptions> = {
  tasksPerSecond: check.rate,
  burst: check.integer(1),
};

const QUEUE_CHECKS: check.Checks<QueueOptions> = {
  share: check.integer(1, MAX_SHARE),
  maxConcurrency: concurrencyCheck,
  rateLimit: rateLimitCheck,
  ...SETTINGS_CHECKS,
};

const RETENTION_CHECKS: check.Checks<RetentionOptions> = {
  maxEntries: check.integer(0),
  ttlMs: check.duration(0),
  values: check.flag,
  maxBytes: check.integer(1),
};

const CHECKS: check.Checks<TaskManagerOptions> = {
  handlers: (value) => {
    definitionsOf(value);
    return value as AnyHandlers;
  },
  concurrency: concurrencyCheck,
  threads: threadOptionsCheck,
  capacity: check.integer(1),
  whenFull: check.oneOf("reject", "drop-oldest"),
  ...RATE_CHECKS,
  queues: readQueues,
  defaultQueue: check.queueName,
  strictQueues: check.flag,
  ...SETTINGS_CHECKS,
  maxAbandoned: check.integer(0, MAX_CONCURRENCY),
  retention: (value, path) => check.readOptions(path, value, RETENTION_CHECKS),
  hooks: readHooks,
  onObserverError: check.callback(),
  middleware: middlewareCheck,
  idempotency: managerIdempotencyCheck,
  backend: backendCheck,
  consume: consumeCheck,
  leaseMs: check.integer(1_000, MAX_LEASE_MS),
  maxBlockedMs: check.duration(1_000),
  autoStart: check.flag,
  signal: check.abortSignal,
  logger: check.having<Logger>("a logger", "debug", "info", "warn", "error"),
  clock: check.having<Clock>("a clock", "now", "wallNow", "setTimeout", "setImmediate"),
  random: check.having<Random>("a source of chance", "next"),
};

function consumeCheck(value: unknown, path: string): "all" | readonly string[] | false {
  if (value === "all" || value === false) return value;
  if (!Array.isArray(value))
    throw check.expected(path, `"all", an array of names of queues, or false`, value);
  return Object.freeze(value.map((queue, index) => check.queueName(queue, `${path}[${index}]`)));
}

/** @throws {OptionError} for a wrong value or an unknown name */
export function readManagerOptions(options: unknown): TaskManagerOptions {
  return check.readOptions<TaskManagerOptions>("", options, CHECKS);
}

/** Retention limits, with what is not said taken from `present`. */
export function readRetention(options: unknown, present: RetentionLimits): RetentionLimits {
  const said = check.readOptions<RetentionOptions>("retention", options, RETENTION_CHECKS);
  return Object.freeze({
    maxEntries: said.maxEntries ?? present.maxEntries,
    ttlMs: said.ttlMs ?? present.ttlMs,
    values: said.values ?? present.values,
    maxBytes: said.maxBytes ?? present.maxBytes,
  });
}

function readQueues(value: unknown, path: string): Record<string, QueueOptions> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw check.expected(path, "an object of queue options by queue name", value);
  }
  const queues = Object.create(null) as Record<string, QueueOptions>;
  for (const name of Object.keys(value)) {
    check.queueName(name, `${path} name`);
    const options: unknown = (value as Record<string, unknown>)[name];
    queues[name] = check.readOptions<QueueOptions>(`${path}.${name}`, options, QUEUE_CHECKS);
  }
  return queues;
}

function backendCheck(value: unknown, path: string): Backend {
  const methods = ["enqueue", "claim", "extend", "ack", "nack", "close"] as const;
  const backend = check.having<Backend>("a backend", ...methods)(value, path);
  if (!isTaken(backend)) return backend;
  const what = "a backend that no other task manager was given: each closes its own when it stops";
  throw check.expected(path, what, backend);
}
