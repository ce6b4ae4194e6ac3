import { type RateLimit, UNLIMITED } from "./rate-limit.js";
import { TokenBucket } from "./token-bucket.js";

/** Limits by name, of queues or of handlers; what is not named has none. */
export class OwnLimits {
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #limits = new Map<string, RateLimit>();
  readonly #returnable: boolean;

  constructor(limits: ReadonlyMap<string, RateLimit>, now: number, returnable = false) {
    this.#returnable = returnable;
    for (const [name, limit] of limits) this.set(name, limit, now);
  }

  get(name: string): RateLimit | undefined {
    return this.#limits.get(name);
  }

  /** The bucket of a limit; undefined where there is none. */
  bucket(name: string): TokenBucket | undefined {
    return this.#limits.has(name) ? this.#buckets.get(name) : undefined;
  }

  /** The largest cost that a start under this name may have. */
  maxCost(name: string): number {
    return this.#limits.get(name)?.burst ?? Number.POSITIVE_INFINITY;
  }

  /** How long until its bucket has this many permits; 0 when it has them. */
  waitMs(name: string, cost: number, now: number): number {
    if (this.#buckets.size === 0) return 0;
    return this.#buckets.get(name)?.waitMs(cost, now) ?? 0;
  }

  /** Whether a start that comes as late as usual timers do costs permits. */
  isTight(name: string, cost: number): boolean {
    return this.#buckets.get(name)?.isTight(cost) ?? false;
  }

  /** Whether too much of its rate is lost where each start is so late. */
  losesBy(name: string, lateMs: number, cost: number): boolean {
    return this.#buckets.get(name)?.losesBy(lateMs, cost) ?? false;
  }

  /** How many permits its bucket has; Infinity where nothing limits it. */
  available(name: string, now: number): number {
    return this.#buckets.get(name)?.available(now) ?? Number.POSITIVE_INFINITY;
  }

  /** Takes permits for an attempt that starts now. */
  start(name: string, cost: number, now: number): void {
    if (this.#buckets.size > 0) this.#buckets.get(name)?.start(cost, now);
  }

  giveBack(name: string, cost: number, takenAt: number, now: number): void {
    this.#buckets.get(name)?.giveBack(cost, takenAt, now);
  }

  /** Sets a limit, and undoes `closeUntil`; one that is none is forgotten. */
  set(name: string, limit: RateLimit, now: number): void {
    if (limit.tasksPerSecond === Number.POSITIVE_INFINITY) {
      this.#limits.delete(name);
      this.#buckets.delete(name);
      return;
    }
    this.#limits.set(name, limit);
    const bucket = this.#bucket(name, limit, now);
    bucket.setRate(limit, now);
    bucket.reopen();
  }

  /** How long `closeUntil` holds this name back, in milliseconds. */
  closedForMs(name: string, now: number): number {
    return this.#buckets.get(name)?.closedForMs(now) ?? 0;
  }

  /** Whether `closeUntil` holds any name back. */
  closesAny(now: number): boolean {
    for (const bucket of this.#buckets.values()) if (bucket.closedForMs(now) > 0) return true;
    return false;
  }

  /** Gives out nothing under this name before that instant, whether it has a limit or not. */
  closeUntil(name: string, at: number, now: number): void {
    this.#bucket(name, UNLIMITED, now).closeUntil(at);
  }

  #bucket(name: string, limit: RateLimit, now: number): TokenBucket {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = new TokenBucket(limit, now, this.#returnable);
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }
}
