/** Milliseconds that are the same in all threads of a process: each has another origin of `performance.now`. */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
