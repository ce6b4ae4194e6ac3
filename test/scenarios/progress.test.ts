import { describe, expect, expectTypeOf, it } from "vitest";
import { fixed, type TaskContext, type TaskLocals } from "../../src/index.js";
import { createManager } from "../support/manual-manager.js";
import { observeManager, Stubborn } from "../support/observed-manager.js";

declare module "millrace" {
  interface TaskLocals {
    /** Of the tests of `locals`. */
    steps?: string[];
  }
}

/** What observed managers have heard of progress, in its order among the ends. */
function toldBy(manager: ReturnType<typeof observeManager>): unknown[] {
  return manager.events.flatMap((event) => {
    if (event.type === "progress") return [event.value];
    return event.type === "retried" || event.type === "finished" || event.type === "abandoned"
      ? [event.type]
      : [];
  });
}

describe("context.progress", () => {
  it("tells at once, then every 100 ms the last value, and what was held back before the end", async () => {
    const told: unknown[] = [];
    const { tasks, clock } = createManager({
      hooks: {
        onProgress: ({ id, state }, value) => told.push([clock.now(), id, state, value]),
        onFinished: ({ id, state }) => told.push([clock.now(), id, state]),
      },
    });
    const stubborn = new Stubborn();
    let context: TaskContext | undefined;
    tasks.enqueue(
      (given) => {
        context = given;
        return stubborn.promise;
      },
      { id: "a" },
    );
    await clock.settle();
    for (let step = 0; step < 25; step++) {
      context?.progress(step);
      await clock.advance(10);
    }
    context?.progress("last");
    stubborn.resolve();
    await clock.settle();
    expect(told).toEqual([
      [0, "a", "running", 0],
      [100, "a", "running", 9],
      [200, "a", "running", 19],
      [250, "a", "running", "last"],
      [250, "a", "completed"],
    ]);
  });

  it("can be taken out of the context, and gives nothing", async () => {
    const manager = observeManager();
    const given = await manager.execute(({ progress }) => {
      const { call } = { call: progress };
      return call("half");
    });
    expect(given).toBeUndefined();
    expect(toldBy(manager)).toEqual(["half", "finished"]);
  });

  it("begins anew at each attempt", async () => {
    const manager = observeManager({ maxAttempts: 2, backoff: fixed({ delayMs: 10 }) });
    manager.enqueue(({ attempt, progress }) => {
      for (const step of ["first", "second", "third"]) progress(`${step} of ${attempt}`);
      if (attempt === 1) throw new Error("once more");
    });
    await manager.clock.advance(10);
    expect(toldBy(manager)).toEqual([
      ...["first of 1", "third of 1", "retried"],
      ...["first of 2", "third of 2", "finished"],
    ]);
  });

  it("does nothing once the attempt is over, and is told before an attempt that is given up", async () => {
    const manager = observeManager();
    const stubborn = new Stubborn();
    let late: TaskContext | undefined;
    manager.enqueue(
      (context) => {
        late = context;
        context.progress("begun");
        context.progress("held back");
        return stubborn.promise;
      },
      { timeoutMs: 20, killAfterMs: 10 },
    );
    await manager.clock.advance(30);
    expect(toldBy(manager)).toEqual(["begun", "held back", "abandoned", "finished"]);
    late?.progress("too late");
    await manager.clock.advance(1_000);
    stubborn.resolve();
    await manager.clock.advance(1_000);
    late?.progress("far too late");
    await manager.stopNow();
    late?.progress("after the stop");
    expect(toldBy(manager)).toEqual(["begun", "held back", "abandoned", "finished"]);
  });

  it("does nothing while nobody listens: no alarm is set, and nothing is kept", async () => {
    const { tasks, clock } = createManager({ hooks: { onFinished: () => undefined } });
    const timers: number[] = [];
    const told: unknown[] = [];
    const stubborn = new Stubborn();
    let report: TaskContext["progress"] = () => undefined;
    tasks.enqueue(
      ({ progress }) => {
        timers.push(clock.timers);
        report = progress;
        for (let step = 0; step < 5; step++) progress(step);
        timers.push(clock.timers);
        return stubborn.promise;
      },
      { timeoutMs: false },
    );
    await clock.settle();
    expect(timers[1]).toBe(timers[0]);
    const observing = tasks.observe({ onProgress: (_, value) => told.push(value) });
    await clock.advance(1_000);
    expect(told).toEqual([]); // what nobody heard is gone
    report("heard");
    report("held back, and nobody will hear it");
    await clock.settle();
    observing[Symbol.dispose]();
    await clock.advance(1_000);
    stubborn.resolve();
    await clock.settle();
    expect(told).toEqual(["heard"]);
  });

  it("who hears what was held back can still cancel the task, which then is cancelled", async () => {
    const manager = observeManager();
    manager.core.journal.events.subscribe((event) => {
      if (event.type === "progress" && event.value === "last") manager.controls.cancel(event.task.id, "seen");
    });
    const handle = manager.enqueue(({ progress }) => {
      progress("first");
      progress("last");
      return "value";
    });
    await expect(handle.result()).rejects.toMatchObject({ code: "MILLRACE_TASK_CANCELLED", cause: "seen" });
    expect(manager.endsOf(handle.id)).toHaveLength(1);
  });
});

describe("context.locals", () => {
  it("is one object for an attempt, fresh for each, and without a prototype", async () => {
    const { tasks, clock } = createManager({ maxAttempts: 2, backoff: fixed({ delayMs: 10 }) });
    const seen: TaskLocals[] = [];
    const handle = tasks.enqueue((context) => {
      const { locals } = context;
      seen.push(locals);
      expect(context.locals).toBe(locals);
      expect(Object.getPrototypeOf(locals)).toBeNull();
      expect(Object.keys(locals)).toEqual([]);
      locals.steps = [`step of ${context.attempt}`];
      if (context.attempt === 1) throw new Error("once more");
      return context.locals.steps;
    });
    await clock.advance(10);
    expect(await handle.result()).toEqual(["step of 2"]);
    expect(seen).toHaveLength(2);
    expect(seen[0]).not.toBe(seen[1]);
    expect(seen[0]?.steps).toEqual(["step of 1"]);
  });

  it("has the members that its users declare", () => {
    expectTypeOf<TaskContext["locals"]["steps"]>().toEqualTypeOf<string[] | undefined>();
  });
});
