import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "../../ports/clock.js";
import type { MetricDefinition, Observe } from "./metric.js";

/** How often the loop is looked at, in milliseconds. */
const RESOLUTION_MS = 10;

/** A window is over at the first collection after so long. */
const WINDOW_MS = 10_000;

/** By the percentile of Node's histogram. */
const QUANTILES = [
  [50, "0.5"],
  [99, "0.99"],
  [100, "1"],
] as const;

/**
 * How much later than meant the event loop came to its timers, in the present window and the one before.
 * Whoever collects does not begin a new window by it, so that several who do see the same: two of a pair of
 * Prometheus servers, say, of which the second would else see a few milliseconds.
 *
 * Node's histogram forgets at its reset when it last looked, and with it a delay that has begun and is not
 * over. So there are two, which are reset by turns; the one that was not reset last is read.
 */
export class EventLoopDelay implements Disposable {
  static readonly definition: MetricDefinition = {
    name: "event_loop_delay_seconds",
    kind: "gauge",
    unit: "s",
    description: "Delay of the event loop in the last 10 s or more, by quantile: 0.5, 0.99, 1",
    attributes: ["quantile"],
  };
  readonly #clock: Clock;
  #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #next: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #windowAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowAt = clock.now();
    this.#histogram.enable();
    this.#next.enable();
  }

  read(observe: Observe): void {
    for (const [percentile, quantile] of QUANTILES) observe(this.#delayMs(percentile) / 1_000, { quantile });
    const now = this.#clock.now();
    if (now - this.#windowAt < WINDOW_MS) return;
    this.#windowAt = now;
    this.#histogram.reset();
    [this.#histogram, this.#next] = [this.#next, this.#histogram];
  }

  [Symbol.dispose](): void {
    this.#histogram.disable();
    this.#next.disable();
  }

  #delayMs(percentile: number): number {
    if (this.#histogram.count === 0) return 0;
    return Math.max(0, this.#histogram.percentile(percentile) / 1e6 - RESOLUTION_MS);
  }
}
