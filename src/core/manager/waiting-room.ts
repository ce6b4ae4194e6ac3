import { QueueFullError } from "../../errors.js";
import { RingBuffer } from "../collections/ring-buffer.js";
import type { SignalListeners } from "./signal-listeners.js";

/** A call that waits for room. */
interface Waiter {
  admit(): void;
  refuse(error: unknown): void;
  /** False when it was admitted, refused, or has gone. */
  waiting: boolean;
}

/** Calls that wait for room, first come, first served, and no more of them than `capacity`. */
export class WaitingRoom {
  readonly #capacity: number;
  readonly #signals: SignalListeners;
  readonly #line = new RingBuffer<Waiter>();
  #waiting = 0;

  constructor(capacity: number, signals: SignalListeners) {
    this.#capacity = capacity;
    this.#signals = signals;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits, then gives what `accept` gives.
   * @param gone what to reject with when `signal` aborts first
   * @throws {QueueFullError} when as many wait as may
   */
  wait<T>(accept: () => T, signal: AbortSignal | undefined, gone: (reason: unknown) => unknown): Promise<T> {
    if (this.#waiting >= this.#capacity) {
      const message = `As many calls wait for room as capacity allows: ${this.#capacity}`;
      return Promise.reject(new QueueFullError(message, this.#capacity));
    }
    return new Promise<T>((resolve, reject) => {
      const stopListening = this.#signals.listen(signal, () => waiter.refuse(gone(signal?.reason)));
      const leave = () => {
        waiter.waiting = false;
        this.#waiting--;
        stopListening();
      };
      const waiter: Waiter = {
        waiting: true,
        admit: () => {
          leave();
          try {
            resolve(accept());
          } catch (error) {
            reject(error);
          }
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      this.#join(waiter);
    });
  }

  /** Lets the first one in, or says that nobody waits. */
  admitOne(): boolean {
    for (let first = this.#line.shift(); first !== undefined; first = this.#line.shift()) {
      if (!first.waiting) continue;
      first.admit();
      return true;
    }
    return false;
  }

  /** Sends everybody away. */
  refuseAll(createError: () => unknown): void {
    for (let first = this.#line.shift(); first !== undefined; first = this.#line.shift()) {
      if (first.waiting) first.refuse(createError());
    }
  }

  #join(waiter: Waiter): void {
    this.#line.push(waiter);
    this.#waiting++;
    // Those that have gone stay in the line until they are met: not more of them than of the others.
    if (this.#line.size > 2 * this.#waiting + 16) this.#line.retain((one) => one.waiting);
  }
}
