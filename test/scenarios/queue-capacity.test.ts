import { describe, expect, test } from "vitest";
import {
  DuplicateTaskError,
  NotAcceptingError,
  OptionError,
  QueueFullError,
  TaskCancelledError,
  type TaskFunction,
  type TaskManager,
} from "../../src/index.js";
import { createCore } from "../support/manual-core.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";
import { createThreaded } from "../support/threaded-manager.js";

const nothing: TaskFunction = () => undefined;

function fill(tasks: TaskManager, ids: readonly string[]): void {
  for (const id of ids) tasks.enqueue(nothing, { id });
}

function ids(tasks: TaskManager): string[] {
  return tasks.list().map((task) => task.id);
}

describe("Q4: when as many tasks wait as may, one more", () => {
  test("is refused with a QueueFullError that says how many may", async () => {
    const { tasks } = createManager({ capacity: 3, autoStart: false });
    fill(tasks, ["a", "b", "c"]);
    const error = thrownBy(() => tasks.enqueue(nothing));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ code: "MILLRACE_QUEUE_FULL", capacity: 3, taskId: undefined });
    expect((error as Error).message).toBe("No room for a task: 3 of 3 places are taken (capacity)");
  });

  test("leaves nothing behind: not its id, its signal's listener, its memory of the call, nor an event", () => {
    const { core, enqueue, events } = createCore({ capacity: 2, concurrency: 1 });
    core.dispatcher.pause();
    enqueue(nothing, { id: "a" });
    enqueue(nothing, { id: "b" });
    const before = { events: events.length, tally: core.tallies.total(), last: core.intake.lastNumber };
    const aborter = new AbortController();
    const { signal } = aborter;
    const options = { id: "c", queue: "other", signal, ttlMs: 60_000, delayMs: 10 };
    expect(() => enqueue(nothing, options)).toThrow(QueueFullError);
    expect(events).toHaveLength(before.events);
    expect(core.tallies.total()).toEqual({ ...before.tally, refused: 1 });
    expect(core.intake.lastNumber).toBe(before.last);
    expect(core.registry.get("c")).toBeUndefined();
    expect([...core.registry].map((task) => task.id)).toEqual(["a", "b"]);
    expect(core.registry.size).toBe(2);
    expect(core.settler.unsettled).toBe(2);
    expect(core.queues.known("other")).toBeUndefined();
    expect(core.alarms.size).toBe(0);
    expect(() => aborter.abort(new Error("nobody listens"))).not.toThrow();
  });

  test("may have the same id later", async () => {
    const { clock, tasks } = createManager({ capacity: 1, autoStart: false });
    fill(tasks, ["a"]);
    expect(() => tasks.enqueue(() => "refused", { id: "b" })).toThrow(QueueFullError);
    expect(tasks.get("b")).toBeUndefined();
    await tasks.cancel("a");
    const accepted = tasks.enqueue(() => "accepted", { id: "b" });
    tasks.start();
    await clock.settle();
    expect(await accepted.result()).toBe("accepted");
    expect(tasks.stats().total).toMatchObject({ enqueued: 2, completed: 1, cancelled: 1, refused: 1 });
  });

  test.each<[string, () => unknown, Record<string, unknown>]>([
    ["an option is wrong", () => OptionError, { priority: 0.5 }],
    ["its id is taken", () => DuplicateTaskError, { id: "a" }],
    ["its signal has aborted", () => TaskCancelledError, { signal: AbortSignal.abort() }],
  ])("and nothing is left behind either when %s", (_, errorClass, options) => {
    const { core, enqueue, events } = createCore({ capacity: 5 });
    core.dispatcher.pause();
    enqueue(nothing, { id: "a" });
    const before = { events: events.length, tally: core.tallies.total() };
    expect(() => enqueue(nothing, { queue: "other", ...options })).toThrow(errorClass() as typeof Error);
    expect(events).toHaveLength(before.events);
    expect(core.tallies.total()).toEqual(before.tally);
    expect(core.registry.size).toBe(1);
    expect(core.queues.known("other")).toBeUndefined();
    expect(core.settler.unsettled).toBe(1);
  });
});

describe("Q4: enqueueMany", () => {
  test("accepts all, in their order, with their own options", async () => {
    const { clock, tasks } = createManager({ capacity: 3, concurrency: 1, autoStart: false });
    const started: string[] = [];
    const handles = tasks.enqueueMany([
      () => started.push("plain"),
      [() => started.push("urgent"), { priority: -1 }],
      [() => started.push("pair")],
    ]);
    tasks.start();
    await clock.settle();
    expect(started).toEqual(["urgent", "plain", "pair"]);
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([2, 1, 3]);
    expect(tasks.enqueueMany([])).toEqual([]);
  });

  test.each<[string, readonly unknown[], unknown]>([
    ["there is not room for all", [nothing, nothing, nothing], QueueFullError],
    [
      "an id is taken",
      [
        [nothing, { id: "b" }],
        [nothing, { id: "a" }],
      ],
      DuplicateTaskError,
    ],
    [
      "two of them have one id",
      [
        [nothing, { id: "b" }],
        [nothing, { id: "b" }],
      ],
      DuplicateTaskError,
    ],
    ["an option of the last is wrong", [nothing, [nothing, { cost: 0 }]], OptionError],
    ["the last is no function", [nothing, 7], OptionError],
    ["a signal has aborted", [nothing, [nothing, { signal: AbortSignal.abort() }]], TaskCancelledError],
  ])("accepts none when %s", (_, entries, errorClass) => {
    const { tasks } = createManager({ capacity: 3, autoStart: false });
    fill(tasks, ["a"]);
    const before = tasks.stats();
    expect(() => tasks.enqueueMany(entries as never)).toThrow(errorClass as typeof Error);
    const refused = errorClass === QueueFullError ? entries.length : 0;
    expect(tasks.stats()).toEqual({ ...before, total: { ...before.total, refused } });
    expect(ids(tasks)).toEqual(["a"]);
    expect(tasks.enqueue(nothing, { id: "b" }).id).toBe("b");
  });

  test("publishes nothing of those that it does not accept", () => {
    const { core, events } = createCore({ capacity: 2 });
    core.dispatcher.pause();
    const plan = core.planner.plan(undefined);
    const three = Array.from({ length: 3 }, () => ({ work: nothing, plan }));
    expect(() => core.intake.acceptAll(three)).toThrow(
      "No room for 3 tasks: 0 of 2 places are taken (capacity)",
    );
    expect(events).toEqual([]);
  });

  test("refuses more than capacity at once, also where the oldest would be dropped", () => {
    const { tasks } = createManager({ capacity: 2, whenFull: "drop-oldest", autoStart: false });
    fill(tasks, ["a"]);
    expect(() => tasks.enqueueMany([nothing, nothing, nothing])).toThrow(QueueFullError);
    expect(tasks.get("a")?.state).toBe("queued");
    expect(tasks.stats().total).toMatchObject({ dropped: 0, refused: 3, enqueued: 1 });
  });

  test.each(["reject", "drop-oldest"] as const)(
    "of nothing is accepted and drops nothing, though retries exceed capacity: %s",
    async (whenFull) => {
      const { clock, tasks } = createManager({ capacity: 2, whenFull, concurrency: 2, maxAttempts: 2 });
      const fails: (() => void)[] = [];
      const failLater = () =>
        new Promise<void>((_, reject) => fails.push(() => reject(new Error("once more"))));
      tasks.enqueueMany([failLater, failLater]);
      await clock.settle();
      await tasks.pause();
      tasks.enqueueMany([nothing, nothing]);
      for (const fail of fails) fail();
      await clock.settle();
      expect(tasks.stats()).toMatchObject({ queued: 2, scheduled: 2, capacity: 2 });
      expect(tasks.enqueueMany([])).toEqual([]);
      expect(tasks.stats()).toMatchObject({ queued: 2, scheduled: 2, total: { dropped: 0, refused: 0 } });
    },
  );

  test.each([undefined, null, {}, "abc", nothing])("refuses %s instead of an array", (entries) => {
    const { tasks } = createManager();
    expect(() => tasks.enqueueMany(entries as never)).toThrow("Expected `entries` to be an array");
  });
});

describe("capacity", () => {
  test("counts what is queued, scheduled and in backoff, and not what runs", async () => {
    const { clock, tasks } = createManager({
      capacity: 3,
      concurrency: 2,
      maxAttempts: 2,
      backoff: () => 1_000,
    });
    tasks.enqueue(() => {
      throw new Error("once more");
    });
    await clock.settle();
    expect(tasks.stats()).toMatchObject({ backingOff: 1, scheduled: 1, queued: 0 });
    tasks.enqueue(nothing, { delayMs: 5_000 });
    tasks.enqueue(untilAborted);
    await clock.settle();
    tasks.enqueue(untilAborted);
    await clock.settle();
    expect(tasks.stats()).toMatchObject({ scheduled: 2, running: 2, queued: 0 });
    tasks.enqueue(nothing);
    expect(() => tasks.enqueue(nothing)).toThrow("No room for a task: 3 of 3 places are taken (capacity)");
    expect(tasks.stats()).toMatchObject({ scheduled: 2, backingOff: 1, queued: 1, capacity: 3 });
  });

  test("does not keep a retry out, but new tasks while there are more than fit", async () => {
    const { clock, tasks } = createManager({
      capacity: 2,
      concurrency: 2,
      maxAttempts: 2,
      backoff: () => 10,
    });
    const settle: (() => void)[] = [];
    const failLater = () =>
      new Promise<void>((_, reject) => settle.push(() => reject(new Error("once more"))));
    tasks.enqueueMany([failLater, failLater]);
    await clock.settle();
    await tasks.pause();
    tasks.enqueueMany([nothing, nothing]);
    for (const fail of settle) fail();
    await clock.settle();
    expect(tasks.stats()).toMatchObject({ queued: 2, backingOff: 2, capacity: 2 });
    await clock.advance(10);
    expect(tasks.stats()).toMatchObject({ queued: 4, backingOff: 0 });
    expect(() => tasks.enqueue(nothing)).toThrow("No room for a task: 4 of 2 places are taken (capacity)");
    let admitted = false;
    const waiting = tasks.enqueueAsync(nothing).then(() => {
      admitted = true;
    });
    const waitingTasks = tasks.list({ state: "queued" });
    for (const { id } of waitingTasks.slice(0, 2)) await tasks.cancel(id);
    await clock.settle();
    expect(admitted).toBe(false);
    await tasks.cancel(waitingTasks[2]?.id ?? "");
    await waiting;
    expect(tasks.stats().queued).toBe(2);
  });
});

describe('whenFull: "drop-oldest"', () => {
  const options = { whenFull: "drop-oldest", capacity: 3, autoStart: false } as const;

  test("cancels the task that arrived first, whatever its queue and priority", async () => {
    const { tasks } = createManager(options);
    const victim = tasks.enqueue(nothing, { id: "oldest", queue: "other", priority: -1_000_000 });
    fill(tasks, ["b", "c", "d"]);
    const error = await rejectionOf(victim.result());
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ capacity: 3, taskId: "oldest" });
    expect(tasks.get("oldest")).toMatchObject({ state: "cancelled", reason: "dropped", attempt: 0 });
    expect(tasks.get("oldest")?.error).toBe(error);
    fill(tasks, ["e"]);
    expect(tasks.get("b")?.reason).toBe("dropped");
    expect(tasks.list({ state: "queued" }).map(({ id }) => id)).toEqual(["c", "d", "e"]);
    expect(tasks.stats().total).toMatchObject({ dropped: 2, cancelled: 2, refused: 0, enqueued: 5 });
  });

  test("publishes dropped, then finished, then what the new task does", () => {
    const { core, enqueue, events } = createCore(options);
    core.dispatcher.pause();
    for (const id of ["a", "b", "c", "d"]) enqueue(nothing, { id });
    expect(events.slice(3).map((event) => `${event.type} ${"task" in event ? event.task.id : ""}`)).toEqual([
      "dropped a",
      "finished a",
      "queued d",
    ]);
  });

  test("drops as many as enqueueMany needs, the oldest first, and not the new ones", async () => {
    const { tasks } = createManager(options);
    fill(tasks, ["a", "b", "c"]);
    tasks.enqueueMany([
      [nothing, { id: "d" }],
      [nothing, { id: "e" }],
    ]);
    expect(tasks.list({ state: "queued" }).map(({ id }) => id)).toEqual(["c", "d", "e"]);
    tasks.enqueueMany([nothing, nothing, nothing]);
    expect(tasks.list({ reason: "dropped" }).map(({ id }) => id)).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("does not take scheduled tasks, running ones, or those that were started before", async () => {
    const { clock, tasks } = createManager({
      ...{ ...options, autoStart: true, capacity: 3, concurrency: 2 },
      ...{ maxAttempts: 2, backoff: () => 10 },
    });
    tasks.enqueue(untilAborted, { id: "running" });
    tasks.enqueue(
      () => {
        throw new Error("once more");
      },
      { id: "retried" },
    );
    await clock.settle();
    await tasks.pause();
    await clock.advance(10);
    tasks.enqueue(nothing, { id: "scheduled", delayMs: 99_999 });
    fill(tasks, ["fresh"]);
    expect(tasks.list().map(({ state }) => state)).toEqual(["running", "queued", "scheduled", "queued"]);
    fill(tasks, ["next"]);
    expect(tasks.get("fresh")).toMatchObject({ state: "cancelled", reason: "dropped" });
    expect(tasks.stats().total.dropped).toBe(1);
    await tasks.cancel("next");
    tasks.enqueue(nothing, { delayMs: 99_999 });
    const error = thrownBy(() => tasks.enqueue(nothing));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(tasks.stats().total).toMatchObject({ dropped: 1, refused: 1 });
    expect(tasks.get("retried")?.state).toBe("queued");
  });

  test("drops one that came back from a thread once, and another for the room that is still wanted", async () => {
    const manager = createThreaded({ ...options, autoStart: true });
    const { core, pool } = manager;
    void manager.controls.pause({ queue: "held" });
    const first = manager.enqueue("first", { queue: "held" });
    const handed = manager.enqueue("handed");
    await manager.clock.advance(0);
    core.dispatcher.pause();
    pool.handBack("handed");
    const last = manager.enqueue("last");
    core.calls.enqueueMany(["a", "b", "c"].map((payload) => ["hash", payload]));
    expect([first.state, handed.state, last.state]).toEqual(["cancelled", "cancelled", "cancelled"]);
    expect(manager.stats()).toMatchObject({ queued: 3, total: { dropped: 3 } });
  });

  test("takes a task that was scheduled by when it fell due, not by when it was enqueued", async () => {
    const { clock, tasks } = createManager({ ...options, autoStart: true });
    await tasks.pause();
    tasks.enqueue(nothing, { id: "due-later", delayMs: 10 });
    fill(tasks, ["first", "second"]);
    await clock.advance(10);
    fill(tasks, ["third"]);
    expect(tasks.get("first")?.reason).toBe("dropped");
    fill(tasks, ["fourth"]);
    expect(tasks.get("second")?.reason).toBe("dropped");
    fill(tasks, ["fifth"]);
    expect(tasks.get("due-later")?.reason).toBe("dropped");
  });

  test("looks at the whole id before it drops anything", () => {
    const { tasks } = createManager(options);
    fill(tasks, ["a", "b", "c"]);
    expect(() => tasks.enqueue(nothing, { id: "a" })).toThrow(DuplicateTaskError);
    expect(() => tasks.enqueue(nothing, { priority: Number.NaN })).toThrow(OptionError);
    expect(tasks.stats().queued).toBe(3);
    expect(tasks.stats().total.dropped).toBe(0);
  });

  test("makes enqueueAsync accept at once", async () => {
    const { tasks } = createManager(options);
    fill(tasks, ["a", "b", "c"]);
    const handle = await tasks.enqueueAsync(nothing, { id: "d" });
    expect(handle.state).toBe("queued");
    expect(tasks.get("a")?.reason).toBe("dropped");
    expect(tasks.stats().waitingForRoom).toBe(0);
  });
});

describe("enqueueAsync", () => {
  /** A full manager, and calls that wait. */
  function createFull(capacity = 3) {
    const { clock, tasks } = createManager({ capacity, concurrency: 1, autoStart: false });
    for (let index = 0; index < capacity; index++) tasks.enqueue(nothing, { id: `full-${index}` });
    const admitted: string[] = [];
    const wait = (id: string, signal?: AbortSignal) => {
      const handle = tasks.enqueueAsync(nothing, { id, signal });
      handle.then(
        () => admitted.push(id),
        () => admitted.push(`${id} refused`),
      );
      return handle;
    };
    return { clock, tasks, admitted, wait };
  }

  test("accepts at once where there is room", async () => {
    const { tasks } = createManager({ capacity: 1, autoStart: false });
    const accepted = tasks.enqueueAsync(nothing, { id: "a" });
    expect(tasks.get("a")?.state).toBe("queued");
    expect((await accepted).id).toBe("a");
  });

  test("waits for room, first come, first served, and before a later enqueue", async () => {
    const { clock, tasks, admitted, wait } = createFull();
    wait("one");
    wait("two");
    wait("three");
    expect(tasks.stats().waitingForRoom).toBe(3);
    expect(ids(tasks)).toEqual(["full-0", "full-1", "full-2"]);
    await tasks.cancel("full-1");
    expect(() => tasks.enqueue(nothing)).toThrow(QueueFullError);
    await clock.settle();
    expect(admitted).toEqual(["one"]);
    expect(tasks.stats()).toMatchObject({ queued: 3, waitingForRoom: 2 });
    tasks.start();
    await clock.settle();
    expect(admitted).toEqual(["one", "two", "three"]);
    expect(tasks.stats().total).toMatchObject({ enqueued: 6, completed: 5, cancelled: 1 });
  });

  test("gives room away within the call that makes it, so that no later call can take it", async () => {
    const { clock, tasks, admitted, wait } = createFull(3);
    wait("one");
    wait("two");
    const cancelled = tasks.cancel("full-0");
    expect(tasks.get("one")?.state).toBe("queued");
    expect(() => tasks.enqueue(nothing)).toThrow(QueueFullError);
    wait("three");
    await cancelled;
    for (const id of ["one", "two", "three"]) {
      await clock.settle();
      expect(admitted.at(-1)).toBe(id);
      await tasks.cancel(id);
    }
  });

  test("lets at most capacity calls wait, and counts those that it refuses", async () => {
    const { tasks, wait } = createFull(2);
    wait("one");
    wait("two");
    const error = await rejectionOf(wait("three"));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ capacity: 2, taskId: undefined });
    expect(tasks.stats()).toMatchObject({ waitingForRoom: 2, total: { refused: 1 } });
    expect(tasks.get("three")).toBeUndefined();
  });

  test("a signal ends the waiting, its reason kept as the cause, and its place is free", async () => {
    const { clock, tasks, admitted, wait } = createFull(1);
    const aborter = new AbortController();
    const gone = wait("gone", aborter.signal);
    const reason = new Error("the client has left");
    aborter.abort(reason);
    const error = await rejectionOf(gone);
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error).toMatchObject({ taskId: "gone", cause: reason });
    expect(tasks.stats()).toMatchObject({ waitingForRoom: 0 });
    wait("next");
    expect(tasks.stats()).toMatchObject({ waitingForRoom: 1 });
    await tasks.cancel("full-0");
    await clock.settle();
    expect(admitted).toEqual(["gone refused", "next"]);
    expect(tasks.get("gone")).toBeUndefined();
  });

  test("a signal that aborts after the admission cancels the task instead", async () => {
    const { clock, tasks, wait } = createFull(1);
    const aborter = new AbortController();
    const waiting = wait("one", aborter.signal);
    await tasks.cancel("full-0");
    const handle = await waiting;
    aborter.abort();
    await clock.settle();
    expect(handle.state).toBe("cancelled");
  });

  test("is refused when its id was taken while it waited, and the next one is let in", async () => {
    const { clock, tasks, admitted, wait } = createFull();
    const first = wait("same");
    const second = wait("same");
    wait("other");
    await tasks.cancel("full-0");
    await first;
    await tasks.cancel("same");
    expect(await rejectionOf(second)).toBeInstanceOf(DuplicateTaskError);
    await clock.settle();
    expect(admitted).toEqual(["same", "same refused", "other"]);
  });

  test("a stop sends those that wait away", async () => {
    const { clock, tasks, wait } = createFull(2);
    const waiting = [wait("one"), wait("two")];
    const stopped = tasks.stopNow();
    for (const each of waiting) expect(await rejectionOf(each)).toBeInstanceOf(NotAcceptingError);
    await clock.settle();
    expect(await stopped).toMatchObject({ alive: 2, neverStarted: 2 });
    expect(tasks.stats().total).toMatchObject({ enqueued: 2, refused: 0 });
    expect(await rejectionOf(tasks.enqueueAsync(nothing))).toBeInstanceOf(NotAcceptingError);
  });

  test("rejects, instead of throwing, for what is wrong with the call", async () => {
    const { tasks } = createManager({ autoStart: false });
    expect(await rejectionOf(tasks.enqueueAsync(7 as never))).toBeInstanceOf(OptionError);
    expect(await rejectionOf(tasks.enqueueAsync(nothing, { weight: 0 }))).toBeInstanceOf(OptionError);
    tasks.enqueue(nothing, { id: "a" });
    expect(await rejectionOf(tasks.enqueueAsync(nothing, { id: "a" }))).toBeInstanceOf(DuplicateTaskError);
  });

  test("execute waits for room as well, and gives the result", async () => {
    const { clock, tasks } = createFull(1);
    const result = tasks.execute(() => "done");
    tasks.start();
    await clock.settle();
    expect(await result).toBe("done");
  });

  test("all that wait are let in when they come and go at random", async () => {
    const { clock, tasks, wait } = createFull(50);
    const aborters = Array.from({ length: 50 }, () => new AbortController());
    const waiting = aborters.map(({ signal }, index) => wait(`waits-${index}`, signal));
    aborters.forEach((aborter, index) => {
      if (index % 3 !== 0) aborter.abort();
    });
    const later = Array.from({ length: 33 }, (_, index) => wait(`later-${index}`));
    expect(tasks.stats().waitingForRoom).toBe(50);
    const expected = waiting.map((each, index) => [each, index % 3 === 0] as const);
    tasks.start();
    await clock.settle(8);
    for (const [each, admitted] of expected) {
      if (admitted) expect((await each).state).toBe("completed");
      else expect(await rejectionOf(each)).toBeInstanceOf(TaskCancelledError);
    }
    for (const each of later) expect((await each).state).toBe("completed");
  });
});
