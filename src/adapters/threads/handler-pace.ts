/** Tasks that take longer together do not travel together: a neighbour of theirs would wait for so long. */
const BATCH_MS = 1;

/** So many runs are looked at, the last ones. */
const WINDOW = 64;

/** After so many runs, the pace is judged for the first time; then when all that are looked at are new. */
const FIRST_JUDGED = 16;

/** The share of runs that are not slower than what is reckoned with. */
const QUANTILE = 0.95;

/** How long the runs of one handler take, as far as the last ones tell. */
export class HandlerPace {
  readonly #runs = new Float64Array(WINDOW);
  #count = 0;
  #batchSize = 1;

  /** How many of its tasks are likely to run within a millisecond, at least 1. */
  get batchSize(): number {
    return this.#batchSize;
  }

  record(runMs: number): void {
    this.#runs[this.#count++ % WINDOW] = runMs;
    // One slow run may be the first of many: the next ones travel alone until it is known better.
    if (runMs > BATCH_MS) this.#batchSize = 1;
    if (this.#count === FIRST_JUDGED || this.#count % WINDOW === 0) this.#judge();
  }

  #judge(): void {
    const known = Math.min(this.#count, WINDOW);
    const sorted = this.#runs.slice(0, known).sort();
    const slow = sorted[Math.ceil(known * QUANTILE) - 1] ?? BATCH_MS;
    this.#batchSize = Math.max(1, Math.floor(BATCH_MS / Math.max(slow, Number.EPSILON)));
  }
}
