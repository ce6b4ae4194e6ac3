import type { TaskContext } from "../task/task-context.js";

/**
 * Carries context into the handlers of a worker thread, as a context carrier does on the main thread: spans
 * that a handler makes there belong to its attempt.
 */
export interface ThreadCarrier {
  /**
   * Calls `run` in the context that the headers tell of, and gives back what that gives. What it does else
   * changes no outcome.
   * @param headers what the context carriers of the main thread gave; undefined where they gave nothing
   */
  run<R>(headers: Readonly<Record<string, string>> | undefined, context: TaskContext, run: () => R): R;
}

/**
 * Where the global object of a thread keeps its carriers, the outermost first. Of the registry of symbols, so
 * that it is the same where a bundler has put two copies of the package into one thread.
 */
export const threadCarriers: unique symbol = Symbol.for("millrace.threadCarriers");

/** What holds the carriers of a thread: its global object. */
export interface ThreadCarrierKeeper {
  [threadCarriers]?: readonly ThreadCarrier[];
}
