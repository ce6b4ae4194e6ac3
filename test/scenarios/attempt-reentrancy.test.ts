import { describe, expect, it } from "vitest";
import { NotAcceptingError, type StopReport, type TaskContext, type TaskHandle } from "../../src/index.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import { createManager, rejectionOf, untilAborted } from "../support/manual-manager.js";
import { observeManager, Stubborn } from "../support/observed-manager.js";

describe("a handler that acts on its own manager", () => {
  it("may cancel itself by its handle, synchronously, and what it then returns is discarded", async () => {
    const manager = observeManager();
    const handle: TaskHandle = manager.enqueue(({ signal }) => {
      expect(handle.cancel("from inside")).toBe(true);
      expect(handle.cancel("again")).toBe(false);
      expect(signal.aborted).toBe(true); // made after the abort
      expect(signal.reason).toMatchObject({ cause: "from inside" });
      return "discarded";
    });
    expect(await rejectionOf(handle.result())).toMatchObject({ cause: "from inside" });
    expect(manager.endsOf(handle.id)).toHaveLength(1);
    expect(manager.stats().total).toMatchObject({ cancelled: 1, completed: 0 });
  });

  it("may cancel itself by a getter of what it throws, for which the retry is asked too", async () => {
    const { tasks } = createManager();
    for (const maxAttempts of [1, 2]) {
      const said: boolean[] = [];
      const handle: TaskHandle = tasks.enqueue(
        () => {
          const get = () => {
            said.push(handle.cancel("by a getter"));
            return "told";
          };
          throw Object.defineProperty(new Error(), "message", { get });
        },
        { maxAttempts },
      );
      expect(await rejectionOf(handle.result())).toMatchObject({ cause: "by a getter" });
      expect([said[0], handle.state]).toEqual([true, "cancelled"]);
    }
    expect(tasks.stats().total).toMatchObject({ cancelled: 2, failed: 0 });
  });

  it("may cancel itself later and go on: it is given up", async () => {
    const { tasks, clock } = createManager();
    const handle: TaskHandle = tasks.enqueue(async () => {
      await null;
      handle.cancel("from inside");
      return await new Stubborn().promise;
    });
    await clock.advance(1_000);
    expect(await rejectionOf(handle.result())).toMatchObject({ cause: "from inside" });
  });

  it("may enqueue, wait for what it enqueued, cancel others and pause", async () => {
    const { tasks, clock } = createManager({ concurrency: 2 });
    const other = tasks.enqueue(() => 1, { delayMs: 5 });
    const handle = tasks.enqueue(async () => {
      const inner = await tasks.execute(() => "inner");
      expect(await tasks.cancel(other.id)).toBe(true);
      await tasks.pause();
      tasks.resume();
      tasks.enqueueMany([() => 1, () => 2]);
      return inner;
    });
    await clock.settle();
    expect(await handle.result()).toBe("inner");
    expect(tasks.stats().total).toMatchObject({ enqueued: 5, cancelled: 1 });
  });

  it("may fill the only slot's queue from inside: 5,000 tasks that enqueue the next each", async () => {
    const { tasks } = createManager({ concurrency: 1 });
    let depth = 0;
    const next = (): number => {
      if (++depth < 5_000) tasks.enqueue(next);
      return depth;
    };
    tasks.enqueue(next);
    await tasks.drain();
    expect(depth).toBe(5_000);
    expect(tasks.stats().total.completed).toBe(5_000);
  });

  it("is refused when it enqueues while the manager stops", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(async ({ stopping }) => {
      await new Promise((resolve) => stopping.addEventListener("abort", resolve));
      try {
        tasks.enqueue(() => 1);
      } catch (error) {
        return error;
      }
      return "accepted";
    });
    await clock.settle();
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, completed: 1 });
    expect(await handle.result()).toBeInstanceOf(NotAcceptingError);
  });

  it("may wait for stopGraceful inside: the stop is done by its deadline", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 1_000 });
    let given: StopReport | undefined;
    const handle = tasks.enqueue(async () => {
      given = await tasks.stopGraceful({ deadlineMs: 5_000 });
      return "too late";
    });
    await clock.advance(4_999);
    expect(given).toBeUndefined();
    await clock.advance(1);
    expect(given).toMatchObject({ alive: 1, abandoned: 1, durationMs: 5_000 });
    expect(handle.state).toBe("cancelled");
    await clock.settle();
    expect(tasks.stats().lanes.inline).toMatchObject({ running: 0, abandoned: 0 });
  });

  it("may wait for stopNow, for drain or for pause inside and is aborted or timed out like any other", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 1_000, concurrency: 3 });
    const drained = tasks.enqueue(() => tasks.drain(), { timeoutMs: 50 });
    const paused = tasks.enqueue(() => tasks.pause({ queue: "default", wait: true }), { timeoutMs: 50 });
    await clock.advance(1_050);
    for (const handle of [paused, drained])
      expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    tasks.resume({ queue: "default" });
    let given: StopReport | undefined;
    tasks.enqueue(async () => {
      given = await tasks.stopNow();
    });
    await clock.advance(1_000);
    expect(given).toMatchObject({ alive: 1, abandoned: 1, durationMs: 1_000 });
  });

  it("may stop the manager without waiting, and completes", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(() => {
      void tasks.stopNow();
      return "done";
    });
    await clock.settle();
    expect(await handle.result()).toBe("done"); // after an abort by a stop, what returns is completed
    expect(await tasks.stopNow()).toMatchObject({ alive: 1, completed: 1 });
  });

  it("may stop the manager from an abort listener", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(({ signal }) => {
      signal.addEventListener("abort", () => void tasks.stopNow());
      return untilAborted({ signal });
    });
    const other = tasks.enqueue(untilAborted);
    await clock.settle();
    handle.cancel("why");
    await clock.settle();
    expect(tasks.stats().phase).toBe("stopped");
    expect(await rejectionOf(handle.result())).toMatchObject({ cause: "why" });
    expect(await rejectionOf(other.result())).toMatchObject({ code: "MILLRACE_MANAGER_STOPPED" });
  });
});

describe("what a handler is given", () => {
  it("says who and what it is, for each attempt", async () => {
    const { tasks, clock } = createManager();
    const seen: unknown[] = [];
    const options = {
      ...{ id: "mine", queue: "mail", priority: -5, metadata: { tenant: "a" }, correlationId: "request 7" },
      ...{ maxAttempts: 2, backoff: () => 1 },
    };
    tasks.enqueue((context) => {
      const { id, queue, priority, attempt, maxAttempts, metadata, correlationId } = context;
      seen.push({ id, queue, priority, attempt, maxAttempts, metadata: { ...metadata }, correlationId });
      expect(Object.isFrozen(metadata)).toBe(true);
      throw new Error("fails");
    }, options);
    await clock.advance(1);
    const { backoff: _, ...same } = options;
    expect(seen).toEqual([
      { ...same, attempt: 1 },
      { ...same, attempt: 2 },
    ]);
  });

  it("is called without this, and keeps its own number of the attempt when it was given up", async () => {
    const { tasks, clock } = createManager();
    const contexts: TaskContext[] = [];
    function handler(this: unknown, context: TaskContext) {
      expect(this).toBeUndefined();
      contexts.push(context);
      return new Stubborn().promise;
    }
    tasks.enqueue(handler, { timeoutMs: 5, killAfterMs: 5, maxAttempts: 2, backoff: () => 0 });
    await clock.advance(12);
    expect(contexts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  it("hears of a graceful stop before anything is aborted, also when it starts during it", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const seen: unknown[] = [];
    const first = new Stubborn();
    tasks.enqueue(({ stopping, signal }) => {
      stopping.addEventListener("abort", () => seen.push(["first", signal.aborted]));
      return first.promise;
    });
    tasks.enqueue(({ stopping, signal }) => seen.push(["second", stopping.aborted, signal.aborted]));
    await clock.settle();
    void tasks.stopGraceful();
    first.resolve();
    await clock.settle();
    expect(seen).toEqual([
      ["first", false],
      ["second", true, false],
    ]);
  });
});

describe("an observer that acts on the manager from inside an event", () => {
  type Type = TaskEvent["type"];

  it.each<[Type, string[]]>([
    ["queued", ["queued", "finished"]],
    ["scheduled", ["scheduled", "finished"]],
    ["started", ["queued", "started", "finished"]],
    ["retried", ["queued", "started", "retried", "finished"]],
    ["rescheduled", ["queued", "started", "rescheduled", "finished"]],
    ["dropped", ["queued", "dropped", "finished"]],
  ])("may cancel the task at its %s event: one end, nothing left behind", async (type, expected) => {
    for (const delayMs of [0, 100]) {
      const manager = observeManager({ capacity: 3, whenFull: "drop-oldest", backoff: () => delayMs });
      const { reschedule } = await import("../../src/index.js");
      if (type === "dropped") manager.core.dispatcher.pause();
      manager.core.journal.events.subscribe((event) => {
        if (event.type === type && "task" in event && event.task.id === "mine")
          manager.controls.cancel("mine", "why");
      });
      const handle = manager.enqueue(
        ({ signal }) => {
          if (type === "rescheduled") throw reschedule({ delayMs });
          if (type === "retried") throw new Error("fails");
          signal.throwIfAborted(); // it was cancelled before its handler began
          return untilAborted({ signal });
        },
        { id: "mine", maxAttempts: 2, delayMs: type === "scheduled" ? 10 : 0, killAfterMs: 50 },
      );
      if (type === "dropped")
        manager.core.intake.acceptAll(Array.from({ length: 3 }, () => request(manager)));
      await manager.clock.advance(1_000);
      expect(manager.eventsOf(handle.id)).toEqual(expected);
      // A drop makes room for another, and is whole before anybody hears of it.
      const outcome = type === "dropped" ? { code: "MILLRACE_QUEUE_FULL" } : { cause: "why" };
      expect(await rejectionOf(handle.result())).toMatchObject(outcome);
      expect(manager.stats()).toMatchObject({ scheduled: 0, backingOff: 0, running: 0, observerErrors: 0 });
    }
  });

  const request = (manager: ReturnType<typeof observeManager>) => ({
    work: () => 1,
    plan: manager.core.planner.plan(undefined),
  });

  it("may cancel a task at its start: a handler that ignores it is given up in time", async () => {
    const manager = observeManager();
    manager.core.journal.events.subscribe((event) => {
      if (event.type === "started") manager.controls.cancel(event.task.id, "why");
    });
    const handle = manager.enqueue(new Stubborn().run, { killAfterMs: 50 });
    await manager.clock.advance(50);
    expect(handle.state).toBe("cancelled");
  });

  it("may cancel at the first drop all that is dropped: each has one end", async () => {
    const manager = observeManager({ capacity: 3, whenFull: "drop-oldest", autoStart: false });
    const handles = Array.from({ length: 3 }, () => manager.enqueue(() => 1));
    manager.core.journal.events.subscribe((event) => {
      if (event.type === "dropped") for (const handle of handles) handle.cancel("why");
    });
    manager.core.intake.acceptAll(Array.from({ length: 3 }, () => request(manager)));
    for (const handle of handles) {
      expect(manager.endsOf(handle.id)).toHaveLength(1);
      expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_QUEUE_FULL" });
    }
    expect(manager.stats()).toMatchObject({ queued: 3 });
  });

  it.each<Type>(["queued", "started", "retried", "finished", "stopping"])(
    "may stop the manager at a %s event",
    async (type) => {
      const manager = observeManager({ maxAttempts: 2, backoff: () => 10 });
      let stopped: Promise<StopReport> | undefined;
      manager.core.journal.events.subscribe((event) => {
        if (event.type === type) stopped ??= manager.stopNow();
      });
      const handles = [manager.enqueue(() => Promise.reject(new Error("fails")))];
      if (type !== "queued") {
        handles.push(
          manager.enqueue(untilAborted),
          manager.enqueue(() => new Stubborn<never>().promise),
        );
      }
      await manager.clock.settle();
      if (type === "stopping") void manager.stopGraceful();
      await manager.clock.advance(2_000);
      expect(stopped).toBeDefined();
      const { alive = 0, durationMs: _, ...parts } = (await stopped) ?? {};
      expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(alive);
      for (const handle of handles) expect(manager.endsOf(handle.id)).toHaveLength(1);
      expect(manager.stats()).toMatchObject({ phase: "stopped", observerErrors: 0 });
    },
  );
});
