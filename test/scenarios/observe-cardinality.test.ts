import { describe, expect, test } from "vitest";
import { instrument } from "../../src/adapters/otel/index.js";
import { defineHandlers, json } from "../../src/index.js";
import { createManager } from "../support/manual-manager.js";
import { type Scrape, ScrapedProvider } from "../support/scrape.js";

const MANY = 10_000;

function valuesOf({ samples }: Scrape, key: string): Set<string> {
  return new Set(samples.flatMap(({ labels }) => labels[key] ?? []));
}

function expectNoOverflow(scrape: Scrape): void {
  expect(scrape.text).not.toContain("otel_metric_overflow");
}

describe("V15: names that come from data", () => {
  test("10,000 queues become at most 102 attribute values, and none of their tasks is lost", async () => {
    const { clock, tasks } = createManager({ capacity: MANY, concurrency: 100 });
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider, processDuration: true });
    for (let number = 0; number < MANY; number++) tasks.enqueue(() => number, { queue: `tenant-${number}` });
    const waiting = await scraped.scrape();
    expect(waiting.sum("queue_depth")).toBe(MANY);
    expect(waiting.sum("queue_depth", { queue: "_OTHER" })).toBe(MANY - 100);
    await clock.advance(0);
    while (tasks.stats().total.completed < MANY) await clock.advance(1);
    const seen = await scraped.scrape();
    expect(valuesOf(seen, "queue")).toHaveLength(102); // the default queue, the first hundred, _OTHER
    expect(valuesOf(seen, "messaging_destination_name")).toHaveLength(101);
    for (const name of [
      "tasks_scheduled_total",
      "tasks_completed_total",
      "task_wait_seconds_count",
      "task_latency_seconds_count",
      "messaging_process_duration_count",
    ])
      expect([seen.sum(name), seen.sum(name, { queue: "_OTHER" }) % (MANY - 100)], name).toEqual([MANY, 0]);
    expect(seen.sum("tasks_completed_total", { queue: "_OTHER" })).toBe(MANY - 100);
    expectNoOverflow(seen);
  });

  test("many queues of many handlers stay within what OpenTelemetry keeps apart", async () => {
    const names = Array.from({ length: 20 }, (_, number) => `handler-${number}`);
    const entry = { payload: json<number>(), run: () => 1 };
    const handlers = defineHandlers(Object.fromEntries(names.map((name) => [name, entry])));
    const { clock, tasks } = createManager({ handlers: handlers as never, capacity: MANY, concurrency: 100 });
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider });
    for (let number = 0; number < MANY; number++) {
      const queue = `tenant-${number % 200}`;
      tasks.enqueue(names[number % 19] as never, 1 as never, { queue, delayMs: 3_600_000 });
    }
    await clock.advance(0);
    await tasks.cancelAll();
    await clock.advance(0);
    const first = await scraped.scrape();
    const seen = await scraped.scrape(); // an overflow adds up wrongly from the second collection on
    for (const scrape of [first, seen]) {
      expect(scrape.sum("tasks_scheduled_total")).toBe(MANY);
      expect(scrape.sum("tasks_cancelled_total", { reason: "cancelled" })).toBe(MANY);
      expect(scrape.find("tasks_cancelled_total").length).toBeLessThan(2_000);
      expectNoOverflow(scrape);
    }
  });

  test("10,000 subscriptions become at most 101 attribute values, and no drop is lost", async () => {
    const { clock, tasks } = createManager({ capacity: MANY });
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider });
    for (let number = 0; number < MANY / 100; number++) {
      const open = Array.from({ length: 100 }, (_, index) =>
        tasks.subscribe({ name: `reader-${number * 100 + index}`, capacity: 1 }),
      );
      tasks.enqueue(() => number);
      tasks.enqueue(() => number);
      await clock.advance(0);
      for (const subscription of open) void subscription.return(); // drops what it holds
    }
    const seen = await scraped.scrape();
    expect(valuesOf(seen, "subscription")).toHaveLength(101);
    expect(seen.sum("results_dropped_total")).toBe(tasks.stats().results.dropped);
    expect(seen.sum("results_dropped_total")).toBe(2 * MANY);
    expect(seen.sum("results_dropped_total", { subscription: "_OTHER" })).toBe(2 * (MANY - 100));
  });

  test("ids, names, descriptions, metadata and keys of tasks become no attributes", async () => {
    const { clock, tasks } = createManager();
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider, processDuration: true });
    const before = (await scraped.scrape()).samples.length;
    const enqueue = (word: string) =>
      tasks.enqueue(() => word, {
        ...{ id: `id-${word}`, name: `name-${word}`, description: `text-${word}`, correlationId: word },
        ...{ metadata: { [word]: word }, idempotencyKey: `key-${word}` },
      });
    enqueue("word-one");
    await clock.advance(0);
    const one = (await scraped.scrape()).samples.length;
    for (let number = 0; number < 1_000; number++) enqueue(`word-${number}`);
    await clock.advance(0);
    const { samples, text } = await scraped.scrape();
    expect(one).toBeGreaterThan(before);
    expect(samples).toHaveLength(one);
    expect(text).not.toMatch(/word-/);
  });

  test("the name of an error's class is one value, whatever the error calls itself", async () => {
    const { clock, tasks } = createManager({ concurrency: 100 });
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider, processDuration: true });
    for (let number = 0; number < 1_000; number++)
      tasks.enqueue(() => {
        throw Object.assign(new RangeError("broken"), { name: `Error${number}` });
      });
    await clock.advance(1);
    expect(valuesOf(await scraped.scrape(), "error_type")).toEqual(new Set(["RangeError"]));
  });

  test("hostile names of queues, handlers and subscriptions are values like others", async () => {
    const entry = { payload: json<number>(), run: () => 1 };
    const words = ["constructor", "toString", "hasOwnProperty", "_OTHER"];
    const handlers = defineHandlers(Object.fromEntries(words.map((word) => [word, entry])));
    const { clock, tasks } = createManager({ handlers: handlers as never });
    const scraped = new ScrapedProvider();
    using _watching = instrument(tasks, { meterProvider: scraped.provider });
    tasks.subscribe({ name: "__proto__", capacity: 1 });
    for (const word of words) {
      tasks.subscribe({ name: word, capacity: 1 });
      tasks.enqueue(word as never, 1 as never, { queue: word });
    }
    tasks.enqueue("constructor" as never, 2 as never, { queue: "__proto__" });
    await clock.advance(0);
    const seen = await scraped.scrape();
    const expected = Object.fromEntries(words.map((word) => [`${word} ${word}`, 1]));
    expect(seen.by("tasks_completed_total", "queue", "handler")).toEqual({
      ...expected,
      "__proto__ constructor": 1,
    });
    expect(seen.by("task_latency_seconds_count", "queue", "handler")).toEqual(
      seen.by("tasks_completed_total", "queue", "handler"),
    );
    const drops = seen
      .find("results_dropped_total")
      .map(({ labels, value }) => [labels["subscription"], value]);
    expect(drops.filter(([name]) => name !== "_OTHER")).toEqual(
      ["__proto__", "constructor", "toString", "hasOwnProperty"].map((name) => [name, 4]),
    );
  });
});
