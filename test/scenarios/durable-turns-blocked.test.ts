import { describe, expect, test } from "vitest";
import { defineHandlers, json, type TaskManager } from "../../src/index.js";
import { breakClient } from "../support/broken-backend.js";
import { createScene } from "../support/durable-scene.js";

type Kind = "local" | "durable";

interface Limits {
  readonly maxConcurrency?: number;
  readonly rateLimit?: { readonly tasksPerSecond: number; readonly burst?: number };
}

interface Setting {
  readonly one?: Limits;
  readonly two?: Limits;
  readonly endless?: Limits;
  readonly first?: Limits;
  readonly second?: Limits;
  readonly queues?: Record<string, Limits>;
  readonly concurrency?: number;
  readonly options?: { readonly tasksPerSecond: number; readonly burst: number };
  /** So long the store takes for a claim, and to confirm ends. */
  readonly claimMs?: number;
  readonly ackMs?: number;
  readonly workMs?: number;
}

/** How many, and what each costs. */
type Enqueued = readonly [Kind, "one" | "two" | "endless", "first" | "second", number, cost?: number];

/** Handlers `one` and `two`, queues `first` and `second`, and what has started of each. */
function setUp(setting: Setting) {
  const { one, two, first = {}, second = {}, concurrency = 10, claimMs = 0, ackMs = 0, workMs = 1 } = setting;
  const scene = createScene();
  const { clock } = scene;
  const after = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
  const slowly = async <T>(ms: number, call: () => Promise<T>) => {
    if (ms > 0) await after(ms);
    return await call();
  };
  const started = new Map<string, number>();
  const run = async (payload: string) => {
    started.set(payload, (started.get(payload) ?? 0) + 1);
    await after(workMs);
  };
  const handlers = defineHandlers({
    one: { payload: json<string>(), run, ...one },
    two: { payload: json<string>(), run, ...two },
    endless: { payload: json<string>(), run: () => after(1e9), ...setting.endless },
  });
  const queues = { first, second, ...setting.queues };
  const given = { handlers, queues, autoStart: false, capacity: 100_000, concurrency, ...setting.options };
  const tasks = scene.manager(given, (client) =>
    breakClient(client, (sound) => ({
      claim: (request) => slowly(claimMs, () => sound.claim(request)),
      ack: (ends) => slowly(ackMs, () => sound.ack(ends)),
    })),
  );
  const enqueue = async (...all: readonly Enqueued[]) => {
    for (const [kind, handler, queue, count, cost = 1] of all) {
      const each = Array.from(
        { length: count },
        () => [handler, `${kind} ${handler} ${queue}`, { queue, cost }] as const,
      );
      if (kind === "durable") await tasks.enqueueDurableMany(each);
      else for (const one of each) tasks.enqueue(...one);
    }
  };
  const count = (payload: string) => started.get(payload) ?? 0;
  return { clock, count, enqueue, tasks };
}

describe("durable tasks that cannot start cost the tasks of this process next to nothing", () => {
  const onePlace: Setting = { one: { maxConcurrency: 1 } };
  test.each<[string, Setting, (tasks: TaskManager) => void]>([
    ["their queue is paused", onePlace, (tasks) => tasks.pause({ queue: "first" })],
    ["a task without an end has their queue", { ...onePlace, first: { maxConcurrency: 1 } }, () => {}],
    [
      "their queue has had its permits",
      { ...onePlace, first: { rateLimit: { tasksPerSecond: 0.01, burst: 1 } } },
      () => {},
    ],
  ])("where %s", async (_, setting, prepare) => {
    const { clock, count, enqueue, tasks } = setUp(setting);
    prepare(tasks);
    await enqueue(["durable", "endless", "first", 1], ["durable", "one", "first", 10]);
    tasks.start();
    await clock.advance(20);
    const before = count("local one second");
    await enqueue(["local", "one", "second", 3_000]);
    await clock.advance(2_000);
    expect(count("local one second") - before).toBeGreaterThan(1_850);
  });

  test("where both kinds want the place that a task without an end has", async () => {
    const { clock, count, enqueue, tasks } = setUp({ ...onePlace, first: { maxConcurrency: 1 } });
    await enqueue(["durable", "endless", "first", 1], ["durable", "one", "first", 10]);
    tasks.start();
    await clock.advance(20);
    await enqueue(["local", "endless", "first", 5], ["local", "one", "second", 3_000]);
    await clock.advance(2_000);
    expect(count("local one second")).toBeGreaterThan(1_700);
  });

  test.each([
    [2, 800],
    [3, 2_700],
  ])(
    "of %i slots, where a task without an end has the place of its handler",
    async (concurrency, atLeast) => {
      const limits = { endless: { maxConcurrency: 1 }, one: { maxConcurrency: 1 } };
      const { clock, count, enqueue, tasks } = setUp({ ...limits, concurrency, claimMs: 20 });
      await enqueue(["durable", "one", "first", 900], ["durable", "endless", "second", 9]);
      tasks.start();
      await clock.advance(200);
      await enqueue(["local", "two", "second", 9_000]);
      await clock.advance(2_000);
      expect(count("local two second")).toBeGreaterThan(atLeast); // half of one slot, and all others
      expect(count("durable one first")).toBeGreaterThan(40);
    },
  );

  test("where the store confirms no ends", async () => {
    const { clock, count, enqueue, tasks } = setUp({ ...onePlace, ackMs: 8_000, concurrency: 100 });
    await enqueue(["durable", "two", "first", 3_000]);
    tasks.start();
    await clock.advance(200);
    expect(tasks.stats().durable?.unconfirmed).toBeGreaterThanOrEqual(1_000);
    await enqueue(["local", "one", "second", 3_000]);
    await clock.advance(2_000);
    expect(count("local one second")).toBeGreaterThan(1_800);
  });
});

describe("tasks of this process that cannot start cost durable ones next to nothing", () => {
  test.each<[string, Setting, Enqueued]>([
    ["place of a handler", { one: { maxConcurrency: 1 } }, ["local", "one", "second", 1]],
    ["place of a queue", { first: { maxConcurrency: 1 } }, ["local", "two", "first", 2]],
    [
      "permit of a handler",
      { one: { rateLimit: { tasksPerSecond: 900, burst: 1 } } },
      ["local", "one", "second", 1],
    ],
  ])("where they wait for the %s, too", async (_, setting, local) => {
    const limits: Setting = { two: { rateLimit: { tasksPerSecond: 0.01, burst: 1 } }, ...setting };
    const { clock, count, enqueue, tasks } = setUp(limits);
    tasks.pause({ queue: "second" });
    await enqueue(["durable", "one", "first", 3_000], local);
    tasks.start();
    await clock.advance(2_000);
    expect(count("durable one first")).toBeGreaterThan(1_500);
  });
});

describe("where claims for another queue are under way all the time, neither kind starves of permits", () => {
  const limited = { rateLimit: { tasksPerSecond: 50, burst: 1 } };
  test.each<[string, Setting]>([
    ["of a queue", { first: limited }],
    ["of a handler", { one: limited }],
  ])("%s", async (_, limits) => {
    const { clock, count, enqueue, tasks } = setUp({ ...limits, claimMs: 5 });
    await enqueue(
      ["durable", "one", "first", 200],
      ["local", "one", "first", 200],
      ["durable", "two", "second", 8_000],
    );
    tasks.start();
    await clock.advance(4_000);
    const [local, durable] = [count("local one first"), count("durable one first")];
    expect(local + durable).toBeGreaterThan(130);
    expect(Math.min(local, durable)).toBeGreaterThan(0.4 * (local + durable));
    expect(count("durable two second")).toBeGreaterThan(1_000);
  });
});

describe("permits are shared by what tasks cost, so that neither cheap ones starve dear ones nor the reverse", () => {
  const limit = { tasksPerSecond: 50, burst: 5 };
  test.each<[string, Kind, Setting]>(
    (["local", "durable"] as const).flatMap((dear): [string, Kind, Setting][] => [
      ["the limit of a handler", dear, { one: { rateLimit: limit } }],
      ["the limit of a queue", dear, { first: { rateLimit: limit } }],
      ["the limit that all share", dear, { options: limit }],
    ]),
  )("of %s, where the %s ones are dear", async (_, dear, limits) => {
    const { clock, count, enqueue, tasks } = setUp({ ...limits, claimMs: 5 });
    await enqueue(["durable", "one", "first", 500, dear === "durable" ? 5 : 1]);
    await enqueue(["local", "one", "first", 500, dear === "local" ? 5 : 1]);
    tasks.start();
    await clock.advance(4_000);
    const [local, durable] = [count("local one first"), count("durable one first")];
    const permits = [local * (dear === "local" ? 5 : 1), durable * (dear === "durable" ? 5 : 1)];
    expect(Math.min(...permits)).toBeGreaterThan(80);
    expect(Math.max(...permits)).toBeLessThan(120);
  });
});

test("neither kind of a queue starves where another queue wants the slots as well", async () => {
  const { clock, count, enqueue, tasks } = setUp({ concurrency: 1, claimMs: 1, workMs: 5 });
  await enqueue(
    ["local", "one", "first", 1_000],
    ["durable", "one", "first", 1_000],
    ["local", "one", "second", 1_000],
  );
  tasks.start();
  await clock.advance(5_000);
  const counts = [count("local one first"), count("durable one first"), count("local one second")];
  expect(counts.reduce((sum, one) => sum + one)).toBeGreaterThan(800);
  expect(Math.min(...counts)).toBeGreaterThan(140);
});

test("a thousand queues that have nothing keep none waiting that has something", async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `idle-${index}`);
  const queues = Object.fromEntries(names.map((name) => [name, {}]));
  const { clock, count, enqueue, tasks } = setUp({ queues, claimMs: 15 });
  tasks.start();
  await clock.advance(32_000); // all have been asked, and more polls are due from here on than there is time for
  const before = tasks.stats().durable?.calls.claim.count ?? 0;
  await enqueue(["durable", "one", "first", 2_000]);
  await clock.advance(8_000);
  expect(count("durable one first")).toBe(2_000);
  const asked = (tasks.stats().durable?.calls.claim.count ?? 0) - before;
  expect(asked).toBeGreaterThan(500); // nor are the idle ones forgotten
});

test("a claim keeps no more slots than it can bring tasks", async () => {
  const { clock, count, enqueue, tasks } = setUp({ one: { maxConcurrency: 1 }, claimMs: 40, workMs: 0 });
  await enqueue(["durable", "one", "first", 100]);
  tasks.start();
  await clock.advance(50); // a claim is under way
  await enqueue(["local", "two", "second", 1]);
  await clock.settle();
  expect(count("local two second")).toBe(1);
});
