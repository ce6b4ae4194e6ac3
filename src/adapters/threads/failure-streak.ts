/** So many failures in a row, and what follows is refused at once. */
const MAX_FAILURES = 10;

/** After so long, one more may be tried: what was wrong may have been mended. */
export const PROBE_AFTER_MS = 1_000;

/** Failures in a row of one thing: a handler that cannot be loaded, or threads that do not come up. */
export class FailureStreak {
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #cause: unknown;

  get cause(): unknown {
    return this.#cause;
  }

  get failing(): boolean {
    return this.#failures >= MAX_FAILURES;
  }

  /** Whether another try makes sense; while it is failing, one may be made from time to time. */
  mayTry(now: number): boolean {
    return !this.failing || now - this.#failedAt >= PROBE_AFTER_MS;
  }

  /** One more try is being made; others wait for what comes of it. */
  tried(now: number): void {
    if (this.failing) this.#failedAt = now;
  }

  failed(cause: unknown, now: number): void {
    this.#failures++;
    this.#failedAt = now;
    this.#cause = cause;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#cause = undefined;
  }
}
