import { describe, expect, test } from "vitest";
import { SubscriptionLimitError } from "../../../src/errors.js";
import type { Subscription } from "../../../src/task/subscription.js";
import type { TaskResult } from "../../../src/task/task-result.js";
import { thrownBy } from "../../support/manual-manager.js";
import { countsOf, ResultScene, readAll, readBuffered } from "../../support/result-scene.js";

describe("a broadcaster", () => {
  test("listens while a subscription is open, to ends alone", () => {
    const scene = new ResultScene();
    expect(scene.events.heard.finished).toBe(0);
    const [first, second] = [scene.subscribe(), scene.subscribe()];
    expect([scene.events.heard.finished > 0, scene.events.heard.started > 0]).toEqual([true, false]);
    first.close();
    expect(scene.events.heard.finished).toBe(1);
    second.close();
    expect(scene.events.heard.finished).toBe(0);
    const third = scene.subscribe();
    scene.finish();
    expect(third.buffered).toBe(1);
  });

  test("gives all the same frozen result", async () => {
    const scene = new ResultScene();
    const subscriptions = [scene.subscribe(), scene.subscribe({ maxBytes: 1_000 })];
    const { result } = scene.finish({ big: [1, 2] });
    for (const subscription of subscriptions) expect((await subscription.next()).value).toBe(result);
    expect(Object.isFrozen(result)).toBe(true);
  });

  test("makes a name for those that have none", () => {
    const scene = new ResultScene();
    const names = [undefined, "audit", undefined].map((name) => scene.subscribe({ name }).name);
    expect(names).toEqual(["subscriber-1", "audit", "subscriber-2"]);
  });

  test("keeps 1,000 open and refuses one more, of which nothing is kept", () => {
    const scene = new ResultScene();
    const subscriptions = Array.from({ length: 1_000 }, () => scene.subscribe());
    const retained = [scene.newEvent(1).result];
    const error = thrownBy(() => scene.subscribe({ replay: 1 }, retained));
    expect(error).toBeInstanceOf(SubscriptionLimitError);
    expect(error).toMatchObject({ limit: 1_000 });
    expect(scene.results.tally).toEqual({ published: 0, delivered: 0, dropped: 0 });
    subscriptions[500]?.close();
    expect(scene.subscribe().name).toBe("subscriber-1001");
  });

  test("measures a result once, for the largest bound, and not at all where nobody bounds bytes", () => {
    const scene = new ResultScene();
    let looks = 0;
    const value = {
      get text(): string {
        looks++;
        return "x".repeat(100);
      },
    };
    const unbounded = scene.subscribe();
    scene.finish(value);
    expect(looks).toBe(0);
    const [small, large] = [scene.subscribe({ maxBytes: 50 }), scene.subscribe({ maxBytes: 500 })];
    scene.finish(value);
    expect(looks).toBe(1);
    expect([unbounded, small, large].map(({ buffered }) => buffered)).toEqual([2, 0, 1]);
    expect(small.dropped).toBe(1);
    large.close();
    small.close();
    scene.finish(value);
    expect([looks, unbounded.buffered]).toEqual([1, 3]);
  });

  test("drops a value that cannot be measured where bytes are bounded, and nowhere else", () => {
    const scene = new ResultScene();
    const [bounded, unbounded] = [scene.subscribe({ maxBytes: 1_000 }), scene.subscribe()];
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const throws = {
      get it(): never {
        throw new Error("not to be read");
      },
    };
    for (const value of [cycle, throws, undefined, 7]) scene.finish(value);
    expect(countsOf(bounded)).toEqual({ published: 4, delivered: 0, dropped: 2, buffered: 2 });
    expect(unbounded.buffered).toBe(4);
  });

  test("gives one that is made after its close what it replays, and then the end", async () => {
    const scene = new ResultScene();
    scene.results.close();
    const retained = [1, 2, 3].map((value) => scene.newEvent(value).result);
    const late = scene.subscribe({ replay: 2, overflow: "block", capacity: 1 }, retained);
    scene.finish();
    expect(countsOf(late)).toEqual({ published: 2, delivered: 0, dropped: 1, buffered: 1 });
    expect(await readAll(late)).toEqual([3]);
    expect([scene.events.active, scene.results.blocking]).toEqual([false, false]);
  });
});

describe("a filter", () => {
  test("lets through what it gives true for, and the rest is not published to it", async () => {
    const scene = new ResultScene();
    const [odd, all] = [
      scene.subscribe({ filter: ({ value }) => Number(value) % 2 === 1 }),
      scene.subscribe(),
    ];
    scene.finishMany(5);
    expect(await readBuffered(odd)).toEqual([1, 3, 5]);
    expect([odd.published, odd.dropped, all.published]).toEqual([3, 0, 5]);
  });

  test("that throws lets nothing through and is counted; the others are given all", () => {
    const scene = new ResultScene();
    const careless = scene.subscribe({
      filter: () => {
        throw new Error("careless");
      },
    });
    const other = scene.subscribe();
    scene.finishMany(3);
    expect([careless.published, other.buffered, scene.errors.count]).toEqual([0, 3, 3]);
  });

  test("that gives a promise is counted likewise, and its rejection is nobody's", async () => {
    const scene = new ResultScene();
    const filter: unknown = async () => {
      throw new Error("an async filter");
    };
    const subscription = scene.subscribe({ filter: filter as (result: TaskResult) => boolean });
    scene.finishMany(2);
    await scene.clock.settle();
    expect([subscription.published, scene.errors.count]).toEqual([0, 2]);
  });

  test("may close its subscription, others, or open new ones", () => {
    const scene = new ResultScene();
    const opened: Subscription[] = [];
    const closing: Subscription = scene.subscribe({
      filter: () => {
        closing.close();
        last.close();
        opened.push(scene.subscribe());
        return true;
      },
    });
    const middle = scene.subscribe();
    const last = scene.subscribe();
    scene.finishMany(2);
    expect([closing.published, middle.published, last.published]).toEqual([0, 2, 0]);
    expect(opened.map(({ published }) => published)).toEqual([1]); // from the next result on
  });

  test("may make further tasks end: their results come after, to all in one order", async () => {
    const scene = new ResultScene();
    const first = scene.subscribe({
      filter: ({ value }) => {
        if (Number(value) < 3) scene.finish();
        return true;
      },
    });
    const second = scene.subscribe();
    scene.finish();
    expect(await readBuffered(first)).toEqual([1, 2, 3]);
    expect(await readBuffered(second)).toEqual([1, 2, 3]);
  });
});

describe("a drop", () => {
  test("is an event for those who listen, one for each, whatever its cause", async () => {
    const scene = new ResultScene();
    const heard: unknown[] = [];
    scene.events.subscribe((event) => heard.push(event), ["resultDropped"]);
    const audit = scene.subscribe({ name: "audit", capacity: 1 });
    const latest = scene.subscribe({ name: "latest", capacity: 1, overflow: "drop-oldest" });
    scene.finishMany(2);
    const drop = { type: "resultDropped", handler: undefined, queue: "default" };
    expect(heard).toEqual([
      { ...drop, id: "p-2", subscription: "audit" },
      { ...drop, id: "p-1", subscription: "latest" },
    ]);
    await audit.return();
    await latest.next();
    await latest.return();
    expect(heard.slice(2)).toEqual([{ ...drop, id: "p-1", subscription: "audit" }]);
  });

  test("while results are replayed is heard when the subscription is open", () => {
    const scene = new ResultScene();
    const open: number[] = [];
    scene.events.subscribe(() => open.push(scene.results.subscriptions.length), ["resultDropped"]);
    const retained = [1, 2].map((value) => scene.newEvent(value).result);
    scene.subscribe({ replay: 2, capacity: 1 }, retained);
    expect(open).toEqual([1]);
  });
});

describe("results that are still to come, for who subscribes from within an event", () => {
  /** Ids of `upcoming`, and what a subscription that is opened then is given by itself. */
  function probe(scene: ResultScene) {
    const found: { upcoming: string[]; subscription: Subscription | undefined } = {
      upcoming: [],
      subscription: undefined,
    };
    return {
      found,
      ask: () => {
        if (found.subscription !== undefined) return;
        found.upcoming = [...scene.results.upcoming()];
        found.subscription = scene.subscribe();
      },
    };
  }

  test("are those that wait in the stream, the present one not", async () => {
    const scene = new ResultScene();
    const { found, ask } = probe(scene);
    scene.subscribe({
      filter: ({ value }) => {
        if (value === 1) scene.finishMany(2);
        ask();
        return true;
      },
    });
    scene.finish();
    expect(found.upcoming).toEqual(["p-2", "p-3"]);
    expect(found.subscription && (await readBuffered(found.subscription))).toEqual([2, 3]);
  });

  test("include the present one, where the listener was called before the subscriptions", async () => {
    const scene = new ResultScene();
    const { found, ask } = probe(scene);
    scene.events.subscribe(ask);
    scene.subscribe();
    scene.finish();
    expect(found.upcoming).toEqual(["p-1"]);
    expect(found.subscription && (await readBuffered(found.subscription))).toEqual([1]);
  });

  test("do not include it, where it was called after them, or no subscription was open", async () => {
    for (const before of [true, false]) {
      const scene = new ResultScene();
      const { found, ask } = probe(scene);
      if (before) scene.subscribe();
      scene.events.subscribe(ask);
      scene.finish();
      expect(found.upcoming).toEqual([]);
      expect(found.subscription?.published).toBe(0);
    }
  });

  test("do not include it for a second that is opened within the same event", () => {
    const scene = new ResultScene();
    scene.events.subscribe(() => {
      scene.subscribe();
      expect([...scene.results.upcoming()]).toEqual([]);
      scene.subscribe();
    });
    scene.finish();
    expect(scene.errors.count).toBe(0);
    expect(scene.results.tally.published).toBe(0);
  });
});
