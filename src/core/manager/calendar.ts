import { OptionError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";

/** More than what a calendar that counts whole milliseconds lies behind. */
const GRAIN_MS = 1.5;

/**
 * So often it is looked at before it is taken for changed: the process may be held up between two readings.
 */
const LOOKS = 3;

/**
 * Turns calendar instants into monotonic ones, and back. A calendar that counts whole milliseconds lies up
 * to one behind, differently at each look: so what was seen first is kept while it holds, and tasks with
 * the same `runAt` fall due at the same instant, in the order of their priorities.
 */
export class Calendar {
  readonly #clock: Clock;
  /** What the calendar shows at the monotonic instant 0. */
  #origin = Number.NaN;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * What turns a monotonic instant into one since the epoch: the same until the calendar is changed, so that
   * an instant reads the same each time. NaN when the calendar cannot be read.
   */
  origin(): number {
    let seen = this.#look();
    for (let look = 1; look < LOOKS && !this.#holds(seen); look++) seen = this.#look();
    if (!this.#holds(seen)) this.#origin = seen;
    return this.#origin;
  }

  /** @throws {OptionError} when the calendar cannot be read: that must not start a task at once */
  toMonotonic(at: number): number {
    const origin = this.origin();
    if (!Number.isNaN(origin)) return at - origin;
    throw new OptionError("clock", "Expected wallNow() of the clock to give a number, found NaN");
  }

  #look(): number {
    return this.#clock.wallNow() - this.#clock.now();
  }

  #holds(seen: number): boolean {
    return Math.abs(seen - this.#origin) < GRAIN_MS;
  }
}
