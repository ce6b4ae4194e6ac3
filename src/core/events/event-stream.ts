import type { TaskEvent } from "../../task/task-event.js";
import { RingBuffer } from "../collections/ring-buffer.js";

export type TaskEventListener = (event: TaskEvent) => void;

/** One listener's place in the line; the same function may have several. */
interface Subscription {
  readonly listener: TaskEventListener;
  ended: boolean;
}

/**
 * The one place where things become observable. Listeners are called in the order of their subscription, each
 * event to all of them before the next event to any, also when a listener causes further events. One that
 * throws is counted and changes nothing. One that was disposed hears no more, not even the present event.
 */
export class EventStream {
  #subscriptions: readonly Subscription[] = [];
  readonly #pending = new RingBuffer<TaskEvent>();
  #publishing = false;
  #held = 0;
  #observerErrors = 0;

  /** False when an event would reach nobody, and so need not be made. */
  get active(): boolean {
    return this.#subscriptions.length > 0;
  }

  /** How often a listener has thrown. */
  get observerErrors(): number {
    return this.#observerErrors;
  }

  subscribe(listener: TaskEventListener): Disposable {
    const subscription: Subscription = { listener, ended: false };
    this.#subscriptions = [...this.#subscriptions, subscription];
    return {
      [Symbol.dispose]: () => {
        subscription.ended = true;
        this.#subscriptions = this.#subscriptions.filter((one) => one !== subscription);
      },
    };
  }

  publish(event: TaskEvent): void {
    this.#pending.push(event);
    if (this.#held === 0) this.#deliverAll();
  }

  /**
   * Lets a change of several steps be whole before anybody hears of one of them: a listener that enqueues
   * would else take the room, or the id, that was looked at before the first step and is used by the last.
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
    for (const { listener, ended } of this.#subscriptions) {
      if (ended) continue;
      try {
        listener(event);
      } catch {
        this.#observerErrors++;
      }
    }
  }
}
