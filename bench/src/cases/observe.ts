import assert from "node:assert/strict";
import { AggregationTemporality, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import type { BenchCase } from "../bench-case.js";
import { createTaskManager, instrument, type TaskManager } from "../millrace.js";

const TASKS = 200_000;
const PORTION = 25_000;
const work = async () => 1;

/** Runs so many tasks that do nothing. */
async function runAll(tasks: TaskManager, count: number): Promise<void> {
  const results: Promise<number>[] = [];
  for (let index = 0; index < count; index += 1) results.push(tasks.enqueue(work).result());
  const values = await Promise.all(results);
  assert.equal(
    values.reduce((total, value) => total + value, 0),
    count,
  );
}

/** Processor time, in microseconds: a small difference would drown in what others take of the machine. */
async function measure(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** There is no SDK, and will be none. */
async function measureWatchedByNobody(): Promise<number> {
  const tasks = createTaskManager();
  using _watching = instrument(tasks);
  const usage = await measure(() => runAll(tasks, PORTION));
  await tasks.stopGraceful();
  return usage;
}

class ManualReader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** With an SDK whose reader collects once. */
async function measureWatched(): Promise<number> {
  const reader = new ManualReader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const tasks = createTaskManager();
  using _watching = instrument(tasks, { meterProvider });
  const usage = await measure(() => runAll(tasks, PORTION));
  const { resourceMetrics, errors } = await reader.collect();
  assert.deepEqual(errors, []);
  const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  const waits = metrics.find(({ descriptor }) => descriptor.name === "task_wait_seconds");
  assert.deepEqual(
    waits?.dataPoints.map(({ value }) => (value as { count: number }).count),
    [PORTION],
  );
  await tasks.stopGraceful();
  await meterProvider.shutdown();
  return usage;
}

async function measurePlain(): Promise<number> {
  const tasks = createTaskManager();
  const usage = await measure(() => runAll(tasks, PORTION));
  await tasks.stopGraceful();
  return usage;
}

/** What the SDK takes for the two records of each task, without a manager. */
async function bareRecords(): Promise<number> {
  const meterProvider = new MeterProvider({ readers: [new ManualReader()] });
  const meter = meterProvider.getMeter("bench");
  const [wait, latency] = [meter.createHistogram("wait"), meter.createHistogram("latency")];
  const group = { queue: "default", handler: "(function)" };
  const ended = { ...group, outcome: "completed" };
  const usage = await measure(async () => {
    for (let count = 0; count < TASKS; count += 1) {
      wait.record(count / TASKS, group);
      latency.record(count / TASKS, ended);
    }
  });
  await meterProvider.shutdown();
  return (usage / TASKS) * 1_000;
}

/**
 * Portions with and without in one process, by turns, and the median of what `compare` makes of each two:
 * two processes differ by more than what is looked for.
 */
async function byTurns(
  measureWith: () => Promise<number>,
  compare: (watched: number, plain: number) => number,
): Promise<number> {
  const compared: number[] = [];
  for (let portion = 0; portion < TASKS / PORTION; portion += 1) {
    const isFirst = portion % 2 === 0;
    const before = isFirst ? await measureWith() : await measurePlain();
    globalThis.gc?.();
    const after = isFirst ? await measurePlain() : await measureWith();
    globalThis.gc?.();
    compared.push(isFirst ? compare(before, after) : compare(after, before));
  }
  compared.sort((one, other) => one - other);
  const middle = compared.length / 2;
  return ((compared[middle - 1] as number) + (compared[middle] as number)) / 2;
}

/** How much of their rate tasks keep, in percent. */
const keptByNobody = () => byTurns(measureWatchedByNobody, (watched, plain) => (plain / watched) * 100);

/** Nanoseconds a task. */
const addedByMetrics = () =>
  byTurns(measureWatched, (watched, plain) => ((watched - plain) / PORTION) * 1_000);

export const observeOff: BenchCase = {
  name: "observe-off",
  what: "what no-op tasks keep of their rate where the manager is instrumented and there is no SDK; processor time",
  unit: "%",
  better: "higher",
  rounds: 9,
  contestants: [{ name: "millrace", run: keptByNobody }],
  goals: [{ of: "millrace", floor: 95, aim: 100 }],
};

export const observeMetrics: BenchCase = {
  name: "observe-metrics",
  what: "what metrics add to a no-op task, beside what two records of the SDK cost; processor time",
  unit: "ns/task",
  better: "lower",
  rounds: 9,
  contestants: [
    { name: "millrace", run: addedByMetrics },
    { name: "opentelemetry@two-records", run: bareRecords },
  ],
  goals: [{ of: "millrace", floor: 5_000 }, { of: "opentelemetry@two-records" }],
};
