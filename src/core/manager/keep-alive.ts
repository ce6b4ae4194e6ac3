import type { Clock, Timer } from "../../ports/clock.js";

/** The longest timer there is; it is started again when it fires. */
const HOP_MS = 2 ** 30;

/**
 * Keeps the process alive while accepted tasks are unsettled, as its caller expects who awaits a result: all
 * other timers let the process go.
 */
export class KeepAlive {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #holding = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hold(): void {
    if (this.#holding) return;
    this.#holding = true;
    if (this.#timer === undefined) this.#start();
    else this.#timer.ref();
  }

  release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    this.#timer?.unref();
  }

  close(): void {
    this.#holding = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #start(): void {
    this.#timer = this.#clock.setTimeout(() => this.#start(), HOP_MS);
    if (this.#holding) this.#timer.ref();
  }
}
