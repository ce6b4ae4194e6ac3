import { describe, expect, test } from "vitest";
import { defineHandlers, json, type TaskManagerOptions } from "../../src/index.js";
import type { ManualClock } from "../../src/testing/index.js";
import { breakClient } from "../support/broken-backend.js";
import { createScene, type DurableScene } from "../support/durable-scene.js";

interface Limits {
  readonly manager?: Pick<TaskManagerOptions, "concurrency" | "tasksPerSecond" | "burst" | "strictQueues">;
  readonly queue?: NonNullable<Limits["handler"]>;
  readonly handler?: {
    readonly maxConcurrency?: number;
    readonly rateLimit?: { readonly tasksPerSecond: number; readonly burst?: number };
  };
}

/** A store that takes a while for each claim, so that one is nearly always under way. */
function startSlow(scene: DurableScene, limits: Limits, takesMs = 1) {
  const { clock } = scene;
  const runs: string[] = [];
  const run = async (kind: string) => {
    runs.push(kind);
    await after(clock, 10);
  };
  const handlers = defineHandlers({
    scarce: { payload: json<string>(), queue: "first", run, ...limits.handler },
    plain: { payload: json<string>(), queue: "second", run },
  });
  const queues = { first: { share: 1, ...limits.queue }, second: { share: 1 } };
  const options = {
    handlers,
    queues,
    concurrency: 10,
    autoStart: false,
    capacity: 10_000,
    ...limits.manager,
  };
  const tasks = scene.manager(options, (client) =>
    breakClient(client, (sound) => ({
      claim: (request) => after(clock, takesMs).then(() => sound.claim(request)),
    })),
  );
  return { runs, tasks };
}

type Started = ReturnType<typeof startSlow>;

function after(clock: ManualClock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimeout(resolve, ms));
}

function count(runs: readonly string[], kind: string): number {
  return runs.filter((run) => run === kind).length;
}

async function enqueueBoth({ tasks }: Started, name: "scarce" | "plain", amount: number): Promise<void> {
  const each = Array.from({ length: amount });
  await tasks.enqueueDurableMany(each.map(() => [name, `durable ${name}`] as const));
  for (const _ of each) tasks.enqueue(name, `local ${name}`);
}

describe("where a queue and its handler are both scarce, what is kept for one kind is of use to it", () => {
  const rateLimit = { tasksPerSecond: 145, burst: 3 };
  test.each<[string, Limits, number]>([
    ["rates", { handler: { rateLimit }, queue: { rateLimit: { tasksPerSecond: 140, burst: 3 } } }, 140],
    [
      "rates, of which one is far above",
      { handler: { rateLimit }, queue: { rateLimit: { tasksPerSecond: 1_000, burst: 3 } } },
      145,
    ],
    ["a rate and a place", { handler: { rateLimit }, queue: { maxConcurrency: 1 } }, 90],
    ["places, one each", { handler: { maxConcurrency: 1 }, queue: { maxConcurrency: 1 } }, 90],
  ])("%s", async (_, limits, perSecond) => {
    const scene = createScene();
    const { runs, tasks } = startSlow(scene, limits, 5);
    await enqueueBoth({ runs, tasks }, "scarce", 500);
    tasks.start();
    await scene.clock.advance(3_000);
    const [local, durable] = [count(runs, "local scarce"), count(runs, "durable scarce")];
    expect(local + durable).toBeGreaterThan(perSecond * 3 * 0.8);
    expect(Math.min(local, durable)).toBeGreaterThan((local + durable) * 0.4);
  });
});

describe("where claims for other queues are under way all the time, neither kind starves", () => {
  const limitedRate = { rateLimit: { tasksPerSecond: 40, burst: 1 } };
  test.each<[string, Limits]>([
    ["one place of a handler", { handler: { maxConcurrency: 1 } }],
    ["three places of a handler", { handler: { maxConcurrency: 3 } }],
    ["one place of a queue", { queue: { maxConcurrency: 1 } }],
    ["three places of a queue", { queue: { maxConcurrency: 3 } }],
    ["one slot", { manager: { concurrency: 1 } }],
    ["one place of a handler that has a rate limit", { handler: { maxConcurrency: 1, ...limitedRate } }],
    [
      "one place of a queue, and one of a handler",
      { handler: { maxConcurrency: 1 }, queue: { maxConcurrency: 1 } },
    ],
    [
      "one place of a handler under a rate limit",
      { handler: { maxConcurrency: 1 }, manager: { tasksPerSecond: 90, burst: 1 } },
    ],
    [
      "one place of a queue under strict order",
      { queue: { maxConcurrency: 1 }, manager: { strictQueues: true } },
    ],
  ])("of %s", async (_, limits) => {
    const scene = createScene();
    const started = startSlow(scene, limits);
    const { runs, tasks } = started;
    await enqueueBoth(started, "scarce", 300);
    await enqueueBoth(started, "plain", 3_000);
    tasks.start();
    await scene.clock.advance(2_000);
    const local = count(runs, "local scarce");
    const durable = count(runs, "durable scarce");
    expect(local + durable).toBeGreaterThan(40);
    expect(Math.min(local, durable)).toBeGreaterThan(0.3 * (local + durable));
    expect(Math.min(count(runs, "local plain"), count(runs, "durable plain"))).toBeGreaterThan(20);
  });

  test("and none of a thousand tasks is left", async () => {
    const scene = createScene();
    const started = startSlow(scene, {
      handler: { maxConcurrency: 1 },
      queue: { maxConcurrency: 2 },
    });
    const { runs, tasks } = started;
    await enqueueBoth(started, "scarce", 100);
    await enqueueBoth(started, "plain", 400);
    tasks.start();
    await scene.clock.advance(5_000);
    expect(runs).toHaveLength(1_000);
    expect(tasks.stats().durable?.calls.nack.count).toBe(0); // what is claimed may start
  });
});

test("where the store has nothing for a handler, claims for others slow it down by little", async () => {
  const scene = createScene();
  const { runs, tasks } = startSlow(scene, { handler: { maxConcurrency: 1 } }, 5);
  for (let n = 0; n < 300; n++) tasks.enqueue("scarce", "local");
  await tasks.enqueueDurableMany(Array.from({ length: 5_000 }, () => ["plain", "durable"] as const));
  tasks.start();
  await scene.clock.advance(3_000);
  // 300 of 10 ms each could have run, with no claim between.
  expect(count(runs, "local")).toBeGreaterThan(200);
});

test("what is kept for a claim is let go at once when a stop begins, after which nothing is claimed", async () => {
  const scene = createScene();
  const { clock } = scene;
  const { runs, tasks } = startSlow(scene, { handler: { maxConcurrency: 1 } }, 30);
  for (let n = 0; n < 20; n++) tasks.enqueue("scarce", "local");
  await tasks.enqueueDurableMany(Array.from({ length: 500 }, () => ["plain", "durable"] as const));
  tasks.start();
  const isKept = () => count(runs, "local") > 0 && tasks.stats().handlers["scarce"]?.running === 0;
  while (!isKept()) await clock.advance(1);
  const before = count(runs, "local");
  const stopped = tasks.stopGraceful({ deadlineMs: 10_000 });
  await clock.settle();
  expect(count(runs, "local")).toBe(before + 1);
  await clock.advance(10_000);
  await stopped;
  expect(count(runs, "local")).toBe(20);
});

describe("a store that does not answer", () => {
  test.each<[string, Limits]>([
    ["slots", { manager: { concurrency: 1 } }],
    ["places of a handler", { handler: { maxConcurrency: 1 } }],
    ["places of a queue", { queue: { maxConcurrency: 1 } }],
  ])("keeps no %s from tasks of the process for long", async (_, limits) => {
    const scene = createScene();
    const { runs, tasks } = startSlow(scene, limits, 1_000_000);
    tasks.start();
    tasks.enqueue("scarce", "local");
    await scene.clock.advance(49);
    expect(runs).toEqual([]); // it is kept for the claim
    await scene.clock.advance(1);
    expect(runs).toEqual(["local"]);
  });

  test("keeps none from them whose turn would be a durable one's", async () => {
    const scene = createScene();
    const { runs, tasks } = startSlow(scene, { handler: { maxConcurrency: 1 } }, 1_000_000);
    tasks.start();
    for (let n = 0; n < 100; n++) tasks.enqueue("scarce", "local");
    await scene.clock.advance(50 + 100 * 10 - 1);
    expect(runs).toHaveLength(100);
  });
});
