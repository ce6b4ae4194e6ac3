/**
 * What a store tells by itself. Signals are a matter of speed alone: any of them may be lost, come late or
 * twice, and whoever listens looks for himself from time to time.
 */
export interface BackendSignals {
  /**
   * Tells what happens in these queues from now on, until the function that it returns is called.
   * It does not throw; a store that cannot be reached is listened to when it can be.
   */
  listen(queues: readonly string[], listener: SignalListener): () => void;
}

/** Whoever hears of them. */
export interface SignalListener {
  /**
   * Something has become ready in this queue, or will sooner than claims were told. A store may say so too
   * whenever it begins to listen to the queue, since it cannot know what it has missed.
   */
  wake(queue: string): void;
  /** Somebody wants this task to be cancelled, which is leased. */
  cancelAsked(id: string): void;
  /** This task has ended. Undefined where nobody wants to know: a store may be spared telling it. */
  readonly finished: ((id: string) => void) | undefined;
  /** The store has forgotten what it had of this queue: it is another one, or an older one. */
  storeLost(queue: string): void;
}
