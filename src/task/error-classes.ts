import type { MillraceErrorCode } from "../error-codes.js";
import * as errors from "../errors.js";
import * as storeErrors from "../store-errors.js";
import * as workerErrors from "../worker-errors.js";

/** What a field of an error of ours holds; with `?` it may be undefined. */
export type FieldKind = "text" | "text?" | "number" | "number?" | "issues";

/** A class of our catalogue, with what is checked of the fields before an error is made one of it again. */
export interface CatalogueClass {
  readonly type: ErrorPrototype;
  readonly fields: Readonly<Record<string, FieldKind>>;
}

/** What an error can be made one of: classes differ in what their constructors take. */
export interface ErrorPrototype {
  readonly prototype: Error;
}

const OF_TASK = { taskId: "text" } as const;
const OF_VALUE = { handler: "text", issues: "issues", omittedIssues: "number" } as const;

const CATALOGUE: Readonly<Record<MillraceErrorCode, CatalogueClass>> = {
  MILLRACE_INVARIANT: { type: errors.InvariantError, fields: {} },
  MILLRACE_OPTION: { type: errors.OptionError, fields: { option: "text" } },
  MILLRACE_NOT_ACCEPTING: { type: errors.NotAcceptingError, fields: {} },
  MILLRACE_QUEUE_FULL: { type: errors.QueueFullError, fields: { capacity: "number", taskId: "text?" } },
  MILLRACE_DUPLICATE_TASK: {
    type: errors.DuplicateTaskError,
    fields: { taskId: "text", idempotencyKey: "text?" },
  },
  MILLRACE_TASK_CANCELLED: { type: errors.TaskCancelledError, fields: OF_TASK },
  MILLRACE_TASK_TIMEOUT: { type: errors.TaskTimeoutError, fields: { ...OF_TASK, timeoutMs: "number" } },
  MILLRACE_TASK_FAILED: { type: errors.TaskFailedError, fields: OF_TASK },
  MILLRACE_DEADLINE: { type: errors.DeadlineError, fields: OF_TASK },
  MILLRACE_MANAGER_STOPPED: { type: errors.ManagerStoppedError, fields: OF_TASK },
  MILLRACE_RESULT_TIMEOUT: { type: errors.ResultTimeoutError, fields: { ...OF_TASK, timeoutMs: "number" } },
  MILLRACE_RESULT_EXPIRED: { type: errors.ResultExpiredError, fields: OF_TASK },
  MILLRACE_UNKNOWN_HANDLER: { type: errors.UnknownHandlerError, fields: { handler: "text" } },
  MILLRACE_PAYLOAD: { type: errors.PayloadError, fields: OF_VALUE },
  MILLRACE_ASYNC_SCHEMA: { type: errors.AsyncSchemaError, fields: { handler: "text" } },
  MILLRACE_RESULT: { type: errors.ResultError, fields: OF_VALUE },
  MILLRACE_SUBSCRIPTION_LIMIT: { type: errors.SubscriptionLimitError, fields: { limit: "number" } },
  MILLRACE_MIDDLEWARE: { type: errors.MiddlewareError, fields: { middleware: "text" } },
  MILLRACE_PEER_MISSING: { type: errors.PeerMissingError, fields: { peer: "text" } },
  MILLRACE_WORKER_EXIT: { type: workerErrors.WorkerExitError, fields: { ...OF_TASK, exitCode: "number?" } },
  MILLRACE_WORKER_OUT_OF_MEMORY: { type: workerErrors.WorkerOutOfMemoryError, fields: OF_TASK },
  MILLRACE_HANDLER_LOAD: { type: workerErrors.HandlerLoadError, fields: { handler: "text" } },
  MILLRACE_WORKER_START: { type: workerErrors.WorkerStartError, fields: {} },
  MILLRACE_BACKEND_MISSING: { type: storeErrors.BackendMissingError, fields: {} },
  MILLRACE_STORE_UNREACHABLE: { type: storeErrors.StoreUnreachableError, fields: {} },
  MILLRACE_STORE_FULL: { type: storeErrors.StoreFullError, fields: {} },
  MILLRACE_STORE_REFUSED: { type: storeErrors.StoreRefusedError, fields: {} },
  MILLRACE_LEASE_LOST: { type: storeErrors.LeaseLostError, fields: OF_TASK },
  MILLRACE_CRASH_LOOP: { type: storeErrors.CrashLoopError, fields: { ...OF_TASK, deliveries: "number" } },
};

/** Our classes by their codes. A Map, since codes come from outside: `constructor` must find nothing. */
export const CATALOGUE_CLASSES: ReadonlyMap<string, CatalogueClass> = new Map(Object.entries(CATALOGUE));

/** The classes of the language, each before those that it inherits from. */
export const BUILT_IN_CLASSES: ReadonlyMap<string, ErrorPrototype> = new Map<string, ErrorPrototype>([
  ["TypeError", TypeError],
  ["RangeError", RangeError],
  ["SyntaxError", SyntaxError],
  ["ReferenceError", ReferenceError],
  ["EvalError", EvalError],
  ["URIError", URIError],
  ["AggregateError", AggregateError],
  ["Error", Error],
]);

/** Whether it is an Error, of this realm or another. Whatever it is given, this does not throw. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
  } catch {
    return false;
  }
}
