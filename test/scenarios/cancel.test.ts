import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { DeadlineError, TaskCancelledError } from "../../src/index.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";
import { type ObservedManager, observeManager, Stubborn } from "../support/observed-manager.js";

/** That the task with this handle was cancelled once, for this reason, and that all observers agree. */
async function expectCancelled(
  manager: ObservedManager,
  handle: { id: string; state: string; result(): Promise<unknown> },
  cause: unknown,
): Promise<void> {
  const error = await rejectionOf(handle.result());
  expect(error).toBeInstanceOf(TaskCancelledError);
  expect(error).toMatchObject({ taskId: handle.id, cause, code: "MILLRACE_TASK_CANCELLED" });
  expect(handle.state).toBe("cancelled");
  const ends = manager.endsOf(handle.id);
  expect(ends).toMatchObject([{ state: "cancelled", reason: "cancelled" }]);
  expect(manager.get(handle.id)).toMatchObject({ state: "cancelled", reason: "cancelled" });
  expect([ends[0]?.error, manager.get(handle.id)?.error]).toEqual([error, error]);
  expect(manager.stats().total).toMatchObject({ cancelled: 1, failed: 0 });
}

describe("C1: cancel in each state", () => {
  it("C1: cancels a scheduled task at once, and it never starts", async () => {
    const manager = observeManager();
    const handle = manager.enqueue(() => "ran", { delayMs: 1_000 });
    expect(manager.stats().scheduled).toBe(1);
    expect(handle.cancel("why")).toBe(true);
    expect(handle.state).toBe("cancelled");
    expect(manager.stats().scheduled).toBe(0);
    await manager.clock.advance(2_000);
    await expectCancelled(manager, handle, "why");
    expect(manager.eventsOf(handle.id)).toEqual(["scheduled", "finished"]);
  });

  it("C1: cancels a queued task at once, and it never starts", async () => {
    const manager = observeManager({ concurrency: 1 });
    const busy = new Stubborn();
    manager.enqueue(busy.run);
    await manager.clock.settle();
    const handle = manager.enqueue(() => "ran");
    expect(handle.state).toBe("queued");
    expect(handle.cancel("why")).toBe(true);
    await expectCancelled(manager, handle, "why");
    busy.resolve();
    await manager.clock.settle();
    expect(manager.eventsOf(handle.id)).toEqual(["queued", "finished"]);
  });

  it("C1: cancels a task in the turn in which it was enqueued, before anything came round to it", async () => {
    const manager = observeManager();
    const handle = manager.enqueue(() => "ran");
    expect(handle.cancel("why")).toBe(true);
    await manager.clock.settle();
    await expectCancelled(manager, handle, "why");
    expect(manager.eventsOf(handle.id)).toEqual(["queued", "finished"]);
  });

  it("C1: cancels a task that waits for a permit, and leaves its permit to the next", async () => {
    const manager = observeManager({ tasksPerSecond: 1, burst: 1 });
    manager.enqueue(() => "first");
    await manager.clock.settle();
    const handle = manager.enqueue(() => "ran");
    const next = manager.enqueue(() => manager.clock.now());
    await manager.clock.advance(500);
    expect(handle.state).toBe("queued");
    expect(handle.cancel("why")).toBe(true);
    await expectCancelled(manager, handle, "why");
    await manager.clock.advance(500);
    expect(await next.result()).toBe(1_000);
    expect(manager.eventsOf(handle.id)).toEqual(["queued", "finished"]);
  });

  it("C1: signals a running task, which settles when its handler ends", async () => {
    const manager = observeManager();
    const seen: unknown[] = [];
    const winding = new Stubborn();
    const handle = manager.enqueue(({ signal }) => {
      signal.addEventListener("abort", () => seen.push(signal.reason));
      return winding.promise;
    });
    await manager.clock.settle();
    expect(handle.cancel("why")).toBe(true);
    expect(seen).toMatchObject([{ code: "MILLRACE_TASK_CANCELLED", cause: "why" }]);
    await manager.clock.advance(500);
    expect(handle.state).toBe("running");
    expect(handle.cancel("again")).toBe(false); // it was decided
    winding.resolve(); // what is returned after the abort is discarded
    await manager.clock.settle();
    await expectCancelled(manager, handle, "why");
    expect(manager.eventsOf(handle.id)).toEqual(["queued", "started", "finished"]);
    expect(seen).toEqual([await rejectionOf(handle.result())]);
  });

  it("C1: cancels a task in backoff, whose last error gives way to the cancellation", async () => {
    const manager = observeManager({ maxAttempts: 5, backoff: () => 1_000 });
    const handle = manager.enqueue(() => {
      throw new Error("the first attempt fails");
    });
    await manager.clock.settle();
    expect(manager.get(handle.id)).toMatchObject({ state: "scheduled", reason: "backoff", attempt: 1 });
    expect(manager.stats().backingOff).toBe(1);
    expect(handle.cancel("why")).toBe(true);
    expect(manager.stats().backingOff).toBe(0);
    await manager.clock.advance(5_000);
    await expectCancelled(manager, handle, "why");
    expect(manager.eventsOf(handle.id)).toEqual(["queued", "started", "retried", "finished"]);
  });

  it.each(["completed", "failed", "cancelled"])("C1: does nothing to a task that is %s", async (end) => {
    const manager = observeManager();
    const handle = manager.enqueue(() => {
      if (end === "failed") throw new Error("fails");
    });
    if (end === "cancelled") handle.cancel("first");
    await manager.clock.settle();
    const before = manager.get(handle.id);
    expect(handle.state).toBe(end);
    expect(handle.cancel("second")).toBe(false);
    expect(manager.controls.cancel(handle.id, "second")).toBe(false);
    await manager.clock.advance(5_000);
    expect(manager.get(handle.id)).toEqual(before);
    expect(manager.endsOf(handle.id)).toHaveLength(1);
  });

  it("C1: cancels a paused and a not yet started manager's tasks as well", async () => {
    const manager = observeManager({ autoStart: false });
    const early = manager.enqueue(() => "ran");
    expect(early.cancel("why")).toBe(true);
    await expectCancelled(manager, early, "why");
  });

  it("C1: cancels by id, and says false for an id that nobody has", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(untilAborted, { id: "mine" });
    await clock.settle();
    expect(await tasks.cancel("other")).toBe(false);
    expect(await tasks.cancel("mine", "why")).toBe(true);
    expect(await rejectionOf(handle.result())).toMatchObject({ cause: "why" });
  });
});

describe("cancelling while a timed-out attempt winds up", () => {
  const options = { timeoutMs: 100, maxAttempts: 3, killAfterMs: 1_000, backoff: () => 60_000 };

  it("cancels a task whose attempt has timed out but would be followed by another", async () => {
    const manager = observeManager();
    const handle = manager.enqueue(new Stubborn().run, options);
    await manager.clock.advance(200);
    expect(handle.cancel("why")).toBe(true);
    expect(handle.cancel("again")).toBe(false);
    await manager.clock.advance(899);
    expect(handle.state).toBe("running");
    await manager.clock.advance(1); // killAfterMs counts from the first abort
    await expectCancelled(manager, handle, "why");
    expect(manager.stats().total).toMatchObject({ timedOut: 1, retried: 0, started: 1, abandoned: 1 });
  });

  it("does not decide again about a last attempt that has timed out", async () => {
    const manager = observeManager();
    const handle = manager.enqueue(new Stubborn().run, { ...options, maxAttempts: 1 });
    await manager.clock.advance(200);
    expect(handle.cancel("why")).toBe(false);
    await manager.clock.advance(900);
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    expect(manager.endsOf(handle.id)).toMatchObject([{ state: "failed", reason: "timeout" }]);
  });

  it("ends it when its signal aborts or its deadline passes meanwhile, instead of trying again", async () => {
    const manager = observeManager();
    const controller = new AbortController();
    const signalled = manager.enqueue(new Stubborn().run, { ...options, signal: controller.signal });
    const expired = manager.enqueue(new Stubborn().run, { ...options, ttlMs: 500 });
    await manager.clock.advance(200);
    controller.abort("enough");
    await manager.clock.advance(900);
    expect(await rejectionOf(signalled.result())).toMatchObject({ cause: "enough" });
    expect(await rejectionOf(expired.result())).toBeInstanceOf(DeadlineError);
    expect(manager.stats().total).toMatchObject({ retried: 0, timedOut: 2 });
  });

  it("never completes an attempt that timed out and then met a stop, though its handler returns", async () => {
    const manager = observeManager();
    const late = new Stubborn<string>();
    const handle = manager.enqueue(late.run, options);
    await manager.clock.advance(200);
    const stopped = manager.stopNow();
    late.resolve("late");
    expect(await stopped).toMatchObject({ alive: 1, cancelled: 1, completed: 0 });
    expect(manager.endsOf(handle.id)).toMatchObject([{ state: "cancelled", reason: "stopped" }]);
  });
});

describe("C3: a signal that has aborted already", () => {
  it("C3: refuses the task and keeps nothing of it", async () => {
    const { tasks, clock } = createManager();
    const signal = AbortSignal.abort("too late");
    const error = thrownBy(() => tasks.enqueue(() => "ran", { id: "mine", signal }));
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error).toMatchObject({ taskId: "mine", cause: "too late" });
    expect(() => tasks.enqueueMany([() => 1, [() => 2, { signal }]])).toThrow(TaskCancelledError);
    await expect(tasks.enqueueAsync(() => 1, { signal })).rejects.toThrow(TaskCancelledError);
    await expect(tasks.execute(() => 1, { signal })).rejects.toThrow(TaskCancelledError);
    await clock.settle();
    expect(tasks.list()).toEqual([]);
    expect(tasks.stats().total.enqueued).toBe(0);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    tasks.enqueue(() => "ran", { id: "mine" }); // the id is free
  });

  it("C3: refuses a call that waits for room when its signal aborts, and gives its place to the next", async () => {
    const { tasks, clock } = createManager({ capacity: 2, concurrency: 1 });
    const busy = new Stubborn();
    tasks.enqueue(busy.run);
    await clock.settle();
    tasks.enqueueMany([() => "waits", () => "waits too"]);
    const controller = new AbortController();
    const gone = tasks.enqueueAsync(() => "gone", { id: "mine", signal: controller.signal });
    const next = tasks.enqueueAsync(() => "next");
    await clock.settle();
    expect(tasks.stats().waitingForRoom).toBe(2);
    controller.abort("changed my mind");
    expect(await rejectionOf(gone)).toMatchObject({ cause: "changed my mind", taskId: "mine" });
    expect(tasks.stats().waitingForRoom).toBe(1);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    busy.resolve();
    expect(await (await next).result()).toBe("next");
    expect(tasks.get("mine")).toBeUndefined();
  });
});
