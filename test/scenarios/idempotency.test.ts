import { describe, expect, onTestFinished, test } from "vitest";
import {
  DuplicateTaskError,
  defineHandlers,
  json,
  NotAcceptingError,
  OptionError,
  QueueFullError,
  ResultExpiredError,
  TaskCancelledError,
  TaskManager,
  type TaskOptions,
} from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";
import { observeManager, Stubborn } from "../support/observed-manager.js";

const nothing = () => undefined;
const DAY = 86_400_000;
const keyed = (idempotencyKey: string, more: TaskOptions = {}): TaskOptions => ({ idempotencyKey, ...more });
const replacing = (idempotencyKey: string, more: TaskOptions = {}) =>
  keyed(idempotencyKey, { idempotency: { onDuplicate: "replace" }, ...more });
const rejecting = (idempotencyKey: string, more: TaskOptions = {}) =>
  keyed(idempotencyKey, { idempotency: { onDuplicate: "reject" }, ...more });

describe("I2: a call with a key that is held, by the rule keep", () => {
  test("is given the same task 100 times, which runs once and shares its value", async () => {
    const { clock, tasks } = createManager();
    let runs = 0;
    const handles = Array.from({ length: 100 }, () => tasks.enqueue(async () => ++runs, keyed("a")));
    const results = Promise.all(handles.map((handle) => handle.result()));
    await clock.settle();
    expect(await results).toEqual(Array(100).fill(1));
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(handles.map(({ duplicate }) => duplicate)).toEqual([false, ...Array(99).fill(true)]);
    expect(tasks.stats().total).toMatchObject({ enqueued: 1, started: 1 });
    expect(tasks.stats().idempotency).toEqual({ keys: 1, kept: 99, replaced: 0, rejected: 0, forgotten: 0 });
  });

  test.each([
    ["scheduled", { autoStart: true }, { delayMs: 10 }],
    ["queued", { autoStart: false }, {}],
    ["running", { autoStart: true }, {}],
  ] as const)("is given a task that is %s, and cancels that by its handle", async (state, options, own) => {
    const { clock, tasks } = createManager(options);
    const first = tasks.enqueue(untilAborted, keyed("a", own));
    await clock.settle();
    const second = tasks.enqueue(untilAborted, keyed("a"));
    expect([second.id, second.state, second.duplicate]).toEqual([first.id, state, true]);
    const results = [first, second].map((handle) => rejectionOf(handle.result()));
    expect(second.cancel("no longer")).toBe(true);
    expect(first.cancel()).toBe(false);
    const [one, other] = await Promise.all(results);
    expect(one).toBeInstanceOf(TaskCancelledError);
    expect(one).toMatchObject({ cause: "no longer" });
    expect(other).toBe(one);
  });

  test("is given the value, or the error, of a task that has ended", async () => {
    const { clock, tasks } = createManager();
    const value = { some: "value" };
    tasks.enqueue(() => value, keyed("good"));
    const error = new Error("broken");
    tasks.enqueue(() => Promise.reject(error), keyed("bad"));
    await clock.settle();
    const good = tasks.enqueue(nothing, keyed("good"));
    const bad = tasks.enqueue(nothing, keyed("bad"));
    expect([good.state, bad.state, good.cancel()]).toEqual(["completed", "failed", false]);
    expect(await good.result({ timeoutMs: 5 })).toBe(value);
    expect(await rejectionOf(bad.result())).toBe(error);
    expect(tasks.stats().total.enqueued).toBe(2);
  });

  test("waits no longer for a result than it says, while the others go on waiting", async () => {
    const { clock, tasks } = createManager();
    const work = new Stubborn<string>();
    const first = tasks.enqueue(work.run, keyed("a"));
    const second = tasks.enqueue(nothing, keyed("a"));
    const early = rejectionOf(second.result({ timeoutMs: 10 }));
    await clock.advance(10);
    expect(await early).toMatchObject({ code: "MILLRACE_RESULT_TIMEOUT", taskId: first.id });
    work.resolve("late");
    expect([await first.result(), await second.result()]).toEqual(["late", "late"]);
  });

  test("looks at nothing else of that call: its own id, delay and deadline count for nothing", async () => {
    const { clock, tasks } = createManager();
    const first = tasks.enqueue(() => "first", keyed("a", { id: "one" }));
    const second = tasks.enqueue(() => "second", keyed("a", { id: "two", delayMs: 5, ttlMs: 1 }));
    const third = tasks.enqueue(() => "third", keyed("a", { id: "one" }));
    await clock.settle();
    expect([second.id, third.id]).toEqual(["one", "one"]);
    expect(tasks.get("two")).toBeUndefined();
    expect([await first.result(), await second.result()]).toEqual(["first", "first"]);
  });

  test("still refuses what is wrong with it: an unknown option, a signal that has aborted", () => {
    const { tasks } = createManager({ autoStart: false });
    tasks.enqueue(nothing, keyed("a"));
    const wrong = { idempotencyKey: "a", prio: 1 } as TaskOptions;
    expect(() => tasks.enqueue(nothing, wrong)).toThrow(OptionError);
    expect(() => tasks.enqueue(nothing, keyed("a", { signal: AbortSignal.abort() }))).toThrow(
      TaskCancelledError,
    );
    expect(tasks.stats().idempotency.kept).toBe(0);
  });

  test("of execute gives the value of the first one", async () => {
    const { clock, tasks } = createManager();
    const calls = [1, 2, 3].map((value) => tasks.execute(() => value, keyed("a")));
    await clock.settle();
    expect(await Promise.all(calls)).toEqual([1, 1, 1]);
  });

  test("from within a handler gives the id of the task that is there, and says so", async () => {
    const { clock, tasks } = createManager();
    const other = tasks.enqueue(nothing, keyed("a", { delayMs: 10 }));
    const bound = tasks.enqueue((context) => context.enqueue(nothing, keyed("a")));
    const free = tasks.enqueue((context) => context.enqueue(nothing, keyed("b", { id: "new" })));
    await clock.settle();
    expect(await bound.result()).toEqual({ id: other.id, duplicate: true });
    expect(await free.result()).toEqual({ id: "new", duplicate: false });
  });
});

describe("a task that was pruned", () => {
  test("gives a later call a handle without its result, and those of before theirs", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 1 } });
    const first = tasks.enqueue(() => "value", keyed("a", { id: "one" }));
    await clock.settle();
    const before = tasks.enqueue(nothing, keyed("a"));
    tasks.enqueue(nothing); // its end prunes the first
    await clock.settle();
    const after = tasks.enqueue(nothing, keyed("a"));
    expect([after.id, after.state, after.duplicate, after.cancel()]).toEqual([
      "one",
      "completed",
      true,
      false,
    ]);
    const error = await rejectionOf(after.result({ timeoutMs: 5 }));
    expect(error).toBeInstanceOf(ResultExpiredError);
    expect(error).toMatchObject({ code: "MILLRACE_RESULT_EXPIRED", taskId: "one" });
    expect(thrownBy(() => after.result({ timeoutMs: -1 }))).toBeInstanceOf(OptionError);
    expect([await first.result(), await before.result()]).toEqual(["value", "value"]);
  });

  test("at its very end still gives its value to the calls that came before", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 0 } });
    const first = tasks.enqueue(() => "value", keyed("a"));
    const before = tasks.enqueue(nothing, keyed("a"));
    await clock.settle();
    expect([await first.result(), await before.result()]).toEqual(["value", "value"]);
    const after = tasks.enqueue(nothing, keyed("a"));
    expect(await rejectionOf(after.result())).toBeInstanceOf(ResultExpiredError);
  });

  test("by age, or by a change of the limits, is known as the same", async () => {
    const { clock, tasks } = createManager({ retention: { ttlMs: 100 } });
    tasks.enqueue(() => 1, keyed("a"));
    await clock.settle();
    await clock.advance(100);
    expect(await rejectionOf(tasks.enqueue(nothing, keyed("a")).result())).toBeInstanceOf(ResultExpiredError);
    tasks.enqueue(() => 2, keyed("b"));
    await clock.settle();
    tasks.setRetention({ maxEntries: 0 });
    expect(await rejectionOf(tasks.enqueue(nothing, keyed("b")).result())).toBeInstanceOf(ResultExpiredError);
  });
});

describe("a key is held", () => {
  test("for a day from the acceptance of a task that completed or failed, and free then", async () => {
    const { clock, tasks } = createManager();
    tasks.enqueue(() => 1, keyed("good"));
    tasks.enqueue(() => Promise.reject(new Error("bad")), keyed("bad"));
    await clock.advance(DAY - 1);
    expect(tasks.enqueue(nothing, keyed("good")).duplicate).toBe(true);
    expect(tasks.enqueue(nothing, keyed("bad")).duplicate).toBe(true);
    await clock.advance(1);
    expect(tasks.stats().idempotency.keys).toBe(0);
    expect(tasks.enqueue(nothing, keyed("good")).duplicate).toBe(false);
    expect(tasks.enqueue(nothing, keyed("bad")).duplicate).toBe(false);
  });

  test("no more once its task has failed for good, where a failure frees it, and until then", async () => {
    const { clock, tasks } = createManager({ idempotency: { onFailure: "free" } });
    let runs = 0;
    const charge = () => (++runs < 3 ? Promise.reject(new Error("declined")) : runs);
    const first = tasks.enqueue(charge, keyed("a", { maxAttempts: 2 }));
    const declined = rejectionOf(first.result());
    await clock.settle();
    expect(tasks.get(first.id)?.reason).toBe("backoff");
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(true);
    await clock.advance(10_000);
    expect(await declined).toMatchObject({ message: "declined" });
    const second = tasks.enqueue(charge, keyed("a"));
    expect(second.duplicate).toBe(false);
    expect(await second.result()).toBe(3);
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(true); // what has completed holds it
  });

  test("no more once its task timed out or was too late, where a failure frees it", async () => {
    const { clock, tasks } = createManager({ killAfterMs: 1 });
    const free = { onFailure: "free" } as const;
    tasks.enqueue(untilAborted, keyed("timeout", { timeoutMs: 5, idempotency: free }));
    tasks.enqueue(nothing, keyed("deadline", { ttlMs: 5, delayMs: 10, idempotency: free }));
    tasks.enqueue(untilAborted, keyed("held", { timeoutMs: 5 }));
    await clock.advance(20);
    for (const [key, isHeld] of [
      ["timeout", false],
      ["deadline", false],
      ["held", true],
    ] as const)
      expect(tasks.enqueue(nothing, keyed(key)).duplicate).toBe(isHeld);
  });

  test("as long as its task is live, however long that is, and free with its late end", async () => {
    const { clock, tasks } = createManager({ timeoutMs: false });
    const work = new Stubborn<string>();
    tasks.enqueue(work.run, keyed("a", { idempotency: { ttlMs: 10 } }));
    await clock.advance(1_000);
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(true);
    work.resolve("done");
    await clock.settle();
    expect(tasks.stats().idempotency.keys).toBe(0);
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(false);
  });

  test("through a retry, and between two attempts", async () => {
    const { clock, tasks } = createManager();
    let runs = 0;
    const work = () => (++runs < 3 ? Promise.reject(new Error("again")) : runs);
    const first = tasks.enqueue(work, keyed("a", { maxAttempts: 3 }));
    await clock.settle();
    expect(tasks.get(first.id)?.reason).toBe("backoff");
    const second = tasks.enqueue(nothing, keyed("a"));
    await clock.advance(10_000);
    expect(await second.result()).toBe(3);
  });

  test("no longer than its task lives, when ttlMs is 0", async () => {
    const { clock, tasks } = createManager({ idempotency: { ttlMs: 0 } });
    tasks.enqueue(nothing, keyed("a"));
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(true);
    await clock.settle();
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(false);
  });

  test("not a moment too long, although the event loop is blocked when its time is over", async () => {
    const { clock, tasks } = createManager();
    tasks.enqueue(nothing, keyed("a", { idempotency: { ttlMs: 100 } }));
    await clock.settle();
    clock.block(100);
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(false);
  });

  test("no more once its task was cancelled while it waited, or when it has wound up", async () => {
    const { clock, tasks } = createManager();
    const work = new Stubborn();
    const waiting = tasks.enqueue(nothing, keyed("waiting", { delayMs: 10 }));
    const running = tasks.enqueue(work.run, keyed("running"));
    await clock.settle();
    waiting.cancel();
    running.cancel();
    expect(tasks.enqueue(nothing, keyed("waiting")).duplicate).toBe(false);
    expect(tasks.enqueue(nothing, keyed("running")).id).toBe(running.id); // its handler goes on
    work.resolve(undefined);
    await clock.settle();
    expect(running.state).toBe("cancelled");
    expect(tasks.enqueue(nothing, keyed("running")).duplicate).toBe(false);
  });

  test("no more once its task was dropped, nor by what its own signal cancelled", async () => {
    const { tasks } = createManager({ autoStart: false, capacity: 1, whenFull: "drop-oldest" });
    const abort = new AbortController();
    const dropped = tasks.enqueue(nothing, keyed("a"));
    tasks.enqueue(nothing, keyed("b", { signal: abort.signal }));
    expect(dropped.state).toBe("cancelled");
    abort.abort();
    expect(tasks.stats().idempotency.keys).toBe(0);
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(false);
  });
});

describe("a key counts", () => {
  test("within its queue and its handler, and all plain functions of a queue are one", async () => {
    const run = () => 1;
    const payload = json<number>();
    const handlers = defineHandlers({ charge: { payload, run }, refund: { payload, run } });
    const clock = new ManualClock();
    const tasks = new TaskManager({ handlers, clock, autoStart: false });
    onTestFinished(async () => void (await tasks.stopNow()));
    const made = [
      tasks.enqueue(nothing, keyed("k")),
      tasks.enqueue(nothing, keyed("k", { queue: "other" })),
      tasks.enqueue("charge", 1, keyed("k")),
      tasks.enqueue("charge", 1, keyed("k", { queue: "other" })),
      tasks.enqueue("refund", 1, keyed("k")),
    ];
    expect(made.map(({ duplicate }) => duplicate)).toEqual(Array(5).fill(false));
    expect(tasks.enqueue("charge", 2, keyed("k")).id).toBe(made[2]?.id);
    expect(tasks.enqueue(() => 5, keyed("k", { queue: "other" })).id).toBe(made[1]?.id);
  });

  test("as the text that it is: no clever names make two of them one", () => {
    const { tasks } = createManager({ autoStart: false });
    const clever = [
      ["a", "b:c"],
      ["a", "b c"],
      ["a", "default:b:c"],
      ["b", "c"],
      ["a.b", "c"],
      ["default", "__proto__"],
      ["default", "constructor"],
      ["default", "A"],
      ["default", "a"],
      ["default", " a"],
      ["default", "\u00e4"],
      ["default", "a\u0308"],
      ["__proto__", "a"],
    ] as const;
    for (const [queue, key] of clever)
      expect(tasks.enqueue(nothing, keyed(key, { queue })).duplicate, `${queue} ${key}`).toBe(false);
    for (const [queue, key] of clever)
      expect(tasks.enqueue(nothing, keyed(key, { queue })).duplicate, `${queue} ${key}`).toBe(true);
    expect(tasks.stats().idempotency.keys).toBe(clever.length);
  });
});

describe("the rule of a call", () => {
  test("reject refuses it with the task that is there, whatever has become of that", async () => {
    const { clock, tasks } = createManager();
    const first = tasks.enqueue(nothing, keyed("a", { id: "one" }));
    const error = thrownBy(() => tasks.enqueue(nothing, rejecting("a")));
    expect(error).toBeInstanceOf(DuplicateTaskError);
    expect(error).toMatchObject({ taskId: "one", idempotencyKey: "a", code: "MILLRACE_DUPLICATE_TASK" });
    expect((error as Error).message).toBe('The idempotency key "a" is held by task one');
    await clock.settle();
    expect(first.state).toBe("completed");
    expect(() => tasks.enqueue(nothing, rejecting("a"))).toThrow(DuplicateTaskError);
    expect(await rejectionOf(tasks.execute(nothing, rejecting("a")))).toBeInstanceOf(DuplicateTaskError);
    expect(tasks.stats()).toMatchObject({ idempotency: { rejected: 3 }, total: { enqueued: 1, refused: 0 } });
    expect(tasks.enqueue(nothing, rejecting("b")).duplicate).toBe(false);
  });

  test.each([
    ["scheduled", { delayMs: 100 }],
    ["queued", { queue: "paused" }],
    ["in backoff", { maxAttempts: 2 }],
  ])("replace cancels a task that is %s, and takes its key", async (_, own) => {
    const tasks = observeManager();
    await tasks.pause({ queue: "paused" });
    const old = tasks.enqueue(() => Promise.reject(new Error("fails")), keyed("a", own));
    await tasks.clock.settle();
    const queue = "queue" in own ? { queue: own.queue } : {};
    const fresh = tasks.enqueue(() => "fresh", replacing("a", queue));
    expect([fresh.duplicate, fresh.id === old.id, old.state]).toEqual([false, false, "cancelled"]);
    const error = await rejectionOf(old.result());
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error).toMatchObject({ cause: "replaced by a task with the same idempotency key" });
    expect(tasks.endsOf(old.id)).toMatchObject([{ state: "cancelled", reason: "cancelled" }]);
    expect(tasks.enqueue(nothing, keyed("a", queue)).id).toBe(fresh.id);
    tasks.resume({ queue: "paused" });
    await tasks.clock.settle();
    expect(await fresh.result()).toBe("fresh");
    expect(tasks.stats().idempotency).toMatchObject({ keys: 1, kept: 1, replaced: 1 });
  });

  test("replace is as keep where the task runs, or has ended", async () => {
    const { clock, tasks } = createManager();
    const work = new Stubborn<string>();
    const first = tasks.enqueue(work.run, keyed("a"));
    await clock.settle();
    expect(tasks.enqueue(nothing, replacing("a")).id).toBe(first.id);
    work.resolve("once");
    await clock.settle();
    const third = tasks.enqueue(nothing, replacing("a"));
    expect([third.id, await third.result()]).toEqual([first.id, "once"]);
    expect(tasks.stats().idempotency).toMatchObject({ kept: 2, replaced: 0 });
  });

  test("replace leaves the time of the key to the new task", async () => {
    const { clock, tasks } = createManager({ autoStart: false });
    const ttl = (ttlMs: number) => ({ idempotency: { onDuplicate: "replace", ttlMs } }) as const;
    tasks.enqueue(nothing, keyed("a", ttl(1_000)));
    await clock.advance(50);
    tasks.enqueue(nothing, keyed("a", ttl(100)));
    tasks.start();
    await clock.advance(99);
    expect(tasks.stats().idempotency.keys).toBe(1);
    await clock.advance(1);
    expect(tasks.stats().idempotency.keys).toBe(0);
  });

  test("is the task's, else the handler's, else the manager's, each part by itself", async () => {
    const payload = json<number>();
    const run = () => 1;
    const handlers = defineHandlers({
      strict: { payload, run, idempotency: { onDuplicate: "reject" }, cost: 1 },
      plain: { payload, run },
      fails: {
        payload,
        run: () => Promise.reject(new Error("no")),
        idempotency: { onFailure: "free" },
        maxAttempts: 1,
      },
    });
    const clock = new ManualClock();
    const idempotency = { onDuplicate: "replace", ttlMs: 100 } as const;
    const tasks = new TaskManager({ handlers, clock, idempotency, autoStart: false });
    onTestFinished(async () => void (await tasks.stopNow()));
    for (const name of ["strict", "plain"] as const) tasks.enqueue(name, 1, keyed("a"));
    expect(() => tasks.enqueue("strict", 1, keyed("a"))).toThrow(DuplicateTaskError);
    expect(tasks.enqueue("plain", 1, keyed("a")).duplicate).toBe(false);
    const own = keyed("a", { idempotency: { onDuplicate: "keep" } });
    expect(tasks.enqueue("strict", 1, own).duplicate).toBe(true);
    tasks.enqueue("fails", 1, keyed("a"));
    tasks.enqueue("fails", 1, keyed("b", { idempotency: { onFailure: "hold" } }));
    tasks.start();
    await clock.advance(99);
    expect(tasks.stats().idempotency.keys).toBe(3);
    await clock.advance(1);
    expect(tasks.stats().idempotency.keys).toBe(0);
  });
});

describe("room", () => {
  test("is not needed for a duplicate: it is kept, rejected, or replaces, where all places are taken", async () => {
    const { clock, tasks } = createManager({ autoStart: false, capacity: 2 });
    const first = tasks.enqueue(nothing, keyed("a"));
    tasks.enqueue(nothing);
    expect(tasks.enqueue(nothing, keyed("a")).id).toBe(first.id);
    expect(() => tasks.enqueue(nothing, rejecting("a"))).toThrow(DuplicateTaskError);
    expect(tasks.enqueue(nothing, replacing("a")).duplicate).toBe(false);
    expect(first.state).toBe("cancelled");
    expect(() => tasks.enqueue(nothing, keyed("b"))).toThrow(QueueFullError);
    expect(tasks.stats()).toMatchObject({ queued: 2, idempotency: { keys: 1 }, total: { refused: 1 } });
    await clock.settle();
  });

  test("does not go to a call that waits for it, when a task is replaced", async () => {
    const { clock, tasks } = createManager({ autoStart: false, capacity: 1 });
    tasks.enqueue(nothing, keyed("a"));
    const waiting = tasks.enqueueAsync(() => "waited");
    const fresh = tasks.enqueue(() => "fresh", replacing("a"));
    await clock.settle();
    expect(tasks.stats()).toMatchObject({ queued: 1, waitingForRoom: 1 });
    tasks.start();
    await clock.settle();
    expect([await fresh.result(), await (await waiting).result()]).toEqual(["fresh", "waited"]);
  });

  test("is not waited for by a call of enqueueAsync or execute that is a duplicate", async () => {
    const { clock, tasks } = createManager({ autoStart: false, capacity: 1 });
    const first = tasks.enqueue(() => "first", keyed("a"));
    const kept = await tasks.enqueueAsync(nothing, keyed("a"));
    expect([kept.id, tasks.stats().waitingForRoom]).toEqual([first.id, 0]);
    const result = tasks.execute(nothing, keyed("a"));
    tasks.start();
    await clock.settle();
    expect(await result).toBe("first");
  });

  test("that calls with one key waited for goes to the first; the others get its task", async () => {
    const { clock, tasks } = createManager({ autoStart: false, capacity: 6 });
    const blockers = Array.from({ length: 6 }, () => tasks.enqueue(nothing));
    let runs = 0;
    const calls = Array.from({ length: 5 }, () => tasks.enqueueAsync(() => ++runs, keyed("a")));
    const refused = rejectionOf(tasks.enqueueAsync(nothing, rejecting("a")));
    expect(tasks.stats()).toMatchObject({ waitingForRoom: 6, idempotency: { keys: 0 } });
    for (const blocker of blockers) blocker.cancel();
    tasks.start();
    await clock.settle();
    const handles = await Promise.all(calls);
    expect(handles.map(({ duplicate }) => duplicate)).toEqual([false, true, true, true, true]);
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([1, 1, 1, 1, 1]);
    expect(await refused).toBeInstanceOf(DuplicateTaskError);
  });

  test("that a thousand calls with keys waited for is given to them in their order", async () => {
    const { clock, tasks } = createManager({ autoStart: false, capacity: 1_000 });
    const blockers = Array.from({ length: 1_000 }, () => tasks.enqueue(nothing));
    const calls = Array.from({ length: 1_000 }, (_, index) => tasks.enqueueAsync(nothing, keyed(`${index}`)));
    for (const blocker of blockers) blocker.cancel();
    const handles = await Promise.all(calls);
    const numbers = handles.map(({ id }) => Number(id.slice(id.lastIndexOf("-") + 1)));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    await clock.settle();
  });

  test("is made by dropping nobody for a duplicate, and not the one that is to be replaced", () => {
    const { tasks } = createManager({ autoStart: false, capacity: 2, whenFull: "drop-oldest" });
    const first = tasks.enqueue(nothing, keyed("a"));
    const second = tasks.enqueue(nothing);
    expect(tasks.enqueue(nothing, keyed("a")).id).toBe(first.id);
    expect(tasks.stats().total.dropped).toBe(0);
    tasks.enqueueMany([
      [nothing, replacing("a")],
      [nothing, keyed("b")],
    ]);
    expect([tasks.get(first.id)?.reason, tasks.get(second.id)?.reason]).toEqual(["cancelled", "dropped"]);
    expect(tasks.stats()).toMatchObject({ queued: 2, total: { dropped: 1 }, idempotency: { replaced: 1 } });
  });

  test("of a dropped task takes its key with it, in the very call that was given a handle to it", () => {
    const { tasks } = createManager({ autoStart: false, capacity: 1, whenFull: "drop-oldest" });
    const first = tasks.enqueue(nothing, keyed("a"));
    const [kept, fresh] = tasks.enqueueMany([[nothing, keyed("a")], nothing]);
    expect([kept.id, kept.state, fresh.state]).toEqual([first.id, "cancelled", "queued"]);
    expect(tasks.stats().idempotency.keys).toBe(0);
  });
});

describe("a call that is refused leaves every key as it was", () => {
  test("for want of room, for a taken id, and when the manager stops", async () => {
    const { clock, tasks } = createManager({ autoStart: false, capacity: 2 });
    const old = tasks.enqueue(nothing, keyed("a", { id: "old" }));
    const full = [[nothing, replacing("a")], [nothing, keyed("b")], nothing] as const;
    expect(() => tasks.enqueueMany(full)).toThrow(QueueFullError);
    expect(() => tasks.enqueue(nothing, replacing("a", { id: "old" }))).toThrow(DuplicateTaskError);
    expect(() => tasks.enqueue(nothing, keyed("b", { id: "old" }))).toThrow(DuplicateTaskError);
    expect(old.state).toBe("queued");
    expect(tasks.enqueue(nothing, keyed("a")).id).toBe("old");
    expect(tasks.stats().idempotency).toEqual({ keys: 1, kept: 1, replaced: 0, rejected: 0, forgotten: 0 });
    const stopped = tasks.stopNow();
    expect(() => tasks.enqueue(nothing, keyed("a"))).toThrow(NotAcceptingError);
    expect(await rejectionOf(tasks.enqueueAsync(nothing, keyed("a")))).toBeInstanceOf(NotAcceptingError);
    await clock.settle();
    await stopped;
    expect(tasks.stats().idempotency.keys).toBe(0);
  });
});

describe("enqueueMany", () => {
  test("gives a second call with the same key the first one's task, and needs room for one", async () => {
    const { clock, tasks } = createManager({ capacity: 2 });
    const [one, other, again] = tasks.enqueueMany([
      [() => "one", keyed("a")],
      [() => "other", keyed("b")],
      [() => "again", keyed("a")],
    ]);
    expect([again.id === one.id, again.duplicate, one.duplicate, other.duplicate]).toEqual([
      ...[true, true, false, false],
    ]);
    await clock.settle();
    expect(await Promise.all([one.result(), other.result(), again.result()])).toEqual([
      "one",
      "other",
      "one",
    ]);
    expect(tasks.stats()).toMatchObject({ idempotency: { keys: 2, kept: 1 }, total: { enqueued: 2 } });
  });

  test.each(["reject", "replace"] as const)("refuses all when the second of two says %s", (onDuplicate) => {
    const { tasks } = createManager({ autoStart: false });
    const waiting = tasks.enqueue(nothing, keyed("other"));
    const error = thrownBy(() =>
      tasks.enqueueMany([
        [nothing, replacing("other")],
        [nothing, keyed("a", { id: "first" })],
        [nothing, keyed("a", { idempotency: { onDuplicate } })],
      ]),
    );
    expect(error).toMatchObject({ taskId: "first", idempotencyKey: "a" });
    expect((error as Error).message).toBe(
      `Two tasks of one call have the idempotency key "a", and the second says \`onDuplicate: "${onDuplicate}"\``,
    );
    expect(waiting.state).toBe("queued");
    expect(tasks.stats()).toMatchObject({ queued: 1, idempotency: { keys: 1, rejected: 1, replaced: 0 } });
  });

  test("keeps, replaces and accepts in one call, and tells observers when all is done", async () => {
    const tasks = observeManager({ autoStart: false, capacity: 3 });
    const kept = tasks.enqueue(() => "kept", keyed("kept"));
    const replaced = tasks.enqueue(nothing, keyed("old"));
    const seen: number[] = [];
    tasks.core.journal.events.subscribe(() => seen.push(tasks.stats().idempotency.keys));
    const handles = tasks.enqueueMany([
      [() => "no", keyed("kept")],
      [() => "fresh", replacing("old")],
      [() => "no", keyed("old")],
      () => "plain",
    ]);
    expect(seen).toEqual([2, 2, 2]);
    expect(handles.map(({ duplicate }) => duplicate)).toEqual([true, false, true, false]);
    expect([handles[0].id, replaced.state]).toEqual([kept.id, "cancelled"]);
    tasks.start();
    await tasks.clock.settle();
    const values = await Promise.all(handles.map((handle) => handle.result()));
    expect(values).toEqual(["kept", "fresh", "fresh", "plain"]);
  });
});

describe("at most maxKeys", () => {
  test("are held: beyond that the one whose task ended first is forgotten, and counted", async () => {
    const { clock, tasks } = createManager({ idempotency: { maxKeys: 2 } });
    const slow = new Stubborn();
    tasks.enqueue(slow.run, keyed("slow"));
    for (const key of ["a", "b"]) tasks.enqueue(nothing, keyed(key));
    await clock.settle();
    expect(tasks.stats().idempotency).toMatchObject({ keys: 2, forgotten: 1 });
    expect(tasks.enqueue(nothing, keyed("slow")).duplicate).toBe(true);
    expect(tasks.enqueue(nothing, keyed("b")).duplicate).toBe(true);
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(false); // and b is forgotten for it
    expect(tasks.stats().idempotency).toMatchObject({ keys: 2, forgotten: 2 });
    slow.resolve(undefined);
  });

  test("are held beyond those of live tasks, which are never forgotten", async () => {
    const { clock, tasks } = createManager({ autoStart: false, idempotency: { maxKeys: 3 } });
    for (let index = 0; index < 10; index++) tasks.enqueue(nothing, keyed(`${index}`));
    expect(tasks.stats().idempotency).toMatchObject({ keys: 10, forgotten: 0 });
    for (let index = 0; index < 10; index++)
      expect(tasks.enqueue(nothing, keyed(`${index}`)).duplicate).toBe(true);
    tasks.start();
    await clock.settle();
    expect(tasks.stats().idempotency).toMatchObject({ keys: 3, forgotten: 7 });
  });

  test("may be none: then keys are held by live tasks alone", async () => {
    const { clock, tasks } = createManager({ idempotency: { maxKeys: 0 } });
    tasks.enqueue(nothing, keyed("a"));
    expect(tasks.enqueue(nothing, keyed("a")).duplicate).toBe(true);
    await clock.settle();
    expect(tasks.stats().idempotency).toMatchObject({ keys: 0, forgotten: 1 });
  });

  test("expire in portions: ten thousand at once do not hold the event loop", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 10 } });
    for (let index = 0; index < 10_000; index++) {
      tasks.enqueue(nothing, keyed(`${index}`, { idempotency: { ttlMs: 1_000 } }));
    }
    while (tasks.stats().total.completed < 10_000) await clock.settle();
    expect(tasks.stats()).toMatchObject({ idempotency: { keys: 10_000, forgotten: 0 }, retained: 10 });
    clock.block(1_000);
    let turns = 0;
    await clock.advance(0);
    for (; tasks.stats().idempotency.keys > 0; turns++) await clock.settle(1);
    expect(turns).toBeGreaterThan(1);
    expect(tasks.stats().idempotency.forgotten).toBe(0);
  });
});

describe("code of users that runs while a task is accepted", () => {
  test("cannot make two tasks with one key: a call from within a signal has it, the one around it is refused", () => {
    const tasks = observeManager({ autoStart: false });
    let inner = "";
    const abort = new AbortController();
    let looks = 0;
    Object.defineProperty(abort.signal, "aborted", {
      get: () => {
        if (++looks === 2) inner = tasks.enqueue(nothing, keyed("a")).id; // the key was free a moment ago
        return false;
      },
    });
    const error = thrownBy(() => tasks.enqueue(nothing, keyed("a", { signal: abort.signal })));
    expect(error).toMatchObject({ code: "MILLRACE_DUPLICATE_TASK", taskId: inner, idempotencyKey: "a" });
    abort.abort(); // nobody listens any more
    expect(tasks.stats()).toMatchObject({ queued: 1, idempotency: { keys: 1 }, total: { cancelled: 0 } });
    expect(tasks.enqueue(nothing, keyed("a")).id).toBe(inner);
  });

  test("finds the key taken from within a carrier: the call that it belongs to has it", () => {
    const tasks = observeManager({ autoStart: false });
    const inner: (readonly [boolean, string])[] = [];
    tasks.core.carriers.attach({
      capture: () => {
        const { duplicate, id } = tasks.enqueue(nothing, keyed("a"));
        inner.push([duplicate, id]);
        return undefined;
      },
      run: (_captured, _task, perform) => perform(),
    });
    const { id } = tasks.enqueue(nothing, keyed("a"));
    expect(inner).toEqual([[true, id]]);
    expect(tasks.stats()).toMatchObject({ queued: 1, idempotency: { keys: 1 } });
  });

  test("may ask for the same key when it hears of an end: the task that completed has it still", async () => {
    const tasks = observeManager();
    const heard: (readonly [boolean, string])[] = [];
    tasks.core.journal.events.subscribe(
      (event) => {
        if (!("task" in event) || heard.length > 0) return;
        const { duplicate, id } = tasks.enqueue(nothing, keyed("a"));
        heard.push([duplicate, id]);
      },
      ["finished"],
    );
    const first = tasks.enqueue(nothing, keyed("a"));
    await tasks.clock.settle();
    expect(heard).toEqual([[true, first.id]]);
  });

  test("may take the key of a task when it hears that it was replaced: it gets the new one", () => {
    const tasks = observeManager({ autoStart: false });
    const ids: string[] = [];
    tasks.enqueue(nothing, keyed("a"));
    tasks.core.journal.events.subscribe(() => {
      ids.push(tasks.enqueue(nothing, keyed("a")).id);
    }, ["finished"]);
    const fresh = tasks.enqueue(nothing, replacing("a"));
    expect(ids).toEqual([fresh.id]);
  });
});
