import type { StoreCall } from "./durable-stats.js";
import type { ObserverErrorOrigin } from "./observer-error.js";
import type { Task } from "./task.js";

/** What goes wrong without an event that tells of it. */
export type Mishap =
  /** A task was refused for want of room. */
  | { readonly type: "refused"; readonly queue: string; readonly handler: string | undefined }
  /** An observer threw or rejected. */
  | { readonly type: "observerFailed"; readonly error: unknown; readonly origin: ObserverErrorOrigin }
  /** A task of this process failed for good, and nobody was waiting for its result. */
  | { readonly type: "failed"; readonly task: Task }
  /** A durable task went to a queue that nothing names here, where all that is named is consumed. */
  | { readonly type: "notConsumed"; readonly queue: string; readonly handler: string }
  /** Hook calls will not be made. */
  | { readonly type: "hookCallsDropped"; readonly count: number }
  /** The store did not do what it was asked. */
  | { readonly type: "storeFailed"; readonly call: StoreCall; readonly error: unknown }
  /** No call to the store is failing any more. */
  | { readonly type: "storeRecovered" };
