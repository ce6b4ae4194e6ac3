import { type BackoffRule, backoffCheck } from "./backoff.js";
import * as check from "./checks.js";
import { type CheckedTaskOptions, refuseExclusive, TASK_CHECKS, type TaskOptions } from "./task-options.js";

/**
 * Options of one durable task. What would have to cross to another process, and cannot, is not among them: a
 * signal, an async context, a function as backoff.
 */
export interface DurableTaskOptions
  extends Omit<TaskOptions, "signal" | "context" | "transfer" | "backoff" | "id"> {
  /**
   * Your own id: 1 to 128 of `A-Z a-z 0-9 _ . : -`, unique in its queue; the task's id is `queue:id`.
   * Default: made up.
   */
  id?: string | undefined;
  /** The delay before a retry, as a rule. A function belongs into the handler's definition. */
  backoff?: BackoffRule | undefined;
  /**
   * Claims in a row that may end without a word from the process that made them, 1 to 1,000; one more makes
   * the task a dead letter, reason `crash-loop`. Default: the handler's, then 10.
   */
  maxDeliveries?: number | undefined;
  /** How long its outcome is kept for those who ask for it. Default: the handler's, then 600,000. */
  resultTtlMs?: number | undefined;
  /**
   * Whether it is kept as a dead letter when it has failed for good; after a crash loop it always is.
   * Default: the handler's, then true.
   */
  deadLetter?: boolean | undefined;
}

/** Options of a durable task after the door. */
export type CheckedDurableOptions = Omit<CheckedTaskOptions, "signal" | "context" | "transfer" | "backoff"> &
  Partial<{
    readonly backoff: BackoffRule;
    readonly maxDeliveries: number;
    readonly resultTtlMs: number;
    readonly deadLetter: boolean;
  }>;

/** A backoff that can be stored. */
export const backoffRuleCheck: check.Check<BackoffRule> = (value, path) => {
  if (typeof value === "function")
    throw check.expected(path, "a rule, such as fixed({ delayMs }); a function goes into the handler", value);
  return backoffCheck(value, path) as BackoffRule;
};

/** The checks of those options that only durable tasks have. */
export const DURABLE_CHECKS = {
  maxDeliveries: check.integer(1, 1_000),
  resultTtlMs: check.duration(0),
  deadLetter: check.flag,
};

const { signal: _signal, context: _context, transfer: _transfer, ...SHARED } = TASK_CHECKS;
const CHECKS = { ...SHARED, backoff: backoffRuleCheck, ...DURABLE_CHECKS } satisfies Record<
  keyof DurableTaskOptions,
  unknown
> as check.Checks<CheckedDurableOptions>;

const NOTHING: CheckedDurableOptions = Object.freeze({});

/**
 * Checks the options of one durable task.
 * @throws {OptionError}
 */
export function readDurableOptions(options: unknown): CheckedDurableOptions {
  if (options === undefined) return NOTHING;
  const read = check.readOptions<CheckedDurableOptions>("", options, CHECKS);
  refuseExclusive(read);
  return read;
}
