import type { SignalListeners } from "./signal-listeners.js";

/** One who waits for something to become true. */
interface Waiter {
  readonly holds: () => boolean;
  readonly resolve: () => void;
  readonly stopListening: () => void;
}

/** Promises that resolve when a condition holds. Whoever changes what conditions are about calls `check`. */
export class Conditions {
  readonly #waiters = new Set<Waiter>();
  readonly #signals: SignalListeners;

  constructor(signals: SignalListeners) {
    this.#signals = signals;
  }

  /**
   * Resolves when `holds` gives true, at once if it does already.
   * @throws the reason of `signal` when that aborts first
   */
  until(holds: () => boolean, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stopListening = this.#signals.listen(signal, () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      });
      const waiter: Waiter = { holds, resolve, stopListening };
      this.#waiters.add(waiter);
    });
  }

  check(): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of this.#waiters) {
      if (!waiter.holds()) continue;
      this.#waiters.delete(waiter);
      waiter.stopListening();
      waiter.resolve();
    }
  }
}
