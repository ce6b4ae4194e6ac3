import { describe, expect, onTestFinished, test } from "vitest";
import { instrument } from "../../../src/adapters/otel/index.js";
import { toInstrumentationPoint } from "../../../src/core/manager/instrumentation-point.js";
import { instrumentation } from "../../../src/ports/instrumentation.js";
import { OTHER } from "../../../src/task/group-tally.js";
import { WORKER_EXIT_REASONS } from "../../../src/task/worker-details.js";
import { createManager } from "../../support/manual-manager.js";
import { ScrapedProvider } from "../../support/scrape.js";
import { createThreaded } from "../../support/threaded-manager.js";

/** A manager whose threads do what the test says, and a provider that it reports to. */
function createScraped(...options: Parameters<typeof createThreaded>) {
  const manager = createThreaded(...options);
  const scraped = new ScrapedProvider();
  const point = toInstrumentationPoint(manager.core);
  const watching = instrument({ [instrumentation]: () => point }, { meterProvider: scraped.provider });
  onTestFinished(() => watching[Symbol.dispose]());
  return { manager, scrape: () => scraped.scrape() };
}

const exitedBy = (counts: object) => ({
  ...(Object.fromEntries(WORKER_EXIT_REASONS.map((reason) => [reason, 0])) as never as Record<
    (typeof WORKER_EXIT_REASONS)[number],
    number
  >),
  ...counts,
});

describe("metrics of worker threads", () => {
  test("say how many there are, what they do, and how many there may be", async () => {
    const { manager, scrape } = createScraped();
    Object.assign(manager.pool.stats, { min: 1, max: 8, alive: 6, starting: 1, busy: 3, started: 9 });
    const seen = await scrape();
    expect(seen.by("worker_threads", "state")).toEqual({ starting: 1, idle: 2, busy: 3 });
    expect([seen.sum("worker_threads_min"), seen.sum("worker_threads_max")]).toEqual([1, 8]);
    expect(seen.sum("worker_threads_started_total")).toBe(9);
  });

  test("count exits by reason, late faults, and the seconds that threads are there and busy", async () => {
    const { manager, scrape } = createScraped();
    const exited = exitedBy({ idle: 4, killed: 2, "out-of-memory": 1 });
    Object.assign(manager.pool.stats, { exited, lateFaults: 3, busyMs: 12_500, aliveMs: 50_000 });
    const seen = await scrape();
    expect(seen.by("worker_threads_exited_total", "reason")).toEqual({
      ...{ idle: 4, killed: 2, "out-of-memory": 1 },
    });
    expect(seen.find("worker_threads_exited_total").map(({ labels }) => labels["reason"])).toEqual([
      ...WORKER_EXIT_REASONS,
    ]);
    expect(seen.sum("worker_late_faults_total")).toBe(3);
    expect(seen.sum("worker_threads_busy_seconds_total")).toBe(12.5);
    expect(seen.sum("worker_threads_alive_seconds_total")).toBe(50);
  });

  test("show which handlers cannot be loaded, and whether threads come up, until they do", async () => {
    const { manager, scrape } = createScraped();
    Object.assign(manager.pool.stats, { failing: true, failingHandlers: ["zip"] });
    const bad = await scrape();
    expect(bad.sum("worker_threads_failing")).toBe(1);
    expect(bad.by("handler_failing", "handler")).toEqual({ zip: 1 });
    Object.assign(manager.pool.stats, { failing: false, failingHandlers: [] });
    const good = await scrape();
    expect(good.sum("worker_threads_failing")).toBe(0);
    expect(good.find("handler_failing").map(({ labels, value }) => [labels["handler"], value])).toEqual([
      ...[
        ["hash", 0],
        ["zip", 0],
        ["mail", 0],
      ],
    ]);
  });

  test("are not there in a manager that has none, and neither is a lane for them", async () => {
    const { tasks } = createManager();
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider });
    const seen = await scraped.scrape();
    expect(seen.names.filter((name) => /worker|failing/.test(name))).toEqual([]);
    expect(seen.by("slots", "lane")).toEqual({ inline: 16 });
    expect(seen.find("slots")).toHaveLength(1);
  });
});

describe("metrics of tasks in threads", () => {
  test("have their lane: what waits, runs and holds slots, how long tasks waited and ran", async () => {
    const { manager, scrape } = createScraped({ threads: { max: 2 }, concurrency: 3 });
    for (const payload of ["a", "b", "c"]) manager.enqueue(payload);
    manager.enqueue("letter", {}, "mail");
    await manager.clock.advance(0);
    const busy = await scrape();
    expect(busy.by("queue_depth", "handler", "lane")).toEqual({ "hash threads": 1 });
    expect(busy.by("tasks_running", "handler", "lane")).toEqual({ "hash threads": 2 });
    expect(busy.by("slots", "lane")).toEqual({ inline: 3, threads: 2 });
    expect(busy.by("slots_utilization", "lane")).toEqual({ threads: 1 });
    await manager.clock.advance(2_000);
    manager.pool.end("a", 1, 2_000);
    await manager.clock.advance(0);
    const seen = await scrape();
    expect(seen.by("task_wait_seconds_count", "handler", "lane")).toEqual({
      ...{ "hash threads": 3, "mail inline": 1 },
    });
    expect(seen.by("task_wait_seconds_sum", "lane")).toEqual({ threads: 2 });
    expect(seen.by("task_latency_seconds_count", "handler", "lane", "outcome")).toEqual({
      ...{ "hash threads completed": 1, "mail inline completed": 1 },
    });
    expect(seen.by("task_latency_seconds_sum", "lane")).toEqual({ threads: 2 });
  });

  test("count what came back before it had begun, and wait and run time of the attempt that ran", async () => {
    const { manager, scrape } = createScraped();
    manager.pool.beginsAtOnce = false;
    manager.enqueue("a");
    await manager.clock.advance(0);
    manager.pool.handBack("a");
    await manager.clock.advance(10);
    manager.pool.begin("a");
    manager.pool.end("a", 1, 5);
    const seen = await scrape();
    expect(seen.by("tasks_handed_back_total", "queue", "handler")).toEqual({ "default hash": 1 });
    expect([seen.sum("tasks_started_total"), seen.sum("tasks_completed_total")]).toEqual([2, 1]);
    expect(seen.sum("task_latency_seconds_count", { lane: "threads" })).toBe(1);
  });

  test("of a lane are 0 again where handlers are too many to be told apart", async () => {
    const { manager, scrape } = createScraped({ threads: { max: 2 } });
    for (let more = 0; more < 600; more++) manager.core.tallies.of("default", `another-${more}`);
    manager.enqueue("a", { queue: "late" });
    await manager.clock.advance(0);
    expect((await scrape()).by("tasks_running", "handler", "lane")).toEqual({ "_OTHER threads": 1 });
    manager.pool.end("a");
    const seen = (await scrape()).find("tasks_running", { handler: OTHER, lane: "threads" });
    expect(seen.map(({ value }) => value)).toEqual([0]);
  });
});
