import { AsyncLocalStorage } from "node:async_hooks";
import { type Channel, channel, type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import { describe, expect, it, onTestFinished } from "vitest";
// Threads run what is compiled, and so does the manager that hands tasks to them.
import * as built from "../../../dist/index.js";
import { TaskChannels } from "../../../src/adapters/diagnostics/task-channels.js";
import type { TracedAttempt } from "../../../src/adapters/diagnostics/traced.js";
import {
  cancelTask,
  defineHandlers,
  fixed,
  json,
  rateLimited,
  reschedule,
  StoreUnreachableError,
  skipRetry,
  type TaskContext,
  type TaskManager,
  TaskTimeoutError,
} from "../../../src/index.js";
import { instrumentation } from "../../../src/ports/instrumentation.js";
import { coreOf } from "../../../src/task-manager.js";
import { seededRandom } from "../../../src/testing/index.js";
import { runFixture } from "../../support/child-process.js";
import { createDurable } from "../../support/faulty-store.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../../support/manual-manager.js";
import { observeManager, Stubborn } from "../../support/observed-manager.js";
import { createThreaded } from "../../support/threaded-manager.js";

const MOMENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

interface Moment {
  readonly name: string;
  readonly traced: TracedAttempt;
  readonly id: string;
  readonly state: string;
  readonly error: Error | undefined;
}

/** All that is published from now on, until it is disposed or the test is over. */
class Watch {
  readonly moments: Moment[] = [];
  readonly #subscribed: [Channel, (traced: unknown) => void][] = [];

  constructor(...kinds: readonly ("task" | "attempt")[]) {
    for (const kind of kinds)
      for (const moment of MOMENTS) this.#subscribe(`${kind}:${moment}`, channelOf(kind, moment));
    onTestFinished(() => this.end());
  }

  end(): void {
    for (const [one, listener] of this.#subscribed.splice(0)) one.unsubscribe(listener);
  }

  /** The names of what was published of a task and its attempts. */
  of(id: string): string[] {
    return this.moments.filter((moment) => moment.id === id).map(({ name }) => name);
  }

  #subscribe(name: string, one: Channel): void {
    const listener = (published: unknown) => {
      const traced = published as TracedAttempt;
      const { id, state } = traced.task;
      this.moments.push({ name, traced, id, state, error: traced.error });
    };
    one.subscribe(listener);
    this.#subscribed.push([one, listener]);
  }
}

function channelOf(kind: "task" | "attempt", moment: (typeof MOMENTS)[number]): Channel {
  return channel(`tracing:millrace:${kind}:${moment}`);
}

/** Whether attempts are wrapped, and whether somebody listens to events. */
function listens(tasks: TaskManager): readonly boolean[] {
  const { carriers, journal } = coreOf(tasks);
  return [carriers.attached, journal.events.active];
}

const TASK = ["task:start", "task:end"];
const TASK_OVER = ["task:asyncStart", "task:asyncEnd"];
const ATTEMPT = ["attempt:start", "attempt:end"];
const OVER = ["attempt:asyncStart", "attempt:asyncEnd"];
const FAILED = ["attempt:error", ...OVER];

describe("the channels of tasks and attempts", () => {
  it("tell of a task and its attempt, one inside the other, each by one object", async () => {
    const watch = new Watch("task", "attempt");
    const manager = observeManager();
    const handle = manager.enqueue(async () => "value", { metadata: { tenant: "acme" } });
    expect(watch.of(handle.id)).toEqual(TASK);
    await manager.clock.settle();
    expect(watch.of(handle.id)).toEqual([...TASK, ...ATTEMPT, ...OVER, ...TASK_OVER]);
    expect(watch.moments.map(({ state }) => state)).toEqual([
      ...["queued", "queued", "running", "running"],
      ...["completed", "completed", "completed", "completed"],
    ]);
    const [first, , second] = watch.moments;
    expect(new Set(watch.moments.map(({ traced }) => traced))).toEqual(
      new Set([first?.traced, second?.traced]),
    );
    expect(second?.traced.attempt).toBe(1);
    for (const { traced } of watch.moments) {
      expect(Object.isFrozen(traced.task)).toBe(true);
      expect(traced).not.toHaveProperty("error");
      expect(JSON.stringify(traced)).not.toContain("value");
    }
  });

  it("keep the order also where a handler ends within its start", async () => {
    const watch = new Watch("task", "attempt");
    const manager = observeManager();
    const returned = manager.enqueue(() => 1);
    const thrown = manager.enqueue(() => {
      throw new RangeError("at once");
    });
    await manager.clock.settle();
    expect(watch.of(returned.id)).toEqual([...TASK, ...ATTEMPT, ...OVER, ...TASK_OVER]);
    expect(watch.of(thrown.id)).toEqual([...TASK, ...ATTEMPT, ...FAILED, "task:error", ...TASK_OVER]);
    const failures = watch.moments.filter(({ name }) => name.endsWith(":error"));
    expect(failures.map(({ error }) => error?.name)).toEqual(["RangeError", "RangeError"]);
  });

  it("tell each attempt apart, and of what failed and what steered", async () => {
    const watch = new Watch("task", "attempt");
    const manager = observeManager({ maxAttempts: 3, backoff: fixed({ delayMs: 10 }) });
    const steer = [
      () => reschedule({ delayMs: 5 }),
      () => rateLimited({ retryAfterMs: 5 }),
      () => new Error("once"),
      () => skipRetry(new TypeError("never")),
    ];
    const handle = manager.enqueue(() => {
      throw steer.shift()?.();
    });
    await manager.clock.advance(100);
    expect(watch.of(handle.id)).toEqual([
      ...TASK,
      ...[...ATTEMPT, ...OVER],
      ...[...ATTEMPT, ...OVER],
      ...[...ATTEMPT, ...FAILED],
      ...[...ATTEMPT, ...FAILED],
      ...["task:error", ...TASK_OVER],
    ]);
    const starts = watch.moments.filter(({ name }) => name === "attempt:start");
    expect(starts.map(({ traced }) => [traced.attempt, traced.error?.message])).toEqual([
      [1, undefined],
      [1, undefined],
      [1, "once"],
      [2, "never"],
    ]);
    expect(new Set(starts.map(({ traced }) => traced)).size).toBe(4);
  });

  it("call no cancellation a failure, and every timeout one", async () => {
    const watch = new Watch("task", "attempt");
    const manager = observeManager({ capacity: 1, concurrency: 2, whenFull: "drop-oldest" });
    const own = manager.enqueue(() => {
      throw cancelTask("not needed");
    });
    await manager.clock.settle();
    const late = manager.enqueue(untilAborted, { timeoutMs: 10 });
    await manager.clock.settle();
    const running = manager.enqueue(untilAborted);
    await manager.clock.settle();
    const waiting = manager.enqueue(() => 1);
    manager.enqueue(() => 1);
    const scheduled = manager.enqueue(() => 1, { delayMs: 10_000 });
    expect(watch.of(waiting.id)).toEqual([...TASK, ...TASK_OVER]); // dropped
    scheduled.cancel();
    running.cancel();
    await manager.clock.advance(10);
    expect(watch.of(own.id)).toEqual([...TASK, ...ATTEMPT, ...OVER, ...TASK_OVER]);
    expect(watch.of(running.id)).toEqual([...TASK, ...ATTEMPT, ...OVER, ...TASK_OVER]);
    expect(watch.of(scheduled.id)).toEqual([...TASK, ...TASK_OVER]);
    expect(watch.of(late.id)).toEqual([...TASK, ...ATTEMPT, ...FAILED, "task:error", ...TASK_OVER]);
    const ends = watch.moments.filter(({ name }) => name === "task:asyncEnd");
    expect(ends.map(({ traced }) => traced.task.reason)).toEqual([
      ...["cancelled", "dropped", "dropped", "cancelled", "cancelled", "timeout"],
    ]);
  });

  it("end an attempt when it is given up, and tell nothing of what it does later", async () => {
    const watch = new Watch("task", "attempt");
    const manager = observeManager({
      ...{ maxAttempts: 2, timeoutMs: 10, killAfterMs: 5 },
      backoff: fixed({ delayMs: 0 }),
    });
    const handler = new Stubborn<string>();
    const handle = manager.enqueue(({ attempt }) => (attempt === 1 ? handler.run() : "done"));
    await manager.clock.advance(14);
    expect(watch.of(handle.id)).toEqual([...TASK, ...ATTEMPT]);
    await manager.clock.advance(1);
    const all = [...TASK, ...ATTEMPT, ...FAILED, ...ATTEMPT, ...OVER, ...TASK_OVER];
    expect(watch.of(handle.id)).toEqual(all);
    expect(watch.moments.find(({ name }) => name === "attempt:error")?.error).toBeInstanceOf(
      TaskTimeoutError,
    );
    handler.reject(new Error("too late"));
    await manager.clock.settle();
    expect(watch.of(handle.id)).toEqual(all);
  });

  it("tell of the ends that a stop brings about", async () => {
    const watch = new Watch("task", "attempt");
    const manager = observeManager({ concurrency: 1, killAfterMs: 5 });
    const obeying = manager.enqueue(untilAborted);
    const waiting = manager.enqueue(() => 1);
    await manager.clock.settle();
    const stopped = manager.stopNow();
    await manager.clock.advance(10);
    await stopped;
    expect(watch.of(obeying.id)).toEqual([...TASK, ...ATTEMPT, ...OVER, ...TASK_OVER]);
    expect(watch.of(waiting.id)).toEqual([...TASK, ...TASK_OVER]);
  });

  it("tell of tasks that are accepted together, and of none that is refused", async () => {
    const watch = new Watch("task");
    const manager = observeManager({ capacity: 2, autoStart: false });
    const [first, second] = manager.enqueueMany([() => 1, [() => 2, { delayMs: 10 }]]);
    expect(thrownBy(() => manager.enqueue(() => 3))).toMatchObject({ code: "MILLRACE_QUEUE_FULL" });
    expect(watch.moments.map(({ name, id }) => [name, id])).toEqual([
      ...TASK.map((name) => [name, first.id]),
      ...TASK.map((name) => [name, second.id]),
    ]);
    expect(watch.moments.at(-1)?.state).toBe("scheduled");
    manager.start();
    await manager.clock.advance(10);
    expect(watch.of(second.id)).toEqual([...TASK, ...TASK_OVER]);
  });
});

describe("who subscribes", () => {
  it("hears no end of what it has heard no start of", async () => {
    const manager = observeManager({ concurrency: 1 });
    const handler = new Stubborn();
    const running = manager.enqueue(handler.run, { maxAttempts: 2 });
    const waiting = manager.enqueue(() => 1);
    const scheduled = manager.enqueue(() => 1, { delayMs: 10 });
    await manager.clock.settle();
    const watch = new Watch("task", "attempt");
    handler.resolve();
    await manager.clock.advance(10);
    expect(watch.of(running.id)).toEqual([]);
    expect(watch.of(waiting.id)).toEqual([...ATTEMPT, ...OVER]);
    expect(watch.of(scheduled.id)).toEqual([...ATTEMPT, ...OVER]);
  });

  it("makes the manager listen, until what it follows has ended", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    tasks.enqueue(() => 1);
    expect(listens(tasks)).toEqual([false, false]);
    await clock.settle();
    const watch = new Watch("task", "attempt");
    expect(listens(tasks)).toEqual([true, false]);
    const handler = new Stubborn();
    tasks.enqueue(handler.run);
    await clock.settle();
    expect(listens(tasks)).toEqual([true, true]);
    watch.end();
    expect(listens(tasks)).toEqual([false, true]);
    const told = watch.moments.length;
    handler.resolve();
    await clock.settle();
    expect(listens(tasks)).toEqual([false, false]);
    expect(watch.moments).toHaveLength(told);
  });

  it("hears of attempts alone, or of tasks alone, or of one moment", async () => {
    const { tasks } = createManager();
    const attempts = new Watch("attempt");
    await tasks.execute(() => 1);
    expect(attempts.moments.map(({ name }) => name)).toEqual([...ATTEMPT, ...OVER]);
    attempts.end();
    const watch = new Watch("task");
    await tasks.execute(() => 1);
    expect(watch.moments.map(({ name }) => name)).toEqual([...TASK, ...TASK_OVER]);
    watch.end();
    const ends: unknown[] = [];
    const listener = (traced: unknown) => ends.push(traced);
    channelOf("task", "asyncEnd").subscribe(listener);
    onTestFinished(() => void channelOf("task", "asyncEnd").unsubscribe(listener));
    await tasks.execute(() => 1);
    expect(ends).toHaveLength(1);
    expect(listens(tasks)).toEqual([true, false]);
  });

  it("hears of the end of a task that ended while it was accepted", async () => {
    const watch = new Watch("task");
    const { clock, tasks } = createManager();
    const { events } = coreOf(tasks).journal;
    const cancelling = events.subscribe(
      (event) => {
        if (event.type === "queued") void tasks.cancel(event.task.id);
      },
      ["queued"],
    );
    const { id } = tasks.enqueue(() => 1);
    expect(watch.of(id)).toEqual([...TASK, ...TASK_OVER]);
    const { id: other } = tasks.enqueueMany([() => 2])[0];
    await clock.settle();
    expect(watch.of(other)).toEqual([...TASK, ...TASK_OVER]);
    cancelling[Symbol.dispose]();
    expect(listens(tasks)).toEqual([true, false]);
  });

  it("may end a task when it hears of it", async () => {
    const { clock, tasks } = createManager();
    const cancel = (published: unknown) => void tasks.cancel((published as TracedAttempt).task.id);
    channelOf("task", "start").subscribe(cancel);
    onTestFinished(() => void channelOf("task", "start").unsubscribe(cancel));
    const watch = new Watch("task", "attempt");
    const { id } = tasks.enqueue(() => 1);
    await clock.settle();
    expect(watch.of(id)).toEqual([...TASK, ...TASK_OVER]);
    expect(coreOf(tasks).journal.events.active).toBe(false);
  });

  it("may call the manager: what it enqueues is accepted after what it heard of", async () => {
    const manager = observeManager({ capacity: 2, autoStart: false });
    const accepted: string[] = [];
    const listener = (published: unknown) => {
      const { task } = published as TracedAttempt;
      accepted.push(task.name ?? "");
      if (task.name === "work") manager.enqueue(() => 1, { name: "audit" });
    };
    channelOf("task", "start").subscribe(listener);
    onTestFinished(() => void channelOf("task", "start").unsubscribe(listener));
    manager.enqueue(() => 1, { name: "work" });
    expect(accepted).toEqual(["work", "audit"]);
    expect(manager.list().map(({ name }) => name)).toEqual(["work", "audit"]);
    expect(manager.stats().queued).toBe(2);
  });
});

describe("a subscriber that does not let what it is given change", () => {
  it.each([
    ["freezes it", Object.freeze],
    ["takes no more fields", Object.preventExtensions],
    [
      "has a setter that throws",
      (traced: object) =>
        Object.defineProperty(traced, "task", {
          get: () => ({ id: "its own", state: "its own" }),
          set: () => {
            throw new Error("broken subscriber");
          },
        }),
    ],
  ])("and %s keeps no moment from the others", async (_, tamper) => {
    for (const kind of ["task", "attempt"] as const) {
      const listener = (published: unknown) => void tamper(published as object);
      channelOf(kind, "start").subscribe(listener);
      onTestFinished(() => void channelOf(kind, "start").unsubscribe(listener));
    }
    const watch = new Watch("task", "attempt");
    const manager = observeManager({ maxAttempts: 2, backoff: fixed({ delayMs: 5 }) });
    const handle = manager.enqueue(({ attempt }) => {
      if (attempt === 1) throw new Error("once");
      return "value";
    });
    await manager.clock.advance(5);
    expect(await handle.result()).toBe("value");
    const all = [...TASK, ...ATTEMPT, ...FAILED, ...ATTEMPT, ...OVER, ...TASK_OVER];
    expect(watch.moments.map(({ name }) => name)).toEqual(all);
    expect(new Set(watch.moments.map(({ traced }) => traced)).size).toBe(3);
    expect(manager.stats().observerErrors).toBe(0);
  });

  it("has all see what it had when it froze it", async () => {
    const freeze = (published: unknown) => void Object.freeze(published);
    channelOf("task", "start").subscribe(freeze);
    onTestFinished(() => void channelOf("task", "start").unsubscribe(freeze));
    const watch = new Watch("task", "attempt");
    const { tasks } = createManager({ maxAttempts: 1 });
    await expect(tasks.execute(() => Promise.reject(new Error("fails")))).rejects.toThrow("fails");
    const states = (of: string) =>
      watch.moments
        .filter(({ name }) => name.startsWith(of))
        .map(({ state, error }) => [state, error?.message]);
    expect(states("task:")).toEqual(Array(5).fill(["queued", undefined]));
    expect(states("attempt:").at(-1)).toEqual(["failed", "fails"]); // nobody froze that
  });
});

describe("a store that is bound to the start", () => {
  function bind(kind: "task" | "attempt"): AsyncLocalStorage<string> {
    const store = new AsyncLocalStorage<string>();
    const channels: TracingChannel<unknown, TracedAttempt> = tracingChannel(`millrace:${kind}`);
    channels.start.bindStore(store, ({ task, attempt }) => `${task.name} ${attempt}`);
    onTestFinished(() => void channels.start.unbindStore(store));
    return store;
  }

  it("holds for the handler, for what it awaits, and for the end of the attempt", async () => {
    const store = bind("attempt");
    const manager = observeManager({ maxAttempts: 2, backoff: fixed({ delayMs: 5 }), timeoutMs: 100 });
    const seen: unknown[] = [];
    const listener = () => seen.push(store.getStore());
    for (const moment of ["end", "error", "asyncStart", "asyncEnd"] as const) {
      channelOf("attempt", moment).subscribe(listener);
      onTestFinished(() => void channelOf("attempt", moment).unsubscribe(listener));
    }
    const work = async ({ attempt }: TaskContext) => {
      await null;
      seen.push(`in ${store.getStore()}`);
      if (attempt === 1) throw new Error("once");
    };
    manager.enqueue(work, { name: "a" });
    await manager.clock.advance(5);
    expect(seen).toEqual(["a 1", "in a 1", "a 1", "a 1", "a 1", "a 2", "in a 2", "a 2", "a 2"]);
    expect(store.getStore()).toBeUndefined();
    manager.enqueue(new Stubborn().run, { name: "b", maxAttempts: 1 });
    await manager.clock.advance(5_000);
    expect(seen.slice(9)).toEqual(["b 1", "b 1", "b 1", "b 1"]); // given up by a timer
  });

  it("holds for the end of the task, beside the context of its enqueue call", async () => {
    const [store, request] = [bind("task"), new AsyncLocalStorage<string>()];
    const manager = observeManager();
    const seen: unknown[] = [];
    const listener = () => seen.push([store.getStore(), request.getStore()]);
    channelOf("task", "asyncEnd").subscribe(listener);
    onTestFinished(() => void channelOf("task", "asyncEnd").unsubscribe(listener));
    request.run("request 7", () => manager.enqueue(async () => {}, { name: "a" }));
    expect(store.getStore()).toBeUndefined();
    await manager.clock.settle();
    expect(seen).toEqual([["a undefined", "request 7"]]);
  });
});

it("is reported by Node itself where it throws, and changes no outcome", async () => {
  const { code, stdout, stderr } = await runFixture("throwing-subscribers.ts");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout.trimEnd().split("\n")).toEqual([
    ...["value", "attempt 2", "2 completed, 1 failed, 0 alive at the stop"],
    "0 observer errors, 31 of 31 came to Node",
  ]);
});

it.each([1, 2, 3])("agrees with the counts of a random run, to the unit: seed %i", async (seed) => {
  const random = seededRandom(seed);
  const pick = (count: number) => Math.floor(random.next() * count);
  const { clock, tasks } = createManager({
    ...{ random, concurrency: 3, capacity: 20, whenFull: "drop-oldest", killAfterMs: 7 },
    backoff: () => pick(9),
  });
  const before = tasks.enqueueMany(Array.from({ length: 5 }, () => untilAborted));
  await clock.settle();
  const watch = new Watch("task", "attempt");
  const thrown = [() => new Error("x"), () => reschedule(), () => skipRetry("x"), () => cancelTask()];
  const works = [
    () => 1,
    async () => 2,
    untilAborted,
    () => new Promise<never>(() => {}),
    () => {
      throw thrown[pick(thrown.length)]?.();
    },
  ];
  for (let step = 0; step < 300; step++) {
    const options = { maxAttempts: 1 + pick(3), timeoutMs: 1 + pick(20), delayMs: pick(3) === 0 ? 5 : 0 };
    const handle = tasks.enqueue(works[pick(works.length)] ?? (() => 1), options);
    if (pick(5) === 0) handle.cancel();
    if (pick(3) === 0) await clock.advance(pick(10));
  }
  for (const handle of before) handle.cancel();
  const stopped = tasks.stopGraceful({ deadlineMs: 50 });
  await clock.advance(100);
  await stopped;
  const names = new Map<unknown, string[]>();
  for (const { name, traced } of watch.moments) {
    const [kind = "", moment = ""] = name.split(":");
    const known = names.get(traced) ?? [kind];
    names.set(traced, [...known, moment]);
  }
  const whole = ["start,end,asyncStart,asyncEnd", "start,end,error,asyncStart,asyncEnd"];
  const counts: Record<string, number> = {};
  for (const told of names.values()) {
    const [kind, ...moments] = told;
    expect(whole).toContain(moments.join());
    const counted = `${kind}${moments.includes("error") ? " failed" : ""}`;
    counts[counted] = (counts[counted] ?? 0) + 1;
  }
  const { enqueued, started, failed } = tasks.stats().total;
  const told = watch.moments.filter(({ name }) => name === "attempt:start").length;
  const early = new Set(before.map(({ id }) => id));
  expect((counts["task"] ?? 0) + (counts["task failed"] ?? 0)).toBe(enqueued - before.length);
  expect(counts["task failed"]).toBe(failed);
  // Of those that were there before, three ran; the other attempts are told of.
  expect(told).toBe(started - 3);
  expect(watch.moments.filter(({ id, name }) => early.has(id) && name.startsWith("task"))).toEqual([]);
  watch.end();
  expect(listens(tasks)).toEqual([false, false]);
});

describe("an attempt in a worker thread", () => {
  /** A manager whose threads do what the test says, and what it publishes. */
  const createTraced = () => {
    const manager = createThreaded();
    const point = manager[instrumentation]();
    point.attach(new TaskChannels(point));
    return { manager, watch: new Watch("task", "attempt") };
  };

  it("is told of as others are, from its start on the main thread to its end there", async () => {
    const { manager, watch } = createTraced();
    const [returned, thrown] = [manager.enqueue("a"), manager.enqueue("b")];
    await manager.clock.settle();
    expect(watch.of(returned.id)).toEqual([...TASK, ...ATTEMPT]);
    manager.pool.end("a");
    manager.pool.fail("b", new RangeError("in a thread"));
    expect(await rejectionOf(thrown.result())).toBeInstanceOf(RangeError);
    expect(watch.of(returned.id)).toEqual([...TASK, ...ATTEMPT, ...OVER, ...TASK_OVER]);
    expect(watch.of(thrown.id)).toEqual([...TASK, ...ATTEMPT, ...FAILED, "task:error", ...TASK_OVER]);
  });

  it("of a real thread keeps the stores that are bound to its start, also when the thread dies", async () => {
    const watch = new Watch("attempt");
    const store = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const attempts = tracingChannel<string, TracedAttempt>("millrace:attempt");
    attempts.start.bindStore(store, ({ task }) => `of ${task.id}`);
    const hear = () => seen.push(store.getStore());
    attempts.asyncEnd.subscribe(hear);
    onTestFinished(() => {
      attempts.start.unbindStore(store);
      attempts.asyncEnd.unsubscribe(hear);
    });
    const module = new URL("../../fixtures/threads-otel/acts.mjs", import.meta.url);
    const handlers = built.defineHandlers({ act: { payload: built.json<{ what: string }>(), module } });
    const tasks = new built.TaskManager({ handlers, threads: { max: 1 } });
    const ids: string[] = [];
    for (const what of ["return", "throw", "exit"]) {
      const handle = tasks.enqueue("act", { what });
      ids.push(handle.id);
      await handle.result().catch(() => {});
    }
    await tasks.stopNow();
    expect(ids.map((id) => watch.of(id))).toEqual([
      ...[
        [...ATTEMPT, ...OVER],
        [...ATTEMPT, ...FAILED],
        [...ATTEMPT, ...FAILED],
      ],
    ]);
    expect(seen).toEqual(ids.map((id) => `of ${id}`));
    const failures = watch.moments.filter(({ name }) => name === "attempt:error");
    expect(failures.map(({ error }) => error?.name)).toEqual(["RangeError", "WorkerExitError"]);
  });
});

describe("an attempt of a durable task", () => {
  const handlers = defineHandlers({
    mail: { payload: json<null>(), run: () => "sent" },
    slow: { payload: json<null>(), run: (_, given) => untilAborted(given), timeoutMs: false },
  });
  const unreachable = new StoreUnreachableError("at redis://shop");

  const start = async (name: "mail" | "slow") => {
    const watch = new Watch("attempt");
    const scene = createDurable({ handlers, leaseMs: 3_000 });
    const { id } = await scene.tasks.enqueueDurable(name, null);
    return { ...scene, watch, id };
  };

  it("ends when the store has confirmed its end", async () => {
    const { clock, id, tasks, watch } = await start("mail");
    await clock.advance(10);
    expect(watch.of(id)).toEqual([...ATTEMPT, ...OVER]);
    expect(watch.moments.at(-1)?.state).toBe("completed");
    expect(listens(tasks)).toEqual([true, false]);
  });

  it("ends when a stop hands its task back", async () => {
    const { clock, id, tasks, watch } = await start("slow");
    await clock.advance(10);
    expect(watch.of(id)).toEqual(ATTEMPT);
    const stopped = tasks.stopNow();
    await clock.advance(1_000);
    expect(await stopped).toMatchObject({ interrupted: 1 });
    expect(watch.of(id)).toEqual([...ATTEMPT, ...OVER]);
  });

  it("ends with its lease, and when nobody confirms its end in time", async () => {
    for (const [name, call] of [
      ["slow", "extend"],
      ["mail", "ack"],
    ] as const) {
      const { clock, id, link, tasks, watch } = await start(name);
      link.fail(unreachable, "extend", call, "claim");
      await clock.advance(5_000);
      expect(watch.of(id)).toEqual([...ATTEMPT, ...OVER]);
      expect(listens(tasks)).toEqual([true, false]); // nothing of it is kept
      watch.end();
    }
  });
});
