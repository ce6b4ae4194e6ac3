import { withoutStack } from "../../errors.js";
import type { StoredError, StoredOutcome } from "../../task/stored-outcome.js";
import { toEnvelope } from "../../task/to-envelope.js";

/** How long outcomes are kept of which nobody has said it: those that the store itself decides. */
export const DEFAULT_RESULT_TTL_MS = 600_000;

/** An error of our own as the store keeps it. */
export function toStoredError(create: () => Error): StoredError {
  return JSON.stringify(toEnvelope(withoutStack(create)));
}

export function failed(reason: string, error: StoredError, charged: boolean): StoredOutcome {
  return { state: "failed", reason, value: undefined, error, charged };
}

export function cancelled(error: StoredError): StoredOutcome {
  return { state: "cancelled", reason: "cancelled", value: undefined, error, charged: false };
}
