import { describe, expect, test } from "vitest";
import type { ResultSubscription } from "../../../src/core/events/result-subscription.js";
import { OptionError, SubscriptionLimitError } from "../../../src/errors.js";
import type { SubscribeOptions } from "../../../src/task/subscription.js";
import { rejectionOf, thrownBy } from "../../support/manual-manager.js";
import { countsOf, ResultScene, readAll, readBuffered } from "../../support/result-scene.js";

describe("reading", () => {
  test("gives what is buffered in its order, and then waits for the next", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe();
    scene.finishMany(2);
    const read = [1, 2, 3].map(() => subscription.next());
    expect(countsOf(subscription)).toEqual({ published: 2, delivered: 2, dropped: 0, buffered: 0 });
    scene.finish();
    expect((await Promise.all(read)).map(({ value }) => value?.value)).toEqual([1, 2, 3]);
    expect(countsOf(subscription)).toEqual({ published: 3, delivered: 3, dropped: 0, buffered: 0 });
  });

  test("of two at once gives each result to one of them, who waited longest first", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe();
    const [first, second] = [subscription[Symbol.asyncIterator](), subscription[Symbol.asyncIterator]()];
    const read = [first.next(), second.next(), first.next()];
    scene.finishMany(4);
    expect((await Promise.all(read)).map(({ value }) => value?.value)).toEqual([1, 2, 3]);
    expect((await second.next()).value?.value).toBe(4);
  });

  test("shows nothing of how it is made to those who hold it, whether it blocks or not", () => {
    const scene = new ResultScene();
    const options = { capacity: 1, overflow: "block", blockTimeoutMs: 5 } as const;
    const subscription = scene.subscribe(options) as ResultSubscription;
    const keys = () => Reflect.ownKeys(subscription);
    expect([subscription.blocking, keys()]).toEqual([false, []]);
    scene.finish();
    expect([subscription.blocking, keys()]).toEqual([true, []]);
  });

  test("by more than 1,000 calls at once is refused, and the others go on", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe({ name: "crowded" });
    const waiting = Array.from({ length: 1_000 }, () => subscription.next());
    const error = await rejectionOf(subscription.next());
    expect(error).toBeInstanceOf(SubscriptionLimitError);
    expect(error).toMatchObject({ code: "MILLRACE_SUBSCRIPTION_LIMIT", limit: 1_000 });
    expect(error).toMatchObject({ message: expect.stringContaining("crowded") });
    scene.finish();
    expect((await waiting[0])?.value?.value).toBe(1);
    const again = subscription.next(); // there is a place again
    subscription.close();
    expect((await Promise.all([...waiting.slice(1), again])).every(({ done }) => done)).toBe(true);
  });
});

describe("the end of a subscription", () => {
  test("by close comes after what is buffered, and nothing is published to it any more", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe();
    scene.finishMany(3);
    subscription.close();
    subscription.close();
    scene.finish();
    expect(countsOf(subscription)).toEqual({ published: 3, delivered: 0, dropped: 0, buffered: 3 });
    expect(await readAll(subscription)).toEqual([1, 2, 3]);
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
    expect(countsOf(subscription)).toEqual({ published: 3, delivered: 3, dropped: 0, buffered: 0 });
  });

  test("by dispose and by asynchronous dispose is the same", async () => {
    const scene = new ResultScene();
    const [first, second] = [scene.subscribe(), scene.subscribe()];
    scene.finish();
    first[Symbol.dispose]();
    await second[Symbol.asyncDispose]();
    scene.finish();
    expect(await Promise.all([readAll(first), readAll(second)])).toEqual([[1], [1]]);
    expect(scene.events.active).toBe(false);
  });

  test("resolves the calls that wait", async () => {
    const subscription = new ResultScene().subscribe();
    const waiting = [subscription.next(), subscription.next()];
    subscription.close();
    expect(await Promise.all(waiting)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });

  test("by return drops what is buffered, with a count, and also after close", async () => {
    const scene = new ResultScene();
    const [left, closed] = [scene.subscribe(), scene.subscribe()];
    scene.finishMany(3);
    await left.next();
    expect(await left.return()).toEqual({ done: true, value: undefined });
    expect(countsOf(left)).toEqual({ published: 3, delivered: 1, dropped: 2, buffered: 0 });
    closed.close();
    await closed.return();
    expect(countsOf(closed)).toEqual({ published: 3, delivered: 0, dropped: 3, buffered: 0 });
    expect(scene.results.tally).toEqual({ published: 6, delivered: 1, dropped: 5 });
    expect(await left.next()).toEqual({ done: true, value: undefined });
  });

  test("by throw is that of return, and rejects with the error", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe();
    scene.finish();
    const error = new Error("enough");
    expect(await rejectionOf(subscription.throw(error))).toBe(error);
    expect(countsOf(subscription)).toEqual({ published: 1, delivered: 0, dropped: 1, buffered: 0 });
  });

  test("ends the other loops over it too", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe();
    const other = readAll(subscription);
    scene.finish();
    await Promise.resolve();
    await subscription.return();
    expect(await other).toEqual([1]);
  });
});

describe("a subscription that blocks", () => {
  const block: SubscribeOptions = { overflow: "block", capacity: 2, blockTimeoutMs: 100 };

  test("says so from when it is full until there is room", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe(block);
    scene.finish();
    expect(scene.results.blocking).toBe(false);
    scene.finish();
    expect(scene.results.blocking).toBe(true);
    await subscription.next();
    expect([scene.results.blocking, scene.unblocked]).toEqual([false, 1]);
  });

  test("does not, where a reader waits for each result", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe({ ...block, capacity: 1 });
    for (let round = 1; round <= 3; round++) {
      const next = subscription.next();
      scene.finish();
      expect((await next).value?.value).toBe(round);
    }
    expect([scene.results.blocking, scene.unblocked, scene.alarms.size]).toEqual([false, 0, 0]);
  });

  test("gives up when nothing was read for blockTimeoutMs, and blocks again when something was", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe(block);
    scene.running = 1;
    scene.finishMany(3);
    await scene.clock.advance(99);
    expect(scene.results.blocking).toBe(true);
    await scene.clock.advance(1);
    expect([scene.results.blocking, scene.unblocked, subscription.dropped]).toEqual([false, 1, 1]);
    scene.finish();
    expect([scene.results.blocking, subscription.dropped]).toEqual([false, 2]);
    expect((await subscription.next()).value?.value).toBe(3);
    scene.finish();
    expect(scene.results.blocking).toBe(true);
    expect(await readBuffered(subscription)).toEqual([4, 5]);
    expect(scene.alarms.size).toBe(0);
  });

  test("begins to count anew at each delivery, while it stays full", async () => {
    const scene = new ResultScene();
    const subscription = scene.subscribe(block);
    scene.running = 3;
    scene.finishMany(5);
    for (let round = 0; round < 4; round++) {
      await scene.clock.advance(90);
      expect(scene.results.blocking).toBe(true);
      await subscription.next();
    }
    expect([scene.results.blocking, subscription.dropped]).toEqual([false, 0]);
  });

  test.each([
    ["close", (scene: ResultScene) => scene.results.subscriptions[0]?.close()],
    ["return", (scene: ResultScene) => void scene.results.subscriptions[0]?.return()],
    ["a stop", (scene: ResultScene) => scene.results.unblock()],
    ["the end of a stop", (scene: ResultScene) => scene.results.close()],
  ])("holds nobody up after %s", (_, end) => {
    const scene = new ResultScene();
    scene.subscribe(block);
    scene.finishMany(2);
    end(scene);
    expect([scene.results.blocking, scene.unblocked, scene.alarms.size]).toEqual([false, 1, 0]);
    scene.finishMany(5);
    expect(scene.results.blocking).toBe(false);
  });

  test("is one of several: starts go on when none blocks any more", async () => {
    const scene = new ResultScene();
    const [first, second] = [scene.subscribe(block), scene.subscribe(block)];
    scene.finishMany(2);
    await first.next();
    expect([scene.results.blocking, scene.unblocked]).toEqual([true, 0]);
    await second.next();
    expect([scene.results.blocking, scene.unblocked]).toEqual([false, 1]);
  });
});

describe("options of a subscription", () => {
  test.each<[string, unknown, string]>([
    ["name", "", "name"],
    ["name", "with space", "name"],
    ["name", "x".repeat(129), "name"],
    ["capacity", 0, "capacity"],
    ["capacity", 1_000_001, "capacity"],
    ["capacity", 1.5, "capacity"],
    ["maxBytes", 0, "maxBytes"],
    ["maxBytes", Number.POSITIVE_INFINITY, "maxBytes"],
    ["overflow", "drop", "overflow"],
    ["blockTimeoutMs", 10, "blockTimeoutMs"],
    ["filter", true, "filter"],
    ["replay", -1, "replay"],
    ["capacty", 10, "capacty"],
  ])("refuses %s: %j", (name, value, option) => {
    const error = thrownBy(() => new ResultScene().subscribe({ [name]: value }));
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ option });
  });

  test("takes every option at its bounds", () => {
    const scene = new ResultScene();
    scene.subscribe({ name: "x".repeat(128), capacity: 1, maxBytes: 1, overflow: "drop-oldest", replay: 0 });
    scene.subscribe({ name: "a.b:c_d-9", capacity: 1_000_000, overflow: "block", blockTimeoutMs: 0 });
    expect(scene.results.subscriptions.map(({ overflow }) => overflow)).toEqual(["drop-oldest", "block"]);
  });

  test("says beside what blockTimeoutMs belongs", () => {
    const error = thrownBy(() =>
      new ResultScene().subscribe({ blockTimeoutMs: 10, overflow: "drop-oldest" }),
    );
    expect(error).toMatchObject({ message: expect.stringContaining('`overflow` to be "block"') });
  });
});
