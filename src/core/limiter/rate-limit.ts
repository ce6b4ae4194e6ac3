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
