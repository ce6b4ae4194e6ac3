/**
 * Time as the thread found it: handlers, and what fakes time for them, may put something else in place of the
 * globals.
 */
export const threadNow: () => number = performance.now.bind(performance);

export const {
  clearInterval: stopInterval,
  clearTimeout: stopTimer,
  setInterval: startInterval,
  setTimeout: startTimer,
} = globalThis;
