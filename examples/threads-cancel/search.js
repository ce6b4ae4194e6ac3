// @ts-check
// Both never give the event loop of their thread a turn, so that no event can reach them.

/**
 * Looks at its signal from time to time. That works all the same: what it reads is memory that is shared.
 *
 * @param {null} _
 * @param {import("millrace/worker").TaskContext} context
 */
export function polite(_, { signal, progress }) {
  progress("searching");
  for (let tries = 0; ; tries++) {
    if (tries % 1_000 === 0) signal.throwIfAborted(); // throws the reason
  }
}

/**
 * @param {null} _
 * @param {import("millrace/worker").TaskContext} context
 */
export function deaf(_, { progress }) {
  progress("searching");
  for (;;);
}

/** @param {number} value */
export function double(value) {
  return 2 * value;
}
