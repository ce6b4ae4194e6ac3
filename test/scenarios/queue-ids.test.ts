import { describe, expect, test } from "vitest";
import { DuplicateTaskError, OptionError, type TaskSnapshot } from "../../src/index.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";

const nothing = () => undefined;

describe("Q11: one id given 100 times at once", () => {
  test("is accepted once by enqueue, and refused 99 times with a DuplicateTaskError", () => {
    const { tasks } = createManager({ autoStart: false });
    let accepted = 0;
    const refused: unknown[] = [];
    for (let index = 0; index < 100; index++) {
      try {
        tasks.enqueue(nothing, { id: "same" });
        accepted++;
      } catch (error) {
        refused.push(error);
      }
    }
    expect(accepted).toBe(1);
    expect(refused).toHaveLength(99);
    for (const error of refused) {
      expect(error).toBeInstanceOf(DuplicateTaskError);
      expect(error).toMatchObject({ code: "MILLRACE_DUPLICATE_TASK", taskId: "same" });
    }
    expect(tasks.stats()).toMatchObject({ queued: 1, total: { enqueued: 1, refused: 0 } });
  });

  test("is accepted once by enqueueAsync and execute, whose 99 promises reject", async () => {
    const { clock, tasks } = createManager();
    let runs = 0;
    const calls = Array.from({ length: 100 }, (_, index) =>
      index % 2 === 0
        ? tasks.enqueueAsync(() => ++runs, { id: "same" })
        : tasks.execute(() => ++runs, { id: "same" }),
    );
    const settled = Promise.allSettled(calls);
    await clock.settle();
    const outcomes = await settled;
    const rejected = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(rejected).toHaveLength(99);
    expect(rejected.every(({ reason }) => reason instanceof DuplicateTaskError)).toBe(true);
    expect(runs).toBe(1);
  });

  test("is accepted once also where the calls wait for room", async () => {
    const { clock, tasks } = createManager({ capacity: 100, autoStart: false });
    const fill = Array.from({ length: 100 }, () => tasks.enqueue(nothing));
    const calls = Array.from({ length: 100 }, () => tasks.enqueueAsync(nothing, { id: "same" }));
    const settled = Promise.allSettled(calls);
    for (const handle of fill) handle.cancel();
    await clock.settle();
    const outcomes = await settled;
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
    expect(tasks.stats()).toMatchObject({ queued: 1, waitingForRoom: 0 });
  });
});

describe("Q11: an id", () => {
  test.each([
    ["is queued", { autoStart: false }, {}],
    ["is scheduled", {}, { delayMs: 1_000 }],
    ["runs", {}, {}],
  ])("is taken while its task %s", async (_, options, own) => {
    const { clock, tasks } = createManager(options);
    tasks.enqueue(untilAborted, { id: "a", ...own });
    await clock.settle();
    expect(() => tasks.enqueue(nothing, { id: "a" })).toThrow(
      'A task with the id "a" is there already, live or kept after its end',
    );
  });

  test("is taken while its finished task is retained, and free when that is pruned by count", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 2 } });
    for (const id of ["a", "b"]) tasks.enqueue(nothing, { id });
    await clock.settle();
    expect(() => tasks.enqueue(nothing, { id: "a" })).toThrow(DuplicateTaskError);
    tasks.enqueue(nothing, { id: "c" });
    await clock.settle();
    expect(tasks.enqueue(() => "again", { id: "a" }).id).toBe("a");
    expect(() => tasks.enqueue(nothing, { id: "b" })).toThrow(DuplicateTaskError);
    await clock.settle();
    expect(tasks.get("a")?.state).toBe("completed");
    expect(tasks.get("b")).toBeUndefined();
  });

  test("is free when its task is pruned by age", async () => {
    const { clock, tasks } = createManager({ retention: { ttlMs: 1_000 } });
    tasks.enqueue(nothing, { id: "a" });
    await clock.settle();
    await clock.advance(999);
    expect(() => tasks.enqueue(nothing, { id: "a" })).toThrow(DuplicateTaskError);
    await clock.advance(1);
    expect(tasks.get("a")).toBeUndefined();
    expect(tasks.enqueue(nothing, { id: "a" }).state).toBe("queued");
  });

  test("the handle of the first task goes on to tell of the first task", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 0 } });
    const first = tasks.enqueue(() => "first", { id: "a" });
    await clock.settle();
    const second = tasks.enqueue(() => "second", { id: "a" });
    await clock.settle();
    expect(await first.result()).toBe("first");
    expect(await second.result()).toBe("second");
    expect(first.cancel()).toBe(false);
  });

  test("must not begin as made-up ones do", () => {
    const { tasks } = createManager({ autoStart: false });
    const { id } = tasks.enqueue(nothing);
    const prefix = id.slice(0, id.lastIndexOf("-") + 1);
    for (const suffix of ["1", "2", "999999", "", "x", "01", "1e0", "-1", "1.0"]) {
      const error = thrownBy(() => tasks.enqueue(nothing, { id: `${prefix}${suffix}` }));
      expect(error).toBeInstanceOf(OptionError);
      expect((error as OptionError).message).toBe(
        `Expected \`id\` not to begin with "${prefix}", as made-up ids here do`,
      );
      expect(() => tasks.enqueueMany([[nothing, { id: `${prefix}${suffix}` }]])).toThrow(OptionError);
    }
    expect(tasks.stats().total.enqueued).toBe(1);
    expect(tasks.enqueue(nothing, { id: prefix.slice(0, -1) }).id).toBe(prefix.slice(0, -1));
  });

  test("that is made up is found by itself and by nothing like it", () => {
    const { tasks } = createManager({ autoStart: false });
    const made = Array.from({ length: 200 }, () => tasks.enqueue(nothing).id);
    const prefix = made[0]?.slice(0, -1) ?? "";
    expect(new Set(made).size).toBe(200);
    for (const id of made) expect(tasks.get(id)?.id).toBe(id);
    for (const like of ["", "0", "01", "1e0", "1.0", "-1", "0x1", "201", "NaN", "Infinity", "1_0"]) {
      expect(tasks.get(`${prefix}${like}`.slice(0, 128) || "-")).toBeUndefined();
    }
  });

  test("that nobody has is unknown to get, cancel and reprioritize", async () => {
    const { tasks } = createManager();
    expect(tasks.get("nobody")).toBeUndefined();
    expect(await tasks.cancel("nobody")).toBe(false);
    expect(await tasks.reprioritize("nobody", 1)).toBe(false);
    expect(await rejectionOf(tasks.cancel(""))).toBeInstanceOf(OptionError);
  });
});

describe("get and list", () => {
  async function createMixed() {
    const { clock, tasks } = createManager({ concurrency: 1, queues: { other: {} } });
    tasks.enqueue(() => "done", { id: "completed", queue: "other" });
    await clock.settle();
    tasks.enqueue(
      () => {
        throw new Error("no");
      },
      { id: "failed" },
    );
    await clock.settle();
    tasks.enqueue(untilAborted, { id: "running", queue: "other" });
    await clock.settle();
    tasks.enqueue(nothing, { id: "cancelled" }).cancel("not needed");
    tasks.enqueue(nothing, { id: "scheduled", delayMs: 60_000, queue: "other" });
    tasks.enqueue(nothing, { id: "queued" });
    return { clock, tasks };
  }
  const idsOf = (snapshots: readonly TaskSnapshot[]) => snapshots.map(({ id }) => id);

  test("list shows all in the order of acceptance, and filters", async () => {
    const { tasks } = await createMixed();
    expect(idsOf(tasks.list())).toEqual([
      "completed",
      "failed",
      "running",
      "cancelled",
      "scheduled",
      "queued",
    ]);
    for (const state of ["completed", "failed", "running", "cancelled", "scheduled", "queued"] as const) {
      expect(idsOf(tasks.list({ state }))).toEqual([state]);
    }
    expect(idsOf(tasks.list({ queue: "other" }))).toEqual(["completed", "running", "scheduled"]);
    expect(idsOf(tasks.list({ queue: "other", state: "running" }))).toEqual(["running"]);
    expect(idsOf(tasks.list({ reason: "cancelled" }))).toEqual(["cancelled"]);
    expect(idsOf(tasks.list({ reason: "error" }))).toEqual(["failed"]);
    expect(idsOf(tasks.list({ maxEntries: 2 }))).toEqual(["completed", "failed"]);
    expect(tasks.list({ maxEntries: 0 })).toEqual([]);
    expect(tasks.list({ queue: "unknown" })).toEqual([]);
    expect(idsOf(tasks.list({ queue: undefined, state: undefined }))).toHaveLength(6);
  });

  test("show a frozen picture that later events do not change", async () => {
    const { clock, tasks } = createManager();
    const metadata = { size: 1 };
    tasks.enqueue(nothing, { id: "a", metadata, delayMs: 10, name: "tidy", correlationId: "request-1" });
    const before = tasks.get("a");
    expect(before).toEqual({
      ...{ id: "a", name: "tidy", description: undefined, queue: "default", state: "scheduled" },
      ...{ reason: undefined, priority: 0, weight: 1, cost: 1, metadata, correlationId: "request-1" },
      ...{ attempt: 0, maxAttempts: 1, enqueuedAt: clock.wallNow(), dueAt: clock.wallNow() + 10 },
      ...{ startedAt: undefined, finishedAt: undefined, waitMs: undefined, runMs: undefined },
      error: undefined,
    });
    for (const snapshot of [before, tasks.list()[0]]) {
      expect(Object.isFrozen(snapshot)).toBe(true);
      expect(Object.isFrozen(snapshot?.metadata)).toBe(true);
    }
    await clock.advance(10);
    expect(before?.state).toBe("scheduled");
    expect(tasks.get("a")).toMatchObject({ state: "completed", attempt: 1, waitMs: 0, runMs: 0 });
    expect(tasks.get("a")?.dueAt).toBeUndefined();
  });

  test("tell how long a task waited from being ready, and ran", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    const sleep = (ms: number) => () => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    tasks.enqueue(sleep(100));
    tasks.enqueue(sleep(7), { id: "a", delayMs: 40 });
    await clock.advance(200);
    const wallStart = clock.wallNow() - clock.now();
    expect(tasks.get("a")).toMatchObject({
      waitMs: 60,
      runMs: 7,
      startedAt: wallStart + 100,
      finishedAt: wallStart + 107,
      enqueuedAt: wallStart,
    });
  });

  test("never show work, payload or value", async () => {
    const { tasks } = await createMixed();
    for (const snapshot of tasks.list()) {
      expect(JSON.stringify(snapshot)).not.toContain("done");
      expect(Object.values(snapshot).some((value) => typeof value === "function")).toBe(false);
    }
  });

  test("stats are a frozen picture all the way down", async () => {
    const { tasks } = await createMixed();
    const stats = tasks.stats();
    const frozen: unknown[] = [
      stats,
      stats.total,
      stats.lanes,
      stats.lanes.inline,
      stats.limiter,
      stats.queues,
    ];
    for (const each of [...frozen, ...Object.values(stats.queues), tasks.health(), tasks.health().concerns]) {
      expect(Object.isFrozen(each)).toBe(true);
    }
    expect(stats.queues).toEqual({
      other: { queued: 0, running: 1, paused: false, completed: 1, failed: 0, cancelled: 0, retried: 0 },
      default: { queued: 1, running: 0, paused: false, completed: 0, failed: 1, cancelled: 1, retried: 0 },
    });
  });
});

describe("retention", () => {
  async function finish(count: number, options = {}) {
    const { clock, tasks } = createManager(options);
    for (let index = 0; index < count; index++) tasks.enqueue(nothing, { id: `t${index}` });
    await clock.settle(8);
    return { clock, tasks };
  }
  const idsOf = (snapshots: readonly TaskSnapshot[]) => snapshots.map(({ id }) => id);

  test("keeps the last 1,000 finished tasks unless told otherwise", async () => {
    const { tasks } = await finish(1_003);
    expect(tasks.stats().retained).toBe(1_000);
    expect(tasks.list()).toHaveLength(1_000);
    expect(tasks.get("t2")).toBeUndefined();
    expect(tasks.get("t3")?.state).toBe("completed");
  });

  test("prunes by the order of ending, not of acceptance", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 2 } });
    const sleep = (ms: number) => () => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    tasks.enqueue(sleep(30), { id: "slow" });
    tasks.enqueue(sleep(10), { id: "fast" });
    tasks.enqueue(sleep(20), { id: "medium" });
    await clock.advance(30);
    expect(idsOf(tasks.list())).toEqual(["slow", "medium"]);
  });

  test("keeps an hour unless told otherwise, and prunes many in portions of 1,000 a turn", async () => {
    const { clock, tasks } = await finish(3_000, { retention: { maxEntries: 10_000 } });
    await clock.advance(3_600_000 - 1);
    expect(tasks.stats().retained).toBe(3_000);
    clock.block(1);
    let before = 3_000;
    const turns = clock.advance(0);
    while (tasks.stats().retained > 0) {
      await clock.settle(1);
      const { retained } = tasks.stats();
      expect(before - retained).toBeLessThanOrEqual(1_000);
      before = retained;
    }
    await turns;
    expect(tasks.list()).toEqual([]);
  });

  test("of no entries keeps none, and live tasks are never pruned", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 0, ttlMs: 0 }, concurrency: 1 });
    tasks.enqueue(nothing, { id: "done" });
    await clock.settle();
    tasks.enqueue(untilAborted, { id: "running" });
    tasks.enqueue(nothing, { id: "queued" });
    tasks.enqueue(nothing, { id: "scheduled", delayMs: 99_999 });
    await clock.advance(10_000);
    expect(idsOf(tasks.list())).toEqual(["running", "queued", "scheduled"]);
  });

  test("setRetention prunes at once by count, and soon by age; what it does not name stays", async () => {
    const { clock, tasks } = await finish(10);
    await clock.advance(5_000);
    tasks.setRetention({ maxEntries: 4 });
    expect(idsOf(tasks.list())).toEqual(["t6", "t7", "t8", "t9"]);
    tasks.setRetention({ ttlMs: 6_000 });
    await clock.advance(999);
    expect(tasks.stats().retained).toBe(4);
    await clock.advance(1);
    expect(tasks.stats().retained).toBe(0);
    for (let index = 0; index < 9; index++) tasks.enqueue(nothing);
    await clock.settle();
    expect(tasks.stats().retained).toBe(4);
    tasks.setRetention({ ttlMs: 10_000_000 });
    await clock.advance(9_999_999);
    expect(tasks.stats().retained).toBe(4);
    await clock.advance(1);
    expect(tasks.stats().retained).toBe(0);
  });

  test("keeps no task for longer than it should, whatever fraction of a millisecond it took", async () => {
    const { clock, tasks } = createManager({ retention: { ttlMs: 1_000 } });
    await clock.advance(1000 / 3);
    tasks.enqueue(nothing, { delayMs: 1000 / 7 });
    await clock.advance(1000 / 7);
    await clock.advance(999);
    expect(tasks.stats().retained).toBe(1);
    await clock.advance(1);
    expect(tasks.stats().retained).toBe(0);
  });

  test("does not touch the outcome that a handle owns", async () => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 0 } });
    const handle = tasks.enqueue(() => 42, { id: "a" });
    await clock.settle();
    expect(tasks.get("a")).toBeUndefined();
    expect(handle.state).toBe("completed");
    expect(await handle.result()).toBe(42);
  });
});
