import { describe, expect, test } from "vitest";
import { DeadlineError, ManagerStoppedError, TaskCancelledError, TaskTimeoutError } from "../../src/index.js";
import { rejectionOf } from "../support/manual-manager.js";
import type { Heard } from "../support/pool-executor.js";
import { createThreaded, type ThreadedManager } from "../support/threaded-manager.js";

const timesOf = ({ core }: ThreadedManager, { id }: { readonly id: string }) => {
  const { waitMs, runMs } = core.journal.snapshot(core.registry.get(id) as never);
  return { waitMs, runMs };
};

const kinds = (heard: readonly Heard[]) => heard.map(([kind, error]) => [kind, error.constructor]);

describe("an attempt that runs elsewhere", () => {
  test("is told there of its abort, and of the cause that decides after it", async () => {
    const manager = createThreaded();
    const handle = manager.enqueue(1, { timeoutMs: 100, maxAttempts: 2, killAfterMs: 500 });
    await manager.clock.advance(100);
    const { heard } = manager.pool.find(1);
    expect(kinds(heard)).toEqual([["aborted", TaskTimeoutError]]);
    handle.cancel("no longer needed");
    handle.cancel("nor twice");
    expect(kinds(heard).slice(1)).toEqual([["aborted", TaskCancelledError]]);
    expect(heard[1]?.[1].cause).toBe("no longer needed");
    manager.pool.end(1);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskCancelledError);
  });

  test("is told there of a stop, and then of its abort", async () => {
    const manager = createThreaded({ killAfterMs: 1_000 });
    manager.enqueue(1);
    await manager.clock.advance(0);
    const { heard } = manager.pool.find(1);
    void manager.core.shutdown.stopGraceful(3_000);
    await manager.clock.settle();
    expect(kinds(heard)).toEqual([["stopping", ManagerStoppedError]]);
    await manager.clock.advance(2_000);
    expect(kinds(heard)).toEqual([
      ["stopping", ManagerStoppedError],
      ["aborted", ManagerStoppedError],
    ]);
  });

  test("is told at once of what had happened before it was followed", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    for (const payload of [1, 2]) manager.enqueue(payload, { ttlMs: 500 });
    await manager.clock.advance(0);
    void manager.core.shutdown.stopGraceful(60_000);
    manager.pool.end(1);
    await manager.clock.advance(0);
    expect(kinds(manager.pool.find(2).heard)).toEqual([["stopping", ManagerStoppedError]]);
    await manager.clock.advance(500);
    const late: Heard[] = [];
    manager.pool.find(2).attempt.follow({
      aborted: (reason) => late.push(["aborted", reason]),
      stopping: (reason) => late.push(["stopping", reason]),
    });
    expect(kinds(late)).toEqual([
      ["stopping", ManagerStoppedError],
      ["aborted", DeadlineError],
    ]);
  });

  test("inside middleware is told as well", async () => {
    const manager = createThreaded({ middleware: [(_, next) => next()] });
    manager.enqueue(1, { ttlMs: 50 });
    await manager.clock.advance(50);
    expect(kinds(manager.pool.find(1).heard)).toEqual([["aborted", DeadlineError]]);
  });
});

describe("the timeout of an attempt", () => {
  test.each([[[]], [[(_: unknown, next: () => Promise<unknown>) => next()]]])(
    "counts from its real beginning, inside %o",
    async (middleware) => {
      const manager = createThreaded({ middleware });
      manager.pool.beginsAtOnce = false;
      const handle = manager.enqueue(1, { timeoutMs: 100, killAfterMs: 10 });
      await manager.clock.advance(1_050); // it waits for its thread
      expect(manager.pool.find(1).heard).toEqual([]);
      manager.pool.begin(1);
      await manager.clock.advance(99);
      expect(manager.pool.find(1).heard).toEqual([]);
      await manager.clock.advance(1);
      expect(kinds(manager.pool.find(1).heard)).toEqual([["aborted", TaskTimeoutError]]);
      await manager.clock.advance(10);
      expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
      expect(manager.stats().total).toMatchObject({ timedOut: 1, abandoned: 0 });
      expect(timesOf(manager, handle)).toEqual({ waitMs: 1_050, runMs: 110 });
    },
  );

  test("counts from the start where the handler does not wait", async () => {
    const manager = createThreaded();
    const handle = manager.enqueue(1, { timeoutMs: 100, killAfterMs: 10 });
    await manager.clock.advance(110);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
  });

  test("counts what middleware takes before the handler", async () => {
    const manager = createThreaded({
      middleware: [
        async (_, next) => {
          await new Promise((resolve) => manager.clock.setTimeout(() => resolve(undefined), 200));
          return next();
        },
      ],
    });
    manager.pool.beginsAtOnce = false;
    const handle = manager.enqueue(1, { timeoutMs: 100, killAfterMs: 10 });
    await manager.clock.advance(110);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
    expect(manager.stats().total).toMatchObject({ timedOut: 1, abandoned: 1 });
    await manager.clock.advance(200);
    expect(manager.pool.all).toEqual([]);
  });

  test("is not set anew by a beginning after the abort", async () => {
    const manager = createThreaded();
    manager.pool.beginsAtOnce = false;
    const handle = manager.enqueue(1, { timeoutMs: 100, killAfterMs: 50 });
    await manager.clock.advance(10);
    handle.cancel();
    manager.pool.begin(1);
    await manager.clock.advance(50);
    expect(handle.state).toBe("cancelled");
  });

  test("false stays none", async () => {
    const manager = createThreaded();
    manager.pool.beginsAtOnce = false;
    manager.enqueue(1, { timeoutMs: false });
    await manager.clock.advance(500);
    manager.pool.begin(1);
    await manager.clock.advance(86_400_000);
    expect(manager.pool.find(1).heard).toEqual([]);
  });
});

describe("the times of a task", () => {
  test("are those of its handler, where the executor knows them", async () => {
    const manager = createThreaded();
    const handle = manager.enqueue(1);
    await manager.clock.advance(100);
    manager.pool.end(1, "value", 30);
    expect(timesOf(manager, handle)).toEqual({ waitMs: 70, runMs: 30 });
  });

  test.each([
    ["longer than since the start", 5_000, { waitMs: 0, runMs: 100 }],
    ["below 0", -5, { waitMs: 100, runMs: 0 }],
  ])("are never negative, also where it says %s", async (_, runMs, expected) => {
    const manager = createThreaded();
    const handle = manager.enqueue(1);
    await manager.clock.advance(100);
    manager.pool.end(1, "value", runMs);
    expect(timesOf(manager, handle)).toEqual(expected);
  });

  test("of an attempt that is retried are told with the retry", async () => {
    const manager = createThreaded();
    manager.enqueue(1, { maxAttempts: 2 });
    await manager.clock.advance(100);
    const handed = manager.pool.find(1);
    handed.over = true;
    handed.attempt.ended({ returned: false, thrown: new Error("again") }, 40);
    const retried = manager.events.find((event) => event.type === "retried") as { task: object };
    expect(retried.task).toMatchObject({ waitMs: 60, runMs: 40 });
  });

  test("within middleware go on until that has ended", async () => {
    const manager = createThreaded({
      middleware: [
        async (_, next) => {
          const value = await next();
          await new Promise((resolve) => manager.clock.setTimeout(() => resolve(undefined), 5));
          return value;
        },
      ],
    });
    const handle = manager.enqueue(1);
    await manager.clock.advance(100);
    manager.pool.end(1, "value", 30);
    await manager.clock.advance(5);
    expect(await handle.result()).toBe("value");
    expect(timesOf(manager, handle)).toEqual({ waitMs: 70, runMs: 35 });
  });
});

describe("an attempt that goes on after its abort", () => {
  test("is killed, and its cause stands", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    const handle = manager.enqueue(1, { timeoutMs: 100, killAfterMs: 50 });
    const next = manager.enqueue(2);
    await manager.clock.advance(150);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
    expect(manager.eventsOf(handle)).toEqual(["queued", "started", "finished"]);
    expect(manager.stats().total).toMatchObject({ abandoned: 0, failed: 1, timedOut: 1 });
    expect(next.state).toBe("running");
  });

  test("may take others with it, which come back within the same call", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    manager.pool.batch = () => 3;
    manager.pool.onKill = (handed) => {
      handed.over = true;
      for (const { payload } of manager.pool.present) manager.pool.handBack(payload);
      handed.attempt.ended({ returned: false, thrown: new Error("terminated") });
      handed.attempt.ended({ returned: true, value: "twice" });
      return true;
    };
    const handles = [1, 2, 3].map((payload) => manager.enqueue(payload, { killAfterMs: 50 }));
    await manager.clock.advance(0);
    expect(manager.stats().lanes.threads.running).toBe(1);
    handles[0]?.cancel();
    await manager.clock.advance(50);
    expect(handles.map(({ state }) => state)).toEqual(["cancelled", "running", "running"]);
    expect(manager.stats()).toMatchObject({
      ...{ running: 2, lanes: { threads: { running: 1 } } },
      total: { cancelled: 1, handedBack: 2, abandoned: 0 },
    });
  });

  test("is abandoned where it cannot be killed, and its end gives nothing back twice", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    manager.pool.onKill = () => false;
    const handle = manager.enqueue(1, { killAfterMs: 50 });
    await manager.clock.advance(0);
    handle.cancel();
    await manager.clock.advance(50);
    expect(manager.stats().lanes.threads).toMatchObject({ running: 0, abandoned: 1, free: 1 });
    manager.pool.handBack(1);
    expect(manager.stats().lanes.threads).toMatchObject({ running: 0, abandoned: 0, free: 1 });
    expect(manager.stats().total).toMatchObject({ handedBack: 0, cancelled: 1, abandoned: 1 });
  });
});

describe("headers of an attempt", () => {
  const carrier = (headers?: () => Record<string, string>, active = true) => ({
    ...{ active, capture: () => undefined, ...(headers === undefined ? {} : { headers }) },
    run: (_captured: unknown, _task: unknown, perform: () => never) => perform(),
  });

  test("are those of all carriers together, and undefined where there are none", async () => {
    const manager = createThreaded({ threads: { max: 4 } });
    const seen: unknown[] = [];
    manager.pool.onRun = ({ attempt }) => seen.push(attempt.headers);
    manager.enqueue(1);
    await manager.clock.advance(0);
    manager.core.carriers.attach(carrier());
    manager.enqueue(2);
    await manager.clock.advance(0);
    manager.core.carriers.attach(carrier(() => ({ traceparent: "a", baggage: "b" })));
    manager.core.carriers.attach(carrier(() => ({ baggage: "c" })));
    manager.core.carriers.attach(carrier(() => ({ baggage: "inactive" }), false));
    manager.enqueue(3);
    await manager.clock.advance(0);
    expect(seen).toEqual([undefined, undefined, { traceparent: "a", baggage: "c" }]);
  });

  test("of a carrier that throws are left out, with a count", async () => {
    const manager = createThreaded({ middleware: [(_, next) => next()] });
    manager.core.carriers.attach(
      carrier(() => {
        throw new Error("broken");
      }),
    );
    manager.core.carriers.attach(carrier(() => ({ traceparent: "a" })));
    const handle = manager.enqueue(1);
    await manager.clock.advance(0);
    expect(manager.pool.find(1).attempt.headers).toEqual({ traceparent: "a" });
    expect(manager.stats().observerErrors).toBeGreaterThan(0);
    manager.pool.end(1);
    expect(await handle.result()).toBe(1);
  });
});
