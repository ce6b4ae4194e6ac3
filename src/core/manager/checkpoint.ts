import { QueueFullError } from "../../errors.js";
import type { SignalListeners } from "./signal-listeners.js";

/**
 * Where calls wait for an asynchronous schema: no more of them than `capacity`, and a schema that never
 * answers holds nobody beyond the call's signal or the manager's stop.
 */
export class Checkpoint {
  readonly #capacity: number;
  readonly #signals: SignalListeners;
  readonly #waiting = new Set<(error: unknown) => void>();
  /** What whoever comes too late is refused with. */
  #createError: (() => unknown) | undefined = undefined;

  constructor(capacity: number, signals: SignalListeners) {
    this.#capacity = capacity;
    this.#signals = signals;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for what a schema says.
   * @param gone what to reject with when `signal` aborts first
   * @throws {QueueFullError} when as many wait as may
   */
  wait<T>(
    answer: Promise<T>,
    signal: AbortSignal | undefined,
    gone: (reason: unknown) => unknown,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const stopListening = this.#signals.listen(signal, () => refuse(gone(signal?.reason)));
      const leave = () => {
        this.#waiting.delete(refuse);
        stopListening();
      };
      const refuse = (error: unknown) => {
        leave();
        reject(error);
      };
      const accept = (value: T) => {
        leave();
        resolve(value);
      };
      this.#waiting.add(refuse);
      answer.then(accept, refuse);
      // What the schema did before it promised an answer: of an abort or a stop in the past nobody tells.
      if (this.#createError !== undefined) refuse(this.#createError());
      else if (signal?.aborted) refuse(gone(signal.reason));
      else if (this.#waiting.size > this.#capacity) {
        const message = `As many calls wait for a schema as capacity allows: ${this.#capacity}`;
        refuse(new QueueFullError(message, this.#capacity));
      }
    });
  }

  /** Sends everybody away, those too who come later. */
  close(createError: () => unknown): void {
    this.#createError = createError;
    for (const refuse of [...this.#waiting]) refuse(createError());
  }
}
