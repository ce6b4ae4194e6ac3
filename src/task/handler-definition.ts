import { OptionError } from "../errors.js";
import type { Backoff } from "./backoff.js";
import * as check from "./checks.js";
import { codecOrSchemaCheck } from "./codec.js";
import { DURABLE_CHECKS } from "./durable-task-options.js";
import { type IdempotencyOptions, idempotencyCheck } from "./idempotency.js";
import { MAX_PRIORITY, MAX_WEIGHT } from "./order.js";
import { type RateLimitOptions, rateLimitCheck } from "./rate-limit.js";
import type { OutputOf, Schema } from "./schema.js";
import type { SettingsLayer } from "./settings.js";
import type { TaskContext } from "./task-context.js";
import { SETTINGS_CHECKS } from "./task-options.js";
import { type ThreadModule, threadModuleCheck } from "./thread-module.js";

/**
 * What holds for the tasks of a handler, unless a task says otherwise itself. Durations are in milliseconds;
 * `undefined` means the default.
 */
export interface HandlerDefaults {
  /** A sentence for people, at most 1,024 characters. */
  description?: string | undefined;
  /** The queue its tasks wait in. Default: the manager's `defaultQueue`. */
  queue?: string | undefined;
  /** Lower goes first: an integer of at most ±1,000,000. Default 0. */
  priority?: number | undefined;
  /** Among tasks of one priority, higher goes first: 1 to 1,000. Default 1. */
  weight?: number | undefined;
  /** Permits that each start takes from the rate limits: an integer from 1 up. Default 1. */
  cost?: number | undefined;
  /** Limit of one attempt, from its real start; `false` for none. Default: the queue's. */
  timeoutMs?: number | false | undefined;
  /** Starts, the first included. Default: the queue's. */
  maxAttempts?: number | undefined;
  /** The delay before a retry. Default: the queue's. */
  backoff?: Backoff | undefined;
  /** How long an aborted attempt may go on before it is given up. Default: the queue's. */
  killAfterMs?: number | undefined;
  /** The whole life of a task, from its acceptance. Default: no end. */
  ttlMs?: number | undefined;
  /** How the idempotency keys of its tasks are held. Default: the manager's. */
  idempotency?: IdempotencyOptions | undefined;
  /**
   * Durable tasks: claims in a row that may end without a word from the process that made them, 1 to 1,000;
   * one more makes the task a dead letter. Default 10.
   */
  maxDeliveries?: number | undefined;
  /** Durable tasks: how long an outcome is kept for those who ask, in milliseconds. Default 600,000. */
  resultTtlMs?: number | undefined;
  /**
   * Durable tasks: whether one that has failed for good is kept as a dead letter; after a crash loop it
   * always is. Default true.
   */
  deadLetter?: boolean | undefined;
  /** At most so many of its tasks run at once, over all lanes and queues. Default: no limit. */
  maxConcurrency?: number | undefined;
  /** A limit of its own, beside the shared one and that of its queue. Default: none. */
  rateLimit?: RateLimitOptions | undefined;
  /**
   * UTF-8 bytes of JSON that a payload may take, from 1 up. Default 1,048,576. A larger one is refused before
   * its schema sees it; so is one that is cyclic or nested deeper than 1,000. Where `payload` is a codec,
   * what it encodes may take as many, too.
   */
  maxPayloadBytes?: number | undefined;
  /**
   * What a result from a worker thread, or of a durable task, may take, counted as a payload is. Default
   * 1,048,576. A larger one fails the attempt, and does not leave its thread.
   */
  maxResultBytes?: number | undefined;
}

/** One handler: what it takes, where it runs, and what holds for its tasks. */
export interface HandlerEntry<S extends Schema = Schema> extends HandlerDefaults {
  /**
   * What it takes: a schema, which may be a codec. It is called with what comes out of it. A durable task is
   * stored with what went in: encoded by the codec, else as JSON.
   */
  payload: S;
  /**
   * Does the work on the event loop. Without `run` and `module` the entry is a contract for producers only.
   */
  run?: ((payload: OutputOf<S>, context: TaskContext) => unknown) | undefined;
  /** Does the work in a worker thread. */
  module?: URL | ThreadModule<OutputOf<S>, unknown> | undefined;
  /** What it gives. A value that this schema refuses fails the attempt. Default: whatever it returns. */
  result?: Schema | undefined;
}

/** The work of a handler, as the registry keeps it: its payload has been checked before it is called. */
export type HandlerFunction = (payload: unknown, context: TaskContext) => unknown;

/** A handler after the door: each value checked, what was not said left undefined. Frozen. */
export interface HandlerDefinition {
  readonly name: string;
  readonly description: string | undefined;
  readonly payload: Schema;
  readonly result: Schema | undefined;
  readonly run: HandlerFunction | undefined;
  readonly module: ThreadModule | undefined;
  /** What it says of attempts; a layer between the task's and the queue's. */
  readonly settings: SettingsLayer;
  readonly queue: string | undefined;
  readonly priority: number | undefined;
  readonly weight: number | undefined;
  readonly cost: number | undefined;
  readonly ttlMs: number | undefined;
  readonly idempotency: IdempotencyOptions | undefined;
  readonly maxDeliveries: number | undefined;
  readonly resultTtlMs: number | undefined;
  readonly deadLetter: boolean | undefined;
  readonly maxConcurrency: number | undefined;
  readonly rateLimit: RateLimitOptions | undefined;
  readonly maxPayloadBytes: number;
  readonly maxResultBytes: number;
}

const MAX_CONCURRENCY = 1_000_000;
const DEFAULT_MAX_BYTES = 1_048_576;

type ReadEntry = Omit<HandlerEntry, "run" | "module"> & { run: HandlerFunction; module: ThreadModule };

const CHECKS: check.Checks<ReadEntry> = {
  payload: codecOrSchemaCheck,
  run: check.callback<HandlerFunction>(),
  module: threadModuleCheck,
  result: codecOrSchemaCheck,
  description: check.text(1_024),
  queue: check.queueName,
  priority: check.integer(-MAX_PRIORITY, MAX_PRIORITY),
  weight: check.integer(1, MAX_WEIGHT),
  cost: check.integer(1),
  ...SETTINGS_CHECKS,
  ttlMs: check.duration(1),
  idempotency: idempotencyCheck,
  ...DURABLE_CHECKS,
  maxConcurrency: check.integer(1, MAX_CONCURRENCY),
  rateLimit: rateLimitCheck,
  maxPayloadBytes: check.integer(1),
  maxResultBytes: check.integer(1),
};

/**
 * Checks one entry of a registry.
 * @throws {OptionError} that names the option with its path: `handlers.sendEmail.timeoutMs`
 */
export function readDefinition(name: string, entry: unknown): HandlerDefinition {
  const path = `handlers.${name}`;
  if (!check.isPlainObject(entry)) throw check.expected(path, "a plain object, { payload, run }", entry);
  const read = check.readOptions<ReadEntry>(path, entry, CHECKS);
  const { payload, run, module, rateLimit, cost } = read;
  if (payload === undefined) throw schemaMissing(path);
  if (run !== undefined && module !== undefined) {
    throw new OptionError(`${path}.module`, `Expected \`${path}\` to have \`run\` or \`module\`, found both`);
  }
  refuseCost(path, cost ?? 1, rateLimit);
  const { timeoutMs, maxAttempts, backoff, killAfterMs } = read;
  return Object.freeze({
    name,
    description: read.description,
    payload,
    result: read.result,
    run,
    module,
    settings: Object.freeze({ timeoutMs, maxAttempts, backoff, killAfterMs }),
    queue: read.queue,
    priority: read.priority,
    weight: read.weight,
    cost,
    ttlMs: read.ttlMs,
    idempotency: read.idempotency,
    maxDeliveries: read.maxDeliveries,
    resultTtlMs: read.resultTtlMs,
    deadLetter: read.deadLetter,
    maxConcurrency: read.maxConcurrency,
    rateLimit,
    maxPayloadBytes: read.maxPayloadBytes ?? DEFAULT_MAX_BYTES,
    maxResultBytes: read.maxResultBytes ?? DEFAULT_MAX_BYTES,
  });
}

function schemaMissing(path: string): OptionError {
  return check.expected(
    `${path}.payload`,
    "a schema (Standard Schema, version 1), such as json<T>()",
    undefined,
  );
}

/** What costs more than its own limit can ever save up would never start. */
function refuseCost(path: string, cost: number, rateLimit: RateLimitOptions | undefined): void {
  if (rateLimit === undefined || rateLimit.tasksPerSecond === Number.POSITIVE_INFINITY) return;
  const { burst = 1 } = rateLimit;
  if (cost > burst)
    throw check.expected(`${path}.cost`, `at most ${burst}, the burst of its rate limit`, cost);
}
