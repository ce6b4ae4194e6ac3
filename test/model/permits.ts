/** One start, as far as a rate limit sees it. */
export interface Taking {
  readonly at: number;
  readonly permits: number;
}

const ROUNDING = 1e-6;

/**
 * A rate limit by its definition, the slow way. `takings` since the last change of the rate are kept, so that
 * all windows between them can be looked at.
 */
export class ReferenceLimit {
  tasksPerSecond: number;
  burst: number;
  #permits: number;
  #at: number;
  /** Since when it is full, as far as it is. */
  #fullSince = Number.NEGATIVE_INFINITY;
  #closedUntil = Number.NEGATIVE_INFINITY;
  #takings: Taking[] = [];

  constructor(tasksPerSecond: number, burst: number, now: number) {
    this.tasksPerSecond = tasksPerSecond;
    this.burst = tasksPerSecond === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : burst;
    this.#permits = this.burst;
    this.#at = now;
  }

  get unlimited(): boolean {
    return this.tasksPerSecond === Number.POSITIVE_INFINITY;
  }

  available(now: number): number {
    this.#refill(now);
    return now < this.#closedUntil ? 0 : Math.max(0, this.#permits);
  }

  /** How long nothing may start, whatever permits are there. */
  closedForMs(now: number): number {
    return Math.max(0, this.#closedUntil - now);
  }

  /** Whether the permits are there beyond doubt. */
  surelyHas(cost: number, now: number): boolean {
    if (now < this.#closedUntil + ROUNDING && this.#closedUntil > 0) return false;
    const available = this.available(now);
    if (available === this.burst) return now > this.#fullSince + ROUNDING;
    return available >= Math.min(cost, this.burst) + ROUNDING;
  }

  /** Whether the permits may be there. */
  mayHave(cost: number, now: number): boolean {
    if (now < this.#closedUntil - ROUNDING) return false;
    this.#refill(now);
    return this.#permits >= Math.min(cost, this.burst) - ROUNDING;
  }

  /** @returns what is wrong with this start, if anything */
  take(cost: number, now: number): string | undefined {
    const permits = Math.min(cost, this.burst);
    this.#refill(now);
    if (now < this.#closedUntil - ROUNDING) return `the limit is closed until ${this.#closedUntil}`;
    if (this.unlimited) return undefined;
    if (this.#permits < permits - ROUNDING)
      return `${this.#permits} permits are there, ${permits} were taken`;
    this.#permits -= permits;
    this.#takings.push({ at: now, permits });
    return this.#windows();
  }

  setRate(tasksPerSecond: number, burst: number, now: number): void {
    this.#refill(now);
    this.tasksPerSecond = tasksPerSecond;
    this.burst = tasksPerSecond === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : burst;
    this.#permits = this.unlimited ? this.burst : Math.min(this.#permits, this.burst);
    this.#takings = [];
  }

  closeUntil(at: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, at);
  }

  /** I11: in every window that ends now, starts take at most burst + rate × its length. */
  #windows(): string | undefined {
    const now = this.#takings.at(-1)?.at ?? 0;
    let taken = 0;
    for (const { at, permits } of this.#takings.toReversed()) {
      taken += permits;
      const most = this.burst + ((now - at) * this.tasksPerSecond) / 1_000;
      if (taken > most + ROUNDING) return `${taken} permits in ${now - at} ms, at most ${most} are allowed`;
    }
    return undefined;
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    const perMs = this.tasksPerSecond / 1_000;
    const missing = this.burst - this.#permits;
    if (missing > 0) this.#fullSince = this.#at + missing / perMs;
    this.#permits = Math.min(this.burst, this.#permits + (now - this.#at) * perMs);
    this.#at = now;
  }
}
