// The one place that knows where the built library is.
import { TaskManager } from "../../dist/index.js";

export { IndexedHeap } from "../../dist/core/collections/indexed-heap.js";

/** Defaults everywhere, but for the concurrency that all contestants share and room for the largest case. */
export function createTaskManager(): TaskManager {
  return new TaskManager({ concurrency: 10, capacity: 1_000_000 });
}
