import { expect, onTestFinished } from "vitest";
import { Controls } from "../../src/core/manager/controls.js";
import type { Core } from "../../src/core/manager/core.js";
import type { TaskManagerOptions } from "../../src/core/manager/options.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import type { TaskSnapshot } from "../../src/task/task-snapshot.js";
import { coreOf, TaskManager } from "../../src/task-manager.js";
import { ManualClock } from "../../src/testing/manual-clock.js";
import { seededRandom } from "../../src/testing/seeded-random.js";

export interface ObservedOptions extends Omit<TaskManagerOptions, "clock"> {
  clock?: ManualClock;
}

/** A `TaskManager` with its parts in view and its events recorded. It has a manual clock. */
export class ObservedManager extends TaskManager {
  readonly clock: ManualClock;
  readonly core: Core;
  readonly controls: Controls;
  readonly events: TaskEvent[] = [];

  constructor({ clock = new ManualClock(), ...options }: ObservedOptions = {}) {
    super({ random: seededRandom(1), ...options, clock });
    this.clock = clock;
    this.core = coreOf(this);
    this.controls = new Controls(this.core);
    this.core.journal.events.subscribe((event) => this.events.push(event));
  }

  /** The types of the events of one task, in their order. */
  eventsOf(id: string): string[] {
    return this.events.flatMap((event) => ("task" in event && event.task.id === id ? [event.type] : []));
  }

  /** What was published as the end of one task: one entry where all is well. */
  endsOf(id: string): TaskSnapshot[] {
    return this.events.flatMap((event) =>
      event.type === "finished" && event.task.id === id ? [event.task] : [],
    );
  }

  /** Stops it and checks what holds after every stop (I8, I9, I15). */
  async expectCleanEnd(): Promise<void> {
    const stopped = this.stopNow();
    await this.clock.advance(10_000);
    await stopped;
    const ends = this.events.flatMap((event) => (event.type === "finished" ? [event.task.id] : []));
    const { enqueued, completed, failed, cancelled } = this.stats().total;
    expect(new Set(ends).size).toBe(ends.length);
    expect(ends.length).toBe(enqueued);
    expect(completed + failed + cancelled).toBe(enqueued);
    expect(this.stats()).toMatchObject({ queued: 0, scheduled: 0, backingOff: 0, running: 0 });
    expect(this.clock.timers).toBe(0);
  }
}

/** A manager that is stopped when the test is over; then every task has ended once and no timer is left. */
export function observeManager(options?: ObservedOptions): ObservedManager {
  const manager = new ObservedManager(options);
  onTestFinished(() => manager.expectCleanEnd());
  return manager;
}

/** A handler that ignores its signal until it is let go. */
export class Stubborn<R = void> {
  readonly promise: Promise<R>;
  #settle: { resolve(value: R): void; reject(error: unknown): void } | undefined;

  constructor() {
    this.promise = new Promise<R>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  readonly run = (): Promise<R> => this.promise;

  resolve(value: R): void {
    this.#settle?.resolve(value);
  }

  reject(error: unknown): void {
    this.#settle?.reject(error);
  }
}

/** How a promise ended, without waiting for it: undefined while it has not. */
export function watchPromise<T>(promise: Promise<T>): { readonly outcome: () => string | undefined } {
  let seen: string | undefined;
  promise.then(
    (value) => {
      seen = `resolved ${String(value)}`;
    },
    (error: unknown) => {
      seen = `rejected ${error instanceof Error ? error.name : String(error)}`;
    },
  );
  return { outcome: () => seen };
}
