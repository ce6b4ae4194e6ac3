/** Of the registry of symbols, since a bundle may hold a second copy of this module. */
const KEY = Symbol.for("millrace.workerData");

interface Keeper {
  [KEY]?: unknown;
}

export function keepWorkerData(value: unknown): void {
  (globalThis as Keeper)[KEY] = value;
}

/**
 * What the manager's `threads.workerData` is, in this thread; undefined where it is none, and outside of its
 * threads.
 */
export function workerData(): unknown {
  return (globalThis as Keeper)[KEY];
}
