import type { Clock, Timer } from "../../ports/clock.js";

/** The longest timer there is; it is started again when it fires. */
const HOP_MS = 2 ** 30;

/** Accepted tasks that are unsettled. */
export const UNSETTLED = 1;
/** Queues whose durable tasks run here. */
export const CONSUMING = 2;
/** Those who wait for the end of durable tasks. */
export const AWAITED = 4;
/** A stop, until no task is left. */
export const STOPPING = 8;

export type Holder = typeof UNSETTLED | typeof CONSUMING | typeof AWAITED | typeof STOPPING;

/**
 * Keeps the process alive while accepted tasks are unsettled, or a stop is under way, as its caller expects
 * who awaits that: all other timers let the process go.
 */
export class KeepAlive {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  /** What holds it now, a bit each. */
  #holders = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hold(holder: Holder): void {
    const held = this.#holders !== 0;
    this.#holders |= holder;
    if (held) return;
    if (this.#timer === undefined) this.#start();
    else this.#timer.ref();
  }

  release(holder: Holder): void {
    if (this.#holders === 0) return;
    this.#holders &= ~holder;
    if (this.#holders === 0) this.#timer?.unref();
  }

  close(): void {
    this.#holders = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #start(): void {
    this.#timer = this.#clock.setTimeout(() => this.#start(), HOP_MS);
    if (this.#holders !== 0) this.#timer.ref();
  }
}
