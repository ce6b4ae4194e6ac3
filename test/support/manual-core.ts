import { Controls } from "../../src/core/manager/controls.js";
import type { Core } from "../../src/core/manager/core.js";
import type { TaskManagerOptions } from "../../src/core/manager/options.js";
import type { TaskHandle } from "../../src/core/manager/task-handle.js";
import type { TaskFunction } from "../../src/task/task-context.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import type { TaskOptions } from "../../src/task/task-options.js";
import { coreOf, TaskManager } from "../../src/task-manager.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";

/** What `TaskManager` is made of, for tests that have to look at its parts. */
export interface ManualCore {
  readonly clock: ManualClock;
  readonly core: Core;
  readonly controls: Controls;
  /** All that was published. */
  readonly events: readonly TaskEvent[];
  enqueue<R>(work: TaskFunction<R>, options?: TaskOptions): TaskHandle<R>;
}

/** A manager on a manual clock, taken apart. */
export function createCore(options: TaskManagerOptions = {}): ManualCore {
  const clock = new ManualClock();
  const tasks = new TaskManager({ random: seededRandom(1), ...options, clock });
  const core = coreOf(tasks);
  const events: TaskEvent[] = [];
  core.journal.events.subscribe((event) => events.push(event));
  return { clock, core, controls: new Controls(core), events, enqueue: tasks.enqueue.bind(tasks) };
}
