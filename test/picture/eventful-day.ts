import { seededRandom } from "../../src/testing/index.js";

/** From which part of the day to which something happens. */
export const ACTS = {
  rush: [0.2, 0.42],
  carelessHook: [0.36, 0.46],
  carrierDown: [0.5, 0.64],
  hanging: [0.52, 0.62],
  mailsPaused: [0.66, 0.74],
  storeAway: [0.7, 0.8],
  bulkPaused: [0.76, 0.84],
  mailsStopped: [0.93, 1],
} as const;

/** Time and chance of a day on which all kinds of things happen. */
export class EventfulDay {
  readonly durationMs: number;
  readonly #random = seededRandom(7);
  #beganAt = 0;

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }

  begin(): void {
    this.#beganAt = performance.now();
  }

  /** What has passed of it, from 0 to 1. */
  part(): number {
    return Math.min(1, (performance.now() - this.#beganAt) / this.durationMs);
  }

  isAct(act: keyof typeof ACTS): boolean {
    const [from, to] = ACTS[act];
    return this.part() >= from && this.part() < to;
  }

  chance(of: number): boolean {
    return this.#random.next() < of;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.#random.next();
  }
}
