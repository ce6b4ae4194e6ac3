import { AsyncResource } from "node:async_hooks";
import type { TracingChannel } from "node:diagnostics_channel";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import type { TracedTask } from "./traced.js";

/** Channels for one kind of trace, with stores of any type bound to them. */
export type Channels<T extends TracedTask> = TracingChannel<unknown, T>;

/** No destroy hook can be told of the end of a task: nothing would call it. */
const OPTIONS = { requireManualDestroy: true };

/**
 * Publishes the moments of one task or attempt, in the order of `tracePromise`: `start`, `end`, and later
 * `error` where it failed, `asyncStart`, `asyncEnd`. All of them see the stores that are bound to `start`.
 */
export class Trace<T extends TracedTask> {
  readonly #channels: Channels<T>;
  readonly #traced: T;
  #scope: AsyncResource | undefined;
  #ended = false;

  constructor(channels: Channels<T>, traced: T) {
    this.#channels = channels;
    this.#traced = traced;
  }

  /** Calls between `start` and `end`. */
  begin<R>(call: () => R): R {
    return this.#channels.start.runStores(this.#traced, () => {
      this.#scope = new AsyncResource("MillraceTrace", OPTIONS);
      try {
        return call();
      } finally {
        this.#end();
      }
    });
  }

  /** The task, or the attempt, is over; for an attempt that may be before `begin` has returned. */
  finish(task: TaskSnapshot, error: Error | undefined): void {
    this.#scope?.runInAsyncScope(() => {
      this.#end();
      const { asyncStart, asyncEnd, error: failed } = this.#channels;
      this.#update(error === undefined ? { task } : { task, error });
      if (error !== undefined) failed.publish(this.#traced);
      asyncStart.publish(this.#traced);
      asyncEnd.publish(this.#traced);
    });
  }

  #update(ended: TracedTask): void {
    try {
      Object.assign(this.#traced, ended);
    } catch {
      // A subscriber has frozen it: all go on with what it had.
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#channels.end.publish(this.#traced);
  }
}
