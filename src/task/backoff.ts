import { OptionError } from "../errors.js";
import { type Check, type Checks, duration, expected, oneOf, readOptions } from "./checks.js";
import type { TaskSnapshot } from "./task-snapshot.js";

/** The random part of a delay: none, or anywhere between nothing and the whole delay ("full jitter"). */
export type Jitter = "none" | "full";

/** What a backoff of your own is given after a failed attempt. */
export interface BackoffInput {
  /** The attempt that failed, the first being 1. */
  readonly attempt: number;
  readonly error: Error;
  readonly task: TaskSnapshot;
}

/**
 * The rule for the delay before a retry: one of the three built-in ones, or a function that gives
 * milliseconds.
 */
export type Backoff = BackoffRule | ((input: BackoffInput) => number);

/** A built-in rule as plain data: `exponential`, `linear` and `fixed` make one. */
export interface BackoffRule {
  readonly kind: "exponential" | "linear" | "fixed";
  readonly delayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
  readonly jitter: Jitter;
}

/** The same delay before every retry. */
export interface FixedBackoffOptions {
  /** The delay before each retry, in milliseconds. Default 1,000. */
  delayMs?: number | undefined;
  /** Default `"none"`. */
  jitter?: Jitter | undefined;
}

/** A delay that grows by the same amount from retry to retry. */
export interface LinearBackoffOptions extends FixedBackoffOptions {
  /** No delay is longer than this, in milliseconds. Default 60,000. */
  maxDelayMs?: number | undefined;
}

/** A delay that grows by the same factor from retry to retry, with a random part. */
export interface ExponentialBackoffOptions {
  /** The delay before the first retry, in milliseconds. Default 1,000. */
  delayMs?: number | undefined;
  /** What each further delay is multiplied by, 1 or more. Default 2. */
  factor?: number | undefined;
  /** No delay is longer than this, in milliseconds. Default 60,000. */
  maxDelayMs?: number | undefined;
  /**
   * Default `"full"`: retries of many tasks that failed at once spread out instead of coming back at once.
   */
  jitter?: Jitter | undefined;
}

const MAX_FACTOR = 1_000;
const jitter = oneOf<Jitter>("none", "full");
const factor: Check<number> = (value, path) => {
  if (typeof value !== "number" || !(value >= 1 && value <= MAX_FACTOR)) {
    throw expected(path, `a number from 1 to ${MAX_FACTOR}`, value);
  }
  return value;
};
const CHECKS: Checks<ExponentialBackoffOptions> = {
  delayMs: duration(0),
  factor,
  maxDelayMs: duration(0),
  jitter,
};
const RULE_CHECKS: Checks<BackoffRule> = {
  kind: oneOf<BackoffRule["kind"]>("exponential", "linear", "fixed"),
  delayMs: duration(0),
  factor,
  maxDelayMs: duration(0),
  jitter,
};

/**
 * The same delay before each retry.
 * @throws {OptionError}
 */
export function fixed(options?: FixedBackoffOptions): BackoffRule {
  const { factor: _factor, maxDelayMs: _max, ...checks } = CHECKS;
  const { delayMs = 1_000, jitter = "none" } = readOptions<FixedBackoffOptions>("", options, checks);
  return Object.freeze({ kind: "fixed", delayMs, factor: 1, maxDelayMs: delayMs, jitter });
}

/**
 * `delayMs`, then twice that, then three times that, up to `maxDelayMs`.
 * @throws {OptionError}
 */
export function linear(options?: LinearBackoffOptions): BackoffRule {
  const { factor: _factor, ...checks } = CHECKS;
  const read = readOptions<LinearBackoffOptions>("", options, checks);
  const { delayMs = 1_000, maxDelayMs = 60_000, jitter = "none" } = read;
  return Object.freeze({ kind: "linear", delayMs, factor: 1, maxDelayMs, jitter });
}

/**
 * `delayMs × factor^(attempt - 1)` up to `maxDelayMs`, with full jitter: a uniform draw from nothing to that.
 * The formula is that of "Exponential Backoff And Jitter", Marc Brooker, AWS Architecture Blog, 2015.
 * @throws {OptionError}
 */
export function exponential(options?: ExponentialBackoffOptions): BackoffRule {
  const read = readOptions<ExponentialBackoffOptions>("", options, CHECKS);
  const { delayMs = 1_000, factor = 2, maxDelayMs = 60_000, jitter = "full" } = read;
  return Object.freeze({ kind: "exponential", delayMs, factor, maxDelayMs, jitter });
}

/** Given without a call, each would be taken for a function that gives milliseconds, and fail at a retry. */
const MAKERS: readonly ((options?: never) => BackoffRule)[] = [fixed, linear, exponential];

/** A backoff as an option: a function, or a rule that `fixed`, `linear` or `exponential` made. */
export const backoffCheck: Check<Backoff> = (value, path) => {
  const maker = MAKERS.find((make) => make === value);
  if (maker !== undefined) throw expected(path, `a call, ${maker.name}()`, value);
  if (typeof value === "function") return value as Backoff;
  const isRule = typeof value === "object" && value !== null && "kind" in value;
  if (!isRule) throw expected(path, "fixed(), linear(), exponential() or a function", value);
  const rule = readOptions<BackoffRule>(path, value, RULE_CHECKS);
  for (const name of Object.keys(RULE_CHECKS)) {
    if (!Object.hasOwn(rule, name)) throw expected(`${path}.${name}`, "given", undefined);
  }
  return Object.freeze(rule) as BackoffRule;
};

/** What a delay is worked out from. */
export interface DelayInput {
  readonly attempt: number;
  readonly error: Error;
  /** Pictures the task; called only for a backoff of the user's. */
  readonly snapshot: () => TaskSnapshot;
}

/**
 * The delay before the retry that follows `input.attempt`, in milliseconds.
 * @param random draws from 0 up to 1, for the jitter
 * @throws {OptionError} when a backoff of the user's gives no duration, or throws. Its `cause` is why the
 *   attempt failed, or an AggregateError of what was thrown and that
 */
export function backoffDelayMs(backoff: Backoff, input: DelayInput, random: () => number): number {
  if (typeof backoff === "function") return ownDelayMs(backoff, input);
  const delayMs = Math.min(backoff.maxDelayMs, growth(backoff, input.attempt));
  return backoff.jitter === "full" ? delayMs * random() : delayMs;
}

function growth(rule: BackoffRule, attempt: number): number {
  switch (rule.kind) {
    case "fixed":
      return rule.delayMs;
    case "linear":
      return rule.delayMs * attempt;
    case "exponential":
      // 0 × Infinity is NaN: a delay of nothing stays nothing however often it grows.
      return rule.delayMs === 0 ? 0 : rule.delayMs * rule.factor ** (attempt - 1);
  }
}

function ownDelayMs(backoff: (input: BackoffInput) => number, input: DelayInput): number {
  const { attempt, error } = input;
  let delayMs: number;
  try {
    delayMs = backoff({ attempt, error, task: input.snapshot() });
  } catch (thrown) {
    const cause = new AggregateError([thrown, error], "What it threw, and why the attempt had failed");
    throw new OptionError("backoff", "The function given as `backoff` threw", { cause });
  }
  try {
    return duration(0)(delayMs, "backoff()");
  } catch (refused) {
    const { message } = refused as OptionError;
    throw new OptionError("backoff", message, { cause: error });
  }
}
