import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { StoreCall } from "../../task/durable-stats.js";
import type { Guard } from "./guard.js";
import type { MetricDefinition } from "./metric.js";
import { createHistogram } from "./task-histograms.js";

export const STORE_CALL: MetricDefinition = {
  name: "store_call_seconds",
  kind: "histogram",
  unit: "s",
  description: "How long calls to the store took, by method of the backend",
  attributes: ["call"],
};

/** In seconds: from a store in the same process to the longest wait for one that does not answer. */
const BOUNDS = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75],
  ...[1, 2.5, 5, 7.5, 10],
];

/** One record for each call, which is for many tasks. */
export class StoreCallHistogram implements Disposable {
  readonly #guard: Guard;
  readonly #histogram: Histogram | undefined;
  readonly #common: Attributes;
  readonly #attributes = new Map<StoreCall, Attributes>();
  readonly #listening: Disposable;

  /** @param common attributes that all records have */
  constructor(point: InstrumentationPoint, guard: Guard, meter: Meter, common: Attributes) {
    this.#guard = guard;
    this.#common = common;
    this.#histogram = guard.call(() => createHistogram(meter, STORE_CALL, BOUNDS));
    this.#listening = point.listenToStore((call, durationMs) => {
      if (durationMs !== undefined) this.#record(call, durationMs);
    });
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  #record(call: StoreCall, durationMs: number): void {
    let attributes = this.#attributes.get(call);
    if (attributes === undefined) {
      attributes = { ...this.#common, call };
      this.#attributes.set(call, attributes);
    }
    const recorded = attributes;
    this.#guard.call(() => this.#histogram?.record(durationMs / 1_000, recorded));
  }
}
