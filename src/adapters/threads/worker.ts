/// <reference types="node" preserve="true" />
// Those that a handler may meet there, and throw.
export {
  AsyncSchemaError,
  DeadlineError,
  DuplicateTaskError,
  ManagerStoppedError,
  MillraceError,
  NotAcceptingError,
  OptionError,
  PayloadError,
  QueueFullError,
  TaskCancelledError,
  TaskError,
  TaskTimeoutError,
  UnknownHandlerError,
} from "../../errors.js";
export { BackendMissingError, LeaseLostError } from "../../store-errors.js";
export { type Codec, type CodecOptions, type CodecPart, defineCodec } from "../../task/codec.js";
export {
  type CancelTask,
  cancelTask,
  isCancelTask,
  isRateLimited,
  isReschedule,
  isSkipRetry,
  type RateLimited,
  type RateLimitedOptions,
  type RateLimitScope,
  type Reschedule,
  type RescheduleOptions,
  rateLimited,
  reschedule,
  type SkipRetry,
  skipRetry,
} from "../../task/steering.js";
export type { EnqueueFromHandler, TaskContext } from "../../task/task-context.js";
export type { TaskLocals } from "../../task/task-locals.js";
export { serveHandlers, type ThreadFunction } from "./inside/served-handlers.js";
export { withCodec } from "./inside/with-codec.js";
export { workerData } from "./inside/worker-value.js";
