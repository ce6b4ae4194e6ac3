import { TokenBucket } from "./token-bucket.js";

/** A rate with its burst, both resolved. `tasksPerSecond: Infinity` is no limit. */
export interface RateLimit {
  /** Permits per second, fractions included. */
  readonly tasksPerSecond: number;
  /** Permits that can be saved up, and the largest cost that one start may have. */
  readonly burst: number;
}

export const UNLIMITED: RateLimit = Object.freeze({
  tasksPerSecond: Number.POSITIVE_INFINITY,
  burst: Number.POSITIVE_INFINITY,
});

/** What may start: one bucket that all tasks share, and one for each queue that has a limit of its own. */
export class Limiter {
  readonly #shared: TokenBucket;
  readonly #queues = new Map<string, TokenBucket>();
  readonly #limits = new Map<string, RateLimit>();
  #limit: RateLimit;

  constructor(limit: RateLimit, queues: ReadonlyMap<string, RateLimit>, now: number) {
    this.#limit = limit;
    this.#shared = new TokenBucket(limit, now);
    for (const [queue, own] of queues) this.setQueueRate(queue, own, now);
  }

  /** The shared limit. */
  get limit(): RateLimit {
    return this.#limit;
  }

  /** The limit of a queue's own, if it has one. */
  queueLimit(queue: string): RateLimit | undefined {
    return this.#limits.get(queue);
  }

  /** Permits that all tasks together could take now. */
  available(now: number): number {
    return this.#shared.available(now);
  }

  /** The largest cost that a task of this queue may have. */
  maxCost(queue: string): number {
    return Math.min(this.#limit.burst, this.#limits.get(queue)?.burst ?? Number.POSITIVE_INFINITY);
  }

  /** How long until the shared bucket has this many permits; 0 when it has them. */
  sharedWaitMs(cost: number, now: number): number {
    return this.#shared.waitMs(cost, now);
  }

  /** The same for the queue's own bucket. */
  queueWaitMs(queue: string, cost: number, now: number): number {
    if (this.#queues.size === 0) return 0;
    return this.#queues.get(queue)?.waitMs(cost, now) ?? 0;
  }

  /** Takes permits from both buckets; both must have them. */
  take(queue: string, cost: number, now: number): void {
    this.#shared.take(cost, now);
    if (this.#queues.size > 0) this.#queues.get(queue)?.take(cost, now);
  }

  setRate(limit: RateLimit, now: number): void {
    this.#limit = limit;
    this.#shared.setRate(limit, now);
  }

  /** A limit of its own for a queue; one without a limit is forgotten. */
  setQueueRate(queue: string, limit: RateLimit, now: number): void {
    if (limit.tasksPerSecond === Number.POSITIVE_INFINITY) {
      this.#limits.delete(queue);
      this.#queues.delete(queue);
      return;
    }
    this.#limits.set(queue, limit);
    const bucket = this.#queues.get(queue);
    if (bucket === undefined) this.#queues.set(queue, new TokenBucket(limit, now));
    else bucket.setRate(limit, now);
  }

  /** How long a handler's `rateLimited({ scope: "all" })` holds everything back, in milliseconds. */
  closedForMs(now: number): number {
    return this.#shared.closedForMs(now);
  }

  /** Nothing takes a shared permit before that instant. */
  closeUntil(at: number): void {
    this.#shared.closeUntil(at);
  }
}
