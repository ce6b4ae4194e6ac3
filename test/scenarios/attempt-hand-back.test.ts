import { describe, expect, test } from "vitest";
import {
  type AttemptMiddleware,
  DeadlineError,
  fixed,
  reschedule,
  TaskTimeoutError,
} from "../../src/index.js";
import { findSteering } from "../../src/task/steering.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import { rejectionOf, untilAborted } from "../support/manual-manager.js";
import { createThreaded, type ThreadedManager } from "../support/threaded-manager.js";

describe("an attempt that comes back", () => {
  test("stands where it stood, and has used no attempt", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    const { clock, core, pool } = manager;
    const handle = manager.enqueue(1);
    const later = manager.enqueue(2);
    await clock.advance(0);
    const before = core.journal.snapshot(core.registry.get(handle.id) as never);
    core.dispatcher.pause();
    await clock.advance(500);
    pool.handBack(1);
    const after = core.journal.snapshot(core.registry.get(handle.id) as never);
    expect(before).toMatchObject({ state: "running", attempt: 1, waitMs: 0 });
    expect(after).toMatchObject({ state: "queued", attempt: 0 });
    expect([after.startedAt, after.waitMs, after.runMs]).toEqual([undefined, undefined, undefined]);
    expect(manager.stats()).toMatchObject({ queued: 2, running: 0, lanes: { threads: { free: 1 } } });
    core.dispatcher.resume();
    await clock.advance(0);
    expect(pool.payloads).toEqual([1]); // not the other, which came after it
    pool.end(1);
    expect(await handle.result()).toBe(1);
    expect(manager.eventsOf(handle)).toEqual(
      ["queued", "started", "handedBack", "queued", "started", "finished"], //
    );
    expect(core.journal.snapshot(core.registry.get(handle.id) as never)).toMatchObject({
      ...{ attempt: 1, waitMs: 500 },
    });
    expect(manager.stats().total).toMatchObject({ started: 3, handedBack: 1, completed: 1 });
    expect(later.state).toBe("running");
  });

  test("of a task that ran before tells of that attempt again", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    const { clock, core, pool } = manager;
    const handle = manager.enqueue(1, { maxAttempts: 3, backoff: fixed({ delayMs: 10 }) });
    await clock.advance(0);
    await clock.advance(40);
    pool.fail(1, new Error("first"));
    await clock.advance(10);
    core.dispatcher.pause();
    await clock.advance(5);
    pool.handBack(1);
    expect(core.journal.snapshot(core.registry.get(handle.id) as never)).toMatchObject({
      ...{ state: "queued", attempt: 1, waitMs: 0, runMs: 40, error: { message: "first" } },
    });
  });

  test("may come back within the call that handed it over, and makes no endless loop", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    let times = 0;
    manager.pool.onRun = (handed) => {
      if (++times > 2_000) return;
      handed.over = true;
      handed.attempt.handBack();
    };
    const handle = manager.enqueue(1);
    await manager.clock.advance(0);
    expect(times).toBeLessThan(2_001); // the event loop had its turns in between
    await manager.clock.advance(100);
    expect(times).toBe(2_001);
    manager.pool.end(1);
    expect(await handle.result()).toBe(1);
    expect(manager.stats().total).toMatchObject({ handedBack: 2_000, started: 2_001, completed: 1 });
  });

  test("counts once: what is said after that is not heard", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    const handle = manager.enqueue(1);
    await manager.clock.advance(0);
    const { attempt } = manager.pool.find(1);
    manager.core.dispatcher.pause();
    manager.pool.handBack(1);
    attempt.ended({ returned: true, value: "too late" });
    attempt.handBack();
    attempt.began();
    expect(handle.state).toBe("queued");
    expect(manager.stats()).toMatchObject({ running: 0, queued: 1, total: { handedBack: 1 } });
  });

  test.each<[string, (id: string, manager: ThreadedManager) => unknown, string, string]>([
    ["cancelled", (id, { controls }) => controls.cancel(id, "why"), "cancelled", "cancelled"],
    ["past its deadline", (_, { clock }) => clock.advance(2_000), "failed", "deadline"],
    ["stopped", (_, { core }) => void core.shutdown.stopNow(), "cancelled", "stopped"],
  ])("ends by its abort where it was %s meanwhile", async (_, act, state, reason) => {
    const manager = createThreaded({ killAfterMs: 10_000 });
    const handle = manager.enqueue(1, { ttlMs: 1_000 });
    await manager.clock.advance(0);
    await act(handle.id, manager);
    manager.pool.handBack(1);
    expect(handle.state).toBe(state);
    const end = manager.events.find((event) => event.type === "finished") as { task: { reason: string } };
    expect(end.task.reason).toBe(reason);
    expect(manager.stats().total).toMatchObject({ handedBack: 0, started: 1 });
  });

  test("ends in a stop where it is paused since before that", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    const { clock, controls, core, pool } = manager;
    const handle = manager.enqueue(1);
    await clock.advance(0);
    await controls.pause({ queue: "default" });
    const stopped = core.shutdown.stopGraceful(3_000);
    await clock.advance(10);
    pool.handBack(1);
    expect(handle.state).toBe("cancelled");
    await clock.advance(0);
    expect(await stopped).toMatchObject({ alive: 1, neverStarted: 1, durationMs: 10 });
    expect(manager.stats().total).toMatchObject({ handedBack: 1, started: 1 });
  });

  test("waits in a stop where it is paused since then, and starts at a resume", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    const { clock, controls, core, pool } = manager;
    const handle = manager.enqueue(1);
    await clock.advance(0);
    const stopped = core.shutdown.stopGraceful(3_000);
    await controls.pause({ queue: "default" });
    await clock.advance(10);
    pool.handBack(1);
    await clock.advance(500);
    expect(handle.state).toBe("queued");
    controls.resume({ queue: "default" });
    await clock.advance(0);
    pool.end(1);
    expect(await handle.result()).toBe(1);
    await clock.advance(0);
    expect(await stopped).toMatchObject({ alive: 1, completed: 1, durationMs: 510 });
  });

  test("after a timeout is followed by the next attempt, as if its handler had thrown", async () => {
    const manager = createThreaded();
    const handle = manager.enqueue(1, { timeoutMs: 100, maxAttempts: 2, backoff: fixed({ delayMs: 5 }) });
    await manager.clock.advance(100);
    expect(manager.pool.find(1).heard).toEqual([["aborted", expect.any(TaskTimeoutError)]]);
    manager.pool.handBack(1);
    expect(manager.stats().total).toMatchObject({ retried: 1, timedOut: 1, handedBack: 0 });
    await manager.clock.advance(5);
    manager.pool.end(1, "second");
    expect(await handle.result()).toBe("second");
  });

  test("during a graceful stop goes on while there is time", async () => {
    const manager = createThreaded();
    const handle = manager.enqueue(1);
    await manager.clock.advance(0);
    const stopped = manager.core.shutdown.stopGraceful(10_000);
    manager.pool.handBack(1);
    await manager.clock.advance(0);
    manager.pool.end(1);
    expect(await handle.result()).toBe(1);
    expect(await stopped).toMatchObject({ alive: 1, completed: 1, neverStarted: 0 });
  });

  test("of what hears that it came back may be ended by that", async () => {
    const manager = createThreaded();
    const handle = manager.enqueue(1);
    manager.core.journal.events.subscribe(() => handle.cancel("no more"), ["handedBack"]);
    await manager.clock.advance(0);
    manager.pool.handBack(1);
    expect(handle.state).toBe("cancelled");
    expect(manager.stats()).toMatchObject({ queued: 0, running: 0, total: { cancelled: 1, handedBack: 1 } });
  });

  test("gives its permits back to the manager, the queue and the handler", async () => {
    const limit = { tasksPerSecond: 1, burst: 4 };
    const manager = createThreaded({
      threads: { max: 8 },
      ...limit,
      queues: { default: { rateLimit: limit } },
    });
    manager.controls.setRate({ handler: "hash", ...limit });
    for (let payload = 0; payload < 6; payload++) manager.enqueue(payload);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([0, 1, 2, 3]);
    manager.pool.handBack(1);
    manager.pool.handBack(2);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([0, 3, 1, 2]);
    expect(manager.stats().limiter.available).toBe(0);
  });

  test("is heard by who carries context as one that will run again", async () => {
    const manager = createThreaded();
    const outcomes: unknown[] = [];
    manager.core.carriers.attach({
      capture: () => undefined,
      run: async (_captured, _task, perform) => {
        const outcome = await perform();
        outcomes.push(outcome.returned ? outcome.value : findSteering(outcome.thrown)?.steering);
        return outcome;
      },
    });
    manager.enqueue(1);
    await manager.clock.advance(0);
    manager.pool.handBack(1);
    await manager.clock.advance(0);
    manager.pool.end(1, "done");
    await manager.clock.advance(0);
    expect(outcomes).toEqual(["reschedule", "done"]);
    expect(manager.stats().observerErrors).toBe(0);
  });
});

describe("an attempt inside middleware that comes back", () => {
  const wrapped = (attempt: AttemptMiddleware) => createThreaded({ middleware: [{ name: "m", attempt }] });

  test.each<[string, AttemptMiddleware]>([
    ["passes it on", (_, next) => next()],
    [
      "throws something else",
      (_, next) =>
        next().catch(() => {
          throw new Error("mine");
        }),
    ],
    [
      "steers it elsewhere",
      (_, next) =>
        next().catch(() => {
          throw reschedule({ delayMs: 60_000 });
        }),
    ],
  ])("comes back when the middleware ends that %s", async (_, attempt) => {
    const manager = wrapped(attempt);
    const handle = manager.enqueue(1);
    await manager.clock.advance(0);
    manager.pool.handBack(1);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([1]);
    manager.pool.end(1, "done");
    expect(await handle.result()).toBe("done");
    expect(manager.stats().total).toMatchObject({ handedBack: 1, completed: 1, retried: 0, rescheduled: 0 });
  });

  test("has the value that the middleware gives in its place", async () => {
    const manager = wrapped((_, next) => next().catch(() => "from the cache"));
    const handle = manager.enqueue(1);
    await manager.clock.advance(0);
    manager.pool.handBack(1);
    expect(await handle.result()).toBe("from the cache");
    expect(manager.stats().total).toMatchObject({ handedBack: 0, completed: 1 });
  });

  test("ends by an abort that comes while the middleware winds up", async () => {
    const manager = wrapped(async (context, next) => {
      await next().catch(() => untilAborted(context));
    });
    const handle = manager.enqueue(1);
    await manager.clock.advance(0);
    manager.pool.handBack(1);
    await manager.clock.advance(0);
    expect(handle.state).toBe("running");
    handle.cancel("enough");
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_TASK_CANCELLED" });
    expect(manager.stats().total).toMatchObject({ handedBack: 0, cancelled: 1 });
  });

  test("tells the middleware of the abort where it had been aborted", async () => {
    const seen: unknown[] = [];
    const manager = wrapped(async (_, next) => {
      await next().catch((thrown) => {
        seen.push(thrown);
        throw thrown;
      });
    });
    const handle = manager.enqueue(1, { ttlMs: 100 });
    await manager.clock.advance(100);
    manager.pool.handBack(1);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(DeadlineError);
    expect(seen).toEqual([expect.any(DeadlineError)]);
  });

  test("may come back when it is killed: the abort stands", async () => {
    const manager = wrapped((_, next) => next());
    manager.pool.onKill = (handed) => {
      handed.over = true;
      handed.attempt.handBack();
      return true;
    };
    const handle = manager.enqueue(1, { timeoutMs: 100, killAfterMs: 50 });
    await manager.clock.advance(150);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
    expect(manager.stats().total).toMatchObject({ abandoned: 0, handedBack: 0, failed: 1 });
  });
});

test("I1: each start ends once, by its end or by coming back", async () => {
  const manager = createThreaded({ threads: { max: 3 } });
  const open = new Set<string>();
  const broken: TaskEvent[] = [];
  manager.core.journal.events.subscribe((event) => {
    if (!("task" in event)) return;
    if (event.type === "started" && open.has(event.task.id)) broken.push(event);
    if (event.type === "started") open.add(event.task.id);
    if (event.type === "handedBack" && !open.delete(event.task.id)) broken.push(event);
    if (event.type === "finished") open.delete(event.task.id);
  });
  for (let payload = 0; payload < 50; payload++) manager.enqueue(payload);
  for (let turn = 0; turn < 100; turn++) {
    await manager.clock.advance(1);
    for (const { payload } of manager.pool.present) {
      if ((Number(payload) + turn) % 3 === 0) manager.pool.handBack(payload);
      else if (manager.pool.payloads.includes(payload)) manager.pool.end(payload);
    }
  }
  expect(broken).toEqual([]);
  const { completed, handedBack, started } = manager.stats().total;
  expect([completed, started - handedBack]).toEqual([50, 50]);
  expect(handedBack).toBeGreaterThan(10);
});
