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

async function rate(tasks: TaskManager): Promise<number> {
  const usage = await measure(() => runAll(tasks, TASKS));
  await tasks.stopGraceful();
  return (TASKS / usage) * 1e6;
}

/** There is no SDK, and will be none. */
async function watchedByNobody(): Promise<number> {
  const tasks = createTaskManager();
  using _watching = instrument(tasks);
  return await rate(tasks);
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
 * What metrics add to a task: portions with and without them in one process, by turns, and the median of
 * their differences. Two processes differ by more than that.
 */
async function addedByMetrics(): Promise<number> {
  const differences: number[] = [];
  for (let portion = 0; portion < TASKS / PORTION; portion += 1) {
    const isFirst = portion % 2 === 0;
    const before = isFirst ? await measureWatched() : await measurePlain();
    globalThis.gc?.();
    const after = isFirst ? await measurePlain() : await measureWatched();
    globalThis.gc?.();
    differences.push(isFirst ? before - after : after - before);
  }
  differences.sort((one, other) => one - other);
  const middle = differences.length / 2;
  const median = ((differences[middle - 1] as number) + (differences[middle] as number)) / 2;
  return (median / PORTION) * 1_000;
}

export const observeOff: BenchCase = {
  name: "observe-off",
  what: "200,000 no-op tasks of a manager that is instrumented while there is no SDK; processor time",
  unit: "tasks/s",
  better: "higher",
  rounds: 15,
  contestants: [
    { name: "millrace", run: watchedByNobody },
    { name: "millrace@plain", run: () => rate(createTaskManager()) },
  ],
  goals: [{ of: "millrace", to: "millrace@plain", floor: 0.95, aim: 1 }],
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
