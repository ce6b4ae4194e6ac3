/** A timer that was started by a clock. A new one does not keep the process alive. */
export interface Timer {
  /** Stops it; does nothing when it has fired or was cancelled before. */
  cancel(): void;
  /** From now on it keeps the process alive until it fires or is cancelled. */
  ref(): void;
  /** Undoes `ref`. */
  unref(): void;
}

/**
 * Where time comes from. Durations are measured by `now`, which never goes back and knows nothing of the
 * calendar; `wallNow` serves only to translate a calendar time that the caller gave, and to stamp what is
 * shown to people.
 */
export interface Clock {
  /** Monotonic milliseconds, with fractions, from an arbitrary origin. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  wallNow(): number;
  /**
   * Calls back once, not before `delayMs` (0 to 2^30) have passed by `now`, give or take a millisecond.
   * Whoever is called back looks at `now` and starts another timer when it is still too early.
   * @param isExact whether a millisecond late is too late: worth some work of the processor, where that helps
   */
  setTimeout(callback: () => void, delayMs: number, isExact?: boolean | undefined): Timer;
  /** Calls back in the next turn of the event loop. Keeps the process alive until then. */
  setImmediate(callback: () => void): void;
}
