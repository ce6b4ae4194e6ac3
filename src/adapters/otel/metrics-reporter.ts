import type { Attributes, BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import { EventLoopDelay } from "./event-loop-delay.js";
import type { InstrumentOptions } from "./instrument-options.js";
import type { MetricDefinition, Observe, ObservedMetric } from "./metric.js";
import { PROCESS_DURATION, ProcessDuration } from "./process-duration.js";
import { STATE_METRICS } from "./state-metrics.js";
import { TASK_COUNTERS } from "./task-counters.js";
import { LATENCY, TaskHistograms, WAIT } from "./task-histograms.js";

const OBSERVED: readonly ObservedMetric[] = [...TASK_COUNTERS, ...STATE_METRICS];

/** All metrics, as a table of the README shows them. */
export const METRICS: readonly MetricDefinition[] = [
  ...OBSERVED,
  EventLoopDelay.definition,
  ...[LATENCY, WAIT, PROCESS_DURATION],
];

/** Reports metrics to the meter that it is given, and nothing before. */
export class MetricsReporter implements Disposable {
  readonly #point: InstrumentationPoint;
  readonly #options: InstrumentOptions;
  readonly #common: Attributes;
  readonly #ends: Disposable[] = [];

  constructor(point: InstrumentationPoint, options: InstrumentOptions) {
    this.#point = point;
    this.#options = options;
    this.#common = options.name === undefined ? {} : { manager: options.name };
  }

  report(meter: Meter): void {
    this.#ends.push(new TaskHistograms(this.#point, meter, this.#common));
    if (this.#options.processDuration === true)
      this.#ends.push(new ProcessDuration(this.#point, meter, this.#common));
    this.#observe(meter);
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends.splice(0)) end[Symbol.dispose]();
  }

  /** One reading of the manager for all that is observed at a collection. */
  #observe(meter: Meter): void {
    const delay = new EventLoopDelay();
    const instruments = OBSERVED.map((metric) => ({ metric, instrument: createInstrument(meter, metric) }));
    const loop = createInstrument(meter, EventLoopDelay.definition);
    const collect = (result: BatchObservableResult) => {
      const readings = this.#point.read();
      for (const { metric, instrument } of instruments)
        metric.read(readings, this.#observerOf(result, instrument));
      delay.read(this.#observerOf(result, loop));
    };
    const all = [loop, ...instruments.map(({ instrument }) => instrument)];
    meter.addBatchObservableCallback(collect, all);
    this.#ends.push(delay, {
      [Symbol.dispose]: () => meter.removeBatchObservableCallback(collect, all),
    });
  }

  #observerOf(result: BatchObservableResult, instrument: Observable): Observe {
    const common = this.#common;
    return (value, attributes) => result.observe(instrument, value, { ...common, ...attributes });
  }
}

function createInstrument(meter: Meter, { name, kind, unit, description }: MetricDefinition): Observable {
  const options = { unit, description };
  return kind === "counter"
    ? meter.createObservableCounter(name, options)
    : meter.createObservableGauge(name, options);
}
