import { type Check, type Checks, duration, expected, integer, oneOf, readOptions } from "./checks.js";

/**
 * What a call gets whose idempotency key is held by another task: a handle to that task (`"keep"`), its own
 * task in the place of that one, as long as that one waits (`"replace"`), or a DuplicateTaskError
 * (`"reject"`).
 */
export type OnDuplicate = "keep" | "replace" | "reject";

/**
 * What becomes of the key of a task that has failed for good: it is held as that of one that has completed
 * (`"hold"`), or free at once, as that of one that was cancelled (`"free"`).
 */
export type OnFailure = "hold" | "free";

/** How the idempotency key of a task is held. */
export interface IdempotencyOptions {
  /**
   * What this call gets when its key is held. Default `"keep"`. Where the task that holds it runs or has
   * ended, `"replace"` is as `"keep"`.
   */
  onDuplicate?: OnDuplicate | undefined;
  /**
   * How long the task of this call holds its key after its acceptance, and in any case while it is live;
   * milliseconds. 0: only while it is live. Default 86,400,000, a day.
   */
  ttlMs?: number | undefined;
  /**
   * What becomes of the key when the task of this call fails for good. Default `"hold"`: the work is not
   * tried again under this key before `ttlMs` is over. `"free"`: the next call with it tries again.
   */
  onFailure?: OnFailure | undefined;
}

/** What holds for the idempotency keys of all tasks that say nothing else, and how many keys are held. */
export interface ManagerIdempotencyOptions extends IdempotencyOptions {
  /**
   * At most so many keys; beyond that the key is forgotten whose task ended first. Those of live tasks are
   * held however many they are: `capacity` and `concurrency` bound them. Default 100,000.
   */
  maxKeys?: number | undefined;
}

/** The rules of a manager, complete. */
export interface IdempotencyRules {
  readonly onDuplicate: OnDuplicate;
  readonly ttlMs: number;
  readonly onFailure: OnFailure;
  readonly maxKeys: number;
}

const MAX_KEY_LENGTH = 512;
const CONTROL = /\p{Cc}/u;

const CHECKS: Checks<IdempotencyOptions> = {
  onDuplicate: oneOf<OnDuplicate>("keep", "replace", "reject"),
  ttlMs: duration(0),
  onFailure: oneOf<OnFailure>("hold", "free"),
};
const MANAGER_CHECKS: Checks<ManagerIdempotencyOptions> = { ...CHECKS, maxKeys: integer(0) };

export const idempotencyKeyCheck: Check<string> = (value, path) => {
  if (typeof value !== "string" || value === "" || value.length > MAX_KEY_LENGTH || CONTROL.test(value)) {
    throw expected(path, `1 to ${MAX_KEY_LENGTH} characters, none of them a control character`, value);
  }
  return value;
};

export const idempotencyCheck: Check<IdempotencyOptions> = (value, path) =>
  Object.freeze(readOptions<IdempotencyOptions>(path, value, CHECKS));

export const managerIdempotencyCheck: Check<ManagerIdempotencyOptions> = (value, path) =>
  Object.freeze(readOptions<ManagerIdempotencyOptions>(path, value, MANAGER_CHECKS));

/** The rules of a manager: what its options say, then the built-in ones. */
export function toIdempotencyRules(said: ManagerIdempotencyOptions = {}): IdempotencyRules {
  return Object.freeze({
    onDuplicate: said.onDuplicate ?? "keep",
    ttlMs: said.ttlMs ?? 86_400_000,
    onFailure: said.onFailure ?? "hold",
    maxKeys: said.maxKeys ?? 100_000,
  });
}
