import type { SignalListener } from "../../ports/backend-signals.js";

type Signal = (listener: SignalListener) => void;

interface Subscriber {
  readonly queues: ReadonlySet<string>;
  readonly listener: SignalListener;
}

/**
 * Tells what a call has done when it has been done: a listener may call the store in turn, and must not
 * find it between two states.
 */
export class SignalBoard {
  readonly #subscribers = new Set<Subscriber>();
  readonly #woken = new Set<string>();
  #signals: { readonly queue: string; readonly signal: Signal }[] = [];

  listen(queues: readonly string[], listener: SignalListener): () => void {
    const subscriber: Subscriber = { queues: new Set(queues), listener };
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  /** Said once, however much a call has made ready. */
  wake(queue: string): void {
    if (this.#subscribers.size === 0 || this.#woken.has(queue)) return;
    this.#woken.add(queue);
    this.#signals.push({ queue, signal: (listener) => listener.wake(queue) });
  }

  cancelAsked(queue: string, id: string): void {
    if (this.#subscribers.size === 0) return;
    this.#signals.push({ queue, signal: (listener) => listener.cancelAsked(id) });
  }

  finished(queue: string, id: string): void {
    if (this.#subscribers.size === 0) return;
    this.#signals.push({ queue, signal: (listener) => listener.finished?.(id) });
  }

  /** To be called when a call has ended. */
  flush(): void {
    if (this.#signals.length === 0) return;
    const signals = this.#signals;
    this.#signals = [];
    this.#woken.clear();
    for (const { queue, signal } of signals) {
      for (const { queues, listener } of [...this.#subscribers]) {
        if (queues.has(queue)) tell(signal, listener);
      }
    }
  }
}

/** Whoever throws here has missed a signal, as anybody may; the call that it tells of has been done. */
function tell(signal: Signal, listener: SignalListener): void {
  try {
    signal(listener);
  } catch {
    // Nothing depends on a signal.
  }
}
