import { describe, expect, it } from "vitest";
import {
  cancelTask,
  isCancelTask,
  isRateLimited,
  isReschedule,
  isSkipRetry,
  rateLimited,
  reschedule,
  skipRetry,
  TaskCancelledError,
  TaskFailedError,
} from "../../src/index.js";
import { createManager, rejectionOf } from "../support/manual-manager.js";
import { observeManager } from "../support/observed-manager.js";

describe("reschedule", () => {
  it("runs the task again after its delay and uses no attempt, however often", async () => {
    const manager = observeManager({ maxAttempts: 2 });
    const starts: number[] = [];
    const attempts: number[] = [];
    const handle = manager.enqueue(({ attempt }) => {
      starts.push(manager.clock.now());
      attempts.push(attempt);
      if (starts.length <= 5) throw reschedule({ delayMs: 100 });
      return "done";
    });
    await manager.clock.settle();
    expect(manager.get(handle.id)).toMatchObject({ state: "scheduled", reason: "rescheduled", attempt: 0 });
    expect(manager.stats()).toMatchObject({ scheduled: 1, backingOff: 0 });
    await manager.clock.advance(10_000);
    expect(await handle.result()).toBe("done");
    expect(starts).toEqual([0, 100, 200, 300, 400, 500]);
    expect(attempts).toEqual([1, 1, 1, 1, 1, 1]);
    expect(manager.stats().total).toMatchObject({ rescheduled: 5, retried: 0, started: 6, completed: 1 });
    expect(manager.eventsOf(handle.id).slice(0, 5)).toEqual([
      ...["queued", "started", "rescheduled", "queued", "started"],
    ]);
  });

  it("without a delay queues it behind what waits already", async () => {
    const manager = observeManager({ concurrency: 1 });
    const order: string[] = [];
    let turns = 0;
    const handle = manager.enqueue(() => {
      order.push("rescheduled");
      if (++turns < 3) throw reschedule();
    });
    manager.enqueue(() => order.push("second"));
    manager.enqueue(() => order.push("third"));
    await handle.result();
    expect(order).toEqual(["rescheduled", "second", "third", "rescheduled", "rescheduled"]);
    expect(manager.eventsOf(handle.id).slice(0, 4)).toEqual(["queued", "started", "rescheduled", "queued"]);
  });

  it("keeps the attempts that were used before", async () => {
    const { tasks, clock } = createManager({ maxAttempts: 2, backoff: () => 10 });
    const attempts: number[] = [];
    const handle = tasks.enqueue(({ attempt }) => {
      attempts.push(attempt);
      if (attempts.length === 2) throw reschedule({ delayMs: 10 });
      throw new Error("fails");
    });
    await clock.advance(1_000);
    expect(attempts).toEqual([1, 2, 2]);
    expect(tasks.get(handle.id)).toMatchObject({ state: "failed", attempt: 2 });
  });

  it("can be cancelled, drained past and stopped while it waits", async () => {
    const { tasks, clock } = createManager();
    const again = () => Promise.reject(reschedule({ delayMs: 50_000 }));
    const [first, second] = [tasks.enqueue(again), tasks.enqueue(again)];
    await clock.settle();
    await tasks.drain({ scheduled: false });
    expect(first.cancel("why")).toBe(true);
    expect(await rejectionOf(first.result())).toMatchObject({ cause: "why" });
    expect(await tasks.stopNow()).toMatchObject({ alive: 1, cancelled: 1, neverStarted: 0 });
    expect(second.state).toBe("cancelled");
  });

  it("does not hold a stop up that goes on by itself for ever", async () => {
    const { tasks, clock } = createManager();
    tasks.enqueue(async () => {
      throw reschedule({ delayMs: 10 });
    });
    tasks.enqueue(async () => {
      throw reschedule({ delayMs: 0 });
    });
    await clock.advance(100);
    const stopped = tasks.stopGraceful({ deadlineMs: 1_500 });
    await clock.advance(1_500);
    expect(await stopped).toMatchObject({ alive: 2, cancelled: 2, durationMs: 500 });
  });
});

describe("rateLimited", () => {
  it("lets a function alone wait by its scope of handler, no attempt used", async () => {
    const manager = observeManager();
    let calls = 0;
    const limited = manager.enqueue(() => {
      if (++calls === 1) throw rateLimited({ retryAfterMs: 1_000 });
      return manager.clock.now();
    });
    await manager.clock.settle();
    expect(manager.get(limited.id)).toMatchObject({
      ...{ state: "scheduled", reason: "rate-limited", attempt: 0 },
    });
    expect(await manager.enqueue(() => "not held back").result()).toBe("not held back");
    await manager.clock.advance(1_000);
    expect(await limited.result()).toBe(1_000);
  });

  it("holds every start back by its scope of all", async () => {
    const { tasks, clock } = createManager();
    let calls = 0;
    const limited = tasks.enqueue(() => {
      if (++calls === 1) throw rateLimited({ retryAfterMs: 1_000, scope: "all" });
      return clock.now();
    });
    await clock.settle();
    const other = tasks.enqueue(() => clock.now());
    await clock.advance(999);
    expect(other.state).toBe("queued");
    await clock.advance(1);
    expect(await other.result()).toBe(1_000);
    expect(await limited.result()).toBe(1_000);
  });
});

describe("cancelTask", () => {
  it("cancels the task from inside, with its reason as the cause, no further attempt made", async () => {
    const manager = observeManager({ maxAttempts: 5 });
    const handle = manager.enqueue(async () => {
      throw cancelTask("nothing to do");
    });
    const error = await rejectionOf(handle.result());
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error).toMatchObject({ taskId: handle.id, cause: "nothing to do" });
    expect(manager.endsOf(handle.id)).toMatchObject([{ state: "cancelled", reason: "cancelled" }]);
    expect(manager.stats().total).toMatchObject({ cancelled: 1, started: 1 });
  });
});

describe("steering after an abort", () => {
  it("does not count: the outcome of the abort stands", async () => {
    const manager = observeManager({ maxAttempts: 1 });
    const thrown = [reschedule(), rateLimited({ retryAfterMs: 5 }), skipRetry("x"), cancelTask("x")];
    for (const steering of thrown) {
      const work = ({ signal }: { readonly signal: AbortSignal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(steering)));
      const cancelled = manager.enqueue(work);
      const timedOut = manager.enqueue(work, { timeoutMs: 10 });
      await manager.clock.settle();
      cancelled.cancel("why");
      await manager.clock.advance(10);
      expect(await rejectionOf(cancelled.result())).toMatchObject({ cause: "why" });
      expect(await rejectionOf(timedOut.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    }
    const stopped = manager.enqueue(
      ({ signal }) => new Promise((_, no) => signal.addEventListener("abort", () => no(reschedule()))),
    );
    await manager.clock.settle();
    expect(await manager.stopNow()).toMatchObject({ alive: 1, cancelled: 1 });
    expect(await rejectionOf(stopped.result())).toMatchObject({ code: "MILLRACE_MANAGER_STOPPED" });
  });
});

describe("steering that is returned or wrapped", () => {
  it("is found in a chain of causes, and taken as thrown when it is returned", async () => {
    const { tasks, clock } = createManager();
    const cause = new Error("never again");
    let calls = 0;
    const wrapped = tasks.enqueue(() => {
      if (++calls === 1) throw new Error("outer", { cause: reschedule({ delayMs: 10 }) });
      return "done";
    });
    const failing = tasks.enqueue(async () => skipRetry(cause), { maxAttempts: 3 });
    let runs = 0;
    const again = tasks.enqueue(() => (++runs === 1 ? reschedule({ delayMs: 10 }) : runs));
    await clock.advance(10);
    expect(await wrapped.result()).toBe("done");
    expect(await rejectionOf(failing.result())).toBe(cause);
    expect(await again.result()).toBe(2);
    expect(tasks.get(failing.id)).toMatchObject({ state: "failed", attempt: 1 });
  });

  it("is told apart by its guards, each of which knows its own", () => {
    const all = [reschedule(), skipRetry(), cancelTask(), rateLimited({ retryAfterMs: 1 })];
    const guards = [isReschedule, isSkipRetry, isCancelTask, isRateLimited];
    guards.forEach((guard, index) => {
      expect(all.map((one) => guard(one))).toEqual(all.map((_, other) => other === index));
      expect(guard(new Error("outer", { cause: all[index] }))).toBe(true);
      for (const nothing of [undefined, null, "reschedule", 1, {}, { steering: "reschedule" }, new Error()])
        expect(guard(nothing)).toBe(false);
    });
  });

  it("gives skipRetry of no Error an Error that carries the task's id", async () => {
    const { tasks } = createManager();
    const handle = tasks.enqueue(() => {
      throw skipRetry("just text");
    });
    const error = await rejectionOf(handle.result());
    expect(error).toBeInstanceOf(TaskFailedError);
    expect(error).toMatchObject({ taskId: handle.id, cause: "just text" });
  });
});
