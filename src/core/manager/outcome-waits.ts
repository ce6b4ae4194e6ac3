/** One who waits for an outcome. */
interface Wait<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Few tasks have any. */
const waits = new WeakMap<Promise<unknown>, Set<Wait<never>>>();

/**
 * Waits for the outcome of a task until that is told or the wait is given up. A promise keeps each of its
 * reactions until it settles: who asks again and again, with a limit, would fill the memory with what was
 * given up. So it has one reaction for all of them.
 * @returns gives up; may be called more than once
 */
export function awaitOutcome<T>(outcome: Promise<T>, wait: Wait<T>): () => void {
  const waiting = (waits.get(outcome) as Set<Wait<T>> | undefined) ?? follow(outcome);
  waiting.add(wait);
  return () => waiting.delete(wait);
}

function follow<T>(outcome: Promise<T>): Set<Wait<T>> {
  const waiting = new Set<Wait<T>>();
  waits.set(outcome, waiting);
  void outcome.then(
    (value) => {
      for (const wait of waiting) wait.resolve(value);
    },
    (error: unknown) => {
      for (const wait of waiting) wait.reject(error);
    },
  );
  return waiting;
}
