/** One start: when, and how many permits it took. */
export interface Start {
  readonly at: number;
  readonly cost: number;
}

/**
 * The least burst that explains the starts under a rate (I11): the most by which the permits that were taken
 * in a window, its ends included, exceed what the rate gives in its length, over all windows.
 *
 * A window from start i to start j takes `taken(j) - taken(i - 1)` and gives `rate × (at(j) - at(i))`, so the
 * most for each j is found with the least of `taken(i - 1) - rate × at(i)` so far: O(n) for O(n²) windows.
 */
export function leastBurst(starts: readonly Start[], tasksPerSecond: number): number {
  let taken = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const { at, cost } of starts) {
    const given = (tasksPerSecond * at) / 1_000;
    least = Math.min(least, taken - given);
    taken += cost;
    most = Math.max(most, taken - given - least);
  }
  return most;
}

/** What sums of fractions are off by. */
export const ROUNDING = 1e-6;
