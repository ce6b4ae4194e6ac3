import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { reschedule, TaskManager } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { createManager } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";

const request = new AsyncLocalStorage<string>();

describe("the async context of a task", () => {
  it("is that of its enqueue call: at its start, after an await, and in what it starts", async () => {
    const { tasks } = createManager();
    const seen = await request.run("a", () =>
      tasks.execute(async () => {
        const first = request.getStore();
        await new Promise((resolve) => setImmediate(resolve));
        const second = request.getStore();
        const third = await new Promise((resolve) => setImmediate(() => resolve(request.getStore())));
        return [first, second, third];
      }),
    );
    expect(seen).toEqual(["a", "a", "a"]);
  });

  it("is the same in retries, in delayed and in rescheduled tasks", async () => {
    const { tasks, clock } = createManager();
    const seen: unknown[] = [];
    request.run("retried", () =>
      tasks.enqueue(
        ({ attempt }) => {
          seen.push(request.getStore());
          if (attempt < 3) throw new Error("fails");
        },
        { maxAttempts: 3, backoff: () => 10 },
      ),
    );
    request.run("delayed", () => tasks.enqueue(() => seen.push(request.getStore()), { delayMs: 100 }));
    let turns = 0;
    request.run("rescheduled", () =>
      tasks.enqueue(() => {
        seen.push(request.getStore());
        if (++turns < 2) throw reschedule({ delayMs: 200 });
      }),
    );
    await request.run("of the one who waits", () => clock.advance(1_000));
    expect(seen).toEqual(["retried", "rescheduled", "retried", "retried", "delayed", "rescheduled"]);
  });

  it("is none where the call had none, whoever made the task start", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const busy = new Stubborn();
    request.run("busy", () => tasks.enqueue(busy.run));
    const handle = tasks.enqueue(() => String(request.getStore()));
    await clock.settle();
    request.run("who ends the other", () => busy.resolve());
    expect(await handle.result()).toBe("undefined");
  });

  it("does not leak from one task to the next, however they interleave", async () => {
    const { tasks, clock } = createManager({ concurrency: 3, maxAttempts: 2, backoff: () => 5 });
    const wrong: string[] = [];
    const check = (mine: string) => {
      if (request.getStore() !== mine) wrong.push(`${mine} saw ${request.getStore()}`);
    };
    for (let index = 0; index < 200; index++) {
      const mine = `request ${index}`;
      request.run(mine, () =>
        tasks.enqueue(
          async ({ attempt }) => {
            check(mine);
            request.enterWith(mine); // a handler may change its own
            if (index % 3 === 0) await null;
            check(mine);
            if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
            check(mine);
            if (index % 5 === 0 && attempt === 1) throw new Error("fails");
          },
          index % 7 === 0 ? { delayMs: index } : undefined,
        ),
      );
    }
    await clock.advance(500);
    await tasks.drain();
    expect(wrong).toEqual([]);
    expect(tasks.stats().total).toMatchObject({ completed: 200, retried: 40 });
    expect(request.getStore()).toBeUndefined();
  });

  it("is that of the call also where it waited for room, not of who made room", async () => {
    const { tasks, clock } = createManager({ concurrency: 1, capacity: 2 });
    const busy = new Stubborn();
    request.run("busy", () => tasks.enqueue(busy.run));
    await clock.settle();
    const seen: unknown[] = [];
    const see = () => void seen.push(request.getStore());
    request.run("first", () => tasks.enqueueMany([see, see]));
    const waiting = ["second", "third"].map((mine) => request.run(mine, () => tasks.execute(see)));
    await clock.settle();
    request.run("who makes room", () => busy.resolve());
    await Promise.all(waiting);
    expect(seen).toEqual(["first", "first", "second", "third"]);
  });

  it("is that of the manager's construction with context: false, not of another request", async () => {
    const clock = new ManualClock();
    const tasks = request.run("construction", () => new TaskManager({ clock, concurrency: 1, capacity: 2 }));
    const seen: unknown[] = [];
    const see = () => void seen.push(request.getStore());
    const free = { context: false } as const;
    const busy = new Stubborn();
    request.run("busy", () => tasks.enqueue(busy.run));
    await clock.settle();
    request.run("first", () => tasks.enqueue(see, free));
    request.run("second", () => tasks.enqueue(see));
    const third = request.run("third", () => tasks.execute(see, free));
    await clock.settle();
    request.run("who makes room", () => busy.resolve());
    await third;
    const delayed = request.run("delayed", () => tasks.execute(see, { ...free, delayMs: 10 }));
    await request.run("who moves time", () => clock.advance(10));
    await delayed;
    expect(seen).toEqual(["construction", "second", "construction", "construction"]);
    await tasks.stopNow();
  });

  it("is let go of when the task ends: what it held can be collected", async () => {
    const store = new AsyncLocalStorage<object>();
    const { tasks } = createManager();
    const { collectGarbage } = await import("../core/collections/collect-garbage.js");
    const enqueue = () => {
      const held = { large: new Uint8Array(1_000) };
      const handle = store.run(held, () => tasks.enqueue(() => 1));
      return { handle, ref: new WeakRef(held) };
    };
    const { handle, ref } = enqueue();
    expect(await handle.result()).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    await collectGarbage();
    expect(ref.deref()).toBeUndefined();
  });
});
