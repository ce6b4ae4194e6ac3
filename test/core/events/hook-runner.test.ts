import { describe, expect, test } from "vitest";
import { AsyncContext } from "../../../src/adapters/system/async-context.js";
import { EventStream } from "../../../src/core/events/event-stream.js";
import { HookRunner } from "../../../src/core/events/hook-runner.js";
import { Mishaps } from "../../../src/core/events/mishaps.js";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import { FinishedEvent } from "../../../src/task/finished-event.js";
import { type Hooks, readHooks } from "../../../src/task/hooks.js";
import type { TaskEvent, TaskEventType } from "../../../src/task/task-event.js";
import { toSnapshot } from "../../../src/task/to-snapshot.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";

const task = toSnapshot(newTask(), 0);
const finished = new FinishedEvent(newTask(), "secret", 0);
const error = new Error("the attempt failed");
const dropped = { id: "a", handler: undefined, queue: "default", subscription: "s" };

const started = Object.freeze({ worker: "w-1", threadId: 1, startMs: 30 });
const exited = Object.freeze({
  ...{ worker: "w-1", threadId: 1, reason: "idle" as const, exitCode: 0, error: undefined },
  ...{ attempts: 3, aliveMs: 900 },
});
const fault = Object.freeze({ worker: "w-1", id: "a", handler: "hash", queue: "default", error });

/** Each event, the hook that is told of it, and what that is given. */
const CASES: readonly [TaskEvent, keyof Hooks, readonly unknown[]][] = [
  [{ type: "queued", task }, "onQueued", [task]],
  [{ type: "scheduled", task }, "onScheduled", [task]],
  [{ type: "started", task }, "onStarted", [task]],
  [{ type: "progress", task, value: 0.5 }, "onProgress", [task, 0.5]],
  [{ type: "retried", task, delayMs: 5, error }, "onRetried", [task, { delayMs: 5, error }]],
  [{ type: "rescheduled", task, delayMs: 7 }, "onRescheduled", [task, { delayMs: 7 }]],
  [finished, "onFinished", [finished.task]],
  [{ type: "dropped", task }, "onTaskDropped", [task]],
  [{ type: "resultDropped", ...dropped }, "onResultDropped", [dropped]],
  [{ type: "abandoned", task }, "onAbandoned", [task]],
  [{ type: "workerStarted", worker: started }, "onWorkerStarted", [started]],
  [{ type: "workerExited", worker: exited }, "onWorkerExited", [exited]],
  [{ type: "lateFault", fault }, "onLateFault", [fault]],
  [{ type: "storeLost", queue: "mail" }, "onStoreLost", [{ queue: "mail" }]],
  [{ type: "stopping", graceful: true }, "onStopping", [{ graceful: true }]],
];

function createRunner() {
  const [clock, carrier, errors] = [new ManualClock(), new AsyncContext(), new ObserverErrors()];
  const [events, mishaps] = [new EventStream(errors), new Mishaps()];
  return { events, errors, hooks: new HookRunner({ clock, carrier, events, errors, mishaps }) };
}

/** All hooks, each of which notes its name, what it was given, and its `this`. */
function recordingHooks(calls: unknown[]): Hooks {
  const names = CASES.map(([, name]) => name);
  const record = (name: string) =>
    function (this: unknown, ...given: unknown[]) {
      calls.push([name, given, this]);
    };
  return readHooks(Object.fromEntries(names.map((name) => [name, record(name)])), "hooks");
}

describe("hooks", () => {
  test.each(CASES)("%o is told to %s", async (event, name, given) => {
    const { events, hooks } = createRunner();
    const calls: unknown[] = [];
    hooks.observe(recordingHooks(calls));
    events.publish(event);
    expect(calls).toEqual([]);
    await hooks.settled();
    expect(calls).toEqual([[name, given, undefined]]);
    for (const one of (calls[0] as [string, unknown[]])[1])
      expect(typeof one !== "object" || Object.isFrozen(one)).toBe(true);
  });

  test("make nobody listen to what there is no hook for", () => {
    const { events, hooks } = createRunner();
    const types: TaskEventType[] = CASES.map(([{ type }]) => type);
    hooks.observe({});
    expect(events.active).toBe(false);
    const observing = hooks.observe({ onFinished: () => undefined, onStopping: () => undefined });
    expect(types.filter((type) => events.heard[type] > 0)).toEqual(["finished", "stopping"]);
    observing[Symbol.dispose]();
    expect(events.active).toBe(false);
  });

  test("of several observers are called in the order of these, event by event", async () => {
    const { events, hooks } = createRunner();
    const calls: string[] = [];
    hooks.observe({ onQueued: () => calls.push("a queued"), onStarted: () => calls.push("a started") });
    hooks.observe({ onQueued: () => calls.push("b queued") });
    events.publish({ type: "queued", task });
    events.publish({ type: "started", task });
    hooks.observe({ onQueued: () => calls.push("too late for both") });
    await hooks.settled();
    expect(calls).toEqual(["a queued", "b queued", "a started"]);
  });

  test("are not called once disposed, not even for what has happened, and the others are", async () => {
    const { events, hooks } = createRunner();
    const calls: string[] = [];
    const first = hooks.observe({ onQueued: () => calls.push("first") });
    hooks.observe({
      onQueued: () => {
        calls.push("second");
        third[Symbol.dispose]();
      },
    });
    const third = hooks.observe({ onQueued: () => calls.push("third") });
    events.publish({ type: "queued", task });
    expect(hooks.waiting).toBe(3);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await hooks.settled();
    expect(calls).toEqual(["second"]);
    expect(hooks.waiting).toBe(0);
  });

  test("that throw or reject are counted, and keep none from being called", async () => {
    const { errors, events, hooks } = createRunner();
    const calls: string[] = [];
    hooks.observe({
      onQueued: () => {
        throw new Error("throws");
      },
      onStarted: () => Promise.reject(new Error("rejects")),
      onFinished: () => new Promise(() => {}), // never settles
    });
    hooks.observe({ onQueued: () => calls.push("queued"), onFinished: () => calls.push("finished") });
    for (const type of ["queued", "started"] as const) events.publish({ type, task });
    events.publish(finished);
    await hooks.settled();
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual(["queued", "finished"]);
    expect(errors.count).toBe(2);
  });
});
