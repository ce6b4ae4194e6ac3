import type { Clock, Timer } from "../../ports/clock.js";

/** The longest timer there is. Who waits for longer waits for so long, which is twelve days. */
const MAX_MS = 2 ** 30;

/** How long a start may take. */
interface Limit {
  readonly startTimeoutMs: number;
}

/** One timer at a time, which does not keep the process alive. */
export class OneTimer {
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  /** Takes the place of the one that was set before. */
  set(delayMs: number, callback: () => void): void {
    this.clear();
    const fire = () => {
      this.#timer = undefined;
      callback();
    };
    this.#timer = this.#clock.setTimeout(fire, Math.min(Math.max(0, delayMs), MAX_MS));
  }

  /** Calls back with an error when something has not happened within `startTimeoutMs`. */
  limit({ startTimeoutMs }: Limit, what: string, tooLate: (error: Error) => void): void {
    const told = `${what} within ${startTimeoutMs} ms (startTimeoutMs)`;
    this.set(startTimeoutMs, () => tooLate(new Error(told)));
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
