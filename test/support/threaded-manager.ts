import { expect, onTestFinished } from "vitest";
import { InlineExecutor } from "../../src/adapters/inline/inline-executor.js";
import { AsyncContext } from "../../src/adapters/system/async-context.js";
import { Controls } from "../../src/core/manager/controls.js";
import { assembleCore, type Core } from "../../src/core/manager/core.js";
import { toInstrumentationPoint } from "../../src/core/manager/instrumentation-point.js";
import { readManagerOptions, type TaskManagerOptions } from "../../src/core/manager/options.js";
import { resolveOptions } from "../../src/core/manager/resolved-options.js";
import { toHealth, toStats } from "../../src/core/manager/stats.js";
import type { TaskHandle } from "../../src/core/manager/task-handle.js";
import { defineHandlers, type JsonValue, json } from "../../src/index.js";
import {
  type Instrumentable,
  type InstrumentationPoint,
  instrumentation,
} from "../../src/ports/instrumentation.js";
import type { TaskManagerHealth, TaskManagerStats } from "../../src/task/manager-stats.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import type { TaskOptions } from "../../src/task/task-options.js";
import { ManualClock } from "../../src/testing/manual-clock.js";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { PoolExecutor } from "./pool-executor.js";

const module = new URL("file:///worker.js");

/** Two that run in threads, and one on the event loop. */
export const threadHandlers = defineHandlers({
  hash: { payload: json<JsonValue>(), module },
  zip: { payload: json<JsonValue>(), module, queue: "files" },
  mail: { payload: json<JsonValue>(), run: (payload) => payload },
});

/** What a manager is made of, with a pool of the test's own in place of worker threads. */
export class ThreadedManager implements Instrumentable {
  readonly clock: ManualClock;
  readonly pool = new PoolExecutor(() => this.clock.now());
  readonly core: Core;
  readonly controls: Controls;
  readonly events: TaskEvent[] = [];

  constructor(options: TaskManagerOptions = {}, clock = new ManualClock()) {
    this.clock = clock;
    const { pool } = this;
    const read = readManagerOptions({ handlers: threadHandlers, threads: { max: 2 }, ...options });
    const resolved = resolveOptions(read, 2);
    this.core = assembleCore(resolved, {
      ...{ clock, random: seededRandom(1), inline: new InlineExecutor(), carrier: new AsyncContext() },
      threads: resolved.threaded ? pool : undefined,
      enqueue: (...given) => this.core.calls.enqueue(...given),
      enqueueDurable: (...given) => this.core.calls.enqueueDurable(...given),
    });
    this.controls = new Controls(this.core);
    this.core.journal.events.subscribe((event) => this.events.push(event));
    if (resolved.autoStart) this.controls.start();
  }

  /** A task of a handler, `hash` where none is named, by its payload. */
  enqueue(payload: unknown, options?: TaskOptions, handler = "hash"): TaskHandle<unknown> {
    return this.core.calls.enqueue(handler, payload, options);
  }

  stats(): TaskManagerStats {
    return toStats(this.core);
  }

  health(): TaskManagerHealth {
    return toHealth(this.core);
  }

  [instrumentation](): InstrumentationPoint {
    return toInstrumentationPoint(this.core);
  }

  /** The types of the events of one task, in their order. */
  eventsOf({ id }: { readonly id: string }): string[] {
    return this.events.flatMap((event) => ("task" in event && event.task.id === id ? [event.type] : []));
  }

  /** Stops it and checks what holds after every stop (I8, I9, I15). */
  async expectCleanEnd(): Promise<void> {
    const stopped = this.core.shutdown.stopNow();
    await this.clock.advance(10_000);
    await stopped;
    const ends = this.events.flatMap((event) => (event.type === "finished" ? [event.task.id] : []));
    const { enqueued, completed, failed, cancelled } = this.stats().total;
    expect(new Set(ends).size).toBe(ends.length);
    expect(ends.length).toBe(enqueued);
    expect(completed + failed + cancelled).toBe(enqueued);
    expect(this.stats()).toMatchObject({ queued: 0, scheduled: 0, backingOff: 0, running: 0 });
    expect(this.stats().lanes.threads).toMatchObject({ running: 0, abandoned: 0 });
    for (const { running, queued } of Object.values(this.stats().queues))
      expect([running, queued]).toEqual([0, 0]);
    expect(this.clock.timers).toBe(0);
  }
}

/** A manager that is stopped when the test is over; then every task has ended once and no timer is left. */
export function createThreaded(options?: TaskManagerOptions): ThreadedManager {
  const manager = new ThreadedManager(options);
  onTestFinished(() => manager.expectCleanEnd());
  return manager;
}
