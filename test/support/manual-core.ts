import { InlineExecutor } from "../../src/adapters/inline/inline-executor.js";
import { AsyncContext } from "../../src/adapters/system/async-context.js";
import { Controls } from "../../src/core/manager/controls.js";
import { assembleCore, type Core } from "../../src/core/manager/core.js";
import {
  readManagerOptions,
  resolveOptions,
  type TaskManagerOptions,
} from "../../src/core/manager/options.js";
import type { TaskHandle } from "../../src/core/manager/task-handle.js";
import type { TaskFunction } from "../../src/task/task-context.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import type { TaskOptions } from "../../src/task/task-options.js";
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

/** Puts the parts together as `TaskManager` does. */
export function createCore(options: TaskManagerOptions = {}): ManualCore {
  const clock = new ManualClock();
  const core = assembleCore(resolveOptions(readManagerOptions(options)), {
    clock,
    random: seededRandom(1),
    inline: new InlineExecutor(),
    carrier: new AsyncContext(),
  });
  const controls = new Controls(core);
  controls.start();
  const events: TaskEvent[] = [];
  core.journal.events.subscribe((event) => events.push(event));
  return {
    ...{ clock, core, controls, events },
    enqueue: <R>(work: TaskFunction<R>, own?: TaskOptions) => {
      return core.intake.accept<R>(work, core.planner.plan(own));
    },
  };
}
