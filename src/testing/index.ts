/// <reference types="node" preserve="true" />
/** What users test with: `import { createTestManager, ManualClock } from "millrace/testing"`. */

export type {
  AttemptFollower,
  Executor,
  PoolHost,
  PoolSize,
  RunnableAttempt,
  WorkerPool,
} from "../ports/executor.js";
export type { Outcome } from "../task/outcome.js";
export type { HandlerCall, Work } from "../task/work.js";
export { backendConformance } from "./conformance/backend/backend-conformance.js";
export type { BackendSubject, StoreLimits, StoreSubject } from "./conformance/backend/backend-subject.js";
export type { ConformanceCase } from "./conformance/conformance-case.js";
export {
  conformanceHandlers,
  conformanceModule,
  executorConformance,
} from "./conformance/executor-conformance.js";
export type { ExecutorSubject } from "./conformance/executor-subject.js";
export type {
  EnqueuedFilter,
  EnqueuedTask,
  EnqueuedTaskOf,
  PayloadMatch,
} from "./enqueued-task.js";
export { ManualClock, type ManualClockOptions } from "./manual-clock.js";
export type { RunHandlerOptions } from "./run-handler.js";
export { seededRandom } from "./seeded-random.js";
export {
  createTestManager,
  type RequireEnqueuedOptions,
  type RunAllOptions,
  type TestManager,
  type TestManagerOptions,
} from "./test-manager.js";
