import type { TaskContext } from "../../../task/task-context.js";

/**
 * Carries context into the handlers of a thread, as a context carrier does on the main thread: spans that a
 * handler makes there belong to its attempt.
 */
export interface ThreadCarrier {
  /** Calls `run` once, in the context that the headers tell of, and gives back what that gives. */
  run<R>(headers: Readonly<Record<string, string>> | undefined, context: TaskContext, run: () => R): R;
}

/** Of the registry of symbols, since a bundle may hold a second copy of this module. */
const KEY = Symbol.for("millrace.threadCarriers");

interface Keeper {
  [KEY]?: ThreadCarrier[];
}

/** From now on this thread's handlers run inside it; the first that was added is outermost. */
export function addThreadCarrier(carrier: ThreadCarrier): void {
  const keeper = globalThis as Keeper;
  keeper[KEY] = [...(keeper[KEY] ?? []), carrier];
}

/** Those of this thread; undefined while there are none. */
export function threadCarriers(): readonly ThreadCarrier[] | undefined {
  return (globalThis as Keeper)[KEY];
}
