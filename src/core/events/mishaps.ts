import type { Mishap } from "../../task/mishap.js";
import type { TaskProfile } from "../../task/task.js";

export type MishapListener = (mishap: Mishap) => void;

/** Tells whoever wants to know what goes wrong, within the call in which it does. */
export class Mishaps {
  readonly #listeners = new Set<MishapListener>();

  /** @param listener must not throw, since it is told of errors of listeners */
  listen(listener: MishapListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Counts a task that was refused for want of room, and tells of it. */
  recordRefusal({ handler, queue, tally }: TaskProfile): void {
    tally.refused++;
    this.record({ type: "refused", queue, handler });
  }

  record(mishap: Mishap): void {
    for (const listener of this.#listeners) listener(mishap);
  }
}
