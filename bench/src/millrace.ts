// The one place that knows where the built library is.
import { type AnyHandlers, TaskManager } from "../../dist/index.js";

export { instrument } from "../../dist/adapters/otel/index.js";
export { redisBackend } from "../../dist/adapters/redis/index.js";
export { SequenceHeap } from "../../dist/core/collections/sequence-heap.js";
export {
  defineHandlers,
  json,
  type Subscription,
  TaskManager,
  type TaskResult,
  threadModule,
} from "../../dist/index.js";

/** Defaults everywhere, but for the concurrency that all contestants share and room for the largest case. */
export function createTaskManager<H extends AnyHandlers = AnyHandlers>(handlers?: H): TaskManager<H> {
  return new TaskManager<H>({ concurrency: 10, capacity: 1_000_000, handlers });
}

/** The same, for handlers that run in threads: two of them, which stay. */
export function createThreadedManager<H extends AnyHandlers>(handlers: H): TaskManager<H> {
  return new TaskManager<H>({ threads: { min: 2, max: 2 }, capacity: 1_000_000, handlers });
}
