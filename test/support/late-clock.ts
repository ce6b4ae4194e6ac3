import type { Timer } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";

/** Its usual timers count whole milliseconds, and are late by one, as those of Node are. */
export class LateClock extends ManualClock {
  /** How many were exact. */
  exact = 0;

  override setTimeout(callback: () => void, delayMs: number, isExact = false): Timer {
    if (isExact) this.exact++;
    return super.setTimeout(callback, isExact ? delayMs : Math.min(Math.ceil(delayMs) + 1, 2 ** 30));
  }
}
