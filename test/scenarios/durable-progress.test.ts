import { describe, expect, test } from "vitest";
import { defineHandlers, fixed, json, StoreUnreachableError, type TaskContext } from "../../src/index.js";
import { createScene } from "../support/durable-scene.js";
import { createDurable } from "../support/faulty-store.js";
import { rejectionOf } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";

/** A handler that does nothing but what the test has its contexts do. */
function heldHandlers() {
  const contexts: TaskContext[] = [];
  const stubborn = new Stubborn();
  const handlers = defineHandlers({
    held: {
      payload: json<null>(),
      run: (_, context) => {
        contexts.push(context);
        return stubborn.promise;
      },
    },
  });
  return { contexts, end: () => stubborn.resolve(), handlers };
}

/** Handlers that tell what they are given, and then end as their name says. */
const telling = defineHandlers({
  ends: { payload: json<string[]>(), run: (values, { progress }) => values.forEach(progress) },
  fails: {
    payload: json<string>(),
    ...{ maxAttempts: 2, backoff: fixed({ delayMs: 10_000 }) },
    run: (told, { attempt, progress }) => {
      progress(`begun ${attempt}`);
      if (attempt === 1) progress(told);
      throw new Error("no");
    },
  },
});

describe("progress of durable tasks", () => {
  test("is seen from any process: the first word at once, and the latest within a second", async () => {
    const { clock, manager } = createScene();
    const { contexts, handlers } = heldHandlers();
    const contract = defineHandlers({ held: { payload: json<null>() } });
    const producer = manager({ handlers: contract, consume: false });
    manager({ handlers });
    const handle = await producer.enqueueDurable("held", null);
    expect(await handle.progress()).toBeUndefined();
    await clock.advance(10);
    expect(await handle.progress()).toBeUndefined();
    contexts[0]?.progress({ done: 1, of: 3 });
    await clock.advance(1);
    expect(await handle.progress()).toEqual({ done: 1, of: 3 });
    contexts[0]?.progress({ done: 2, of: 3 });
    contexts[0]?.progress({ done: 3, of: 3 });
    await clock.advance(500);
    expect(await handle.progress()).toEqual({ done: 1, of: 3 });
    await clock.advance(500);
    expect(await producer.handle("held", handle.id).progress()).toEqual({ done: 3, of: 3 });
  });

  test("is told to the hooks of the process that runs it as ever, and kept where there are none", async () => {
    const { clock, manager } = createScene();
    const { contexts, handlers } = heldHandlers();
    const tasks = manager({ handlers });
    const handle = await tasks.enqueueDurable("held", null);
    await clock.advance(10);
    contexts[0]?.progress("nobody listens");
    await clock.advance(1);
    expect(await handle.progress()).toBe("nobody listens");
    const heard: unknown[] = [];
    tasks.observe({ onProgress: (task, value) => heard.push([task.id, value]) });
    await clock.advance(100);
    contexts[0]?.progress("somebody does");
    await clock.settle();
    expect(heard).toEqual([[handle.id, "somebody does"]]);
  });

  test("is written a bounded number of times, though a handler tells a million times", async () => {
    const { clock, manager } = createScene();
    const { contexts, end, handlers } = heldHandlers();
    const tasks = manager({ handlers });
    const handle = await tasks.enqueueDurable("held", null);
    await clock.advance(10);
    for (let step = 1; step <= 1_000_000; step++) {
      contexts[0]?.progress(step);
      if (step % 100_000 === 0) await clock.advance(1_000);
    }
    expect(await handle.progress()).toBe(1_000_000);
    expect(tasks.stats().durable.calls.extend.count).toBeLessThanOrEqual(11);
    end();
    await clock.advance(10_000);
    expect(await handle.progress()).toBe(1_000_000);
    expect(tasks.stats().durable.calls.extend.count).toBeLessThanOrEqual(12);
  });

  test("of many short tasks travels with their ends, many at a time", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers: telling, concurrency: 100 });
    const entries = Array.from({ length: 1_000 }, (_, n): ["ends", string[]] => ["ends", ["begun", `${n}`]]);
    const handles = await tasks.enqueueDurableMany(entries);
    await clock.advance(500);
    const { calls } = tasks.stats().durable;
    expect(tasks.stats().total.completed).toBe(1_000);
    expect(calls.extend.count).toBeLessThanOrEqual(calls.ack.count + 2);
    expect(await Promise.all(handles.map((handle) => handle.progress()))).toEqual(
      handles.map((_, n) => `${n}`),
    );
  });

  test("that the store does not answer keeps the ends of others waiting no longer", async () => {
    const { clock, link, tasks } = createDurable({ handlers: telling, concurrency: 10 });
    link.hang("extend");
    for (const word of ["one", "two", "three"]) {
      await tasks.enqueueDurable("ends", [word]);
      await clock.advance(10);
    }
    expect(tasks.stats().durable).toMatchObject({ unconfirmed: 3, leased: 3 });
    const others = await tasks.enqueueDurableMany(
      Array.from({ length: 50 }, (): ["ends", string[]] => ["ends", []]),
    );
    await clock.advance(10);
    await Promise.all(others.map((handle) => handle.result()));
    expect(tasks.stats().durable).toMatchObject({ unconfirmed: 3, leased: 3 });
    link.mend();
    await clock.advance(30_000);
    expect(tasks.stats()).toMatchObject({ durable: { unconfirmed: 0, leased: 0 }, total: { completed: 53 } });
  });

  test("costs a task that tells nothing no call", async () => {
    const { clock, manager } = createScene();
    const { end, handlers } = heldHandlers();
    const tasks = manager({ handlers });
    const handle = await tasks.enqueueDurable("held", null);
    await clock.advance(5_000);
    end();
    await clock.advance(10);
    expect(tasks.stats().total.completed).toBe(1);
    expect(tasks.stats().durable.calls.extend.count).toBe(0);
    expect(await handle.progress()).toBeUndefined();
  });

  test("of no task there is none", async () => {
    const { manager } = createScene();
    const tasks = manager({ handlers: telling });
    expect(await tasks.handle("ends", "default:nowhere").progress()).toBeUndefined();
  });

  test("stays through further attempts and the end, as long as the outcome is kept (D24)", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers: telling });
    const failing = await tasks.enqueueDurable("fails", "half");
    const ending = await tasks.enqueueDurable("ends", ["one", "all"], { resultTtlMs: 5_000 });
    await clock.advance(100);
    expect(await failing.progress()).toBe("half");
    expect(await ending.progress()).toBe("all");
    await clock.advance(6_000);
    expect(await ending.progress()).toBeUndefined();
    expect(await failing.progress()).toBe("half");
    await clock.advance(5_000);
    expect(await failing.progress()).toBe("begun 2");
    await tasks.replayDeadLetters({ ids: [failing.id] });
    expect(await failing.progress()).toBeUndefined();
  });

  test("that cannot be kept is a text that says so, and the handler never hears of it", async () => {
    const { clock, manager } = createScene();
    const { contexts, handlers } = heldHandlers();
    const tasks = manager({ handlers });
    const handle = await tasks.enqueueDurable("held", null);
    await clock.advance(10);
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    const throwing = Object.defineProperty({}, "at", {
      enumerable: true,
      get: () => {
        throw new Error("never");
      },
    });
    const refused: [unknown, RegExp][] = [
      [{ at: new Date() }, /^\[progress\.at: .*Date/],
      [{ rows: [1n] }, /^\[progress\.rows\[0\]: JSON cannot hold a bigint\]$/],
      [Number.NaN, /^\[progress: JSON cannot hold NaN\]$/],
      [() => {}, /^\[progress: JSON cannot hold a function\]$/],
      [cyclic, /^\[progress/],
      [throwing, /^\[progress/],
      [new Proxy({}, { ownKeys: () => ["a", "a"] }), /^\[progress/],
      ["x".repeat(65_535), /^\[progress: takes more than 65536 bytes/],
    ];
    for (const [value, text] of refused) {
      contexts[0]?.progress(value);
      await clock.advance(1_100);
      expect(await handle.progress()).toMatch(text);
    }
    const kept = [undefined, null, "x".repeat(65_534), -0, { a: [1, "é"] }];
    for (const value of kept) {
      contexts[0]?.progress(value);
      await clock.advance(1_100);
      expect(await handle.progress()).toEqual(value);
    }
    expect(tasks.stats()).toMatchObject({ running: 1, total: { failed: 0 } });
  });

  test("may end the manager while it is read", async () => {
    const { clock, manager } = createScene();
    const { contexts, handlers } = heldHandlers();
    const tasks = manager({ handlers });
    const handle = await tasks.enqueueDurable("held", null);
    await clock.advance(10);
    let stopped: unknown;
    contexts[0]?.progress({
      get at() {
        contexts[0]?.progress("from within");
        stopped ??= tasks.stopNow();
        return 1;
      },
    });
    await clock.advance(10_000);
    expect(await stopped).toMatchObject({ alive: 1, abandoned: 1 });
    expect(await rejectionOf(handle.progress())).toBeInstanceOf(StoreUnreachableError);
  });
});

describe("progress of a task whose lease is lost", () => {
  test("is told by the new holder alone, whatever the old one goes on to tell (I4)", async () => {
    const { handlers, contexts } = heldHandlers();
    const first = createDurable({ handlers, leaseMs: 3_000, killAfterMs: 20_000 });
    const { clock, link, store } = first;
    const handle = await first.tasks.enqueueDurable("held", null);
    await clock.advance(10);
    contexts[0]?.progress("by the first");
    await clock.advance(10);
    link.hang("extend", "claim");
    contexts[0]?.progress("on its way when the lease ends");
    const second = createDurable({ handlers, leaseMs: 3_000 }, { clock, store, seed: 2 });
    await clock.advance(4_000);
    expect(contexts).toHaveLength(2);
    expect(contexts[0]?.signal.reason).toMatchObject({ code: "MILLRACE_LEASE_LOST" });
    const found = second.tasks.handle("held", handle.id);
    expect(await found.progress()).toBe("by the first");
    contexts[1]?.progress("by the second");
    link.mend();
    for (let step = 0; step < 50; step++) {
      contexts[0]?.progress(`too late ${step}`);
      await clock.advance(100);
      expect(await found.progress()).toBe("by the second");
    }
    expect(first.tasks.stats().durable).toMatchObject({ leasesLost: 1, leased: 0 });
  });

  test("arrives when the store is back before that", async () => {
    const { handlers, contexts } = heldHandlers();
    const { clock, link, tasks } = createDurable({ handlers });
    const handle = await tasks.enqueueDurable("held", null);
    await clock.advance(10);
    link.fail(new StoreUnreachableError("away"), "extend");
    contexts[0]?.progress("before");
    await clock.advance(100);
    contexts[0]?.progress("meanwhile");
    await clock.advance(5_000);
    expect(await handle.progress()).toBeUndefined();
    expect(tasks.stats().durable.failedRenewals).toBeLessThan(30);
    link.mend();
    await clock.advance(3_000);
    expect(await handle.progress()).toBe("meanwhile");
    expect(tasks.stats().durable).toMatchObject({ leasesLost: 0, leased: 1 });
  });
});
