import { describe, expect, it } from "vitest";
import { TaskTimeoutError } from "../../src/index.js";
import { createManager, rejectionOf, untilAborted } from "../support/manual-manager.js";
import { observeManager, Stubborn } from "../support/observed-manager.js";

describe("C5: a handler that ignores its signal", () => {
  it("C5: is abandoned killAfterMs after the abort, neither sooner nor later, and its slot is back", async () => {
    const manager = observeManager({ concurrency: 1, killAfterMs: 700 });
    const stubborn = new Stubborn();
    const handle = manager.enqueue(stubborn.run);
    const next = manager.enqueue(() => manager.clock.now());
    await manager.clock.advance(50);
    handle.cancel("why");
    await manager.clock.advance(699);
    expect(handle.state).toBe("running");
    expect(manager.stats().lanes.inline).toMatchObject({ running: 1, free: 0, abandoned: 0 });
    await manager.clock.advance(1);
    expect(await rejectionOf(handle.result())).toMatchObject({ cause: "why" });
    expect(await next.result()).toBe(750);
    expect(manager.eventsOf(handle.id)).toEqual(["queued", "started", "abandoned", "finished"]);
    expect(manager.get(handle.id)).toMatchObject({ state: "cancelled", runMs: 750 });
    expect(manager.stats().lanes.inline).toMatchObject({ running: 0, free: 1, abandoned: 1, held: 0 });
    expect(manager.stats().total.abandoned).toBe(1);
  });

  it("C5: changes nothing any more when it ends after all, and is no longer counted as going on", async () => {
    const manager = observeManager({ maxAttempts: 3 });
    const [returns, throws] = [new Stubborn<string>(), new Stubborn()];
    const handles = [manager.enqueue(returns.run), manager.enqueue(throws.run)];
    await manager.clock.settle();
    for (const handle of handles) handle.cancel("why");
    await manager.clock.advance(1_000);
    expect(manager.stats().lanes.inline).toMatchObject({ abandoned: 2 });
    returns.resolve("too late");
    throws.reject(new Error("too late"));
    await manager.clock.settle();
    expect(manager.stats().lanes.inline).toMatchObject({ running: 0, abandoned: 0, held: 0 });
    for (const handle of handles) {
      expect(await rejectionOf(handle.result())).toMatchObject({ cause: "why" });
      expect(manager.endsOf(handle.id)).toHaveLength(1);
    }
    expect(manager.stats().total).toMatchObject({ cancelled: 2, completed: 0, failed: 0, abandoned: 2 });
  });

  it("C5: gives back its queue's maxConcurrency too", async () => {
    const { tasks, clock } = createManager({ queues: { one: { maxConcurrency: 1 } } });
    const handle = tasks.enqueue(new Stubborn().run, { queue: "one" });
    const next = tasks.enqueue(() => "ran", { queue: "one" });
    await clock.settle();
    handle.cancel();
    await clock.advance(999);
    expect(next.state).toBe("queued");
    await clock.advance(1);
    expect(await next.result()).toBe("ran");
  });

  it("C5: holds a slot for each one beyond maxAbandoned, until one of them ends; health says so", async () => {
    const { tasks, clock } = createManager({ concurrency: 4, maxAbandoned: 1, killAfterMs: 100 });
    const stubborn = Array.from({ length: 4 }, () => new Stubborn());
    const handles = stubborn.map((one) => tasks.enqueue(one.run));
    await clock.settle();
    const slots = () => {
      const { status, concerns, slots } = tasks.health();
      const { free, abandoned, held } = slots;
      return { status, concerns, free, abandoned, held };
    };
    expect(slots()).toEqual({ status: "ok", concerns: [], free: 0, abandoned: 0, held: 0 });
    handles[0]?.cancel();
    await clock.advance(100);
    expect(slots()).toEqual({ status: "ok", concerns: [], free: 1, abandoned: 1, held: 0 });
    for (const handle of handles) handle.cancel();
    await clock.advance(100);
    const concerns = ["abandoned-holding-slots"];
    expect(slots()).toEqual({ status: "degraded", concerns, free: 1, abandoned: 4, held: 3 });
    // What runs now fits into the one slot that is left.
    const late = [tasks.enqueue(untilAborted), tasks.enqueue(() => "ran")];
    await clock.settle();
    expect(late.map(({ state }) => state)).toEqual(["running", "queued"]);
    stubborn[2]?.resolve();
    await clock.settle();
    expect(late[1]?.state).toBe("completed"); // the slot that came back was used at once
    expect(slots()).toMatchObject({ status: "degraded", abandoned: 3, held: 2 });
    for (const one of stubborn) one.resolve();
    await clock.settle();
    expect(slots()).toEqual({ status: "ok", concerns: [], free: 3, abandoned: 0, held: 0 });
  });

  it("C5: starts nothing while all slots are held, and goes on when one is back", async () => {
    const { tasks, clock } = createManager({ concurrency: 2, maxAbandoned: 0, killAfterMs: 10 });
    const stubborn = [new Stubborn(), new Stubborn()];
    const handles = stubborn.map((one) => tasks.enqueue(one.run));
    await clock.settle();
    for (const handle of handles) handle.cancel();
    await clock.advance(10);
    expect(handles.map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
    const next = tasks.enqueue(() => "ran");
    await clock.advance(60_000);
    expect(next.state).toBe("queued");
    expect(tasks.health()).toMatchObject({ status: "degraded", slots: { free: 0, held: 2 } });
    stubborn[1]?.reject(new Error("at last"));
    expect(await next.result()).toBe("ran");
    stubborn[0]?.resolve();
  });

  it("C5: is tried again after a timeout while its last attempt still goes on", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const attempts: number[] = [];
    const first = new Stubborn();
    const handle = tasks.enqueue(
      async ({ attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) await first.promise;
        return `attempt ${attempt}`;
      },
      { timeoutMs: 100, killAfterMs: 50, maxAttempts: 2, backoff: () => 20 },
    );
    await clock.advance(169);
    expect(attempts).toEqual([1]);
    await clock.advance(1);
    expect(attempts).toEqual([1, 2]);
    expect(await handle.result()).toBe("attempt 2");
    first.reject(new Error("too late"));
    await clock.settle();
    expect(tasks.get(handle.id)).toMatchObject({ state: "completed", attempt: 2, error: undefined });
    expect(tasks.stats().total).toMatchObject({ started: 2, timedOut: 1, abandoned: 1, retried: 1 });
  });

  it("C5: is abandoned in the turn of its abort when killAfterMs is 0", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 0 });
    const handle = tasks.enqueue(new Stubborn().run, { timeoutMs: 100 });
    await clock.advance(99);
    expect(handle.state).toBe("running");
    await clock.advance(1);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
    expect(tasks.stats().total.abandoned).toBe(1);
  });
});
