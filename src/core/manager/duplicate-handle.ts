import { ResultExpiredError } from "../../errors.js";
import type { TaskState } from "../../task/states.js";
import { type ResultOptions, readResultOptions, type TaskHandle } from "./task-handle.js";

/** A further handle to a task, for a call with the same idempotency key: it shares all with the first one. */
export class DuplicateHandle<R> implements TaskHandle<R> {
  readonly #first: TaskHandle<R>;

  constructor(first: TaskHandle<R>) {
    this.#first = first;
  }

  get id(): string {
    return this.#first.id;
  }

  get state(): TaskState {
    return this.#first.state;
  }

  get duplicate(): boolean {
    return true;
  }

  result(options?: ResultOptions): Promise<R> {
    return this.#first.result(options);
  }

  cancel(reason?: unknown): boolean {
    return this.#first.cancel(reason);
  }
}

/** A handle to a task that has ended and was pruned, while its idempotency key is still held. */
export class PrunedTaskHandle implements TaskHandle<never> {
  readonly id: string;
  readonly state: TaskState;

  constructor(id: string, state: TaskState) {
    this.id = id;
    this.state = state;
  }

  get duplicate(): boolean {
    return true;
  }

  result(options?: ResultOptions): Promise<never> {
    readResultOptions(options);
    return Promise.reject(new ResultExpiredError(`The result of task ${this.id} is no longer kept`, this.id));
  }

  cancel(): boolean {
    return false;
  }
}
