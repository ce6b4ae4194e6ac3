import { withoutStack } from "../../errors.js";
import { toStoredError } from "../../task/stored-error.js";
import type { StoredError, StoredOutcome } from "../../task/stored-outcome.js";

/** How long outcomes are kept of which nobody has said it: those that the store itself decides. */
export const DEFAULT_RESULT_TTL_MS = 600_000;

/** An error of our own as the store keeps it. */
export function toOwnError(create: () => Error): StoredError {
  return toStoredError(withoutStack(create));
}

export function failed(reason: string, error: StoredError, charged: boolean): StoredOutcome {
  return { state: "failed", reason, value: undefined, error, charged };
}

export function cancelled(error: StoredError): StoredOutcome {
  return { state: "cancelled", reason: "cancelled", value: undefined, error, charged: false };
}
