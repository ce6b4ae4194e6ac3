/** Of the registry of symbols, since a bundle may hold a second copy of this module. */
const KEY = Symbol.for("millrace.threadData");

interface Keeper {
  [KEY]?: unknown;
}

export function keepThreadData(value: unknown): void {
  (globalThis as Keeper)[KEY] = value;
}

/** What the manager's `threads.workerData` is; undefined where it is none, and outside of its threads. */
export function threadData(): unknown {
  return (globalThis as Keeper)[KEY];
}
