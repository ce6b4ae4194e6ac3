import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricDefinition, Observe } from "./metric.js";

/** How often the loop is looked at, in milliseconds. */
const RESOLUTION_MS = 10;

/** By the percentile of Node's histogram. */
const QUANTILES = [
  [50, "0.5"],
  [99, "0.99"],
  [100, "1"],
] as const;

/**
 * How much later than meant the event loop came to its timers, since the last collection. It is read by one
 * collector: each one more sees only what came since any of them.
 */
export class EventLoopDelay implements Disposable {
  static readonly definition: MetricDefinition = {
    name: "event_loop_delay_seconds",
    kind: "gauge",
    unit: "s",
    description: "Delay of the event loop since the last collection, by quantile: 0.5, 0.99, 1",
    attributes: ["quantile"],
  };
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
  }

  read(observe: Observe): void {
    if (this.#histogram.count === 0) return;
    for (const [percentile, quantile] of QUANTILES) {
      const delayMs = this.#histogram.percentile(percentile) / 1e6 - RESOLUTION_MS;
      observe(Math.max(0, delayMs) / 1_000, { quantile });
    }
    this.#histogram.reset();
  }

  [Symbol.dispose](): void {
    this.#histogram.disable();
  }
}
