import type { Attributes, BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import { DURABLE_METRICS } from "./durable-metrics.js";
import { EventLoopDelay } from "./event-loop-delay.js";
import type { Guard } from "./guard.js";
import type { InstrumentOptions } from "./instrument-options.js";
import type { MetricDefinition, Observe, ObservedMetric } from "./metric.js";
import { PROCESS_DURATION, ProcessDuration } from "./process-duration.js";
import { STATE_METRICS } from "./state-metrics.js";
import { STORE_CALL, StoreCallHistogram } from "./store-call-histogram.js";
import { StoreCounts } from "./store-counts.js";
import { TASK_COUNTERS } from "./task-counters.js";
import { LATENCY, TaskHistograms, WAIT } from "./task-histograms.js";
import { THREAD_METRICS } from "./thread-metrics.js";

const OBSERVED: readonly ObservedMetric[] = [
  ...[...TASK_COUNTERS, ...STATE_METRICS],
  ...[...THREAD_METRICS, ...DURABLE_METRICS],
];

/** All metrics, as a table of the README shows them. */
export const METRICS: readonly MetricDefinition[] = [
  ...OBSERVED,
  ...StoreCounts.definitions,
  EventLoopDelay.definition,
  ...[LATENCY, WAIT, STORE_CALL, PROCESS_DURATION],
];

/** Says the values of one metric at a collection. */
interface Source {
  readonly instrument: Observable;
  readonly kind: ObservedMetric["kind"];
  readonly read: ObservedMetric["read"];
}

/** What was observed of one series. */
interface Observation {
  readonly instrument: Observable;
  readonly value: number;
  readonly attributes: Attributes;
}

/**
 * Reports metrics to the meter that it is given, and nothing before. A metric that cannot be made, or not be
 * read, leaves the others as they are.
 */
export class MetricsReporter implements Disposable {
  readonly #point: InstrumentationPoint;
  readonly #guard: Guard;
  readonly #options: InstrumentOptions;
  readonly #common: Attributes;
  readonly #ends: Disposable[] = [];

  constructor(point: InstrumentationPoint, guard: Guard, options: InstrumentOptions) {
    this.#point = point;
    this.#guard = guard;
    this.#options = options;
    this.#common = options.name === undefined ? {} : { manager: options.name };
  }

  report(meter: Meter): void {
    this.#ends.push(new TaskHistograms(this.#point, this.#guard, meter, this.#common));
    this.#ends.push(new StoreCallHistogram(this.#point, this.#guard, meter, this.#common));
    if (this.#options.processDuration === true)
      this.#ends.push(new ProcessDuration(this.#point, this.#guard, meter, this.#common));
    const delay = this.#point.atRoot(() => new EventLoopDelay(this.#point.clock));
    this.#observe(meter, [
      ...OBSERVED,
      ...new StoreCounts(this.#point).metrics,
      { ...EventLoopDelay.definition, kind: "gauge", read: (_, observe) => delay.read(observe) },
    ]);
    this.#ends.push(delay);
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends.splice(0)) this.#guard.call(() => end[Symbol.dispose]());
  }

  /** One reading of the manager for all that is observed at a collection. */
  #observe(meter: Meter, metrics: readonly ObservedMetric[]): void {
    const sources = metrics.flatMap((metric): Source[] => {
      const instrument = this.#guard.call(() => createObservable(meter, metric));
      return instrument === undefined ? [] : [{ instrument, kind: metric.kind, read: metric.read }];
    });
    const collect = (result: BatchObservableResult) => this.#guard.call(() => this.#collect(sources, result));
    const instruments = sources.map(({ instrument }) => instrument);
    this.#guard.call(() => meter.addBatchObservableCallback(collect, instruments));
    this.#ends.push({
      [Symbol.dispose]: () => {
        this.#guard.call(() => meter.removeBatchObservableCallback(collect, instruments));
        this.#guard.call(() => sayLast(meter, this.#readLast(sources), instruments));
      },
    });
  }

  #collect(sources: readonly Source[], result: BatchObservableResult): void {
    this.#read(sources, ({ instrument, value, attributes }) =>
      this.#guard.settled(result.observe(instrument, value, attributes)),
    );
  }

  #read(sources: readonly Source[], onObservation: (observation: Observation, source: Source) => void): void {
    const readings = this.#point.read();
    const common = this.#common;
    for (const source of sources) {
      const { instrument, read } = source;
      const observe: Observe = (value, attributes) =>
        onObservation({ instrument, value, attributes: { ...common, ...attributes } }, source);
      this.#guard.call(() => read(readings, observe));
    }
  }

  /** The last counts, and 0 for gauges, since nobody looks any more. */
  #readLast(sources: readonly Source[]): readonly Observation[] {
    const last: Observation[] = [];
    this.#read(sources, (one, { kind }) => last.push(kind === "counter" ? one : { ...one, value: 0 }));
    return last;
  }
}

/**
 * An SDK goes on exporting what it was told last, for ever; so the next collection is told how it ended. What
 * waits for that holds numbers only, and no manager: errors are counted nowhere any more.
 */
function sayLast(meter: Meter, last: readonly Observation[], instruments: Observable[]): unknown {
  const farewell = (result: BatchObservableResult) => {
    queueMicrotask(() => quietly(() => meter.removeBatchObservableCallback(farewell, instruments)));
    for (const { instrument, value, attributes } of last)
      quietly(() => result.observe(instrument, value, attributes));
  };
  return meter.addBatchObservableCallback(farewell, instruments);
}

function quietly(call: () => unknown): void {
  new Promise((resolve) => resolve(call())).catch(() => undefined);
}

function createObservable(meter: Meter, { name, kind, unit, description }: MetricDefinition): Observable {
  const options = { unit, description };
  return kind === "counter"
    ? meter.createObservableCounter(name, options)
    : meter.createObservableGauge(name, options);
}
