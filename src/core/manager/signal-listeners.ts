/** As they are by themselves: a task must not be left half accepted by what was done to its signal. */
const { addEventListener, removeEventListener } = EventTarget.prototype;

/** Those who listen to one signal, behind one listener. */
interface Audience {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Listens to signals that callers give, with one listener for each signal however many wait: one signal for a
 * whole request or process is common, and from eleven listeners on Node warns of a leak.
 */
export class SignalListeners {
  readonly #audiences = new Map<AbortSignal, Audience>();

  /**
   * Calls back once, when the signal aborts. Without a signal, never.
   * @returns stops listening; may be called more than once
   */
  listen(signal: AbortSignal | undefined, onAbort: () => void): () => void {
    if (signal === undefined) return () => {};
    const { callbacks } = this.#audience(signal);
    const callback = () => onAbort(); // one of its own, so that the same function may listen twice
    callbacks.add(callback);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0) this.#dismiss(signal, callbacks);
    };
  }

  #audience(signal: AbortSignal): Audience {
    let audience = this.#audiences.get(signal);
    if (audience === undefined) {
      const callbacks = new Set<() => void>();
      const listener = () => {
        this.#dismiss(signal, callbacks);
        for (const callback of [...callbacks]) if (callbacks.delete(callback)) callback();
      };
      audience = { callbacks, listener };
      this.#audiences.set(signal, audience);
      addEventListener.call(signal, "abort", listener, { once: true });
    }
    return audience;
  }

  #dismiss(signal: AbortSignal, callbacks: Set<() => void>): void {
    const audience = this.#audiences.get(signal);
    if (audience?.callbacks !== callbacks) return; // another audience has come since
    this.#audiences.delete(signal);
    removeEventListener.call(signal, "abort", audience.listener);
  }
}
