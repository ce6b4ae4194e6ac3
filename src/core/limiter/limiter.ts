import { OwnLimits } from "./own-limits.js";
import type { RateLimit } from "./rate-limit.js";
import { TokenBucket } from "./token-bucket.js";

/** The limits that hold from the start. */
export interface LimiterOptions {
  readonly shared: RateLimit;
  readonly queues?: ReadonlyMap<string, RateLimit> | undefined;
  readonly handlers?: ReadonlyMap<string, RateLimit> | undefined;
  /** Whether starts may come back with their permits. */
  readonly returnable?: boolean | undefined;
}

/** What took permits: a task, as far as limits go. */
export interface LimitedStart {
  readonly queue: string;
  readonly handler: string | undefined;
  readonly cost: number;
}

const NONE: ReadonlyMap<string, RateLimit> = new Map();

/**
 * What may start: one bucket that all tasks share, and one for each queue and each handler that has a limit
 * of its own. A start takes its permits from all that concern it, or from none.
 */
export class Limiter {
  readonly queues: OwnLimits;
  readonly handlers: OwnLimits;
  readonly shared: TokenBucket;
  #limit: RateLimit;

  constructor({ shared, queues = NONE, handlers = NONE, returnable }: LimiterOptions, now: number) {
    this.#limit = shared;
    this.shared = new TokenBucket(shared, now, returnable);
    this.queues = new OwnLimits(queues, now, returnable);
    this.handlers = new OwnLimits(handlers, now, returnable);
  }

  /** The shared limit. */
  get limit(): RateLimit {
    return this.#limit;
  }

  /** Permits that all tasks together could take now. */
  available(now: number): number {
    return this.shared.available(now);
  }

  /** The largest cost that a task of this queue, and of this handler, may have. */
  maxCost(queue: string, handler: string | undefined): number {
    const own = handler === undefined ? Number.POSITIVE_INFINITY : this.handlers.maxCost(handler);
    return Math.min(this.#limit.burst, this.queues.maxCost(queue), own);
  }

  /** How long until the shared bucket has this many permits; 0 when it has them. */
  sharedWaitMs(cost: number, now: number): number {
    return this.shared.waitMs(cost, now);
  }

  /** How long until a queue has this many, of its own and of the shared ones; 0 when it has them. */
  queueWaitMs(queue: string, cost: number, now: number): number {
    return Math.max(this.sharedWaitMs(cost, now), this.queues.waitMs(queue, cost, now));
  }

  /** Takes the permits of a start from all buckets that concern the task; all must have them. */
  take(queue: string, handler: string | undefined, cost: number, now: number): void {
    this.shared.start(cost, now);
    this.queues.start(queue, cost, now);
    if (handler !== undefined) this.handlers.start(handler, cost, now);
  }

  /** Takes back the permits of a start that did not come about. */
  giveBack({ queue, handler, cost }: LimitedStart, takenAt: number, now: number): void {
    this.shared.giveBack(cost, takenAt, now);
    this.queues.giveBack(queue, cost, takenAt, now);
    if (handler !== undefined) this.handlers.giveBack(handler, cost, takenAt, now);
  }

  setRate(limit: RateLimit, now: number): void {
    this.#limit = limit;
    this.shared.setRate(limit, now);
  }

  /** How long a handler's `rateLimited({ scope: "all" })` holds everything back, in milliseconds. */
  closedForMs(now: number): number {
    return this.shared.closedForMs(now);
  }

  /** Nothing takes a shared permit before that instant. */
  closeUntil(at: number): void {
    this.shared.closeUntil(at);
  }
}
