import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { OptionError, type Subscription, type TaskResult } from "../../src/index.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import { coreOf } from "../../src/task-manager.js";
import { bytes, collectGarbage } from "../core/collections/collect-garbage.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";
import { runProgram } from "../support/model-program.js";
import { Stubborn } from "../support/observed-manager.js";
import { countsOf, readAll, readBuffered } from "../support/result-scene.js";

describe("what subscribers are given", () => {
  test("is the end of every task, with what it was and how long it took", async () => {
    const { clock, tasks } = createManager({ concurrency: 2 });
    const all = tasks.subscribe();
    const metadata = { tenant: "a" };
    tasks.enqueue(async () => new Promise((resolve) => clock.setTimeout(() => resolve("page"), 30)), {
      ...{ id: "p:1", name: "page", queue: "web", correlationId: "c-1", metadata },
    });
    const broken = new Error("broken");
    const failed = tasks.enqueue(() => Promise.reject(broken), { delayMs: 10 });
    const cancelled = tasks.enqueue(() => 1, { delayMs: 1_000 });
    await clock.advance(50);
    cancelled.cancel("not needed");
    const results = [await all.next(), await all.next(), await all.next()].map(({ value }) => value);
    const plain = { name: undefined, handler: undefined, queue: "default", value: undefined };
    const unlabelled = { ...plain, metadata: {}, correlationId: undefined };
    const epoch = clock.wallNow() - 50;
    expect(results).toEqual([
      {
        ...unlabelled,
        ...{ id: failed.id, state: "failed", reason: "error", error: broken, attempt: 1 },
        ...{ waitMs: 0, runMs: 0, finishedAt: epoch + 10 },
      },
      {
        ...{ id: "p:1", name: "page", handler: undefined, queue: "web", correlationId: "c-1", metadata },
        ...{ state: "completed", reason: undefined, value: "page", error: undefined, attempt: 1 },
        ...{ waitMs: 0, runMs: 30, finishedAt: epoch + 30 },
      },
      {
        ...unlabelled,
        ...{ id: cancelled.id, state: "cancelled", reason: "cancelled", attempt: 0, finishedAt: epoch + 50 },
        ...{ error: expect.objectContaining({ cause: "not needed" }), waitMs: undefined, runMs: undefined },
      },
    ]);
    expect(results.every((result) => Object.isFrozen(result))).toBe(true);
  });

  test("comes once for a task that was retried, and not before its last attempt", async () => {
    const { clock, tasks } = createManager();
    const all = tasks.subscribe();
    const work = ({ attempt }: { attempt: number }) => {
      if (attempt < 3) throw new Error("not yet");
      return attempt;
    };
    tasks.enqueue(work, { maxAttempts: 3 });
    await clock.advance(60_000);
    expect(await readBuffered(all)).toEqual([3]);
    expect(all.published).toBe(1);
  });

  test("agrees with get and with the handle", async () => {
    const { clock, tasks } = createManager();
    const all = tasks.subscribe();
    const handle = tasks.enqueue(() => 1);
    await clock.advance(5);
    const { value: result } = await all.next();
    expect(tasks.get(handle.id)).toMatchObject({
      ...{ state: result?.state, finishedAt: result?.finishedAt, waitMs: result?.waitMs },
      ...{ runMs: result?.runMs, handler: undefined },
    });
    expect(await handle.result()).toBe(result?.value);
  });

  test("makes no pictures of anything but ends, where nobody else listens", async () => {
    const { clock, tasks } = createManager();
    const { events } = coreOf(tasks).journal;
    tasks.subscribe();
    expect([events.heard.finished > 0, events.heard.queued > 0, events.heard.started > 0]).toEqual([
      true,
      false,
      false,
    ]);
    await clock.settle();
  });
});

describe("S1: of fifty subscribers one never reads", () => {
  test("the others are given all, the buffer is bounded, and the counts are exact", async () => {
    const { clock, tasks } = createManager({ capacity: 5_000 });
    const idle = tasks.subscribe({ name: "idle", capacity: 100 });
    const readers = Array.from({ length: 49 }, () => tasks.subscribe());
    const read = readers.map((one) => readAll(one));
    const handles = Array.from({ length: 5_000 }, (_, value) => tasks.enqueue(() => value));
    await tasks.drain();
    const expected = await Promise.all(handles.map((handle) => handle.result()));
    await clock.settle();
    const { results, subscriptions } = tasks.stats();
    expect(countsOf(idle)).toEqual({ published: 5_000, delivered: 0, dropped: 4_900, buffered: 100 });
    expect(subscriptions).toHaveLength(50);
    expect(subscriptions[0]).toEqual({
      ...{ name: "idle", overflow: "drop-newest", blocking: false },
      ...countsOf(idle),
    });
    expect(results).toEqual({ published: 250_000, delivered: 245_000, dropped: 4_900 });
    const stopped = tasks.stopNow();
    await clock.advance(10);
    await stopped;
    for (const values of await Promise.all(read)) expect(values).toEqual(expected);
  });
});

/** A function of its own: a frame that goes on would keep the last value. */
async function finishWatched(
  tasks: { enqueue(work: () => object): { result(): Promise<object> } },
  count: number,
): Promise<WeakRef<object>[]> {
  const refs: WeakRef<object>[] = [];
  const results = Array.from({ length: count }, () =>
    tasks
      .enqueue(() => {
        const value = { big: new Array(10).fill(0) };
        refs.push(new WeakRef(value));
        return value;
      })
      .result(),
  );
  await Promise.all(results);
  return refs;
}

describe("S4: a reader that breaks off", () => {
  const ways: readonly [string, (subscription: Subscription) => Promise<void>][] = [
    [
      "by break",
      async (subscription) => {
        for await (const _ of subscription) break;
      },
    ],
    [
      "by an error in the body of its loop",
      async (subscription) => {
        const loop = async () => {
          for await (const { id } of subscription) throw new Error(id);
        };
        await rejectionOf(loop());
      },
    ],
    [
      "by destroying the stream that reads it",
      async (subscription) => {
        const readable = Readable.from(subscription, { highWaterMark: 1 });
        for await (const _ of readable) break;
      },
    ],
  ];

  test.each(ways)("%s is unsubscribed, and nothing is retained", async (_, leave) => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 0 } });
    const subscription = tasks.subscribe();
    const refs = await finishWatched(tasks, 10);
    expect(subscription.buffered).toBe(10);
    await leave(subscription);
    await clock.settle();
    expect(tasks.stats().subscriptions).toEqual([]);
    expect(coreOf(tasks).journal.events.active).toBe(false);
    await collectGarbage();
    expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    tasks.enqueue(() => 1);
    await tasks.drain();
    const { published, delivered, dropped, buffered } = countsOf(subscription);
    expect([published, buffered, delivered + dropped]).toEqual([10, 0, 10]);
    expect(tasks.stats().results).toEqual({ published, delivered, dropped });
    expect((await subscription.next()).done).toBe(true);
  });

  test("while an idle one that is open keeps only what it has buffered", async () => {
    const { tasks } = createManager({ retention: { maxEntries: 0 } });
    const subscription = tasks.subscribe({ capacity: 3 });
    const refs = await finishWatched(tasks, 10);
    for (let count = 0; count < 2; count++) await subscription.next();
    await collectGarbage();
    expect(refs.map((ref) => ref.deref() !== undefined)).toEqual([
      ...[false, false, true],
      ...new Array(7).fill(false),
    ]);
  });
});

describe("S5: 100 MB of results and a slow reader", () => {
  const MEGABYTE = 1_000_000;
  const text = (number: number) => Buffer.alloc(MEGABYTE - 2, 97 + (number % 26)).toString("latin1");

  test.each(["drop-newest", "drop-oldest", "block"] as const)(
    "keep within maxBytes: %s",
    async (overflow) => {
      const { clock, tasks } = createManager({ retention: { maxEntries: 0 }, concurrency: 2 });
      const before = (await bytes()).onHeap;
      const options = { overflow, maxBytes: 5 * MEGABYTE, capacity: 1_000, blockTimeoutMs: 50 };
      const slow = tasks.subscribe({
        ...options,
        ...(overflow === "block" ? {} : { blockTimeoutMs: undefined }),
      });
      let most = 0;
      let mostBytes = 0;
      for (let number = 0; number < 100; number++) {
        tasks.enqueue(() => text(number));
        await clock.advance(1);
        if (number % 20 === 19) {
          await slow.next();
          mostBytes = Math.max(mostBytes, (await bytes()).onHeap - before);
        }
        most = Math.max(most, slow.buffered);
      }
      await clock.advance(1_000);
      expect(most).toBeGreaterThanOrEqual(5);
      expect(most).toBeLessThanOrEqual(overflow === "block" ? 7 : 5);
      expect(mostBytes).toBeLessThan((most + 2) * MEGABYTE + 3_000_000);
      const { published, delivered, dropped, buffered } = countsOf(slow);
      expect([published, delivered + dropped + buffered]).toEqual([100, 100]);
      expect(dropped).toBeGreaterThan(50);
    },
  );
});

test("S8: failing tasks, and a reader that sees them, do not end the process", async () => {
  const found = await runProgram<unknown>("failing-tasks.ts", []);
  expect(found).toEqual({
    read: ["failed broken", "failed null", "failed later", "completed"],
    observerErrors: 4,
    unhandled: 0,
  });
});

describe("a subscription that blocks", () => {
  const block = { overflow: "block", capacity: 3 } as const;

  test("lets nothing start in any queue while it is full, and all go on when it is read", async () => {
    const { clock, tasks } = createManager({ concurrency: 4 });
    const subscription = tasks.subscribe(block);
    const ran: number[] = [];
    const stubborn = [new Stubborn(), new Stubborn()];
    for (const { run } of stubborn) tasks.enqueue(run);
    for (let number = 1; number <= 10; number++) {
      tasks.enqueue(() => ran.push(number), { queue: number % 2 === 0 ? "even" : "odd" });
    }
    await clock.advance(10);
    expect(subscription.buffered).toBe(3);
    expect(ran).toHaveLength(3);
    expect(tasks.stats()).toMatchObject({ running: 2, queued: 7 });
    expect(tasks.stats().subscriptions).toMatchObject([{ blocking: true }]);
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["blocked-by-subscriber"] });
    tasks.enqueue(() => ran.push(11), { priority: -1 });
    for (const one of stubborn) one.resolve();
    await clock.advance(10);
    expect([ran.length, subscription.buffered, tasks.stats().running]).toEqual([3, 5, 0]);
    const reading = readAll(subscription);
    await clock.advance(10);
    expect(ran).toHaveLength(11);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
    tasks.stopNow();
    await clock.advance(10);
    expect(await reading).toHaveLength(13);
    expect(countsOf(subscription)).toEqual({ published: 13, delivered: 13, dropped: 0, buffered: 0 });
  });

  test("holds tasks up for 5 s at most, unless its reader takes something", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    const subscription = tasks.subscribe(block);
    const handles = Array.from({ length: 10 }, (_, number) => tasks.enqueue(() => number));
    await clock.advance(4_999);
    expect(handles.filter(({ state }) => state === "completed")).toHaveLength(3);
    await clock.advance(1);
    expect(handles.filter(({ state }) => state === "completed")).toHaveLength(10);
    expect(await readBuffered(subscription)).toEqual([7, 8, 9]);
    expect(subscription.dropped).toBe(7);
    for (let number = 10; number < 20; number++) tasks.enqueue(() => number);
    await clock.advance(100);
    expect([tasks.stats().queued, subscription.buffered]).toEqual([7, 3]); // it blocks again
    expect(tasks.health().concerns).toEqual(["blocked-by-subscriber"]);
    subscription.close();
    await tasks.drain();
  });

  test("loses nothing to a reader that is slow but steady", async () => {
    const { clock, tasks } = createManager({ concurrency: 4 });
    const subscription = tasks.subscribe({ ...block, blockTimeoutMs: 1_000 });
    for (let number = 0; number < 200; number++) {
      tasks.enqueue(() => new Promise((resolve) => clock.setTimeout(() => resolve(number), 7)));
    }
    let mostBuffered = 0;
    for (let read = 0; read < 200; read++) {
      await clock.advance(50);
      mostBuffered = Math.max(mostBuffered, subscription.buffered);
      expect((await subscription.next()).done).toBe(false);
    }
    expect(mostBuffered).toBeLessThanOrEqual(3 + 3);
    expect(countsOf(subscription)).toEqual({ published: 200, delivered: 200, dropped: 0, buffered: 0 });
  });

  test("stays within capacity and what ran, when a thousand are cancelled at once", async () => {
    const { clock, tasks } = createManager({ concurrency: 4 });
    const subscription = tasks.subscribe(block);
    const stubborn = Array.from({ length: 3 }, () => new Stubborn());
    for (const { run } of stubborn) tasks.enqueue(run);
    for (let number = 0; number < 1_000; number++) tasks.enqueue(() => number);
    await clock.advance(1);
    const cancelled = tasks.cancelAll();
    await clock.advance(10);
    expect(await cancelled).toBe(1_000); // three of them run and have been told
    expect(subscription.buffered).toBe(6);
    for (const one of stubborn) one.resolve();
    await clock.advance(10);
    expect(countsOf(subscription)).toEqual({ published: 1_003, delivered: 0, dropped: 997, buffered: 6 });
  });

  test.each([
    ["stopGraceful", 1],
    ["stopNow", 0],
  ] as const)("is ignored once a stop has begun: %s", async (how, completed) => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    const subscription = tasks.subscribe({ ...block, blockTimeoutMs: 1_000_000 });
    const handles = Array.from({ length: 8 }, (_, number) => tasks.enqueue(() => number));
    await clock.advance(10);
    expect(tasks.health().concerns).toEqual(["blocked-by-subscriber"]);
    const report = how === "stopNow" ? tasks.stopNow() : tasks.stopGraceful({ deadlineMs: 5_000 });
    await clock.advance(10);
    expect(await report).toMatchObject({ alive: 5, completed: completed * 5, durationMs: 0 });
    expect(handles.filter(({ state }) => state === "completed")).toHaveLength(3 + completed * 5);
    expect(countsOf(subscription)).toEqual({ published: 8, delivered: 0, dropped: 5, buffered: 3 });
    expect(await readAll(subscription)).toHaveLength(3);
    expect(tasks.health()).toMatchObject({ status: "stopped", concerns: ["stopped"] });
  });

  test("does not block what a stop is still to do, where it is opened after the stop has begun", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    for (let number = 0; number < 8; number++) tasks.enqueue(() => number);
    const report = tasks.stopGraceful({ deadlineMs: 5_000 });
    const late = tasks.subscribe(block);
    await clock.advance(10);
    expect(await report).toMatchObject({ completed: 8 });
    expect(countsOf(late)).toEqual({ published: 8, delivered: 0, dropped: 5, buffered: 3 });
  });
});

describe("a stop", () => {
  test("closes all subscriptions after the last result", async () => {
    const { clock, tasks } = createManager();
    const [reading, idle] = [readAll(tasks.subscribe()), tasks.subscribe()];
    const waiting = tasks.subscribe({ filter: () => false }).next();
    tasks.enqueue(untilAborted);
    tasks.enqueue(() => "done");
    await clock.advance(1);
    const stopped = tasks.stopNow();
    await clock.advance(1);
    await stopped;
    expect(tasks.stats().subscriptions).toEqual([]);
    expect(await reading).toEqual(["done", undefined]);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await readAll(idle)).toEqual(["done", undefined]);
    expect(await readAll(tasks.subscribe())).toEqual([]); // closed from the start
  });
});

test("Readable.from reads a subscription to its end", async () => {
  const { clock, tasks } = createManager();
  const readable = Readable.from(tasks.subscribe());
  const read: unknown[] = [];
  readable.on("data", ({ value }: TaskResult) => read.push(value));
  const ended = new Promise((resolve) => readable.on("end", resolve));
  for (let number = 0; number < 50; number++) tasks.enqueue(() => number);
  await tasks.drain();
  const stopped = tasks.stopNow();
  await clock.advance(1);
  await stopped;
  await ended;
  expect(read).toEqual(Array.from({ length: 50 }, (_, number) => number));
});

describe("subscribers that misbehave", () => {
  test.each<[string, (tasks: ReturnType<typeof createManager>["tasks"]) => unknown]>([
    ["stops the manager", (tasks) => void tasks.stopNow()],
    ["cancels everything", (tasks) => void tasks.cancelAll()],
    ["pauses and resumes", (tasks) => tasks.pause().then(() => tasks.resume())],
    ["changes retention", (tasks) => tasks.setRetention({ maxEntries: 0, values: true })],
    ["throws", () => expect.unreachable("on purpose")],
  ])("a filter that %s leaves every task with one end, told to all others once", async (_, act) => {
    const { clock, tasks } = createManager({ concurrency: 2 });
    const handles = Array.from({ length: 20 }, (_, number) =>
      tasks.enqueue(() => number, { delayMs: number % 4 }),
    );
    tasks.subscribe({
      filter: () => {
        act(tasks);
        return true;
      },
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { id } of tasks.subscribe()) seen.push(id);
    })();
    await clock.advance(100);
    const stopped = tasks.stopNow();
    await clock.advance(1);
    await stopped;
    await reading;
    expect([...seen].sort()).toEqual(handles.map(({ id }) => id).sort());
  });
});

describe("drops", () => {
  test("are events of the task that was lost", async () => {
    const { tasks } = createManager();
    const drops: TaskEvent[] = [];
    coreOf(tasks).journal.events.subscribe((event) => drops.push(event), ["resultDropped"]);
    const small = tasks.subscribe({ name: "small", capacity: 1, overflow: "drop-oldest" });
    for (const id of ["a", "b", "c"]) tasks.enqueue(() => id, { id, queue: "letters" });
    await tasks.drain();
    const drop = { type: "resultDropped", handler: undefined, queue: "letters", subscription: "small" };
    expect(drops).toEqual([
      { ...drop, id: "a" },
      { ...drop, id: "b" },
    ]);
    expect(small.dropped).toBe(drops.length);
  });
});

describe("replay", () => {
  const retention = { values: true };

  test("begins with what has ended, oldest first, and goes on with what ends", async () => {
    const { tasks } = createManager({ retention });
    for (let number = 1; number <= 5; number++) tasks.enqueue(() => number);
    await tasks.drain();
    const subscription = tasks.subscribe({ replay: 3 });
    tasks.enqueue(() => 6);
    await tasks.drain();
    expect(countsOf(subscription)).toEqual({ published: 4, delivered: 0, dropped: 0, buffered: 4 });
    expect(await readBuffered(subscription)).toEqual([3, 4, 5, 6]);
  });

  test("gives the same as was published, failures included", async () => {
    const { clock, tasks } = createManager({ retention });
    const live = tasks.subscribe();
    tasks.enqueue(() => ({ some: "value" }), { name: "one" });
    tasks.enqueue(() => Promise.reject(new Error("broken")));
    tasks.enqueue(() => 1, { delayMs: 1_000 }).cancel();
    await clock.advance(1);
    const again = tasks.subscribe({ replay: 10 });
    for (let number = 0; number < 3; number++) {
      const [first, second] = [await live.next(), await again.next()];
      expect(second).toEqual(first);
      expect(Object.isFrozen(second.value)).toBe(true);
    }
    expect(again.buffered).toBe(0);
  });

  test("applies the filter first, then the number, then capacity and the rule", async () => {
    const { tasks } = createManager({ retention });
    for (let number = 1; number <= 20; number++) tasks.enqueue(() => number);
    await tasks.drain();
    const filter = ({ value }: TaskResult) => Number(value) % 2 === 0;
    const options = { replay: 4, capacity: 3, filter };
    const [newest, oldest] = [
      tasks.subscribe(options),
      tasks.subscribe({ ...options, overflow: "drop-oldest" }),
    ];
    expect(await readBuffered(newest)).toEqual([14, 16, 18]);
    expect(await readBuffered(oldest)).toEqual([16, 18, 20]);
    expect([newest.published, newest.dropped, oldest.dropped]).toEqual([4, 1, 1]);
  });

  test("works after a stop, on a subscription that has ended", async () => {
    const { clock, tasks } = createManager({ retention });
    for (let number = 1; number <= 5; number++) tasks.enqueue(() => number);
    await tasks.drain();
    const stopped = tasks.stopNow();
    await clock.advance(1);
    await stopped;
    expect(await readAll(tasks.subscribe({ replay: 2 }))).toEqual([4, 5]);
  });

  test("is refused where no values are kept, in words", () => {
    const { tasks } = createManager();
    const error = thrownBy(() => tasks.subscribe({ replay: 1 }));
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ option: "replay", message: expect.stringContaining("retention.values") });
    expect(() => tasks.subscribe({ replay: 0 })).not.toThrow();
    tasks.setRetention({ values: true });
    expect(() => tasks.subscribe({ replay: 1 })).not.toThrow();
  });

  test("gives each result once to who subscribes from within an event", async () => {
    const { tasks } = createManager({ retention });
    const late: Subscription[] = [];
    const subscribe = ({ value }: { value: unknown }) => {
      if (value === 2) late.push(tasks.subscribe({ replay: 10 }));
      return true;
    };
    const { events } = coreOf(tasks).journal;
    events.subscribe((event) => void (event.type === "finished" && subscribe(event)));
    tasks.subscribe({ filter: subscribe });
    events.subscribe((event) => void (event.type === "finished" && subscribe(event)));
    for (let number = 1; number <= 4; number++) tasks.enqueue(() => number);
    await tasks.drain();
    expect(late).toHaveLength(3);
    for (const one of late) expect(await readBuffered(one)).toEqual([1, 2, 3, 4]);
  });

  test("reaches back as far as the tasks and their values are retained", async () => {
    const { clock, tasks } = createManager({ retention: { values: true, maxEntries: 3, ttlMs: 1_000 } });
    const replayed = () => readBuffered(tasks.subscribe({ replay: 10 }));
    for (let number = 1; number <= 5; number++) tasks.enqueue(() => number);
    await clock.advance(500);
    expect(await replayed()).toEqual([3, 4, 5]);
    tasks.enqueue(() => 6);
    await clock.advance(500);
    expect(await replayed()).toEqual([6]);
    await clock.advance(1_000);
    expect(await replayed()).toEqual([]);
    expect(tasks.stats().retainedValues).toEqual({ bytes: 0, letGo: 0 });
  });

  test("reaches back as far as the bytes of values do, those that ended first are let go first", async () => {
    const { clock, tasks } = createManager({ retention: { values: true, maxBytes: 100 } });
    const replayed = () => readBuffered(tasks.subscribe({ replay: 10 }));
    const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(28)); // 30 bytes each
    for (const text of texts) tasks.enqueue(() => text);
    await clock.advance(1);
    expect(await replayed()).toEqual(texts.slice(1));
    expect(tasks.stats()).toMatchObject({ retained: 4, retainedValues: { bytes: 90, letGo: 1 } });
    tasks.enqueue(() => "x".repeat(200)); // too large by itself: the others stay
    await clock.advance(1);
    expect(await replayed()).toEqual(texts.slice(1));
    expect(tasks.stats().retainedValues).toEqual({ bytes: 90, letGo: 2 });
    tasks.setRetention({ maxBytes: 60 });
    expect(await replayed()).toEqual(texts.slice(2));
    tasks.setRetention({ values: false });
    expect(tasks.stats().retainedValues).toEqual({ bytes: 0, letGo: 3 });
    tasks.setRetention({ values: true });
    expect(await replayed()).toEqual([]);
  });

  test("survives values that act when they are measured", async () => {
    const { clock, tasks } = createManager({ retention, concurrency: 1 });
    const waiting = tasks.enqueue(() => 1, { delayMs: 10_000 });
    const live = tasks.subscribe();
    const acting = (act: () => void) => ({
      get member(): number {
        act();
        return 1;
      },
    });
    const cancels = acting(() => waiting.cancel());
    const forgets = acting(() => {
      tasks.setRetention({ maxEntries: 0 });
      tasks.setRetention({ maxEntries: 10 });
    });
    const drops = acting(() => {
      tasks.setRetention({ values: false });
      tasks.setRetention({ values: true });
    });
    for (const value of [cancels, forgets, drops, 7]) tasks.enqueue(() => value);
    await clock.advance(1);
    expect(tasks.stats()).toMatchObject({ running: 0, queued: 0, scheduled: 0 });
    expect(await readBuffered(live)).toEqual([undefined, cancels, forgets, drops, 7]);
    expect(await readBuffered(tasks.subscribe({ replay: 10 }))).toEqual([7]);
    expect(tasks.stats().retainedValues.bytes).toBe(1);
  });
});
