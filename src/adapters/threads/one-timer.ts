import type { Clock, Timer } from "../../ports/clock.js";

/** The longest timer there is. Who waits for longer waits for so long, which is twelve days. */
const MAX_MS = 2 ** 30;

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

  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
