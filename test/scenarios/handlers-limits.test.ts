import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  defineHandlers,
  json,
  OptionError,
  rateLimited,
  reschedule,
  TaskManager,
  type TaskManagerOptions,
  UnknownHandlerError,
} from "../../src/index.js";
import { coreOf } from "../../src/task-manager.js";
import { createManager, thrownBy } from "../support/manual-manager.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

interface HandlerStart extends Start {
  readonly handler: string | undefined;
  readonly queue: string;
  readonly id: string;
}

/** What a handler of these tests is told to do. */
type Act = "end" | "hold" | "limited" | "all limited";

interface Limits {
  maxConcurrency?: number;
  rateLimit?: { tasksPerSecond: number; burst?: number };
}

/** A manager with two limited handlers, one that is not, and a record of what started when. */
function createGated(one: Limits, other: Limits = {}, options: TaskManagerOptions = {}) {
  const starts: HandlerStart[] = [];
  const held: (() => void)[] = [];
  const run = (
    act: Act,
    context: { handler: string | undefined; queue: string; id: string; attempt: number },
  ) => {
    const { handler, queue, id } = context;
    const first = !starts.some((start) => start.id === id);
    starts.push({ at: clock.now(), cost: tasks.get(id)?.cost ?? 1, handler, queue, id });
    if (act === "hold") return new Promise<void>((resolve) => held.push(resolve));
    if (first && act === "limited") throw rateLimited({ retryAfterMs: 1_000 });
    if (first && act === "all limited") throw rateLimited({ retryAfterMs: 1_000, scope: "all" });
    return undefined;
  };
  const payload = json<Act>();
  const handlers = defineHandlers({
    one: { payload, run, ...one },
    other: { payload, run, ...other },
    free: { payload, run },
  });
  const { clock, tasks } = createManager({ ...options, handlers });
  /** Ends all that is held. */
  const release = () => held.splice(0).forEach((end) => void end());
  const of = (handler: string) => starts.filter((start) => start.handler === handler);
  const plain = (id: string) => tasks.enqueue((context) => run("end", context), { id });
  return { clock, tasks, starts, held, release, of, plain };
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

describe("the maxConcurrency of a handler", () => {
  test("holds, never blocks another handler of its queue, and opens at once when one ends", async () => {
    const { clock, tasks, held, release, of } = createGated({ maxConcurrency: 2 }, {}, { concurrency: 10 });
    times(5, () => tasks.enqueue("one", "hold", { priority: -1 }));
    times(5, () => tasks.enqueue("free", "end"));
    await clock.settle();
    expect([of("one").length, of("free").length]).toEqual([2, 5]);
    expect(tasks.stats().handlers["one"]).toMatchObject({ queued: 3, running: 2 });
    held.shift()?.();
    await clock.settle();
    expect(of("one")).toHaveLength(3);
    release();
    await clock.settle();
    release();
    await tasks.drain();
    expect(clock.now(), "no time has passed").toBe(of("one")[0]?.at);
    expect(tasks.stats().handlers["one"]).toMatchObject({ queued: 0, running: 0, completed: 5 });
  });

  test("holds over all queues together", async () => {
    const { clock, tasks, held, of } = createGated({ maxConcurrency: 1 });
    for (const queue of ["a", "b", "c"]) tasks.enqueue("one", "hold", { queue });
    const queues: (string | undefined)[] = [];
    for (let round = 0; round < 3; round++) {
      await clock.settle();
      expect(of("one")).toHaveLength(round + 1);
      queues.push(of("one").at(-1)?.queue);
      held.shift()?.();
    }
    expect(queues).toEqual(["a", "b", "c"]);
  });

  test("and that of the queue both hold, and whichever frees a place is enough for the other's tasks", async () => {
    const queues = { narrow: { maxConcurrency: 2 } };
    const { clock, tasks, held, of } = createGated({ maxConcurrency: 1 }, {}, { queues });
    times(2, () => tasks.enqueue("one", "hold", { queue: "narrow" }));
    times(2, () => tasks.enqueue("free", "hold", { queue: "narrow" }));
    tasks.enqueue("one", "hold");
    await clock.settle();
    expect([of("one").length, of("free").length]).toEqual([1, 1]);
    held[1]?.(); // a free one: the queue has room, the handler has not
    await clock.settle();
    expect([of("one").length, of("free").length]).toEqual([1, 2]);
    held[0]?.(); // the handler has room, and so has the queue
    await clock.settle();
    expect(of("one")).toHaveLength(2);
  });

  test("is freed by attempts that fail, time out, are cancelled or given up", async () => {
    let runs = 0;
    const handlers = defineHandlers({
      one: {
        payload: json<string>(),
        maxConcurrency: 1,
        run: (act, { signal }): unknown => {
          runs++;
          if (act === "throw") throw new Error("fails");
          if (act === "deaf") return new Promise(() => undefined);
          return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        },
      },
    });
    const { clock, tasks } = createManager({ handlers, timeoutMs: 100, killAfterMs: 10 });
    tasks.enqueue("one", "throw");
    tasks.enqueue("one", "times out");
    tasks.enqueue("one", "deaf");
    tasks.enqueue("one", "is cancelled", { id: "cancelled" });
    const last = tasks.enqueue("one", "last");
    await clock.settle();
    expect(runs).toBe(2);
    await clock.advance(100);
    expect(runs).toBe(3);
    await clock.advance(110);
    expect(runs).toBe(4);
    await tasks.cancel("cancelled");
    await clock.settle();
    expect(last.state).toBe("running");
    expect(tasks.stats().handlers["one"]).toMatchObject({ running: 1, failed: 3, cancelled: 1 });
  });
});

describe("order", () => {
  test("by priority, weight and arrival holds across the handlers and functions of one queue", async () => {
    const entry = fc.record({
      handler: fc.constantFrom("one", "other", "free", undefined),
      priority: fc.integer({ min: -2, max: 2 }),
      weight: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 30 }), async (entries) => {
        const seen: number[] = [];
        const run = (index: number) => void seen.push(index);
        const payload = json<number>();
        const handlers = defineHandlers({
          one: { payload, run, maxConcurrency: 3 },
          other: { payload, run, rateLimit: { tasksPerSecond: 1, burst: 100 } },
          free: { payload, run },
        });
        const tasks = new TaskManager({ handlers, concurrency: 1 });
        entries.forEach(({ handler, ...options }, index) => {
          if (handler === undefined) tasks.enqueue(() => run(index), options);
          else tasks.enqueue(handler as "one", index, options);
        });
        await tasks.drain();
        const expected = entries
          .map((one, index) => ({ ...one, index }))
          .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
          .map(({ index }) => index);
        expect(seen).toEqual(expected);
        await tasks.stopNow();
      }),
      { numRuns: 50 },
    );
  });

  test("a handler's tasks that had to wait keep their place among the others' when its gate opens", async () => {
    const { clock, tasks, starts, held } = createGated({ maxConcurrency: 1 }, {}, { concurrency: 2 });
    tasks.enqueue("one", "hold", { id: "first" });
    tasks.enqueue("free", "hold", { id: "busy" });
    await clock.settle();
    tasks.enqueue("free", "end", { id: "later", priority: 5 });
    tasks.enqueue("one", "end", { id: "best", priority: 1 });
    tasks.enqueue("free", "end", { id: "between", priority: 3 });
    held[0]?.();
    await clock.settle();
    expect(starts.map(({ id }) => id)).toEqual(["first", "busy", "best", "between", "later"]);
  });

  test("a waiting task can be cancelled and moved while its handler is closed", async () => {
    const { clock, tasks, starts, held, release } = createGated({ maxConcurrency: 1 });
    for (const id of ["a", "b", "c", "d"]) tasks.enqueue("one", "hold", { id });
    await clock.settle();
    await tasks.cancel("b");
    await tasks.reprioritize("d", -1);
    expect(tasks.stats().handlers["one"]).toMatchObject({ queued: 2, running: 1, cancelled: 1 });
    for (let round = 0; round < 3; round++) {
      release();
      await clock.settle();
    }
    expect(starts.map(({ id }) => id)).toEqual(["a", "d", "c"]);
    expect(held).toEqual([]);
  });
});

describe("shares", () => {
  test("hold between queues whose tasks have several handlers", async () => {
    const queues = { large: { share: 3 }, small: { share: 1 } };
    const { clock, tasks, starts, of } = createGated({}, {}, { queues, concurrency: 1, capacity: 1_000 });
    await tasks.pause();
    for (const queue of ["large", "small"]) {
      for (const handler of ["one", "other", "free"] as const)
        times(80, () => tasks.enqueue(handler, "end", { queue }));
    }
    tasks.resume();
    await clock.settle();
    const first = starts.slice(0, 200);
    expect(first.filter(({ queue }) => queue === "large")).toHaveLength(150);
    expect(of("one")).toHaveLength(160);
  });

  test("of a queue whose only handler is closed go to the others, and are not owed to it", async () => {
    const queues = { large: { share: 9 }, small: { share: 1 } };
    const limits = { maxConcurrency: 1 };
    const { clock, tasks, starts, release } = createGated(
      limits,
      {},
      { queues, concurrency: 2, capacity: 1_000 },
    );
    times(50, (index) => tasks.enqueue("one", index === 0 ? "hold" : "end", { queue: "large" }));
    await clock.settle();
    times(40, () => tasks.enqueue("free", "end", { queue: "small" }));
    await clock.settle();
    expect(starts.filter(({ queue }) => queue === "small")).toHaveLength(40);
    const before = starts.length;
    await tasks.pause();
    times(40, () => tasks.enqueue("free", "end", { queue: "small" }));
    release();
    await clock.settle();
    tasks.resume();
    await clock.settle();
    const large = starts.slice(before, before + 20).filter(({ queue }) => queue === "large");
    expect(large.length).toBeLessThanOrEqual(19);
    expect(large.length).toBeGreaterThanOrEqual(16);
  });
});

describe("pause", () => {
  test("of a queue holds its tasks when their handler opens, and no other queue's", async () => {
    const { clock, tasks, starts, held } = createGated({ maxConcurrency: 1 });
    tasks.enqueue("one", "hold", { id: "running", queue: "a" });
    await clock.settle();
    tasks.enqueue("one", "end", { id: "in-a", queue: "a" });
    tasks.enqueue("one", "end", { id: "in-b", queue: "b", priority: 5 });
    await tasks.pause({ queue: "a" });
    held[0]?.();
    await clock.settle();
    expect(starts.map(({ id }) => id)).toEqual(["running", "in-b"]);
    tasks.resume({ queue: "a" });
    await clock.settle();
    expect(starts.map(({ id }) => id)).toEqual(["running", "in-b", "in-a"]);
  });
});

describe("pause of a queue whose task the limit of a handler saves up for", () => {
  test("lets the handler's cheaper tasks in other queues start at once", async () => {
    const { clock, tasks, starts } = createGated({ rateLimit: { tasksPerSecond: 1, burst: 10 } });
    tasks.enqueue("one", "end", { id: "first", cost: 5 });
    await clock.settle();
    tasks.enqueue("one", "end", { id: "dear", cost: 10, queue: "a" });
    tasks.enqueue("one", "end", { id: "cheap", cost: 2, queue: "b", priority: 5 });
    await clock.settle();
    expect(starts.map(({ id }) => id)).toEqual(["first"]);
    await tasks.pause({ queue: "a" });
    await clock.settle();
    expect(starts.map(({ id }) => id)).toEqual(["first", "cheap"]);
  });
});

describe("the rate limit of a handler", () => {
  test("has a burst of 1, holds in every window, and nobody else waits for it (I11)", async () => {
    const { clock, tasks, of } = createGated({ rateLimit: { tasksPerSecond: 2 } }, {}, { concurrency: 1 });
    times(10, () => tasks.enqueue("one", "end", { priority: -5 }));
    times(50, () => tasks.enqueue("free", "end"));
    await clock.settle();
    expect([of("one").length, of("free").length]).toEqual([1, 50]);
    await clock.advance(4_500);
    expect(of("one").map(({ at }) => at - (of("one")[0]?.at ?? 0))).toEqual(times(10, (i) => i * 500));
  });

  test("holds over several queues, beside theirs and the shared one, at any costs, after blocks too", async () => {
    const { clock, tasks, starts, of } = createGated(
      { rateLimit: { tasksPerSecond: 20, burst: 4 } },
      { rateLimit: { tasksPerSecond: 50, burst: 3 } },
      {
        ...{ tasksPerSecond: 100, burst: 10, concurrency: 50, capacity: 5_000 },
        queues: { slow: { rateLimit: { tasksPerSecond: 40, burst: 4 } } },
      },
    );
    for (let index = 0; index < 600; index++) {
      const queue = ["slow", "a", "b"][index % 3] ?? "";
      tasks.enqueue("one", "end", { queue, cost: 1 + (index % 4) });
      tasks.enqueue("other", "end", { queue, cost: 1 + (index % 3) });
      tasks.enqueue("free", "end", { queue, priority: 1 });
    }
    for (let second = 0; second < 10; second++) {
      await clock.advance(700);
      clock.block(300);
    }
    await clock.advance(0);
    expect(leastBurst(of("one"), 20)).toBeLessThanOrEqual(4 + ROUNDING);
    expect(leastBurst(of("other"), 50)).toBeLessThanOrEqual(3 + ROUNDING);
    expect(leastBurst(starts, 100)).toBeLessThanOrEqual(10 + ROUNDING);
    const slow = starts.filter(({ queue }) => queue === "slow");
    expect(leastBurst(slow, 40)).toBeLessThanOrEqual(4 + ROUNDING);
    const permits = starts.reduce((sum, { cost }) => sum + cost, 0);
    // A block of 300 ms lets at most a burst of 10 through, so about three quarters of the rate can be used.
    expect(permits).toBeGreaterThan(700);
    expect(of("one").length).toBeGreaterThan(40);
  });

  test("counts retries and steered attempts as starts", async () => {
    const starts: Start[] = [];
    const handlers = defineHandlers({
      one: {
        payload: json<number>(),
        rateLimit: { tasksPerSecond: 10, burst: 2 },
        run: (kind, { attempt }) => {
          starts.push({ at: clock.now(), cost: 1 });
          if (kind === 0 && attempt < 3) throw new Error("again");
          if (kind === 1 && starts.length < 12) throw reschedule({ delayMs: 1 });
        },
      },
    });
    const { clock, tasks } = createManager({ handlers, maxAttempts: 3, backoff: () => 1 });
    times(6, (index) => tasks.enqueue("one", index % 3));
    await clock.advance(10_000);
    expect(tasks.stats().total.completed).toBe(6);
    expect(starts.length).toBeGreaterThan(12);
    expect(leastBurst(starts, 10)).toBeLessThanOrEqual(2 + ROUNDING);
  });

  test("takes nothing while the shared one has no permit, and the other way round", async () => {
    const limits = { rateLimit: { tasksPerSecond: 0.1, burst: 1 } };
    const { clock, tasks, of } = createGated(limits, {}, { tasksPerSecond: 1, burst: 1 });
    tasks.enqueue("free", "end");
    await clock.settle();
    const start = clock.now();
    times(2, () => tasks.enqueue("one", "end"));
    await clock.advance(1_000);
    expect(of("one").map(({ at }) => at - start)).toEqual([1_000]);
    await clock.advance(2_000);
    expect(tasks.stats().limiter.available).toBe(1);
    await clock.advance(8_000);
    expect(of("one").map(({ at }) => at - start)).toEqual([1_000, 11_000]);
  });

  test("its head keeps its place; a more urgent one that costs less goes first, in any queue", async () => {
    const { clock, tasks, of } = createGated({ rateLimit: { tasksPerSecond: 1, burst: 10 } });
    tasks.enqueue("one", "end", { cost: 8, id: "first" });
    await clock.settle();
    tasks.enqueue("one", "end", { cost: 10, id: "dear" });
    await clock.settle();
    tasks.enqueue("one", "end", { cost: 1, id: "cheap", priority: 1 });
    await clock.settle();
    tasks.enqueue("one", "end", { cost: 2, id: "elsewhere", queue: "another" });
    await clock.settle();
    expect(of("one").map(({ id }) => id)).toEqual(["first", "elsewhere"]);
    await clock.advance(10_000);
    expect(of("one").map(({ id }) => id)).toEqual(["first", "elsewhere", "dear"]);
    await clock.advance(1_000);
    expect(of("one").map(({ id }) => id)).toEqual(["first", "elsewhere", "dear", "cheap"]);
  });

  test("cancelling the head lets a cheaper one start at once", async () => {
    const { clock, tasks, of } = createGated({ rateLimit: { tasksPerSecond: 1, burst: 5 } });
    tasks.enqueue("one", "end", { cost: 3 });
    await clock.settle();
    tasks.enqueue("one", "end", { cost: 5, id: "dear" });
    tasks.enqueue("one", "end", { cost: 2, id: "cheap" });
    await clock.settle();
    expect(of("one")).toHaveLength(1);
    await tasks.cancel("dear");
    await clock.settle();
    expect(
      of("one")
        .map(({ id }) => id)
        .at(-1),
    ).toBe("cheap");
  });
});

describe("rateLimited", () => {
  test.each([
    ["with a limit", { rateLimit: { tasksPerSecond: 1_000, burst: 10 } }],
    ["without one", {}],
  ])("closes its handler for all its tasks, in all queues, and no other: %s", async (_, limits) => {
    const { clock, tasks, starts, of, plain } = createGated(limits, {}, { concurrency: 1 });
    tasks.enqueue("one", "limited", { id: "limited" });
    await clock.settle();
    const start = clock.now();
    tasks.enqueue("one", "end", { id: "waits" });
    tasks.enqueue("one", "end", { id: "elsewhere", queue: "another" });
    tasks.enqueue("free", "end");
    plain("plain");
    await clock.advance(999);
    expect(of("one").map(({ id }) => id)).toEqual(["limited"]);
    expect([of("free").length, starts.length]).toEqual([1, 3]);
    expect(tasks.get("limited")).toMatchObject({ state: "scheduled", reason: "rate-limited", attempt: 0 });
    await clock.advance(1);
    expect(of("one").map(({ at }) => at - start)).toEqual([0, 1_000, 1_000, 1_000]);
    expect(tasks.stats().total).toMatchObject({ rescheduled: 1, retried: 0, completed: 5 });
    expect(tasks.stats().limiter.closedForMs).toBe(0);
  });

  test("of several, the latest end counts", async () => {
    const starts: string[] = [];
    const handlers = defineHandlers({
      one: {
        payload: json<number>(),
        run: async (retryAfterMs, { id }) => {
          starts.push(id);
          await null; // so that all have started before the first one throws
          if (starts.indexOf(id) < 3 && starts.length === 3) throw rateLimited({ retryAfterMs });
        },
      },
    });
    const { clock, tasks } = createManager({ handlers });
    for (const ms of [300, 900, 100]) tasks.enqueue("one", ms, { id: `${ms}` });
    await clock.settle();
    tasks.enqueue("one", 0, { id: "waits" });
    await clock.advance(899);
    expect(starts).toEqual(["300", "900", "100"]);
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["handler-rate-limited"] });
    expect(tasks.stats().handlers["one"]).toMatchObject({ queued: 3, completed: 0, closedForMs: 1 });
    await clock.advance(1);
    expect(starts.slice(3)).toEqual(["waits", "100", "300", "900"]);
    expect(tasks.stats().handlers["one"]?.closedForMs).toBe(0);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
  });

  test("with scope all closes everything until then", async () => {
    const { clock, tasks, of, plain } = createGated({}, {}, {});
    tasks.enqueue("one", "all limited");
    await clock.settle();
    tasks.enqueue("free", "end");
    plain("plain");
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["rate-limited"] });
    await clock.advance(999);
    expect(of("free")).toHaveLength(0);
    await clock.advance(1);
    expect(of("free")).toHaveLength(1);
    expect(tasks.get("plain")?.state).toBe("completed");
  });

  test("of a function lets its own task wait, and no other", async () => {
    const { clock, tasks } = createManager();
    let turns = 0;
    const limited = tasks.enqueue(() => {
      if (++turns === 1) throw rateLimited({ retryAfterMs: 1_000 });
    });
    const other = tasks.enqueue(() => "other");
    await clock.settle();
    expect([limited.state, other.state]).toEqual(["scheduled", "completed"]);
  });

  test.each([
    ["a finite rate", 1_000],
    ["no limit", Number.POSITIVE_INFINITY],
  ])("is lifted by a new rate of the handler: %s", async (_, tasksPerSecond) => {
    const { clock, tasks, of } = createGated({});
    tasks.enqueue("one", "limited");
    await clock.settle();
    tasks.enqueue("one", "end", { id: "waits" });
    await clock.advance(10);
    expect(tasks.get("waits")?.state).toBe("queued");
    tasks.setRate({ handler: "other", tasksPerSecond: 1 });
    await clock.settle();
    expect(tasks.get("waits")?.state, "another handler's rate is another's").toBe("queued");
    tasks.setRate({ handler: "one", tasksPerSecond });
    await clock.settle();
    expect(
      of("one")
        .map(({ id }) => id)
        .at(-1),
    ).toBe("waits");
  });

  test("does not keep a stop waiting beyond its deadline, and its tasks are told", async () => {
    const { clock, tasks } = createGated({}, {}, { killAfterMs: 100 });
    tasks.enqueue("one", "limited", { id: "limited" });
    await clock.settle();
    const waits = tasks.enqueue("one", "end");
    const stopped = tasks.stopGraceful({ deadlineMs: 500 });
    await clock.advance(500);
    expect(await stopped).toMatchObject({ alive: 2, completed: 0 });
    expect(waits.state).toBe("cancelled");
  });
});

describe("setRate of a handler", () => {
  test("sets, changes and lifts its limit, and wakes what it lets start", async () => {
    const { clock, tasks, of } = createGated({}, { rateLimit: { tasksPerSecond: 0.001 } });
    times(3, () => tasks.enqueue("other", "end"));
    await clock.settle();
    expect(of("other")).toHaveLength(1);
    tasks.setRate({ handler: "other", tasksPerSecond: 10 });
    await clock.advance(100);
    expect(of("other")).toHaveLength(2);
    tasks.setRate({ handler: "other", tasksPerSecond: Number.POSITIVE_INFINITY });
    await clock.settle();
    expect(of("other")).toHaveLength(3);
    tasks.setRate({ handler: "one", tasksPerSecond: 1, burst: 2 });
    times(5, () => tasks.enqueue("one", "end"));
    await clock.settle();
    expect(of("one")).toHaveLength(2);
    // Without a burst, the present one stays.
    tasks.setRate({ handler: "one", tasksPerSecond: 1_000 });
    expect(thrownBy(() => tasks.enqueue("one", "end", { cost: 3 }))).toMatchObject({ option: "cost" });
  });

  test("refuses names that are not known, and a queue beside the handler, and changes nothing", () => {
    const { tasks } = createGated({});
    const wrong = thrownBy(() => tasks.setRate({ handler: "ome", tasksPerSecond: 1 }));
    expect(wrong).toBeInstanceOf(UnknownHandlerError);
    expect(wrong).toMatchObject({ handler: "ome", message: expect.stringContaining('"one"') });
    const both = { handler: "one", queue: "default", tasksPerSecond: 1 };
    expect(thrownBy(() => tasks.setRate(both))).toBeInstanceOf(OptionError);
    expect(thrownBy(() => tasks.setRate({ handler: "one" } as never))).toMatchObject({
      option: "tasksPerSecond",
    });
    expect(coreOf(tasks).limiter.handlers.get("one")).toBeUndefined();
  });
});

test("Q8: ten thousand queue names used once leave nothing behind at the gates of handlers", async () => {
  const { clock, tasks, of } = createGated(
    { maxConcurrency: 3 },
    { rateLimit: { tasksPerSecond: 1e6, burst: 100 } },
  );
  const { queues } = coreOf(tasks);
  for (let index = 0; index < 10_000; index++) {
    const handler = (["one", "other", "free"] as const)[index % 3] ?? "one";
    tasks.enqueue(handler, "end", { queue: `name-${index}` });
    if (index % 500 === 0) await clock.settle();
  }
  await clock.advance(100);
  expect(of("one").length + of("other").length + of("free").length).toBe(10_000);
  expect([...queues.queues()].map(({ name }) => name)).toEqual(["default"]);
  expect([...queues.handlers()].map(({ parked }) => parked.length)).toEqual([0, 0, 0]);
});

test("a queue whose handler is free gets its turns, though another's task of that handler stands behind functions", async () => {
  const starts: string[] = [];
  let release = () => {};
  const handlers = defineHandlers({
    one: {
      payload: json<string>(),
      maxConcurrency: 1,
      run: async (name) => {
        starts.push(name);
        if (name === "holder") await new Promise<void>((resolve) => (release = resolve));
      },
    },
  });
  const queues = { busy: { share: 100 }, calm: { share: 1 } };
  const { clock, tasks } = createManager({ handlers, queues, concurrency: 2 });
  tasks.enqueue("one", "holder", { queue: "calm" }); // its queue has had its turn, and the next is 100 later
  await clock.settle();
  tasks.enqueue("one", "calm", { queue: "calm" });
  tasks.enqueue("one", "busy", { queue: "busy", priority: 9 });
  for (let index = 0; index < 1_000; index++) {
    const work = index === 5 ? async () => release() : async () => void starts.push("function");
    tasks.enqueue(work, { queue: "busy" });
  }
  await clock.settle();
  expect(starts).toHaveLength(1_002);
  expect(starts.indexOf("calm")).toBeGreaterThan(90);
  expect(starts.indexOf("calm")).toBeLessThan(110);
  expect(starts.indexOf("busy")).toBe(1_001);
});
