import { describe, expect, test } from "vitest";
// Threads run what is compiled, and so does the manager that hands tasks to them.
import { instrument } from "../../dist/adapters/otel/index.js";
import { defineHandlers, fixed, json, type TaskHandle, TaskManager } from "../../dist/index.js";
import { seededRandom } from "../../src/testing/index.js";
import { Counts } from "../support/joined-run.js";
import { type Scrape, ScrapedProvider } from "../support/scrape.js";

const SEEDS = [1, 2, 3];
const TASKS = 120;
const ACTS = [
  ...["return", "return", "return", "return", "return", "later", "throw", "reject", "skip"],
  ...["again", "reschedule", "cancel", "exit", "hang", "late"],
];
const GROUP = ["queue", "handler"] as const;

const act = {
  ...{ payload: json<{ what: string }>(), timeoutMs: 150, killAfterMs: 20, maxAttempts: 2 },
  module: new URL("../fixtures/threads-otel/acts.mjs", import.meta.url),
};
const handlers = defineHandlers({
  act,
  other: { ...act, queue: "narrow" },
  inline: { payload: json<{ what: string }>(), maxAttempts: 2, run: runInline },
});

function runInline({ what }: { readonly what: string }): string {
  if (what === "throw" || what === "exit") throw new Error("broken");
  return what;
}

/** What was told of a run, by who was told. */
class Told {
  readonly started = new Counts();
  readonly retried = new Counts();
  readonly rescheduled = new Counts();
  readonly ended = new Counts();
  readonly endedByResults = new Counts();
  readonly endedByHandles = new Counts();
  readonly threadsStarted = new Counts();
  readonly threadsExited = new Counts();
  readonly lateFaults = new Counts();
}

/** A random run of tasks in threads and beside them, to the end of its manager. */
async function play(seed: number) {
  const random = seededRandom(seed);
  const below = (bound: number) => Math.floor(random.next() * bound);
  const told = new Told();
  const tasks = new TaskManager({
    ...{ handlers, concurrency: 4, threads: { max: 2 }, backoff: fixed({ delayMs: 1 }) },
    queues: { narrow: { maxConcurrency: 1 } },
    retention: { maxEntries: TASKS },
    hooks: {
      onStarted: ({ queue, handler }) => told.started.add(queue, handler),
      onRetried: ({ queue, handler }) => told.retried.add(queue, handler),
      onRescheduled: ({ queue, handler }) => told.rescheduled.add(queue, handler),
      onFinished: ({ queue, handler, state }) => told.ended.add(state, queue, handler),
      onWorkerStarted: () => told.threadsStarted.add("all"),
      onWorkerExited: ({ reason }) => told.threadsExited.add(reason),
      onLateFault: () => told.lateFaults.add("all"),
    },
  });
  const scraped = new ScrapedProvider();
  const watching = instrument(tasks, { meterProvider: scraped.provider, processDuration: true });
  const subscription = tasks.subscribe({ capacity: TASKS });
  const handles: TaskHandle<unknown>[] = [];
  for (let n = 0; n < TASKS; n++) {
    const handler = (["act", "act", "other", "inline"] as const)[below(4)] ?? "act";
    handles.push(tasks.enqueue(handler, { what: ACTS[below(ACTS.length)] ?? "return" }));
    if (below(20) === 0) handles[below(handles.length)]?.cancel();
    if (below(10) === 0) await Promise.allSettled([handles[below(handles.length)]?.result()]);
  }
  await Promise.allSettled(handles.map((handle) => handle.result()));
  await tasks.stopGraceful();
  for await (const { state, queue, handler } of subscription) told.endedByResults.add(state, queue, handler);
  for (const { id } of handles) {
    const { state, queue = "", handler } = tasks.get(id) ?? {};
    told.endedByHandles.add(state, queue, handler);
  }
  const scrape = await scraped.scrape();
  watching[Symbol.dispose]();
  return { scrape, stats: tasks.stats(), told };
}

type Played = Awaited<ReturnType<typeof play>>;

function expectTasks({ scrape, stats: { total }, told }: Played): void {
  const by = (name: string) => scrape.by(name, ...GROUP);
  expect(told.started.toRecord()).toEqual(by("tasks_started_total"));
  expect(told.retried.toRecord()).toEqual(by("tasks_retried_total"));
  expect(told.rescheduled.toRecord()).toEqual(by("tasks_rescheduled_total"));
  expect(told.started.toRecord()).toEqual(by("task_wait_seconds_count"));
  expect(endsOf(scrape)).toEqual(told.ended.toRecord());
  expect(told.endedByResults.toRecord()).toEqual(told.ended.toRecord());
  expect(told.endedByHandles.toRecord()).toEqual(told.ended.toRecord());
  expect(total).toMatchObject({
    ...{ enqueued: TASKS, started: scrape.sum("tasks_started_total") },
    ...{ completed: scrape.sum("tasks_completed_total"), failed: scrape.sum("tasks_failed_total") },
    ...{ cancelled: scrape.sum("tasks_cancelled_total"), timedOut: scrape.sum("tasks_timed_out_total") },
    ...{ handedBack: scrape.sum("tasks_handed_back_total"), abandoned: 0 },
  });
  // Each start has its end: one that came back is none of the attempts that the conventions count.
  expect(scrape.sum("messaging_process_duration_count") + total.handedBack).toBe(total.started);
  const lanes = { act: "threads", other: "threads", inline: "inline" };
  for (const name of ["task_wait_seconds_count", "task_latency_seconds_count"]) {
    for (const { labels } of scrape.find(name))
      expect(labels["lane"]).toBe(lanes[labels["handler"] as keyof typeof lanes]);
  }
}

function expectThreads({ scrape, stats: { threads }, told }: Played): void {
  expect(told.threadsExited.toRecord()).toEqual(scrape.by("worker_threads_exited_total", "reason"));
  expect(scrape.by("worker_threads_exited_total", "reason")).toEqual(notZero(threads.exited));
  expect([told.threadsStarted.total, scrape.sum("worker_threads_started_total")]).toEqual([
    ...[threads.started, threads.started],
  ]);
  expect([told.lateFaults.total, scrape.sum("worker_late_faults_total")]).toEqual([
    ...[threads.lateFaults, threads.lateFaults],
  ]);
  expect(scrape.sum("worker_threads_busy_seconds_total")).toBeCloseTo(threads.busyMs / 1_000, 9);
  expect(scrape.sum("worker_threads_alive_seconds_total")).toBeCloseTo(threads.aliveMs / 1_000, 9);
  expect(threads.busyMs).toBeLessThanOrEqual(threads.aliveMs);
  expect([scrape.sum("worker_threads"), threads.alive]).toEqual([0, 0]); // after a stop
  expect(told.threadsExited.total).toBeGreaterThan(0);
}

/** Ends by state, queue and handler. */
function endsOf(scrape: Scrape): Record<string, number> {
  const ends: Record<string, number> = {};
  for (const state of ["completed", "failed", "cancelled"])
    for (const [group, count] of Object.entries(scrape.by(`tasks_${state}_total`, ...GROUP)))
      ends[`${state} ${group}`] = count;
  return ends;
}

function notZero(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

describe("I17: metrics, hooks, results, handles and stats of tasks in real threads agree to the unit", () => {
  test.each(SEEDS)("in the run of seed %i, whatever threads die of", { timeout: 60_000 }, async (seed) => {
    const played = await play(seed);
    expectTasks(played);
    expectThreads(played);
    expect(played.stats.observerErrors).toBe(0);
  });
});
