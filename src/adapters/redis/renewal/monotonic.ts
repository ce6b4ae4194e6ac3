/** Milliseconds by one clock for all threads: `performance.now` has another origin in each. */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
