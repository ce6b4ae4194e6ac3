import { describe, expect, test } from "vitest";
import { defineHandlers, json, type RateLimitOptions } from "../../src/index.js";
import { createScene } from "../support/durable-scene.js";

/** Handlers that note what they are given and end after `takesMs`. */
function recording(clock: { setTimeout(callback: () => void, ms: number): unknown }, takesMs = 0) {
  const runs: string[] = [];
  const run = async (name: string) => {
    runs.push(name);
    if (takesMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, takesMs));
  };
  return { runs, run };
}

interface LimitedParts {
  readonly manager?: RateLimitOptions;
  readonly queue?: { readonly rateLimit: RateLimitOptions };
  readonly handler?: { readonly rateLimit: RateLimitOptions };
}

const KINDS = ["durable", "local"] as const;

/** How many of the first `count` runs were of each kind. */
function shares(runs: readonly string[], count: number): Record<string, number> {
  const first = runs.slice(0, count);
  return Object.fromEntries(KINDS.map((kind) => [kind, first.filter((run) => run.startsWith(kind)).length]));
}

describe("local and durable tasks share", () => {
  test("the only slot by turns, so that neither kind starves", async () => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock, 10);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({ handlers, concurrency: 1, autoStart: false });
    await tasks.enqueueDurableMany(Array.from({ length: 20 }, (_, n) => ["work", `durable ${n}`] as const));
    for (let n = 0; n < 20; n++) tasks.enqueue("work", `local ${n}`);
    tasks.start();
    await clock.advance(200);
    expect(shares(runs, 20)).toEqual({ durable: 10, local: 10 });
    await clock.advance(300);
    expect(runs).toHaveLength(40);
  });

  test("the only slot by turns where durable tasks come from several queues", async () => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock, 10);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const queues = { one: { share: 1 }, two: { share: 1 } };
    const tasks = manager({ handlers, queues, concurrency: 1, autoStart: false });
    for (const queue of ["one", "two"])
      for (let n = 0; n < 20; n++) await tasks.enqueueDurable("work", `durable ${queue}`, { queue });
    for (let n = 0; n < 40; n++) tasks.enqueue("work", `local ${n}`);
    tasks.start();
    await clock.advance(400);
    expect(shares(runs, 40)).toEqual({ durable: 20, local: 20 });
    const durable = runs.slice(0, 40).filter((name) => name.startsWith("durable"));
    expect(durable.filter((name) => name.endsWith("one"))).toHaveLength(10);
  });

  test.each([
    ["the shared limit", (limit: RateLimitOptions) => ({ manager: limit })],
    ["a queue's own limit", (limit: RateLimitOptions) => ({ queue: { rateLimit: limit } })],
    ["a handler's own limit", (limit: RateLimitOptions) => ({ handler: { rateLimit: limit } })],
  ])("the permits of %s, so that neither kind starves (L6)", async (_, limitedBy) => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock);
    const limited: LimitedParts = limitedBy({ tasksPerSecond: 10, burst: 1 });
    const handlers = defineHandlers({ work: { payload: json<string>(), run, ...limited.handler } });
    const queues = { default: { ...limited.queue } };
    const tasks = manager({ handlers, queues, ...limited.manager, autoStart: false });
    await tasks.enqueueDurableMany(Array.from({ length: 20 }, (_, n) => ["work", `durable ${n}`] as const));
    for (let n = 0; n < 20; n++) tasks.enqueue("work", `local ${n}`);
    tasks.start();
    await clock.advance(1_950);
    expect(runs).toHaveLength(20);
    expect(shares(runs, 20)).toEqual({ durable: 10, local: 10 });
    await clock.advance(2_000);
    expect(runs).toHaveLength(40);
    const { claim, nack } = tasks.stats().durable?.calls ?? expect.unreachable();
    expect(nack.count).toBeLessThanOrEqual(2); // what is claimed may start
    expect(claim.count).toBeLessThanOrEqual(45);
  });

  test("what one limit allows, however many slots are free (L6)", async () => {
    const { clock, manager } = createScene();
    const starts: number[] = [];
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: () => void starts.push(clock.now()) },
    });
    const tasks = manager({ handlers, tasksPerSecond: 20, burst: 4, autoStart: false });
    await tasks.enqueueDurableMany(Array.from({ length: 30 }, (_, n) => ["work", `durable ${n}`] as const));
    for (let n = 0; n < 30; n++) tasks.enqueue("work", `local ${n}`);
    tasks.start();
    await clock.advance(2_800);
    expect(starts).toHaveLength(60);
    for (let from = 0; from < starts.length; from++)
      for (let to = from; to < starts.length; to++) {
        const ms = (starts[to] ?? 0) - (starts[from] ?? 0);
        expect(to - from + 1).toBeLessThanOrEqual(4 + (ms * 20) / 1_000 + 1e-6);
      }
  });

  test("no slot is left idle for a kind of which there is nothing", async () => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock, 10);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({ handlers, concurrency: 4 });
    await clock.settle();
    for (let n = 0; n < 4; n++) tasks.enqueue("work", `local ${n}`);
    await clock.settle();
    expect(runs).toHaveLength(4);
    await clock.advance(10);
    await tasks.enqueueDurableMany(Array.from({ length: 4 }, (_, n) => ["work", `durable ${n}`] as const));
    await clock.settle();
    expect(runs).toHaveLength(8);
  });
});

test("a subscription that blocks drops no result that the store has yet to confirm", async () => {
  const { clock, manager } = createScene();
  const handlers = defineHandlers({ work: { payload: json<number>(), run: (n) => n } });
  const tasks = manager({ handlers, concurrency: 100, autoStart: false });
  await tasks.enqueueDurableMany(Array.from({ length: 300 }, (_, n) => ["work", n] as const));
  const subscription = tasks.subscribe({ capacity: 5, overflow: "block" });
  tasks.start();
  await clock.settle();
  const values = new Set<unknown>();
  for (let n = 0; n < 300; n++) {
    values.add((await subscription.next()).value?.value);
    if (n % 50 === 0) await clock.settle();
  }
  expect([values.size, subscription.dropped]).toEqual([300, 0]);
});

describe("a handler's own limits hold for its durable tasks", () => {
  test("a rate limit, whose permits come by time alone (L6)", async () => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock);
    const rateLimit = { tasksPerSecond: 10, burst: 1 };
    const handlers = defineHandlers({ work: { payload: json<string>(), run, rateLimit } });
    const tasks = manager({ handlers });
    await tasks.enqueueDurableMany(Array.from({ length: 11 }, (_, n) => ["work", `durable ${n}`] as const));
    await clock.advance(500);
    expect(runs).toHaveLength(6);
    await clock.advance(500);
    expect(runs).toHaveLength(11);
  });

  test("a rate limit for tasks that cost more than one permit, without claiming them in vain", async () => {
    const { clock, manager, store } = createScene();
    const { run, runs } = recording(clock);
    const rateLimit = { tasksPerSecond: 10, burst: 3 };
    const handlers = defineHandlers({ work: { payload: json<string>(), run, cost: 3, rateLimit } });
    let claims = 0;
    const tasks = manager({ handlers }, (client) => ({
      ...{ signals: client.signals, inspector: store.inspector },
      enqueue: (...given) => client.enqueue(...given),
      claim: (request) => {
        claims++;
        return client.claim(request);
      },
      extend: (...given) => client.extend(...given),
      ack: (...given) => client.ack(...given),
      nack: (...given) => client.nack(...given),
      deadLetter: (...given) => client.deadLetter(...given),
      cancel: (...given) => client.cancel(...given),
      close: () => client.close(),
    }));
    await tasks.enqueueDurableMany(Array.from({ length: 4 }, (_, n) => ["work", `durable ${n}`] as const));
    await clock.advance(900);
    expect(runs).toHaveLength(4);
    expect(claims).toBeLessThan(20);
  });

  test("a rate limit of one does not hold up another in the same queue", async () => {
    const { clock, manager } = createScene();
    const slow = recording(clock);
    const fast = recording(clock);
    const handlers = defineHandlers({
      slow: { payload: json<string>(), run: slow.run, rateLimit: { tasksPerSecond: 1, burst: 1 } },
      fast: { payload: json<string>(), run: fast.run },
    });
    const tasks = manager({ handlers });
    for (let n = 0; n < 5; n++) {
      await tasks.enqueueDurable("slow", "durable");
      await tasks.enqueueDurable("fast", "durable");
    }
    await clock.advance(10);
    expect([slow.runs.length, fast.runs.length]).toEqual([1, 5]);
    await clock.advance(1_000);
    expect(slow.runs).toHaveLength(2);
    await clock.advance(3_000);
    expect(slow.runs).toHaveLength(5);
  });

  test("maxConcurrency, over both kinds", async () => {
    const { clock, manager } = createScene();
    let running = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
      running--;
    };
    const handlers = defineHandlers({ work: { payload: json<string>(), run, maxConcurrency: 2 } });
    const tasks = manager({ handlers, autoStart: false });
    await tasks.enqueueDurableMany(Array.from({ length: 6 }, (_, n) => ["work", `durable ${n}`] as const));
    for (let n = 0; n < 6; n++) tasks.enqueue("work", `local ${n}`);
    tasks.start();
    await clock.advance(70);
    expect(most).toBe(2);
    expect(tasks.stats().total.completed).toBe(12);
  });
});

describe("queues of durable tasks", () => {
  test("share the slots by their shares", async () => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock, 10);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({
      ...{ handlers, concurrency: 1, autoStart: false },
      queues: { high: { share: 3 }, low: { share: 1 } },
    });
    for (const queue of ["low", "high"])
      for (let n = 0; n < 40; n++) await tasks.enqueueDurable("work", queue, { queue });
    tasks.start();
    await clock.advance(395);
    expect(runs).toHaveLength(40);
    expect(runs.filter((queue) => queue === "high")).toHaveLength(30);
  });

  test("are drained one after the other where they are strict, and none is lost", async () => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock, 10);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({
      ...{ handlers, concurrency: 2, autoStart: false, strictQueues: true },
      queues: { high: { share: 3 }, low: { share: 1 } },
    });
    for (const queue of ["low", "high"])
      for (let n = 0; n < 10; n++) await tasks.enqueueDurable("work", queue, { queue });
    tasks.start();
    await clock.advance(105);
    expect(runs.slice(0, 10).every((queue) => queue === "high")).toBe(true);
    expect(runs).toHaveLength(20);
  });

  test("a queue's own rate limit and maxConcurrency hold, and others go on beside it", async () => {
    const { clock, manager } = createScene();
    const { run, runs } = recording(clock, 10);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({
      ...{ handlers, autoStart: false },
      queues: {
        limited: { rateLimit: { tasksPerSecond: 10, burst: 1 } },
        narrow: { maxConcurrency: 1 },
        free: {},
      },
    });
    for (const queue of ["limited", "narrow", "free"])
      for (let n = 0; n < 5; n++) await tasks.enqueueDurable("work", queue, { queue });
    tasks.start();
    await clock.advance(5);
    expect([...runs].sort()).toEqual(["free", "free", "free", "free", "free", "limited", "narrow"]);
    await clock.advance(50);
    expect(runs.filter((queue) => queue === "narrow")).toHaveLength(5);
    await clock.advance(400);
    expect(runs.filter((queue) => queue === "limited")).toHaveLength(5);
  });
});
