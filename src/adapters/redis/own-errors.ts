import { TaskCancelledError, withoutStack } from "../../errors.js";
import { CrashLoopError } from "../../store-errors.js";
import { toStoredError } from "../../task/stored-error.js";
import type { StoredError } from "../../task/stored-outcome.js";

/** For how long outcomes are kept of which nobody has said it: those that the store itself decides. */
export const OWN_RESULT_TTL_MS = 600_000;

/** In place of the deliveries, in a text where only a number can stand. */
const SOME_DELIVERIES = 987_654_321;

/** Errors with which scripts end tasks, of one queue. They put in what they alone know. */
export interface OwnErrors {
  /** With `@rest@`, and the number above. */
  readonly crashLoop: StoredError;
  /** With `@holder@` and `@by@`. */
  readonly replaced: StoredError;
}

export function ownErrors(queue: string): OwnErrors {
  const holder = `${queue}:@holder@`;
  const text = `Task ${holder} was replaced by ${queue}:@by@, which has the same idempotency key`;
  return {
    crashLoop: toStoredError(withoutStack(() => new CrashLoopError(`${queue}:@rest@`, SOME_DELIVERIES))),
    replaced: toStoredError(withoutStack(() => new TaskCancelledError(text, holder))),
  };
}
