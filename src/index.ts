/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export {
  type CircuitBreakerOptions,
  type CircuitScope,
  circuitBreaker,
} from "./adapters/circuit-breaker/circuit-breaker.js";
export type { TracedAttempt, TracedTask } from "./adapters/diagnostics/traced.js";
export {
  type HealthAnswer,
  type HealthHandlerOptions,
  type HealthReason,
  healthHandler,
} from "./adapters/http/health-handler.js";
export { type LoggingOptions, logging } from "./adapters/logging/logging.js";
export {
  type MemoryBackend,
  type MemoryBackendOptions,
  type MemoryDeadLetterOptions,
  memoryBackend,
} from "./adapters/memory/memory-backend.js";
export { type StopOnSignalsOptions, stopOnSignals } from "./adapters/system/stop-on-signals.js";
export type {
  ConcurrencyOptions,
  DrainOptions,
  PauseOptions,
  RateOptions,
  ResumeOptions,
  ThreadSizeOptions,
} from "./core/manager/controls.js";
export type {
  DeadLetterFilter,
  DeadLetterSelection,
  ReplayReport,
} from "./core/manager/durable/dead-letter-selection.js";
export type { DurableHandle } from "./core/manager/durable/durable-handle.js";
export type {
  QueueOptions,
  RetentionOptions,
  TaskManagerOptions,
} from "./core/manager/options.js";
export type { StopOptions, StopReport } from "./core/manager/shutdown.js";
export type {
  DurableEntry,
  DurableHandlesOf,
  HandlesOf,
  TaskEntry,
} from "./core/manager/task-entries.js";
export type { TaskFilter } from "./core/manager/task-filter.js";
export type { ResultOptions, TaskHandle } from "./core/manager/task-handle.js";
export type { MillraceErrorCode } from "./error-codes.js";
export {
  AsyncSchemaError,
  DeadlineError,
  DuplicateTaskError,
  InvariantError,
  type IssueList,
  ManagerStoppedError,
  MiddlewareError,
  MillraceError,
  NotAcceptingError,
  OptionError,
  PayloadError,
  PeerMissingError,
  QueueFullError,
  ResultError,
  ResultExpiredError,
  ResultTimeoutError,
  SubscriptionLimitError,
  TaskCancelledError,
  TaskError,
  TaskFailedError,
  TaskTimeoutError,
  UnknownHandlerError,
  ValueError,
  type ValueIssue,
} from "./errors.js";
export type {
  Ack,
  Backend,
  CancelAnswer,
  Cancellation,
  ClaimAnswer,
  ClaimableHandler,
  ClaimedTask,
  ClaimRequest,
  CrashedTask,
  DeadLetter,
  EnqueueAnswer,
  ExtendAnswer,
  Extension,
  IdempotencyClaim,
  Lease,
  Nack,
  NackKind,
  NewTask,
} from "./ports/backend.js";
export type {
  BackendInspector,
  HeldDeadLetter,
  QueueCounts,
  ReadOptions,
  ReplayAnswer,
  ReplayRequest,
  StoredPlace,
  StoredTask,
} from "./ports/backend-inspector.js";
export type { BackendSignals, SignalListener } from "./ports/backend-signals.js";
export type { Clock, Timer } from "./ports/clock.js";
export type {
  BackendRenewer,
  LeaseNeed,
  LeaseRenewal,
  RenewalListener,
  RenewalOptions,
  RenewedLease,
} from "./ports/lease-renewal.js";
export type { BackendLog, LogFields, Logger, LogLevel } from "./ports/logger.js";
export type { Random } from "./ports/random.js";
export {
  BackendMissingError,
  CrashLoopError,
  LeaseLostError,
  StoreFullError,
  StoreRefusedError,
  StoreUnreachableError,
} from "./store-errors.js";
export {
  type Backoff,
  type BackoffInput,
  type BackoffRule,
  type ExponentialBackoffOptions,
  exponential,
  type FixedBackoffOptions,
  fixed,
  type Jitter,
  type LinearBackoffOptions,
  linear,
} from "./task/backoff.js";
export { type Codec, type CodecOptions, type CodecPart, defineCodec } from "./task/codec.js";
export type { DeadLetteredDetails } from "./task/dead-lettered-details.js";
export type {
  DeadLetterReason,
  DurableStats,
  DurableTally,
  StoreCall,
  StoreCallStats,
} from "./task/durable-stats.js";
export type { DurableTaskOptions } from "./task/durable-task-options.js";
export type { TaskTally } from "./task/group-tally.js";
export type { HandlerDefaults, HandlerEntry } from "./task/handler-definition.js";
export type { AnyHandlers, Handlers } from "./task/handler-registry.js";
export type { HandlerNames, PayloadInputOf, ResultOfHandler } from "./task/handler-types.js";
export { combineHandlers, defineHandlers, handlerEntries } from "./task/handlers.js";
export type {
  Hooks,
  RescheduledDetails,
  ResultDroppedDetails,
  RetriedDetails,
  StoppingDetails,
  StoreLostDetails,
} from "./task/hooks.js";
export type { IdempotencyOptions, ManagerIdempotencyOptions, OnDuplicate } from "./task/idempotency.js";
export { type JsonShape, type JsonValue, json } from "./task/json.js";
export type {
  GateStats,
  HandlerStats,
  HealthConcern,
  IdempotencyStats,
  LaneStats,
  LimiterStats,
  Phase,
  QueueStats,
  RetainedValueStats,
  SubscriptionStats,
  TaskManagerHealth,
  TaskManagerStats,
  ThreadStats,
} from "./task/manager-stats.js";
export type { TaskMetadata } from "./task/metadata.js";
export type {
  AttemptMiddleware,
  CallMiddleware,
  CallRequest,
  Middleware,
  MiddlewareEntry,
  RequestedTask,
  WrappedCall,
} from "./task/middleware.js";
export type { ObserverErrorOrigin, ObserverErrorReporter, ObserverSource } from "./task/observer-error.js";
export type { RateLimitOptions } from "./task/rate-limit.js";
export type { InputOf, OutputOf, Schema, SchemaIssue, SchemaResult } from "./task/schema.js";
export type { TaskReason, TaskState, TerminalState } from "./task/states.js";
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
} from "./task/steering.js";
export type { StoredError, StoredOutcome } from "./task/stored-outcome.js";
export type { Overflow, ResultTally, SubscribeOptions, Subscription } from "./task/subscription.js";
export type { EnqueuedTask, EnqueueFromHandler, TaskContext, TaskFunction } from "./task/task-context.js";
export type { TaskLocals } from "./task/task-locals.js";
export type { TaskOptions } from "./task/task-options.js";
export type { TaskResult, TaskResultOf } from "./task/task-result.js";
export type { TaskSnapshot } from "./task/task-snapshot.js";
export { type ThreadModule, threadModule } from "./task/thread-module.js";
export type { ThreadOptions, ThreadResourceLimits } from "./task/thread-options.js";
export type {
  LateFaultDetails,
  WorkerDetails,
  WorkerExitedDetails,
  WorkerExitReason,
  WorkerStartedDetails,
} from "./task/worker-details.js";
export { TaskManager } from "./task-manager.js";
export {
  HandlerLoadError,
  WorkerExitError,
  WorkerOutOfMemoryError,
  WorkerStartError,
} from "./worker-errors.js";
