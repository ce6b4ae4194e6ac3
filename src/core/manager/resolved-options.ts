import { OptionError } from "../../errors.js";
import type { Backend } from "../../ports/backend.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import { definitionsOf } from "../../task/handler-registry.js";
import type { Hooks } from "../../task/hooks.js";
import { type IdempotencyRules, toIdempotencyRules } from "../../task/idempotency.js";
import { middlewareCheck, type NamedMiddleware } from "../../task/middleware.js";
import type { ObserverErrorReporter } from "../../task/observer-error.js";
import type { RateLimitOptions } from "../../task/rate-limit.js";
import { BUILT_IN_SETTINGS, resolveSettings, type TaskSettings } from "../../task/settings.js";
import { type ThreadSettings, toThreadSettings } from "../../task/thread-options.js";
import { type RateLimit, UNLIMITED } from "../limiter/rate-limit.js";
import type { QueueShape } from "../queue/task-queue.js";
import { type QueueOptions, readRetention, type TaskManagerOptions } from "./options.js";
import type { RetentionLimits } from "./retention.js";

/** Manager options after the door: complete, checked against each other, frozen. */
export interface ResolvedOptions {
  readonly concurrency: number;
  readonly threads: ThreadSettings;
  /** Whether any handler runs in threads. */
  readonly threaded: boolean;
  readonly capacity: number;
  readonly whenFull: "reject" | "drop-oldest";
  readonly rateLimit: RateLimit;
  readonly queueShapes: ReadonlyMap<string, QueueShape>;
  readonly queueRates: ReadonlyMap<string, RateLimit>;
  readonly queueSettings: ReadonlyMap<string, TaskSettings>;
  readonly handlers: ReadonlyMap<string, HandlerDefinition>;
  readonly handlerRates: ReadonlyMap<string, RateLimit>;
  /** The same for durable tasks, which have more attempts where nobody says how many. */
  readonly durableSettings: {
    readonly general: TaskSettings;
    readonly queues: ReadonlyMap<string, TaskSettings>;
  };
  readonly defaultQueue: string;
  readonly strictQueues: boolean;
  readonly settings: TaskSettings;
  readonly maxAbandoned: number | undefined;
  readonly retention: RetentionLimits;
  readonly hooks: Hooks | undefined;
  readonly onObserverError: ObserverErrorReporter | undefined;
  readonly middleware: readonly NamedMiddleware[];
  readonly idempotency: IdempotencyRules;
  readonly backend: Backend | undefined;
  /** Queues whose durable tasks run here. */
  readonly consumed: readonly string[];
  /** Whether these are all that are named anywhere, so that a task in any other is likely to be a mistake. */
  readonly consumesAll: boolean;
  readonly leaseMs: number;
  readonly maxBlockedMs: number;
  readonly autoStart: boolean;
  readonly signal: AbortSignal | undefined;
}

const DEFAULT_RETENTION: RetentionLimits = {
  maxEntries: 1_000,
  ttlMs: 3_600_000,
  values: false,
  maxBytes: 16 * 1024 * 1024,
};

/**
 * Completes checked options and holds them against each other.
 * @param parallelism how many threads the machine can run at once
 * @throws {OptionError}
 */
export function resolveOptions(read: TaskManagerOptions, parallelism: number): ResolvedOptions {
  const concurrency = read.concurrency ?? 16;
  const threads = toThreadSettings(read.threads ?? {}, parallelism);
  if (read.burst !== undefined && read.tasksPerSecond === undefined) {
    throw new OptionError("burst", "Expected `tasksPerSecond` beside `burst`, found none");
  }
  const settings = resolveSettings(BUILT_IN_SETTINGS, read);
  const durable = resolveSettings({ ...BUILT_IN_SETTINGS, maxAttempts: DURABLE_ATTEMPTS }, read);
  const queues = new Map(Object.entries(read.queues ?? {}));
  const defaultQueue = read.defaultQueue ?? "default";
  if (!queues.has(defaultQueue)) queues.set(defaultQueue, {});
  const handlers: ReadonlyMap<string, HandlerDefinition> =
    read.handlers === undefined ? new Map() : definitionsOf(read.handlers);
  const threaded = [...handlers.values()].some(({ module }) => module !== undefined);
  return Object.freeze({
    ...{ concurrency, threads, threaded },
    capacity: read.capacity ?? 10_000,
    whenFull: read.whenFull ?? "reject",
    rateLimit: toRateLimit(read, concurrency + (threaded ? threads.max : 0)),
    queueShapes: mapValues(queues, toShape),
    queueRates: toRates(queues),
    handlers,
    handlerRates: toRates(handlers),
    queueSettings: mapValues(queues, (queue) => resolveSettings(settings, queue)),
    durableSettings: {
      general: durable,
      queues: mapValues(queues, (queue) => resolveSettings(durable, queue)),
    },
    ...resolveDurable(read, queues.keys(), handlers, defaultQueue),
    defaultQueue,
    strictQueues: read.strictQueues ?? false,
    settings,
    maxAbandoned: read.maxAbandoned,
    retention: readRetention(read.retention, DEFAULT_RETENTION),
    hooks: read.hooks,
    onObserverError: read.onObserverError,
    middleware: middlewareCheck(read.middleware ?? [], "middleware"),
    idempotency: toIdempotencyRules(read.idempotency),
    autoStart: read.autoStart ?? true,
    signal: read.signal,
  });
}

/** Of durable tasks, where nobody says: a crash of their process must not be their end. */
const DURABLE_ATTEMPTS = 3;

/** What concerns durable tasks alone. */
function resolveDurable(
  { backend, consume = "all", leaseMs = 30_000, maxBlockedMs = 120_000 }: TaskManagerOptions,
  queues: Iterable<string>,
  handlers: ReadonlyMap<string, HandlerDefinition>,
  defaultQueue: string,
): Pick<ResolvedOptions, "backend" | "consumed" | "consumesAll" | "leaseMs" | "maxBlockedMs"> {
  const named = [...handlers.values()].flatMap(({ queue }) => queue ?? []);
  const all = [...new Set([...queues, ...named, defaultQueue])];
  const consumesNone = backend === undefined || consume === false;
  const consumed = consumesNone ? [] : consume === "all" ? all : [...new Set(consume)];
  return { backend, consumed, consumesAll: !consumesNone && consume === "all", leaseMs, maxBlockedMs };
}

/** A rate limit with its burst; without one, `defaultBurst`. */
export function toRateLimit(
  options: { tasksPerSecond?: number | undefined; burst?: number | undefined },
  defaultBurst: number,
): RateLimit {
  const { tasksPerSecond = Number.POSITIVE_INFINITY, burst = Math.max(1, defaultBurst) } = options;
  return tasksPerSecond === Number.POSITIVE_INFINITY ? UNLIMITED : Object.freeze({ tasksPerSecond, burst });
}

/** The limits of those that have one. */
function toRates(
  limited: ReadonlyMap<string, { readonly rateLimit?: RateLimitOptions | undefined }>,
): ReadonlyMap<string, RateLimit> {
  const rates = new Map<string, RateLimit>();
  for (const [name, { rateLimit }] of limited) {
    if (rateLimit !== undefined) rates.set(name, toRateLimit(rateLimit, 1));
  }
  return rates;
}

function toShape({ share = 1, maxConcurrency = Number.POSITIVE_INFINITY }: QueueOptions): QueueShape {
  return Object.freeze({ share, maxConcurrency });
}

/** A map of the same keys. */
export function mapValues<V, W>(map: ReadonlyMap<string, V>, change: (value: V) => W): Map<string, W> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}
