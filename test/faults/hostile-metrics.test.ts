import { type Meter, type MeterProvider, metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { instrument } from "../../src/adapters/otel/index.js";
import { STATE_METRICS } from "../../src/adapters/otel/state-metrics.js";
import { TASK_COUNTERS } from "../../src/adapters/otel/task-counters.js";
import { type InstrumentationPoint, instrumentation } from "../../src/ports/instrumentation.js";
import { createManager } from "../support/manual-manager.js";
import { ScrapedProvider } from "../support/scrape.js";

afterEach(() => metrics.disable());

const boom = (): never => {
  throw new Error("a provider that throws");
};
const rejects = (): Promise<never> => Promise.reject(new Error("a provider that rejects"));
const hangs = (): Promise<never> => new Promise(() => undefined);

/** The real provider, of which one method of the meter, or of its instruments, is replaced. */
function tamper(provider: MeterProvider, method: string, replacement: () => unknown): MeterProvider {
  const tampered = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (object, key) => {
        if (key === method) return replacement;
        const member: unknown = Reflect.get(object, key);
        return typeof member === "function" ? member.bind(object) : member;
      },
    });
  const meterOf = (meter: Meter): Meter => {
    const own = tampered(meter);
    return new Proxy(own, {
      get: (object, key) => {
        const member: unknown = Reflect.get(object, key);
        if (key !== "createHistogram" || key === method) return member;
        return (...given: unknown[]) => tampered((member as (...all: unknown[]) => object)(...given));
      },
    });
  };
  return { getMeter: (...given) => meterOf(provider.getMeter(...given)) };
}

/** Runs ten tasks, of which one fails, and says what came of them. */
async function runTen(meterProvider: MeterProvider) {
  const { clock, tasks } = createManager();
  const watching = instrument(tasks, { meterProvider, processDuration: true });
  onTestFinished(() => watching[Symbol.dispose]());
  const handles = Array.from({ length: 10 }, (_, number) =>
    tasks.enqueue(() => {
      if (number === 3) throw new Error("broken");
      return number;
    }),
  );
  const settled = Promise.allSettled(handles.map((handle) => handle.result()));
  await clock.advance(0);
  const outcomes = (await settled).map(({ status }) => status);
  return { tasks, watching, outcomes };
}

const NINE_OF_TEN = [...Array(3).fill("fulfilled"), "rejected", ...Array(6).fill("fulfilled")];

describe("a hostile meter provider", () => {
  const methods = [
    ["createHistogram", { lost: 3, of: "histogram" }],
    ["createObservableCounter", { lost: TASK_COUNTERS.length, of: "counter" }],
    ["createObservableGauge", { lost: STATE_METRICS.length, of: "gauge" }],
  ] as const;

  test.each(methods)("that throws from %s harms no task and no other metric", async (method, { of }) => {
    const scraped = new ScrapedProvider();
    const { tasks, outcomes } = await runTen(tamper(scraped.provider, method, boom));
    expect(outcomes).toEqual(NINE_OF_TEN);
    expect(tasks.stats().observerErrors).toBeGreaterThan(0);
    const { text } = await scraped.scrape();
    for (const kind of ["counter", "gauge", "histogram"])
      expect(text.includes(` ${kind}\n`), kind).toBe(kind !== of);
  });

  test.each([
    ["throws", boom],
    ["rejects", rejects],
    ["hangs", hangs],
  ])("whose histograms' record %s harms no task and no other metric", async (_, record) => {
    const scraped = new ScrapedProvider();
    const { tasks, outcomes } = await runTen(tamper(scraped.provider, "record", record));
    expect(outcomes).toEqual(NINE_OF_TEN);
    const seen = await scraped.scrape();
    expect([seen.sum("tasks_completed_total"), seen.sum("tasks_failed_total")]).toEqual([9, 1]);
    // A start; an end twice: in the histogram of latencies, and in that of the conventions. One that throws
    // ends its listener's work on the event, one that rejects does not.
    expect(tasks.stats().observerErrors).toBe(record === hangs ? 0 : 30);
  });

  test.each([
    ["throws", boom],
    ["rejects", rejects],
    ["hangs", hangs],
  ])("that %s when the callback is added harms no task and no histogram", async (_, add) => {
    const scraped = new ScrapedProvider();
    const { outcomes } = await runTen(tamper(scraped.provider, "addBatchObservableCallback", add));
    expect(outcomes).toEqual(NINE_OF_TEN);
    expect((await scraped.scrape()).sum("task_wait_seconds_count")).toBe(10);
  });

  test("that throws when the callback is removed does not keep the manager from being let go", async () => {
    const scraped = new ScrapedProvider();
    const provider = tamper(scraped.provider, "removeBatchObservableCallback", boom);
    const { tasks, watching } = await runTen(provider);
    expect(() => watching[Symbol.dispose]()).not.toThrow();
    expect(tasks.stats().observerErrors).toBe(1);
  });

  test.each([
    ["throws", boom],
    ["gives nothing", () => undefined],
    ["gives a promise that is rejected", rejects],
  ])("that %s when it is asked for a meter harms nothing, given or global", async (_, getMeter) => {
    const hostile = { getMeter } as unknown as MeterProvider;
    expect((await runTen(hostile)).outcomes).toEqual(NINE_OF_TEN);
    const { clock, tasks } = createManager();
    using _watching = instrument(tasks);
    metrics.setGlobalMeterProvider(hostile);
    const handle = tasks.enqueue(() => 1);
    await clock.advance(10_000);
    expect([await handle.result(), tasks.stats().observerErrors > 0]).toEqual([1, true]);
  });
});

type ExportCallback = Parameters<PushMetricExporter["export"]>[1];

const fails = (callback: ExportCallback) => callback({ code: 1, error: new Error("refused") });

/** Exports into the void, in its own way. */
class HostileExporter implements PushMetricExporter {
  calls = 0;
  readonly #answer: (callback: ExportCallback) => unknown;

  constructor(answer: (callback: ExportCallback) => unknown) {
    this.#answer = answer;
  }

  export(_: unknown, callback: ExportCallback): void {
    this.calls++;
    this.#answer(callback);
  }

  selectAggregationTemporality = () => AggregationTemporality.CUMULATIVE;
  forceFlush = async () => undefined;
  shutdown = async () => undefined;
}

describe("a hostile exporter", () => {
  test.each([
    ["throws", boom],
    ["fails", fails],
    ["hangs", hangs],
  ])("that %s harms no task, and no other reader", async (_, answer) => {
    const exporter = new HostileExporter(answer);
    const reader = new PeriodicExportingMetricReader({
      ...{ exporter, exportIntervalMillis: 10, exportTimeoutMillis: 5 },
    });
    const scraped = new ScrapedProvider([reader]);
    const { outcomes } = await runTen(scraped.provider);
    await reader.forceFlush().catch(() => undefined);
    expect(outcomes).toEqual(NINE_OF_TEN);
    expect(exporter.calls).toBeGreaterThan(0);
    expect((await scraped.scrape()).sum("tasks_completed_total")).toBe(9);
    await reader.shutdown().catch(() => undefined);
  });
});

test("a manager that cannot be read leaves the collection of others whole", async () => {
  const scraped = new ScrapedProvider();
  const { clock, tasks } = createManager();
  const point = createManager().tasks[instrumentation]();
  const errors: unknown[] = [];
  const broken: InstrumentationPoint = { ...point, read: boom, recordError: (error) => errors.push(error) };
  using _broken = instrument(
    { [instrumentation]: () => broken },
    { meterProvider: scraped.provider, name: "bad" },
  );
  using _sound = instrument(tasks, { meterProvider: scraped.provider, name: "sound" });
  tasks.enqueue(() => 1);
  await clock.advance(0);
  const seen = await scraped.scrape();
  expect(seen.by("tasks_completed_total", "manager")).toEqual({ sound: 1 });
  expect(errors).toHaveLength(1);
});

test("one metric that cannot be read leaves the others", async () => {
  const scraped = new ScrapedProvider();
  const { tasks } = createManager();
  const point = tasks[instrumentation]();
  let errors = 0;
  const partial: InstrumentationPoint = {
    ...point,
    read: () => ({ ...point.read(), drops: undefined as never }),
    recordError: () => errors++,
  };
  using _watching = instrument({ [instrumentation]: () => partial }, { meterProvider: scraped.provider });
  const { names } = await scraped.scrape();
  expect(names).not.toContain("results_dropped_total");
  expect(names).toContain("tasks_scheduled_total");
  expect(names).toContain("hook_calls_dropped_total"); // which comes after it
  expect(errors).toBe(1);
});
