import { describe, expect, onTestFinished, test } from "vitest";
import { instrument } from "../../../src/adapters/otel/index.js";
import {
  type AnyHandlers,
  defineHandlers,
  json,
  memoryBackend,
  StoreUnreachableError,
  type TaskManagerOptions,
} from "../../../src/index.js";
import { ManualClock } from "../../../src/testing/index.js";
import { createDurable } from "../../support/faulty-store.js";
import { createManager, rejectionOf, untilAborted } from "../../support/manual-manager.js";
import { ScrapedProvider } from "../../support/scrape.js";

const unreachable = new StoreUnreachableError("no answer");
const handlers = defineHandlers({
  mail: { payload: json<string>(), queue: "post", run: async () => {} },
  fails: { payload: json<null>(), maxAttempts: 1, run: () => Promise.reject(new Error("always")) },
  slow: { payload: json<null>(), run: (_, context) => untilAborted(context) },
});

/** A process with a store of its own, or that of another, and a provider that it reports to. */
function createScraped<H extends AnyHandlers>(
  options: TaskManagerOptions<H>,
  ...shared: Parameters<typeof createDurable> extends [unknown, ...infer More] ? More : never
) {
  const process = createDurable(options, ...shared);
  const scraped = new ScrapedProvider();
  const watching = instrument(process.tasks, { meterProvider: scraped.provider, processDuration: true });
  onTestFinished(() => watching[Symbol.dispose]());
  return { ...process, watching, scrape: () => scraped.scrape() };
}

describe("metrics of durable tasks", () => {
  test("say what is held here, what waits for the store, and what it was asked", async () => {
    const { clock, link, scrape, tasks } = createScraped({ handlers, leaseMs: 3_000 });
    await tasks.enqueueDurable("slow", null);
    await clock.advance(2_500);
    link.hang("ack");
    await tasks.enqueueDurable("mail", "a");
    await clock.advance(10);
    link.hang("enqueue");
    const waiting = rejectionOf(tasks.enqueueDurable("slow", null));
    await clock.settle();
    const seen = await scrape();
    expect(seen.sum("durable_leases")).toBe(2);
    expect(seen.sum("durable_unconfirmed")).toBe(1);
    expect(seen.sum("durable_waiting_for_store")).toBe(1);
    expect(seen.sum("lease_renewals_total")).toBe(2);
    const { calls, lastClaimAgoMs = 0 } = tasks.stats().durable;
    expect(seen.by("store_calls_total", "call")).toMatchObject({
      ...{ claim: calls.claim.count, extend: calls.extend.count, enqueue: 2 },
    });
    expect(seen.by("store_call_seconds_count", "call")).toMatchObject({ claim: calls.claim.count });
    expect(seen.sum("store_last_claim_seconds")).toBe(lastClaimAgoMs / 1_000);
    expect(seen.sum("store_reachable")).toBe(1);
    link.mend();
    await clock.advance(60_000);
    expect(await waiting).toMatchObject({ code: "MILLRACE_STORE_UNREACHABLE" });
    expect((await scrape()).sum("durable_unconfirmed")).toBe(0);
  });

  test("count by queue and handler what became of them", async () => {
    const { clock, link, scrape, tasks } = createScraped({ handlers, leaseMs: 3_000 });
    await tasks.enqueueDurable("fails", null);
    await tasks.enqueueDurable("slow", null);
    await clock.advance(1);
    link.fail(unreachable, "ack", "extend");
    await tasks.enqueueDurable("mail", "a");
    await clock.advance(10);
    link.fail(unreachable, "claim");
    await clock.advance(3_500);
    const seen = await scrape();
    expect(seen.by("tasks_dead_lettered_total", "queue", "handler", "reason")).toEqual({
      "default fails error": 1,
    });
    expect(seen.by("leases_lost_total", "queue", "handler")).toEqual({ "default slow": 1 });
    expect(seen.by("durable_ack_unknown_total", "queue", "handler")).toEqual({ "post mail": 1 });
    expect(seen.by("store_errors_total", "call", "error_type")).toMatchObject({
      "ack MILLRACE_STORE_UNREACHABLE": expect.any(Number),
      "claim MILLRACE_STORE_UNREACHABLE": expect.any(Number),
    });
    expect(seen.sum("lease_renewals_failed_total")).toBeGreaterThan(0);
    expect(seen.sum("store_reachable")).toBe(0);
    link.mend();
    await clock.advance(10_000);
    const stopped = tasks.stopNow();
    await clock.advance(1_000);
    await stopped;
    expect((await scrape()).by("durable_interrupted_total", "handler")).toEqual({ slow: 1 });
  });

  test("keep nothing of attempts that went on elsewhere", async () => {
    const { clock, link, scrape, tasks } = createScraped({ handlers, leaseMs: 3_000, killAfterMs: 1 });
    const { id } = await tasks.enqueueDurable("slow", null);
    await clock.advance(1);
    link.fail(unreachable, "claim", "extend");
    await clock.advance(3_500);
    link.mend();
    await clock.advance(10_000);
    expect(tasks.get(id)).toMatchObject({ state: "running" }); // it came back
    await tasks.cancel(id);
    await clock.advance(1_000);
    expect((await scrape()).sum("messaging_process_duration_count")).toBe(1);
  });

  test("are not there in a manager that has no backend", async () => {
    const { tasks } = createManager();
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider });
    const durable = /^(durable|store|lease)|redelivered|dead_letter/;
    expect((await scraped.scrape()).names.filter((name) => durable.test(name))).toEqual([]);
  });
});

describe("metrics of the store", () => {
  test("say what there is in each consumed queue, whoever put it there, as of the collection before", async () => {
    const clock = new ManualClock();
    const store = memoryBackend({ clock });
    const producer = createDurable({ handlers, consume: false }, { clock, store });
    const { scrape, tasks } = createScraped({ handlers, concurrency: 1 }, { clock, store, seed: 2 });
    for (let n = 0; n < 3; n++) await producer.tasks.enqueueDurable("slow", null);
    await producer.tasks.enqueueDurable("mail", "later", { delayMs: 60_000 });
    await producer.tasks.enqueueDurable("mail", "elsewhere", { queue: "far-away" });
    await clock.advance(9_000);
    const first = await scrape();
    expect(first.by("store_tasks", "queue", "state")).toEqual({}); // of when it was instrumented
    await clock.advance(1_000);
    await scrape();
    await clock.settle();
    expect((await scrape()).by("store_tasks", "queue", "state")).toEqual({
      ...{ "default ready": 2, "default leased": 1, "post delayed": 1 },
    });
    expect(
      (await scrape()).find("store_dead_letters_dropped_total").map(({ labels }) => labels["queue"]),
    ).toEqual(["default", "post"]);
    expect(tasks.stats().durable.calls.counts.count).toBe(2);
  });

  test("ask nothing of it while nobody collects, and no more often than each ten seconds", async () => {
    const { clock, scrape, tasks } = createScraped({ handlers });
    const asked = () => tasks.stats().durable.calls.counts.count;
    await clock.advance(600_000);
    expect(asked()).toBe(1);
    for (let n = 0; n < 30; n++) {
      await scrape();
      await clock.advance(1_000);
    }
    expect(asked()).toBe(4);
  });

  test("stay as they were while the store does not answer, and are 0 when the manager has stopped", async () => {
    const { clock, link, scrape, tasks } = createScraped({ handlers });
    await tasks.enqueueDurable("mail", "later", { delayMs: 600_000 });
    const delayed = async () => (await scrape()).by("store_tasks", "queue", "state");
    const collect = async () => {
      await clock.advance(10_000);
      await scrape();
      await clock.settle();
    };
    await collect();
    expect(await delayed()).toEqual({ "post delayed": 1 });
    link.failCounts(unreachable);
    await collect();
    expect(await delayed()).toEqual({ "post delayed": 1 });
    expect(tasks.stats().durable.calls.counts.errors).toEqual({ MILLRACE_STORE_UNREACHABLE: 1 });
    expect(tasks.stats().observerErrors).toBe(0);
    const stopped = tasks.stopNow();
    await clock.advance(1_000);
    await stopped;
    expect(await delayed()).toEqual({});
  });

  test("are not asked for by a producer, and no more when the manager has stopped", async () => {
    const { clock, scrape, tasks } = createScraped({ handlers, consume: false });
    await clock.advance(20_000);
    await scrape();
    await clock.settle();
    expect((await scrape()).find("store_tasks")).toEqual([]);
    const stopped = tasks.stopNow();
    await clock.advance(20_000);
    await stopped;
    const { count } = tasks.stats().durable.calls.counts;
    await scrape();
    await clock.settle();
    expect(tasks.stats().durable.calls.counts.count).toBe(count);
  });
});
