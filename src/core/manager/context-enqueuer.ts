import { quietInStop } from "../../task/stop-refusal.js";
import type { EnqueuedTask } from "../../task/task-context.js";
import type { Lifecycle } from "./lifecycle.js";

/** What `enqueue` is given: a function and options, or the name of a handler, a payload and options. */
export type EnqueueArguments = readonly [first: unknown, second: unknown, third: unknown];

/** How the handlers of a manager hand tasks in: through its own methods, so that overrides are told too. */
export interface HandlerEntrance {
  readonly enqueue: (...given: EnqueueArguments) => EnqueuedTask;
  /** Resolves when the store has the task. */
  readonly enqueueDurable: (...given: EnqueueArguments) => Promise<EnqueuedTask>;
}

/** `enqueue` and `enqueueDurable` of the contexts of handlers. */
export class ContextEnqueuer {
  readonly #entrance: HandlerEntrance;
  readonly #isRefusal: (error: unknown) => boolean;

  constructor(entrance: HandlerEntrance, lifecycle: Lifecycle) {
    this.#entrance = entrance;
    this.#isRefusal = (error) => lifecycle.hasRefused(error);
  }

  enqueue(...given: EnqueueArguments): Promise<EnqueuedTask> {
    return quietInStop(this.#enqueue(given), this.#isRefusal);
  }

  enqueueDurable(...given: EnqueueArguments): Promise<EnqueuedTask> {
    return quietInStop(this.#enqueueDurable(given), this.#isRefusal);
  }

  async #enqueue(given: EnqueueArguments): Promise<EnqueuedTask> {
    const { id, duplicate } = this.#entrance.enqueue(...given);
    return { id, duplicate };
  }

  async #enqueueDurable(given: EnqueueArguments): Promise<EnqueuedTask> {
    const { id, duplicate } = await this.#entrance.enqueueDurable(...given);
    return { id, duplicate };
  }
}
