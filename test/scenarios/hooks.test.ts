import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  fixed,
  type Hooks,
  OptionError,
  reschedule,
  TaskManager,
  type TaskSnapshot,
} from "../../src/index.js";
import { coreOf } from "../../src/task-manager.js";
import { ManualClock } from "../../src/testing/index.js";
import { collectGarbage } from "../core/collections/collect-garbage.js";
import { runFixture } from "../support/child-process.js";
import { createManager, thrownBy, untilAborted } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("hooks", () => {
  it("are told what happens to a task, with its types, in its order", async () => {
    const told: unknown[] = [];
    const of = ({ name, state, attempt }: TaskSnapshot) => `${name} ${state} ${attempt}`;
    const { tasks, clock } = createManager({
      hooks: {
        onQueued: (task) => told.push(`queued: ${of(task)}`),
        onScheduled: (task) => told.push(`scheduled: ${of(task)}`),
        onStarted: (task) => told.push(`started: ${of(task)}`),
        onProgress: (task, value) => {
          expectTypeOf(value).toBeUnknown();
          told.push(`progress: ${of(task)}, ${value}`);
        },
        onRetried: (task, details) => {
          expectTypeOf(details).toEqualTypeOf<{ readonly delayMs: number; readonly error: Error }>();
          told.push(`retried: ${of(task)}, ${details.delayMs}, ${details.error.message}`);
        },
        onRescheduled: async (task, { delayMs }) => told.push(`rescheduled: ${of(task)}, ${delayMs}`),
        onFinished: (task) => {
          expectTypeOf(task).toEqualTypeOf<TaskSnapshot>();
          told.push(`finished: ${of(task)}`);
        },
        onStopping: ({ graceful }) => told.push(`stopping: ${graceful}`),
      },
    });
    let again = true;
    const work = ({ attempt, progress }: { attempt: number; progress: (value: unknown) => void }) => {
      if (again) {
        again = false;
        throw reschedule({ delayMs: 20 });
      }
      if (attempt === 1) throw new Error("not yet");
      progress("half");
      return "done";
    };
    tasks.enqueue(work, { name: "a", delayMs: 10, maxAttempts: 2, backoff: fixed({ delayMs: 30 }) });
    await clock.advance(100);
    await tasks.stopGraceful();
    expect(told).toEqual([
      "scheduled: a scheduled 0",
      ...["queued: a queued 0", "started: a running 1", "rescheduled: a scheduled 0, 20"],
      ...["queued: a queued 0", "started: a running 1", "retried: a scheduled 1, 30, not yet"],
      ...["queued: a queued 1", "started: a running 2", "progress: a running 2, half"],
      "finished: a completed 2",
      "stopping: true",
    ]);
  });

  it("are told of drops and of what was abandoned before its end is told", async () => {
    const told: string[] = [];
    const { tasks, clock } = createManager({
      ...{ capacity: 1, concurrency: 1, whenFull: "drop-oldest", killAfterMs: 5 },
      hooks: {
        onTaskDropped: ({ id, state }) => told.push(`${id} dropped, ${state}`),
        onAbandoned: ({ id, state }) => told.push(`${id} abandoned, ${state}`),
        onFinished: ({ id, state, reason }) => told.push(`${id} ${state}, ${reason}`),
      },
    });
    const stubborn = new Stubborn();
    tasks.enqueue(stubborn.run, { id: "stubborn", timeoutMs: 10 });
    await clock.settle();
    tasks.enqueue(() => 1, { id: "first" });
    tasks.enqueue(() => 1, { id: "second" });
    await clock.advance(20);
    stubborn.resolve();
    expect(told).toEqual([
      ...["first dropped, queued", "first cancelled, dropped"],
      ...["stubborn abandoned, running", "stubborn failed, timeout"],
      "second completed, undefined",
    ]);
  });

  it("are told that a subscription dropped a result", async () => {
    const told: unknown[] = [];
    const { tasks } = createManager({ hooks: { onResultDropped: (result) => told.push(result) } });
    const dropped = { id: "a", handler: "resize", queue: "images", subscription: "dashboard" };
    coreOf(tasks).journal.events.publish({ type: "resultDropped", ...dropped });
    await nextTurn();
    expect(told).toEqual([dropped]);
  });

  it("are called after the call in which something happened, and never between two starts", async () => {
    const log: string[] = [];
    const { tasks } = createManager({
      hooks: {
        onQueued: ({ id }) => log.push(`queued ${id}`),
        onStarted: ({ id }) => log.push(`started ${id}`),
        onFinished: ({ id }) => log.push(`finished ${id}`),
      },
    });
    await nextTurn();
    const ids = ["a", "b", "c"];
    for (const id of ids) tasks.enqueue(() => log.push(`runs ${id}`), { id });
    expect(log).toEqual([]);
    await tasks.drain();
    await nextTurn();
    expect(log).toEqual([
      ...ids.map((id) => `queued ${id}`),
      ...ids.map((id) => `runs ${id}`),
      ...ids.flatMap((id) => [`started ${id}`, `finished ${id}`]),
    ]);
  });

  it("are given the frozen picture of the moment, however late they are called", async () => {
    const pictures: TaskSnapshot[] = [];
    const hook = (task: TaskSnapshot) => pictures.push(task);
    const { tasks } = createManager({ hooks: { onQueued: hook, onStarted: hook, onFinished: hook } });
    const metadata = { tenant: "a" };
    const handle = tasks.enqueue(() => "secret", { metadata });
    await handle.result();
    await nextTurn();
    expect(handle.state).toBe("completed");
    expect(pictures.map(({ state }) => state)).toEqual(["queued", "running", "completed"]);
    for (const picture of pictures) {
      expect(Object.isFrozen(picture) && Object.isFrozen(picture.metadata)).toBe(true);
      expect(JSON.stringify(picture)).not.toContain("secret");
    }
  });

  it("S7: a hook that changes what it is given changes nothing of the execution", async () => {
    const spoil = (given: unknown, details?: unknown) => {
      for (const each of [given, details]) {
        if (typeof each !== "object" || each === null) continue;
        for (const key of Object.keys(each)) Reflect.set(each, key, "spoilt");
        Reflect.set(each, "spoilt", true);
      }
      const { metadata } = given as TaskSnapshot;
      if (metadata !== undefined) Object.assign(metadata, { tenant: "spoilt" }); // throws: it is frozen
    };
    const { tasks, clock } = createManager({
      hooks: { onQueued: spoil, onStarted: spoil, onRetried: spoil, onFinished: spoil, onStopping: spoil },
    });
    const seen: unknown[] = [];
    const handle = tasks.enqueue(
      ({ attempt, queue, priority, metadata }) => {
        seen.push({ attempt, queue, priority, tenant: metadata["tenant"] });
        if (attempt === 1) throw new Error("once more");
        return "done";
      },
      { metadata: { tenant: "a" }, priority: 3, maxAttempts: 2, backoff: fixed({ delayMs: 10 }) },
    );
    await clock.advance(10);
    expect(await handle.result()).toBe("done");
    expect(seen).toEqual([
      { attempt: 1, queue: "default", priority: 3, tenant: "a" },
      { attempt: 2, queue: "default", priority: 3, tenant: "a" },
    ]);
    expect(tasks.get(handle.id)).toMatchObject({ state: "completed", attempt: 2, metadata: { tenant: "a" } });
    expect(tasks.stats().observerErrors).toBe(6);
  });

  it("run in the async context in which the manager was made, not in that of a task", async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const see = async () => {
      seen.push(request.getStore());
      request.enterWith("entered by a hook");
      await null;
    };
    const clock = new ManualClock();
    const hooks: Hooks = { onQueued: see, onStarted: see, onFinished: see, onStopping: see };
    const onObserverError = () => void seen.push(request.getStore());
    const tasks = request.run("construction", () => new TaskManager({ clock, hooks, onObserverError }));
    request.run("observe", () => tasks.observe({ onQueued: see, onFinished: () => Promise.reject(1) }));
    await request.run("request", () => tasks.execute(() => request.getStore()));
    await request.run("stop", () => tasks.stopNow());
    expect(seen).toHaveLength(6);
    expect(new Set(seen)).toEqual(new Set(["construction"]));
  });

  it("can be added at run time, and are called no more once disposed", async () => {
    const { tasks } = createManager();
    const told: string[] = [];
    const observing = tasks.observe({ onFinished: ({ id }) => told.push(id) });
    await tasks.execute(() => 1, { id: "a" });
    await nextTurn();
    const last = tasks.execute(() => 1, { id: "b" });
    await last;
    tasks.enqueue(() => 1, { id: "c" });
    await nextTurn();
    expect(told).toEqual(["a", "b", "c"]);
    tasks.enqueueMany([() => 1, () => 2]).map((handle) => handle.cancel());
    observing[Symbol.dispose](); // what has just happened is not told any more
    await nextTurn();
    expect(told).toEqual(["a", "b", "c"]);
    expect(coreOf(tasks).journal.events.active).toBe(false);
  });

  it("cost nothing where there are none: no event is made", async () => {
    const { tasks } = createManager({ hooks: {} });
    tasks.observe({});
    expect(coreOf(tasks).journal.events.active).toBe(false);
    tasks.observe({ onFinished: undefined, onStopping: () => undefined });
    const { events } = coreOf(tasks).journal;
    expect([events.heard.finished > 0, events.heard.queued > 0, events.heard.stopping > 0]).toEqual([
      ...[false, false, true],
    ]);
  });
});

describe("wrong hooks", () => {
  const wrong: readonly [string, unknown, string, RegExp][] = [
    ["an unknown name", { onFinish: () => 1 }, "hooks.onFinish", /did you mean `onFinished`\?/],
    ["another unknown name", { finished: () => 1 }, "hooks.finished", /did you mean `onFinished`\?/],
    ["what is no function", { onStarted: "log" }, "hooks.onStarted", /a function, found "log"/],
    ["null for a hook", { onStarted: null }, "hooks.onStarted", /a function, found `null`/],
    ["what is no object", () => 1, "hooks", /an object with onQueued, onScheduled, .*, …, found a function/],
  ];
  it.each(wrong)("are refused: %s", (_, hooks, path, message) => {
    const { tasks } = createManager();
    for (const give of [
      () => new TaskManager({ hooks: hooks as Hooks }),
      () => tasks.observe(hooks as Hooks),
    ]) {
      const error = thrownBy(give);
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option: path });
      expect(String(error)).toMatch(message);
    }
    expect(() => new TaskManager({ onObserverError: {} as () => void })).toThrow(OptionError);
  });
});

describe("the event loop and the stop, with hooks", () => {
  it("a hook that enqueues at each event starves neither timers nor other tasks", async () => {
    const tasks = new TaskManager({
      concurrency: 4,
      hooks: { onQueued: () => again(), onFinished: async () => again() },
    });
    let enqueued = 0;
    const again = () => {
      if (going) tasks.enqueue(() => enqueued++);
    };
    let going = true;
    again();
    for (let turn = 0; turn < 30; turn++) await nextTurn();
    expect(await new Promise((resolve) => setTimeout(resolve, 1, "a timer"))).toBe("a timer");
    going = false;
    expect(enqueued).toBeGreaterThan(20);
    const report = await tasks.stopGraceful();
    expect(report.completed).toBe(report.alive);
  });

  it("a hook that blocks is called a few times in a turn, so that the loop gets its turn", async () => {
    let calls = 0;
    const block = () => {
      calls++;
      clock.block(4);
    };
    const { tasks, clock } = createManager({ hooks: { onQueued: block } });
    for (let count = 0; count < 12; count++) tasks.enqueue(() => 1);
    const perTurn: number[] = [];
    while (calls < 12) {
      const before = calls;
      await nextTurn();
      perTurn.push(calls - before);
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(3);
    expect(tasks.stats().waitingHookCalls).toBe(0);
  });

  it("all hooks have been called when a stop resolves, also many, and before the one who waits goes on", async () => {
    let [finished, stopping, reported] = [0, 0, 0];
    const { tasks } = createManager({
      hooks: {
        onStopping: () => void stopping++,
        onFinished: () => {
          finished++;
          throw new Error("careless");
        },
      },
      onObserverError: () => void reported++,
    });
    for (let count = 0; count < 5_000; count++) tasks.enqueue(() => 1, { delayMs: 1_000 });
    await tasks.stopNow();
    expect([finished, stopping, reported]).toEqual([5_000, 1, 5_000]);
    expect(tasks.stats()).toMatchObject({ waitingHookCalls: 0, observerErrors: 5_000 });
  });

  it("the errors of hooks have been reported when a stop resolves, also to a reporter that blocks", async () => {
    let reported = 0;
    const { tasks, clock } = createManager({
      hooks: {
        onFinished: () => {
          throw new Error("careless");
        },
      },
      onObserverError: () => {
        reported++;
        clock.block(11); // as many in a turn as take ten milliseconds
      },
    });
    for (let count = 0; count < 8; count++) tasks.enqueue(() => 1, { delayMs: 1_000 });
    await tasks.stopNow();
    expect(reported).toBe(8);
  });

  it("a stop does not wait for what hooks promise", async () => {
    const { tasks } = createManager({
      hooks: { onStopping: () => new Promise(() => {}), onFinished: () => tasks.stopNow() },
    });
    const handle = tasks.enqueue(untilAborted, { killAfterMs: 1 });
    await nextTurn();
    expect(await tasks.stopNow()).toMatchObject({ alive: 1, cancelled: 1 });
    expect(handle.state).toBe("cancelled");
  });

  it("a hook that stops the manager gives the same report as who asked, and ends every task", async () => {
    const reports: unknown[] = [];
    const { tasks } = createManager({
      concurrency: 1,
      hooks: { onStarted: async () => reports.push(await tasks.stopNow()) },
    });
    const handles = [1, 2, 3].map(() => tasks.enqueue(untilAborted));
    await Promise.allSettled(handles.map((handle) => handle.result()));
    expect(await tasks.stopNow()).toMatchObject({ alive: 3, cancelled: 1, neverStarted: 2 });
    await nextTurn();
    expect(reports).toEqual([await tasks.stopNow()]);
  });

  it("a hook may await work of its own manager", async () => {
    const results: unknown[] = [];
    const { tasks } = createManager({
      concurrency: 1,
      hooks: {
        onFinished: async ({ name }) => {
          if (name === "first") results.push(await tasks.execute(() => "from a hook"));
        },
      },
    });
    await tasks.execute(() => 1, { name: "first" });
    await nextTurn();
    await tasks.drain();
    await nextTurn();
    expect(results).toEqual(["from a hook"]);
  });

  it("nothing is kept for a promise of a hook that never settles", async () => {
    const refs: WeakRef<object>[] = [];
    const { tasks } = createManager({
      hooks: {
        onFinished: async () => {
          const held = { large: new Uint8Array(1_000) };
          refs.push(new WeakRef(held));
          await new Promise(() => {});
          return held;
        },
      },
    });
    for (let count = 0; count < 3; count++) await tasks.execute(() => count);
    await nextTurn();
    await collectGarbage();
    expect(refs.map((ref) => ref.deref())).toEqual([undefined, undefined, undefined]);
  });
});

describe("errors of observers", () => {
  it("are reported once each, with where they came from, and never within the call that met them", async () => {
    const reports: unknown[] = [];
    const { tasks } = createManager({
      hooks: {
        onQueued: () => {
          throw new Error("hook");
        },
        onFinished: () => Promise.reject(new Error("hook, later")),
      },
      onObserverError: (error, { source, name }) => reports.push([String(error), source, name]),
    });
    const { journal, carriers } = coreOf(tasks);
    journal.events.subscribe(() => {
      throw new Error("listener");
    }, ["started"]);
    carriers.attach({
      capture: () => {
        throw new Error("carrier");
      },
      run: (_captured, _task, perform) => perform(),
    });
    const handle = tasks.enqueue(() => 1);
    expect(reports).toEqual([]);
    expect(await handle.result()).toBe(1);
    await nextTurn();
    await nextTurn();
    expect([...reports].sort()).toEqual([
      ["Error: carrier", "carrier", undefined],
      ["Error: hook, later", "hook", "onFinished"],
      ["Error: hook", "hook", "onQueued"],
      ["Error: listener", "listener", undefined],
    ]);
    expect(tasks.stats().observerErrors).toBe(4);
  });

  it("that the reporter throws itself are counted, reported to nobody, and change nothing", async () => {
    let calls = 0;
    const { tasks } = createManager({
      hooks: {
        onFinished: () => {
          throw new Error("hook");
        },
      },
      onObserverError: (error) => {
        calls++;
        tasks.enqueue(() => 1, { delayMs: 1_000 }); // it may use the manager, too
        throw error;
      },
    });
    expect(await tasks.execute(() => 1)).toBe(1);
    await nextTurn();
    await nextTurn();
    expect(calls).toBe(1);
    expect(tasks.stats()).toMatchObject({ observerErrors: 2, scheduled: 1 });
  });
});

describe("hooks that are slower than what they are told of", () => {
  it("hold nothing up, and what is beyond 100,000 calls is dropped with a count", async () => {
    let told = 0;
    const { tasks, clock } = createManager({
      ...{ capacity: 100, whenFull: "drop-oldest", concurrency: 100 },
      hooks: { onQueued: () => void told++, onFinished: () => void told++ },
    });
    for (let task = 0; task < 60_000; task++) tasks.enqueue(() => task); // in one turn: 59,900 are dropped at once
    expect(tasks.stats()).toMatchObject({ waitingHookCalls: 100_000, droppedHookCalls: 19_900 });
    expect(tasks.health().status).toBe("ok");
    await clock.settle();
    expect(tasks.stats().total.completed).toBe(100);
    while (tasks.stats().waitingHookCalls > 0) await clock.settle();
    expect(told + tasks.stats().droppedHookCalls).toBe(2 * 60_000);
  });

  it("hold up a stop for 100 ms and not longer, and what they miss is counted", async () => {
    let told = 0;
    const onFinished = () => {
      told++;
      clock.block(20);
    };
    const { tasks, clock } = createManager({ hooks: { onFinished } });
    for (let task = 0; task < 500; task++) tasks.enqueue(() => task);
    const { durationMs } = await tasks.stopNow();
    expect(durationMs).toBeLessThan(200);
    expect(told).toBeLessThan(20);
    expect(tasks.stats()).toMatchObject({ waitingHookCalls: 0, droppedHookCalls: 500 - told });
  });

  it("may be an instance of a class, and nothing may not", async () => {
    class Counter {
      finished = 0;
      onFinished() {
        this.finished++;
      }
    }
    const counter = new Counter();
    const { tasks, clock } = createManager({ hooks: counter });
    tasks.enqueue(() => 1);
    await clock.settle();
    expect(counter.finished).toBe(1);
    expect(thrownBy(() => tasks.observe(undefined as never))).toBeInstanceOf(OptionError);
  });
});

describe.concurrent("S8: a process with tasks that fail", { timeout: 60_000 }, () => {
  it.each(["none", "throwing", "rejecting"])(
    "S8: does not die of them, with hooks: %s",
    async (observers) => {
      const { code, stdout, stderr } = await runFixture("failures.ts", observers);
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: "4 failed, 1 cancelled\n",
        stderr: "",
      });
    },
  );
});
