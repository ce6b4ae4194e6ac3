import { InlineExecutor } from "../../src/adapters/inline/inline-executor.js";
import { AsyncContext } from "../../src/adapters/system/async-context.js";
import { SystemClock } from "../../src/adapters/system/system-clock.js";
import { Controls } from "../../src/core/manager/controls.js";
import { assembleCore, type Core } from "../../src/core/manager/core.js";
import {
  readManagerOptions,
  resolveOptions,
  type TaskManagerOptions,
} from "../../src/core/manager/options.js";
import { readStopOptions, type StopOptions, type StopReport } from "../../src/core/manager/shutdown.js";
import {
  type TaskManagerHealth,
  type TaskManagerStats,
  toHealth,
  toStats,
} from "../../src/core/manager/stats.js";
import { readRequests, type TaskEntry } from "../../src/core/manager/task-entries.js";
import type { TaskHandle } from "../../src/core/manager/task-handle.js";
import { checkWork } from "../../src/core/manager/task-plan.js";
import type { TaskFunction } from "../../src/task/task-context.js";
import type { TaskOptions } from "../../src/task/task-options.js";
import { seededRandom } from "../../src/testing/seeded-random.js";

/**
 * What `TaskManager` is, put together from the same parts in the same way, but with the core in view: the
 * tests of model and faults listen to its events and look into its registry.
 */
export class OpenManager {
  readonly core: Core;
  readonly controls: Controls;

  constructor(options: TaskManagerOptions = {}) {
    const read = readManagerOptions(options);
    const resolved = resolveOptions(read);
    this.core = assembleCore(resolved, {
      clock: read.clock ?? new SystemClock(),
      random: read.random ?? seededRandom(1),
      inline: new InlineExecutor(),
      carrier: new AsyncContext(),
    });
    this.controls = new Controls(this.core);
    if (resolved.autoStart) this.controls.start();
    if (resolved.signal !== undefined) this.core.shutdown.stopOn(resolved.signal);
  }

  enqueue<R>(work: TaskFunction<R>, options?: TaskOptions): TaskHandle<R> {
    return this.core.intake.accept<R>(checkWork(work), this.core.planner.plan(options));
  }

  async enqueueAsync<R>(work: TaskFunction<R>, options?: TaskOptions): Promise<TaskHandle<R>> {
    return await this.core.intake.acceptWhenRoom<R>(checkWork(work), this.core.planner.plan(options));
  }

  enqueueMany(entries: readonly TaskEntry[]): readonly TaskHandle[] {
    return this.core.intake.acceptAll(readRequests(entries, this.core.planner));
  }

  stats(): TaskManagerStats {
    return toStats(this.core);
  }

  health(): TaskManagerHealth {
    return toHealth(this.core);
  }

  stopGraceful(options?: StopOptions): Promise<StopReport> {
    return this.core.shutdown.stopGraceful(readStopOptions(options));
  }

  stopNow(): Promise<StopReport> {
    return this.core.shutdown.stopNow();
  }
}
