import { describe, expect, test } from "vitest";
import { instrument } from "../../src/adapters/otel/index.js";
import { type Counts, JoinedRun } from "../support/joined-run.js";
import { runCount } from "../support/run-count.js";
import { type Scrape, ScrapedProvider } from "../support/scrape.js";

const SEEDS = runCount(150, 1_000);
const GROUP = ["queue", "handler"] as const;

/** What was counted of each kind over all runs: a kind that never came would prove nothing. */
const met = new Map<string, number>();

function meet(name: string, scrape: Scrape): void {
  met.set(name, (met.get(name) ?? 0) + scrape.sum(name));
}

/** Counters by queue and handler, or by reason too, beside those who counted the same. */
function expectCounters(scrape: Scrape, { hooked, seen, results }: JoinedRun): void {
  const expectSame = (name: string, keys: readonly string[], ...others: readonly Counts[]) => {
    meet(name, scrape);
    const metric = scrape.by(name, ...keys);
    for (const counts of others) expect(counts.toRecord(), name).toEqual(metric);
  };
  const byReason = [...GROUP, "reason"];
  expectSame("tasks_scheduled_total", GROUP, seen.accepted);
  expectSame("tasks_refused_total", GROUP, seen.refused);
  expectSame("tasks_started_total", GROUP, hooked.started, seen.started);
  expectSame("tasks_completed_total", GROUP, hooked.completed, seen.completed, results.completed);
  expectSame("tasks_failed_total", byReason, hooked.failed, seen.failed, results.failed);
  expectSame("tasks_cancelled_total", byReason, hooked.cancelled, seen.cancelled, results.cancelled);
  expectSame("tasks_retried_total", GROUP, hooked.retried);
  expectSame("tasks_rescheduled_total", GROUP, hooked.rescheduled);
  expectSame("tasks_timed_out_total", GROUP, seen.timedOut);
  expectSame("tasks_dropped_total", GROUP, hooked.dropped);
  expectSame("tasks_abandoned_total", GROUP, hooked.abandoned);
  expectSame("results_dropped_total", ["subscription"], hooked.resultsDropped);
  expectSame("task_wait_seconds_count", GROUP, hooked.started, seen.started);
  expectSame("task_latency_seconds_count", [...GROUP, "outcome"], hooked.ran, results.ran);
  expect(scrape.sum("task_latency_seconds_sum")).toBeCloseTo(results.ranMs / 1_000, 6);
  expect(hooked.ranMs).toBeCloseTo(results.ranMs, 6);
}

/** Totals of `stats()`. */
function expectStats(scrape: Scrape, { tasks, delivered }: JoinedRun): void {
  const { total, results, queues, handlers, observerErrors, droppedHookCalls } = tasks.stats();
  const sum = (name: string, labels?: Readonly<Record<string, string>>) => scrape.sum(name, labels);
  expect(total).toEqual({
    enqueued: sum("tasks_scheduled_total"),
    started: sum("tasks_started_total"),
    completed: sum("tasks_completed_total"),
    failed: sum("tasks_failed_total"),
    cancelled: sum("tasks_cancelled_total"),
    retried: sum("tasks_retried_total"),
    rescheduled: sum("tasks_rescheduled_total"),
    timedOut: sum("tasks_timed_out_total"),
    dropped: sum("tasks_dropped_total"),
    abandoned: sum("tasks_abandoned_total"),
    refused: sum("tasks_refused_total"),
    handedBack: sum("tasks_handed_back_total"),
  });
  expect(total.enqueued).toBe(total.completed + total.failed + total.cancelled);
  expect(results).toEqual({
    published: sum("results_published_total"),
    delivered: sum("results_delivered_total"),
    dropped: sum("results_dropped_total"),
  });
  expect(results).toMatchObject({ delivered, published: results.delivered + results.dropped });
  expect(sum("tasks_interrupted_total")).toBe(sum("tasks_cancelled_total", { reason: "stopped" }));
  expect(sum("tasks_cancelled_total", { reason: "dropped" })).toBe(total.dropped);
  expect(sum("messaging_process_duration_count")).toBe(total.started);
  expect([sum("observer_errors_total"), sum("hook_calls_dropped_total")]).toEqual([
    observerErrors,
    droppedHookCalls,
  ]);
  expect([observerErrors, droppedHookCalls]).toEqual([0, 0]);
  for (const [key, gates] of Object.entries({ queue: { narrow: queues["narrow"] }, handler: handlers })) {
    for (const [name, gate] of Object.entries(gates)) {
      const of = (state: string) => sum(`tasks_${state}_total`, { [key]: name });
      expect(gate, `${key} ${name}`).toMatchObject({
        ...{ completed: of("completed"), failed: of("failed"), cancelled: of("cancelled") },
        retried: of("retried"),
      });
    }
  }
}

/** What is read off at a moment when nothing is under way. */
function expectGauges(scrape: Scrape, { tasks }: JoinedRun): void {
  const stats = tasks.stats();
  expect(scrape.sum("queue_depth")).toBe(stats.queued);
  expect(scrape.sum("tasks_running")).toBe(stats.running);
  for (const [queue, { queued, running }] of Object.entries(stats.queues)) {
    expect(scrape.sum("queue_depth", { queue })).toBe(queued);
    expect(scrape.sum("tasks_running", { queue })).toBe(running);
  }
  for (const [handler, { queued, running }] of Object.entries(stats.handlers)) {
    expect(scrape.sum("queue_depth", { handler })).toBe(queued);
    expect(scrape.sum("tasks_running", { handler })).toBe(running);
  }
  const paused = Object.values(stats.queues).filter((queue) => queue.paused);
  expect(scrape.sum("tasks_paused")).toBe(paused.reduce((sum, { queued }) => sum + queued, 0));
  expect(scrape.by("tasks_delayed", "state")).toEqual(
    notZero({ scheduled: stats.scheduled - stats.backingOff, backoff: stats.backingOff }),
  );
  const { inline } = stats.lanes;
  expect(scrape.sum("slots_held")).toBe(inline.held);
  expect(scrape.sum("attempts_abandoned")).toBe(inline.abandoned);
  expect(scrape.sum("subscriptions")).toBe(stats.subscriptions.length);
  expect(scrape.sum("results_buffered")).toBe(
    stats.subscriptions.reduce((sum, { buffered }) => sum + buffered, 0),
  );
}

function notZero(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

describe("I17: metrics, hooks, results, handlers, producers and stats of a random run agree to the unit", () => {
  test(`in each of ${SEEDS} runs, by queue, handler and reason`, {
    timeout: 60_000 + SEEDS * 400,
  }, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        await joinRun(seed);
      } catch (error) {
        throw new Error(`The run of seed ${seed} disagrees`, { cause: error });
      }
    }
    for (const [name, sum] of met) expect(sum, `${name} over all runs`).toBeGreaterThan(20);
  });
});

async function joinRun(seed: number): Promise<void> {
  const run = new JoinedRun(seed);
  const scraped = new ScrapedProvider();
  using _watching = instrument(run.tasks, { meterProvider: scraped.provider, processDuration: true });
  await run.play(async () => expectGauges(await scraped.scrape(), run));
  await run.end();
  const scrape = await scraped.scrape();
  expectCounters(scrape, run);
  expectStats(scrape, run);
  expectGauges(scrape, run);
}
