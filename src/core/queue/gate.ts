import type { EndTally } from "../../task/manager-stats.js";

/** What holds a gate closed; several may at once. */
export const PAUSED = 1;
/** As many of its tasks run as its `maxConcurrency` allows. */
export const FULL = 2;
/** Its own rate limit has no permit for its head. */
export const LIMITED = 4;
/** What it has next is kept for a durable task. */
export const KEPT = 8;

export type Closure = typeof PAUSED | typeof FULL | typeof LIMITED | typeof KEPT;

/** Something whose tasks may start, or may not for the time being: a queue, or a handler. */
export abstract class Gate {
  readonly name: string;
  readonly maxConcurrency: number;
  /** Since it is known. */
  readonly tally: EndTally = { completed: 0, failed: 0, cancelled: 0, retried: 0 };
  waiting = 0;
  /** Places that starts have ever taken. */
  taken = 0;
  #running = 0;
  /** Room that is kept for starts to come. */
  #kept = 0;
  #closedBy = 0;

  constructor(name: string, maxConcurrency = Number.POSITIVE_INFINITY) {
    this.name = name;
    this.maxConcurrency = maxConcurrency;
  }

  get running(): number {
    return this.#running;
  }

  /** Whether only so many of its tasks may run at a time. */
  get hasPlaces(): boolean {
    return this.maxConcurrency < Number.POSITIVE_INFINITY;
  }

  /** How many more may start. */
  get free(): number {
    return Math.max(0, this.maxConcurrency - this.#running - this.#kept);
  }

  get open(): boolean {
    return this.#closedBy === 0;
  }

  isClosedBy(closure: Closure): boolean {
    return (this.#closedBy & closure) !== 0;
  }

  /** Whether a durable task may start as far as its permits allow. */
  get admits(): boolean {
    return (this.#closedBy & ~(LIMITED | KEPT)) === 0;
  }

  close(closure: Closure): void {
    this.#closedBy |= closure;
  }

  reopen(closure: Closure): void {
    this.#closedBy &= ~closure;
  }

  /** One that waited has started. */
  began(): void {
    this.waiting--;
    this.taken++;
    this.#running++;
    if (this.free === 0) this.close(FULL);
  }

  /** Keeps room for starts to come. */
  keep(count: number): void {
    this.#kept += count;
    if (this.free === 0) this.close(FULL);
  }

  /** Keeps it no longer. @returns whether that has made room for one more */
  letGo(count: number): boolean {
    this.#kept -= count;
    return this.isClosedBy(FULL) && this.free > 0;
  }

  /**
   * An attempt no longer counts as running.
   * @returns whether that has made room for one more
   */
  ended(): boolean {
    this.#running--;
    return this.isClosedBy(FULL) && this.free > 0;
  }
}
