import { type Check, type Checks, expected, integer, rate, readOptions } from "./checks.js";

/** A limit on how fast tasks start. */
export interface RateLimitOptions {
  /** Permits per second, fractions included; `Infinity` for no limit. */
  tasksPerSecond: number;
  /** Permits that can be saved up, from 1 up. Default 1. */
  burst?: number | undefined;
}

const CHECKS: Checks<RateLimitOptions> = { tasksPerSecond: rate, burst: integer(1) };

/** A rate limit as an option: copied, frozen, and never without its rate. */
export const rateLimitCheck: Check<RateLimitOptions> = (value, path) => {
  const { tasksPerSecond, burst } = readOptions<RateLimitOptions>(path, value, CHECKS);
  if (tasksPerSecond === undefined) {
    throw expected(`${path}.tasksPerSecond`, "a number greater than 0", undefined);
  }
  return Object.freeze({ tasksPerSecond, burst });
};
