/**
 * An AbortSignal that code without a pause can ask: no message reaches a thread that runs such code, so
 * whoever reads `aborted` or `reason`, or calls `throwIfAborted`, makes it look first.
 */
export class LiveSignal {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal;

  /** @param look aborts it where there is a reason by now */
  constructor(look: () => void) {
    const { signal } = this.#controller;
    this.signal = signal;
    const readAborted = () => {
      look();
      return Reflect.get(AbortSignal.prototype, "aborted", signal) as boolean;
    };
    Object.defineProperties(signal, {
      aborted: { get: readAborted, configurable: true },
      reason: {
        get: () => {
          look();
          return Reflect.get(AbortSignal.prototype, "reason", signal) as unknown;
        },
        configurable: true,
      },
      throwIfAborted: {
        value: () => {
          if (readAborted()) throw signal.reason;
        },
        configurable: true,
      },
    });
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }
}
