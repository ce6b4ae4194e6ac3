import type { TaskEvent } from "../../task/task-event.js";
import { RingBuffer } from "../collections/ring-buffer.js";

export type TaskEventListener = (event: TaskEvent) => void;

/**
 * The one place where things become observable. Listeners are called in the order of their subscription, each
 * event to all of them before the next event to any, also when a listener causes further events. One that
 * throws is counted and changes nothing.
 */
export class EventStream {
  #listeners: readonly TaskEventListener[] = [];
  readonly #pending = new RingBuffer<TaskEvent>();
  #publishing = false;
  #held = 0;
  #observerErrors = 0;

  /** False when an event would reach nobody, and so need not be made. */
  get active(): boolean {
    return this.#listeners.length > 0;
  }

  /** How often a listener has thrown. */
  get observerErrors(): number {
    return this.#observerErrors;
  }

  subscribe(listener: TaskEventListener): Disposable {
    this.#listeners = [...this.#listeners, listener];
    let subscribed = true;
    return {
      [Symbol.dispose]: () => {
        if (!subscribed) return;
        subscribed = false;
        const index = this.#listeners.indexOf(listener);
        this.#listeners = this.#listeners.filter((_, at) => at !== index);
      },
    };
  }

  publish(event: TaskEvent): void {
    this.#pending.push(event);
    if (this.#held === 0) this.#deliverAll();
  }

  /**
   * Lets a change of several steps be whole before anybody hears of one of them: a listener that enqueues would
   * else take the room, or the id, that was looked at before the first step and is used by the last.
   */
  hold<T>(change: () => T): T {
    this.#held++;
    try {
      return change();
    } finally {
      this.#held--;
      if (this.#held === 0) this.#deliverAll();
    }
  }

  #deliverAll(): void {
    if (this.#publishing) return;
    this.#publishing = true;
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      this.#deliver(next);
    }
    this.#publishing = false;
  }

  #deliver(event: TaskEvent): void {
    const listeners = this.#listeners;
    for (const listener of listeners) {
      try {
        listener(event);
      } catch {
        this.#observerErrors++;
      }
    }
  }
}
