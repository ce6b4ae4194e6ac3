import { StoreFullError, StoreRefusedError, StoreUnreachableError } from "../../store-errors.js";

/** What follows from an error of Redis. */
export interface FailureRule {
  /** What the caller gets. `retry`: the same call may succeed later. */
  readonly kind: "retry" | "full" | "refused";
  /** Whether another connection may do better than this one. */
  readonly reconnects: boolean;
}

const RETRY: FailureRule = { kind: "retry", reconnects: false };
const ELSEWHERE: FailureRule = { kind: "retry", reconnects: true };
const REFUSED: FailureRule = { kind: "refused", reconnects: false };

/** By the code with which the error of a server begins. What is not named here may succeed later. */
const RULES: Readonly<Record<string, FailureRule>> = {
  __proto__: null as never,
  // A replica, or a master that is one no more: the connection leads to the wrong server.
  READONLY: ELSEWHERE,
  MASTERDOWN: ELSEWHERE,
  UNBLOCKED: ELSEWHERE,
  // It starts, saves, waits for its replicas, or runs a script of somebody else.
  LOADING: RETRY,
  BUSY: RETRY,
  NOREPLICAS: RETRY,
  MISCONF: RETRY,
  TRYAGAIN: RETRY,
  CLUSTERDOWN: RETRY,
  ASK: ELSEWHERE,
  MOVED: ELSEWHERE,
  // It was told to forget its scripts, and again between two calls.
  NOSCRIPT: RETRY,
  OOM: { kind: "full", reconnects: false },
  NOAUTH: REFUSED,
  NOPERM: REFUSED,
  WRONGPASS: REFUSED,
  DENIED: REFUSED,
  CROSSSLOT: REFUSED,
  NOPROTO: REFUSED,
};

/** What a script meets that runs for a user who may not do all of it. Some versions give it no code. */
const DENIED_IN_SCRIPT = /The user executing the script can't|ACL failure in script/;

/** The code of an error that a server sent, or nothing where it was met on the way. */
export function failureCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return error.message.match(/^-?([A-Z][A-Z0-9]+)(?=[\s:]|$)/)?.[1];
}

export function failureRule(error: unknown): FailureRule {
  const code = failureCode(error);
  const known = code === undefined ? undefined : RULES[code];
  if (known !== undefined) return known;
  return error instanceof Error && DENIED_IN_SCRIPT.test(error.message) ? REFUSED : RETRY;
}

/**
 * The error of ours for whatever a call met. It says the code alone: what a server wrote may hold arguments
 * of the command, and is in `cause`.
 */
export function toStoreError(error: unknown): Error {
  if (error instanceof StoreUnreachableError || error instanceof StoreRefusedError) return error;
  const code = failureCode(error);
  const told = code === undefined ? "" : ` (${code})`;
  const cause = withoutCommand(error);
  switch (failureRule(error).kind) {
    case "full":
      return new StoreFullError(`Redis has no memory left for this${told}`, { cause });
    case "refused":
      return new StoreRefusedError(`Redis refuses what Millrace needs${told}`, { cause });
    case "retry":
      return new StoreUnreachableError(`Redis did not do what it was asked${told}`, { cause });
  }
}

/**
 * An error of ioredis carries its command, with the payload, or the password, among the arguments; and Redis
 * repeats those of a command that it does not know.
 */
function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  Reflect.deleteProperty(error, "command");
  const told = error.message.search(/, with args beginning with:/);
  return told === -1 ? error : new Error(error.message.slice(0, told));
}
