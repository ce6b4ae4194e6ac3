import { metrics } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { describe, expect, onTestFinished, test } from "vitest";
import { type InstrumentOptions, instrument } from "../../../src/adapters/otel/index.js";
import { METRICS } from "../../../src/adapters/otel/metrics-reporter.js";
import { STORE_CALL } from "../../../src/adapters/otel/store-call-histogram.js";
import {
  defineHandlers,
  fixed,
  json,
  memoryBackend,
  OptionError,
  type TaskManagerOptions,
} from "../../../src/index.js";
import { createManager, thrownBy, untilAborted } from "../../support/manual-manager.js";
import { ManualReader, ScrapedProvider } from "../../support/scrape.js";

/** The metrics that services which come from go-worker have on their dashboards. */
const GO_WORKER = [
  "tasks_scheduled_total",
  "tasks_running",
  "tasks_completed_total",
  "tasks_failed_total",
  "tasks_cancelled_total",
  "tasks_retried_total",
  "results_dropped_total",
  "queue_depth",
  "task_latency_seconds",
];

const PLAIN = { queue: "default", handler: "(function)" };

function createScraped(options: TaskManagerOptions = {}, instrumented: InstrumentOptions = {}) {
  const manager = createManager(options);
  const scraped = new ScrapedProvider();
  const watching = instrument(manager.tasks, { meterProvider: scraped.provider, ...instrumented });
  onTestFinished(() => watching[Symbol.dispose]());
  return { ...manager, watching, scrape: () => scraped.scrape() };
}

/** One of them in worker threads, of which none is needed. */
const handlers = defineHandlers({
  send: { payload: json<string>(), run: () => 1 },
  zip: { payload: json<string>(), module: new URL("file:///zip.js") },
});

describe("a scrape", () => {
  test("has every observed metric from the first, under the names of the table", async () => {
    const { clock, scrape } = createScraped({ handlers, backend: memoryBackend() });
    await clock.settle();
    const observed = METRICS.filter(
      ({ kind, name }) => kind !== "histogram" || name === STORE_CALL.name, // a store is asked at once
    ).map(({ name }) => name);
    const { names } = await scrape();
    expect([...names].sort()).toEqual([...observed].sort());
    expect(new Set(names).size).toBe(names.length);
  });

  test("has the histograms too when tasks have run, with their kinds, units and attributes", async () => {
    const { clock, tasks, scrape } = createScraped(
      { handlers, backend: memoryBackend() },
      { processDuration: true, name: "mail" },
    );
    const failing = () => Promise.reject(new TypeError("broken"));
    tasks.enqueue(failing);
    await clock.advance(0);
    const { names, samples, text } = await scrape();
    expect([...names].sort()).toEqual(METRICS.map(({ name }) => name.replaceAll(".", "_")).sort());
    for (const { name, kind, unit, description, attributes } of METRICS) {
      const exported = name.replaceAll(".", "_");
      expect(text).toContain(`# HELP ${exported} ${description}\n# UNIT ${exported} ${unit}\n`);
      expect(text).toContain(`# TYPE ${exported} ${kind}\n`);
      const own = samples.filter((sample) => sample.name.replace(/_(count|sum|bucket)$/, "") === exported);
      const keys = new Set(own.flatMap(({ labels }) => Object.keys(labels)));
      const expected = [...attributes, "manager"].map((key) => key.replaceAll(".", "_"));
      expect([...keys].filter((key) => key !== "le").sort(), name).toEqual(expected.sort());
    }
  });

  test("keeps the nine names of go-worker", async () => {
    const { clock, tasks, scrape } = createScraped();
    tasks.enqueue(() => 1);
    await clock.advance(0);
    expect((await scrape()).names).toEqual(expect.arrayContaining(GO_WORKER));
  });

  test("says nothing of what nobody asked for: messaging.process.duration is off by default", async () => {
    const { clock, tasks, scrape } = createScraped();
    tasks.enqueue(() => 1);
    await clock.advance(0);
    expect((await scrape()).text).not.toContain("messaging");
  });
});

describe("metrics", () => {
  test("say what waits, what runs and what holds it up", async () => {
    const { clock, tasks, scrape } = createScraped({
      ...{ concurrency: 2, capacity: 50, tasksPerSecond: 10, burst: 4 },
      queues: { quiet: {} },
    });
    await tasks.pause({ queue: "quiet" });
    tasks.enqueue(() => 1, { queue: "quiet" });
    tasks.enqueue(() => 1, { delayMs: 60_000 });
    for (let number = 0; number < 3; number++) tasks.enqueue(untilAborted, { cost: 2 });
    tasks.enqueue(() => 1, { idempotencyKey: "once", delayMs: 1 });
    await clock.advance(500);
    const seen = await scrape();
    expect(seen.by("queue_depth", "queue", "handler", "lane")).toEqual({
      "default (function) inline": 2,
      "quiet (function) inline": 1,
    });
    expect(seen.find("queue_depth", PLAIN)).toHaveLength(1);
    expect(seen.by("tasks_running", "queue")).toEqual({ default: 2 });
    expect(seen.by("tasks_delayed", "state")).toEqual({ scheduled: 1 });
    expect(seen.by("slots", "lane")).toEqual({ inline: 2 });
    expect(seen.sum("slots_utilization")).toBe(1);
    expect(seen.sum("tasks_capacity")).toBe(50);
    expect(seen.sum("oldest_wait_seconds")).toBe(0.5);
    expect([seen.sum("limiter_rate"), seen.sum("limiter_permits")]).toEqual([10, 4]);
    expect([seen.sum("queue_paused"), seen.sum("tasks_paused")]).toEqual([1, 1]);
    expect(seen.sum("idempotency_keys")).toBe(1);
    expect(seen.by("manager_phase", "phase")).toEqual({ running: 1 });
    expect(seen.find("manager_phase").map(({ labels }) => labels["phase"])).toEqual([
      ...["ready", "running", "paused", "draining", "aborting", "stopped"],
    ]);
  });

  test("count what waits in paused queues, also in those that are too many to be told apart", async () => {
    const { clock, tasks, scrape } = createScraped({ concurrency: 1 });
    const queues = Array.from({ length: 103 }, (_, number) => `queue-${number}`);
    for (const queue of queues) await tasks.pause({ queue });
    for (const queue of queues) tasks.enqueue(() => 1, { queue });
    tasks.enqueue(untilAborted);
    tasks.enqueue(() => 1);
    await clock.advance(0);
    const seen = await scrape();
    expect(seen.sum("queue_depth", { queue: "_OTHER" })).toBeGreaterThanOrEqual(3);
    expect([seen.sum("queue_depth"), seen.sum("tasks_paused")]).toEqual([104, 103]);
    for (const queue of queues) tasks.resume({ queue });
    const resumed = await scrape();
    expect([resumed.sum("queue_depth"), resumed.sum("tasks_paused")]).toEqual([104, 0]);
  });

  test("have as oldest wait that of paused queues too, but not of tasks that were started before", async () => {
    const { clock, tasks, scrape } = createScraped({ concurrency: 1 });
    const backoff = fixed({ delayMs: 1_000 });
    tasks.enqueue(() => Promise.reject(new Error("not now")), { maxAttempts: 2, backoff });
    await clock.advance(500);
    tasks.enqueue(untilAborted); // takes the slot that the retry is to wait for
    await clock.advance(5_000);
    const retry = await scrape();
    expect([retry.sum("queue_depth"), retry.sum("oldest_wait_seconds")]).toEqual([1, 0]);
    await tasks.pause({ queue: "quiet" });
    tasks.enqueue(() => 1, { queue: "quiet" });
    await clock.advance(2_000);
    expect((await scrape()).sum("oldest_wait_seconds")).toBe(2);
  });

  test("show the phase, and paused as one", async () => {
    const { clock, tasks, scrape } = createScraped({ autoStart: false });
    const phase = async () => (await scrape()).by("manager_phase", "phase");
    expect(await phase()).toEqual({ ready: 1 });
    tasks.start();
    await tasks.pause();
    expect(await phase()).toEqual({ paused: 1 });
    tasks.resume();
    tasks.enqueue(untilAborted);
    await clock.advance(0);
    const stopped = tasks.stopGraceful({ deadlineMs: 5_000 });
    expect(await phase()).toEqual({ draining: 1 });
    await clock.advance(10_000);
    await stopped;
    expect(await phase()).toEqual({ stopped: 1 });
  });

  test("show 0 where a group has nothing left, and where a limit was lifted", async () => {
    const { clock, tasks, scrape } = createScraped({ tasksPerSecond: 1, burst: 1 });
    for (let number = 0; number < 3; number++) tasks.enqueue(() => 1, { queue: "forgotten-when-empty" });
    await clock.advance(0);
    expect((await scrape()).sum("queue_depth")).toBe(2);
    tasks.setRate({ tasksPerSecond: Number.POSITIVE_INFINITY });
    await clock.advance(0);
    expect(tasks.stats().queues["forgotten-when-empty"]).toBeUndefined();
    const after = await scrape();
    expect(after.find("queue_depth", { queue: "forgotten-when-empty" }).map(({ value }) => value)).toEqual([
      0,
    ]);
    expect([after.sum("limiter_rate"), after.sum("limiter_permits")]).toEqual([0, 0]);
  });

  test("count seconds of the shared limit, and of waits and attempts in their histograms", async () => {
    const { clock, tasks, scrape } = createScraped({ tasksPerSecond: 2, burst: 1 });
    const slow = () => new Promise((resolve) => clock.setTimeout(() => resolve(1), 250));
    tasks.enqueue(slow);
    tasks.enqueue(slow);
    await clock.advance(2_000);
    const seen = await scrape();
    expect(seen.sum("limiter_wait_seconds_total")).toBe(0.5);
    expect(seen.sum("task_wait_seconds_sum", PLAIN)).toBe(0.5);
    expect(seen.sum("task_latency_seconds_sum", { ...PLAIN, outcome: "completed" })).toBe(0.5);
    expect(seen.sum("task_latency_seconds_bucket", { le: "0.1" })).toBe(0);
    expect(seen.sum("task_latency_seconds_bucket", { le: "0.25" })).toBe(2);
    expect(seen.find("task_latency_seconds_bucket").map(({ labels }) => labels["le"])).toEqual([
      ...["0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75"],
      ...["1", "2.5", "5", "7.5", "10", "30", "60", "120", "300", "+Inf"],
    ]);
  });

  test("by the messaging conventions count each attempt, with the type of its error", async () => {
    const handlers = defineHandlers({
      send: {
        payload: json<number>(),
        queue: "email",
        maxAttempts: 3,
        backoff: fixed({ delayMs: 0 }),
        run: fail,
      },
    });
    function fail(_: number, { attempt }: { attempt: number }) {
      if (attempt === 1) throw new TypeError("broken");
      return new Promise(() => undefined);
    }
    const { clock, tasks, scrape } = createScraped(
      { handlers: handlers as never, timeoutMs: 100 },
      { processDuration: true },
    );
    tasks.enqueue("send" as never, 1 as never);
    tasks.enqueue(() => 1);
    await clock.advance(10_000);
    const seen = await scrape();
    const name = "messaging_process_duration_count";
    expect(seen.by(name, "messaging_destination_name", "error_type")).toEqual({
      "email TypeError": 1,
      "email MILLRACE_TASK_TIMEOUT": 2,
      "default ": 1,
    });
    const always = { messaging_system: "millrace", messaging_operation_name: "process" };
    expect(seen.sum(name, always)).toBe(4);
  });

  test("by the messaging conventions call no cancellation an error, and tell 100 types apart (V15)", async () => {
    const { clock, tasks, scrape } = createScraped({ concurrency: 200 }, { processDuration: true });
    const cancelled = tasks.enqueue(untilAborted);
    for (let number = 0; number < 150; number++) {
      const Made = { [`Made${number}`]: class extends Error {} }[`Made${number}`] as typeof Error;
      tasks.enqueue(() => Promise.reject(new Made("broken")));
    }
    await clock.advance(0);
    cancelled.cancel();
    await clock.advance(0);
    const seen = (await scrape()).by("messaging_process_duration_count", "error_type");
    expect(Object.keys(seen)).toHaveLength(102);
    expect([seen[""], seen["Made0"], seen["_OTHER"]]).toEqual([1, 1, 50]);
  });

  test("go on after a stop, with the last word on every task", async () => {
    const { clock, tasks, scrape } = createScraped();
    tasks.enqueue(untilAborted);
    tasks.enqueue(() => 1, { delayMs: 1_000 });
    await clock.advance(0);
    const stopped = tasks.stopNow();
    await clock.advance(2_000);
    await stopped;
    const seen = await scrape();
    expect(seen.sum("tasks_interrupted_total", PLAIN)).toBe(2);
    expect(seen.by("tasks_cancelled_total", "reason")).toEqual({ stopped: 2 });
    expect(seen.by("task_latency_seconds_count", "outcome")).toEqual({ cancelled: 1 });
    expect(seen.sum("limiter_wait_seconds_total")).toBe(0);
  });
});

describe("an instrumented manager", () => {
  test("is told apart by its name from others that report to the same provider", async () => {
    const scraped = new ScrapedProvider();
    const managers = ["mail", "reports"].map((name) => ({ name, ...createManager() }));
    for (const [index, { tasks, name, clock }] of managers.entries()) {
      const watching = instrument(tasks, { meterProvider: scraped.provider, name });
      onTestFinished(() => watching[Symbol.dispose]());
      for (let count = 0; count <= index; count++) tasks.enqueue(() => 1);
      await clock.advance(0);
    }
    const seen = await scraped.scrape();
    expect(seen.by("tasks_completed_total", "manager")).toEqual({ mail: 1, reports: 2 });
    expect(seen.by("task_latency_seconds_count", "manager")).toEqual({ mail: 1, reports: 2 });
    expect(seen.samples.filter(({ labels }) => labels["manager"] === undefined)).toEqual([]);
  });

  test("reports to two providers, and each reader of one is told the same", async () => {
    const { clock, tasks } = createManager();
    const readers = [new ManualReader(), new ManualReader(), new ManualReader()] as const;
    const providers = [
      new MeterProvider({ readers: [readers[0], readers[1]] }),
      new MeterProvider({ readers: [readers[2]] }),
    ];
    for (const meterProvider of providers) {
      const watching = instrument(tasks, { meterProvider });
      onTestFinished(() => watching[Symbol.dispose]());
    }
    tasks.enqueue(() => 1);
    await clock.advance(0);
    for (const reader of readers) {
      const { resourceMetrics } = await reader.collect();
      const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
      const find = (name: string) => metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints;
      expect(find("tasks_completed_total")).toMatchObject([{ value: 1, attributes: PLAIN }]);
      expect(find("task_wait_seconds")).toMatchObject([{ value: { count: 1 }, attributes: PLAIN }]);
    }
  });

  test("counts from its making, however late it is instrumented; its histograms begin then", async () => {
    const { clock, tasks } = createManager();
    tasks.enqueue(() => 1);
    await clock.advance(0);
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider, processDuration: true });
    tasks.enqueue(() => 2);
    await clock.advance(0);
    const seen = await scraped.scrape();
    expect(seen.sum("tasks_completed_total")).toBe(2);
    expect(seen.sum("task_latency_seconds_count")).toBe(1);
    expect(seen.sum("messaging_process_duration_count")).toBe(1);
  });

  test("that stops before a timer has looked is reported all the same, where an SDK has started", async () => {
    const { clock, tasks } = createManager();
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks);
    await null;
    metrics.setGlobalMeterProvider(scraped.provider);
    onTestFinished(() => metrics.disable());
    tasks.enqueue(() => 1);
    const stopped = tasks.stopGraceful();
    await clock.advance(0);
    await stopped;
    expect((await scraped.scrape()).sum("tasks_completed_total")).toBe(1);
  });

  test("whose SDK starts in the same breath has each task in its histograms", async () => {
    const { clock, tasks } = createManager();
    await null;
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks);
    tasks.enqueue(() => 1);
    metrics.setGlobalMeterProvider(scraped.provider);
    onTestFinished(() => metrics.disable());
    await clock.advance(0);
    expect((await scraped.scrape()).sum("task_wait_seconds_count")).toBe(1);
  });

  test("is let go when what instrument returned is disposed of", async () => {
    const { clock, tasks, watching, scrape } = createScraped();
    tasks.enqueue(() => 1);
    await clock.advance(0);
    expect((await scrape()).sum("tasks_completed_total")).toBe(1);
    watching[Symbol.dispose]();
    watching[Symbol.dispose]();
    tasks.enqueue(() => 2);
    await clock.advance(0);
    expect(tasks.stats().total.completed).toBe(2);
    const seen = await scrape(); // what an SDK has seen once it keeps
    expect([seen.sum("tasks_completed_total"), seen.sum("task_latency_seconds_count")]).toEqual([1, 1]);
  });

  test("says how it ended, and then nothing: a gauge that stood still would alarm for ever", async () => {
    const { clock, tasks, watching, scrape } = createScraped({ concurrency: 1 });
    for (let count = 0; count < 3; count++) tasks.enqueue(untilAborted);
    await clock.advance(0);
    const busy = await scrape();
    expect([busy.sum("tasks_running"), busy.sum("queue_depth")]).toEqual([1, 2]);
    await tasks.stopNow();
    watching[Symbol.dispose]();
    for (let count = 0; count < 3; count++) {
      const seen = await scrape();
      expect(
        ["tasks_running", "queue_depth", "manager_phase", "slots"].map((name) => seen.sum(name)),
      ).toEqual([...[0, 0, 0, 0]]);
      expect([seen.sum("tasks_scheduled_total"), seen.sum("tasks_cancelled_total")]).toEqual([3, 3]);
    }
  });

  test("has no timer and no listener left when nobody looks any more", async () => {
    const { clock, tasks } = createManager();
    const watching = instrument(tasks);
    expect(clock.timers).toBe(1);
    watching[Symbol.dispose]();
    expect(clock.timers).toBe(0);
  });

  test("lets wrong options be refused", () => {
    const { tasks, clock } = createManager();
    for (const options of [
      { meterProvider: {} },
      { meterProvider: "global" },
      { name: "two words" },
      { name: "" },
      { processDuration: "yes" },
      { metrics: true },
    ])
      expect(thrownBy(() => instrument(tasks, options as InstrumentOptions))).toBeInstanceOf(OptionError);
    expect(clock.timers).toBe(0);
  });

  test("refuses what is no manager", () => {
    for (const none of [undefined, null, {}, "tasks"])
      expect(thrownBy(() => instrument(none as never))).toBeInstanceOf(OptionError);
  });
});
