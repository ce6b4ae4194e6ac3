/**
 * Priority and weight packed into one number, so that the heap compares a task with one comparison:
 * lower priority first, then higher weight. Fits 31 bits, which V8 stores without a heap object.
 */

/** Priorities are integers from `-MAX_PRIORITY` to `MAX_PRIORITY`, lower first. */
export const MAX_PRIORITY = 1_000_000;

/** Weights are integers from 1 to `MAX_WEIGHT`, higher first among tasks of one priority. */
export const MAX_WEIGHT = 1_000;

/** The place of a task among others: lower goes first. Ties are for the sequence to break. */
export function toOrder(priority: number, weight: number): number {
  return priority * MAX_WEIGHT + (MAX_WEIGHT - weight);
}

/** The priority that went into an order. */
export function toPriority(order: number): number {
  return Math.floor(order / MAX_WEIGHT);
}

/** The weight that went into an order. */
export function toWeight(order: number): number {
  return MAX_WEIGHT - (order - toPriority(order) * MAX_WEIGHT);
}
