import type { ObserverErrorOrigin } from "./observer-error.js";

/** What goes wrong without an event that tells of it. */
export type Mishap =
  /** A task was refused for want of room. */
  | { readonly type: "refused"; readonly queue: string; readonly handler: string | undefined }
  /** An observer threw or rejected. */
  | { readonly type: "observerFailed"; readonly error: unknown; readonly origin: ObserverErrorOrigin }
  /** Hook calls will not be made. */
  | { readonly type: "hookCallsDropped"; readonly count: number };
