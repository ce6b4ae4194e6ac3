import { findCause } from "./causes.js";
import { type Checks, duration, expected, oneOf, readOptions } from "./checks.js";

/**
 * What a handler throws to say how its task goes on, instead of failing. Thrown as it is or as the `cause`
 * of another error; where it is returned, it is taken as thrown.
 */
export type Steering = Reschedule | SkipRetry | CancelTask | RateLimited;

/**
 * What all steering has in common. It is an Error, since linters want nothing else to be thrown. Frozen,
 * since what it says was checked when it was made and is not checked again.
 */
abstract class SteeringSignal extends Error {
  abstract readonly steering: "reschedule" | "skip-retry" | "cancel-task" | "rate-limited";
  readonly #made = true;

  /** Not so for a proxy of one, or an object that was only given the prototype. */
  static isMade(value: object): value is Steering {
    return #made in value;
  }
}

/** Made by `reschedule`. */
export class Reschedule extends SteeringSignal {
  readonly steering = "reschedule";
  readonly delayMs: number;

  constructor(delayMs: number) {
    super(`the handler asked to run again in ${delayMs} ms`);
    this.delayMs = delayMs;
    Object.freeze(this);
  }
}

/** Made by `skipRetry`. */
export class SkipRetry extends SteeringSignal {
  readonly steering = "skip-retry";

  constructor(cause: unknown) {
    super("the handler asked not to be tried again", { cause });
    Object.freeze(this);
  }
}

/** Made by `cancelTask`. */
export class CancelTask extends SteeringSignal {
  readonly steering = "cancel-task";
  readonly reason: unknown;

  constructor(reason: unknown) {
    super("the handler cancelled its own task");
    this.reason = reason;
    Object.freeze(this);
  }
}

/** Made by `rateLimited`. */
export class RateLimited extends SteeringSignal {
  readonly steering = "rate-limited";
  readonly retryAfterMs: number;
  readonly scope: RateLimitScope;

  constructor(retryAfterMs: number, scope: RateLimitScope) {
    super(`the handler met a rate limit and may try again in ${retryAfterMs} ms`);
    this.retryAfterMs = retryAfterMs;
    this.scope = scope;
    Object.freeze(this);
  }
}

/** Whom a met rate limit holds back: this handler alone, or every start of the manager. */
export type RateLimitScope = "handler" | "all";

/** When a task is to run again that asks for it. */
export interface RescheduleOptions {
  /** How long to wait before the task runs again, in milliseconds. Default 0. */
  delayMs?: number | undefined;
}

/** How long the other side wants to be left alone, and who is to leave it alone. */
export interface RateLimitedOptions {
  /** How long the other side wants to be left alone, in milliseconds. */
  retryAfterMs: number;
  /**
   * `"handler"` (default) closes the gate of the handler; a plain function has none, so its task alone waits.
   * `"all"` closes the shared limiter: nothing starts until then.
   */
  scope?: RateLimitScope | undefined;
}

const RESCHEDULE: Checks<RescheduleOptions> = { delayMs: duration(0) };
const RATE_LIMITED: Checks<RateLimitedOptions> = {
  retryAfterMs: duration(0),
  scope: oneOf<RateLimitScope>("handler", "all"),
};

/**
 * Throw it to run again after `delayMs`; no attempt is used.
 * @throws {OptionError}
 */
export function reschedule(options?: RescheduleOptions): Reschedule {
  return new Reschedule(readOptions<RescheduleOptions>("", options, RESCHEDULE).delayMs ?? 0);
}

/** Throw it to fail at once with `cause`, however many attempts are left. */
export function skipRetry(cause?: unknown): SkipRetry {
  return new SkipRetry(cause);
}

/** Throw it to cancel the task from inside; `reason` becomes the cause of its TaskCancelledError. */
export function cancelTask(reason?: unknown): CancelTask {
  return new CancelTask(reason);
}

/**
 * Throw it when a service answers "too many requests": the task runs again after `retryAfterMs`, no attempt
 * used.
 * @throws {OptionError}
 */
export function rateLimited(options: RateLimitedOptions): RateLimited {
  const { retryAfterMs, scope = "handler" } = readOptions<RateLimitedOptions>("", options, RATE_LIMITED);
  if (retryAfterMs === undefined) throw expected("retryAfterMs", "a number of milliseconds", undefined);
  return new RateLimited(retryAfterMs, scope);
}

/** Whether a value, or a cause in its chain, is what `reschedule` returns; also from another thread. */
export const isReschedule = (thrown: unknown): boolean => findSteering(thrown)?.steering === "reschedule";
/** The same for `skipRetry`. */
export const isSkipRetry = (thrown: unknown): boolean => findSteering(thrown)?.steering === "skip-retry";
/** The same for `cancelTask`. */
export const isCancelTask = (thrown: unknown): boolean => findSteering(thrown)?.steering === "cancel-task";
/** The same for `rateLimited`. */
export const isRateLimited = (thrown: unknown): boolean => findSteering(thrown)?.steering === "rate-limited";

/** Whether a handler has returned what it was to throw: then it is taken as thrown. */
export function isSteering(returned: unknown): returned is Steering {
  return typeof returned === "object" && returned !== null && SteeringSignal.isMade(returned);
}

/** The steering in what was thrown or in its chain of causes. Whatever was thrown, this does not throw. */
export function findSteering(thrown: unknown): Steering | undefined {
  return findCause(thrown, SteeringSignal.isMade);
}
