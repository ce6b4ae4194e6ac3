import { describe, expect, it } from "vitest";
import {
  ManagerStoppedError,
  NotAcceptingError,
  OptionError,
  type StopReport,
  TaskManager,
} from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { createManager, rejectionOf, untilAborted } from "../support/manual-manager.js";
import { observeManager, Stubborn, watchPromise } from "../support/observed-manager.js";

/** Every count of a report, so that one that is wrong shows. */
function report(counts: Partial<StopReport>): StopReport {
  return {
    ...{ alive: 0, completed: 0, failed: 0, cancelled: 0, interrupted: 0, abandoned: 0, neverStarted: 0 },
    durationMs: 0,
    ...counts,
  };
}

describe("X1: the fate of each task at stopGraceful", () => {
  it("X1: lets go on what can end in time, and ends the rest as the table of ends says", async () => {
    const manager = observeManager({ concurrency: 5, killAfterMs: 1_000 });
    const sleep = (ms: number) => () =>
      new Promise<string>((yes) => manager.clock.setTimeout(yesTo(yes), ms));
    const yesTo = (yes: (value: string) => void) => () => yes("done");
    const failing = () => Promise.reject(new Error("fails"));
    const tasks = {
      "in backoff until before the end": manager.enqueue(
        ({ attempt }) => (attempt === 1 ? failing() : "worked"),
        { maxAttempts: 2, backoff: () => 4_000 },
      ),
      "in backoff until after the end": manager.enqueue(failing, { maxAttempts: 2, backoff: () => 40_000 }),
      "runs and ends in time": manager.enqueue(sleep(3_000)),
      "runs and honours the abort": manager.enqueue(untilAborted),
      "runs and returns after the abort": manager.enqueue(
        ({ signal }) => new Promise((yes) => signal.addEventListener("abort", () => yes("partly done"))),
      ),
      "runs and ignores the abort": manager.enqueue(new Stubborn().run),
      "runs and fails": manager.enqueue(() => sleep(2_000)().then(failing)),
      queued: manager.enqueue(() => "ran"),
      "scheduled before the end": manager.enqueue(() => "ran", { delayMs: 5_000 }),
      "scheduled after the end": manager.enqueue(() => "ran", { delayMs: 9_001 }),
      "paused queue": manager.enqueue(() => "ran", { queue: "paused" }),
      "deadline meanwhile": manager.enqueue(() => "ran", { delayMs: 8_000, ttlMs: 6_000 }),
    };
    await manager.controls.pause({ queue: "paused" });
    await manager.clock.settle();
    const stopped = manager.stopGraceful();
    expect(manager.stopGraceful({ deadlineMs: 1 })).toBe(stopped);
    const watched = watchPromise(stopped);
    await manager.clock.advance(9_999);
    expect(watched.outcome()).toBeUndefined();
    await manager.clock.advance(1);
    expect(await stopped).toEqual(
      report({
        ...{ alive: 12, completed: 5, failed: 2, cancelled: 2, abandoned: 1, neverStarted: 2 },
        durationMs: 10_000,
      }),
    );
    const fates = Object.fromEntries(
      Object.entries(tasks).map(([name, handle]) => {
        const task = manager.get(handle.id);
        return [name, `${task?.state} ${task?.reason ?? ""}`.trim()];
      }),
    );
    expect(fates).toEqual({
      "runs and ends in time": "completed",
      "runs and honours the abort": "cancelled stopped",
      "runs and returns after the abort": "completed",
      "runs and ignores the abort": "cancelled stopped",
      "runs and fails": "failed error",
      "in backoff until before the end": "completed",
      "in backoff until after the end": "cancelled stopped",
      queued: "completed",
      "scheduled before the end": "completed",
      "scheduled after the end": "cancelled stopped",
      "paused queue": "cancelled stopped",
      "deadline meanwhile": "failed deadline",
    });
    expect(await tasks["runs and returns after the abort"].result()).toBe("partly done");
    for (const name of ["runs and honours the abort", "paused queue", "scheduled after the end"] as const) {
      const error = await rejectionOf(tasks[name].result());
      expect(error).toBeInstanceOf(ManagerStoppedError);
      expect(error).toMatchObject({ taskId: tasks[name].id });
    }
    expect(manager.clock.timers).toBe(0);
    expect(manager.stats().phase).toBe("stopped");
  });

  it("X1: cancels at once what cannot start in time or is paused, without waiting for the deadline", async () => {
    const { tasks, clock } = createManager();
    const late = tasks.enqueue(() => "ran", { delayMs: 60_000 });
    await tasks.pause({ queue: "paused" });
    const paused = tasks.enqueue(() => "ran", { queue: "paused" });
    expect(await tasks.stopGraceful()).toEqual(report({ alive: 2, neverStarted: 2 }));
    expect([late.state, paused.state]).toEqual(["cancelled", "cancelled"]);
    expect(clock.now()).toBe(0);
  });

  it("X1: aborts at killAfterMs before the deadline and gives up at the deadline", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 700 });
    const seen: string[] = [];
    const note = (what: string) => () => seen.push(`${what} at ${clock.now()}`);
    tasks.enqueue(({ signal, stopping }) => {
      stopping.addEventListener("abort", note("stopping"));
      signal.addEventListener("abort", note("signal"));
      return new Stubborn().promise;
    });
    await clock.advance(100);
    const stopped = tasks.stopGraceful({ deadlineMs: 2_000 });
    await clock.advance(2_000);
    expect(await stopped).toEqual(report({ alive: 1, abandoned: 1, durationMs: 2_000 }));
    expect(seen).toEqual(["stopping at 100", "signal at 1400"]);
  });

  it.each([0, 1, 300, 999, 1_000])(
    "X1: is done by a deadlineMs of %d below killAfterMs too",
    async (deadlineMs) => {
      const { tasks, clock } = createManager({ killAfterMs: 1_000 });
      tasks.enqueue(new Stubborn().run, { killAfterMs: 3_600_000 });
      const honours = tasks.enqueue(untilAborted);
      await clock.settle();
      const watched = watchPromise(tasks.stopGraceful({ deadlineMs }));
      await clock.advance(Math.max(0, deadlineMs - 1));
      if (deadlineMs > 0) expect(watched.outcome()).toBeUndefined();
      expect(honours.state).toBe(deadlineMs === 0 ? "cancelled" : honours.state);
      await clock.advance(1);
      expect(watched.outcome()).toBeDefined();
      expect(tasks.stats().total.abandoned).toBe(1);
    },
  );

  it("X1: is done by the deadline though the event loop was blocked when it should have aborted", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 1_000 });
    tasks.enqueue(new Stubborn().run);
    await clock.settle();
    const stopped = tasks.stopGraceful({ deadlineMs: 5_000 });
    await clock.settle();
    clock.block(4_800);
    await clock.advance(200);
    expect(await stopped).toMatchObject({ abandoned: 1, durationMs: 5_000 });
  });

  it("X1: is done by the deadline though a task that is being aborted is cancelled once more", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 1_000 });
    const handle = tasks.enqueue(new Stubborn().run, { killAfterMs: 3_600_000 });
    await clock.settle();
    const stopped = tasks.stopNow();
    await clock.advance(900);
    expect(handle.cancel("why")).toBe(true); // any abort takes precedence over a stop's
    await clock.advance(100);
    expect(await stopped).toEqual(report({ alive: 1, abandoned: 1, durationMs: 1_000 }));
    expect(await rejectionOf(handle.result())).toMatchObject({ cause: "why" });
  });

  it("X1: a long killAfterMs of a task is capped by the manager's, a short one is kept", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 1_000 });
    const short = tasks.enqueue(new Stubborn().run, { killAfterMs: 100 });
    const long = tasks.enqueue(new Stubborn().run, { killAfterMs: 100_000 });
    const aborted = tasks.enqueue(new Stubborn().run, { killAfterMs: 100_000, timeoutMs: 10 });
    await clock.advance(10);
    const stopped = tasks.stopNow();
    await clock.advance(100);
    expect([short.state, long.state, aborted.state]).toEqual(["cancelled", "running", "running"]);
    await clock.advance(900);
    expect(await stopped).toEqual(report({ alive: 3, abandoned: 3, durationMs: 1_000 }));
    expect(tasks.get(aborted.id)).toMatchObject({ state: "failed", reason: "timeout" });
  });
});

describe("stopNow", () => {
  it("X1: aborts what runs and cancels what waits, and is done when all have ended", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const honours = tasks.enqueue(untilAborted);
    const queued = tasks.enqueue(() => "ran");
    const scheduled = tasks.enqueue(() => "ran", { delayMs: 10 });
    await clock.settle();
    expect(await tasks.stopNow()).toEqual(report({ alive: 3, cancelled: 1, neverStarted: 2 }));
    for (const handle of [honours, queued, scheduled])
      expect(await rejectionOf(handle.result())).toBeInstanceOf(ManagerStoppedError);
    expect(tasks.stats().total.started).toBe(1);
  });

  it("X1: shortens a graceful stop that is under way, and both promises give one report", async () => {
    const { tasks, clock } = createManager();
    tasks.enqueue(new Stubborn().run);
    tasks.enqueue(() => "ran", { delayMs: 8_000 });
    await clock.settle();
    const graceful = tasks.stopGraceful({ deadlineMs: 60_000 });
    await clock.advance(2_000);
    const now = tasks.stopNow();
    await clock.advance(1_000);
    const given = await now;
    expect(given).toEqual(report({ alive: 2, abandoned: 1, neverStarted: 1, durationMs: 3_000 }));
    expect(await graceful).toBe(given);
    expect(tasks.stopNow()).toBe(now);
    expect(Object.isFrozen(given)).toBe(true);
  });

  it("X1: does not lengthen a graceful stop that is nearly over", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 1_000 });
    tasks.enqueue(new Stubborn().run);
    await clock.settle();
    const graceful = tasks.stopGraceful({ deadlineMs: 5_000 });
    await clock.advance(4_900);
    void tasks.stopNow();
    await clock.advance(100);
    expect(await graceful).toMatchObject({ abandoned: 1, durationMs: 5_000 });
  });

  it("X1: counts what a graceful stop has let complete before", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    tasks.enqueue(() => new Promise((yes) => clock.setTimeout(() => yes(1), 50)));
    tasks.enqueue(untilAborted);
    tasks.enqueue(() => "ran");
    await clock.settle();
    const graceful = tasks.stopGraceful();
    await clock.advance(100);
    expect(await tasks.stopNow()).toEqual(
      report({ alive: 3, completed: 1, cancelled: 1, neverStarted: 1, durationMs: 100 }),
    );
    await graceful;
  });
});

describe("what a stopping manager refuses", () => {
  it.each(["stopGraceful", "stopNow"] as const)(
    "refuses every way in after %s, and afterwards",
    async (stop) => {
      const { tasks, clock } = createManager();
      tasks.enqueue(new Stubborn().run);
      await clock.settle();
      const stopped = tasks[stop]();
      const expectRefusal = async () => {
        expect(() => tasks.enqueue(() => 1)).toThrow(NotAcceptingError);
        expect(() => tasks.enqueueMany([() => 1])).toThrow(NotAcceptingError);
        expect(await rejectionOf(tasks.enqueueAsync(() => 1))).toBeInstanceOf(NotAcceptingError);
        expect(await rejectionOf(tasks.execute(() => 1))).toBeInstanceOf(NotAcceptingError);
      };
      await expectRefusal();
      await clock.advance(10_000);
      await stopped;
      await expectRefusal();
      expect(tasks.stats().total.enqueued).toBe(1);
      tasks.start(); // has no effect any more
      expect(tasks.stats().phase).toBe("stopped");
    },
  );

  it("sends calls away that wait for room", async () => {
    const { tasks, clock } = createManager({ capacity: 5, concurrency: 1 });
    tasks.enqueue(untilAborted);
    await clock.settle();
    tasks.enqueueMany([() => 1, () => 1, () => 1, () => 1, () => 1]);
    const waiting = [tasks.enqueueAsync(() => 1), tasks.execute(() => 1)].map(rejectionOf);
    await clock.settle();
    expect(tasks.stats().waitingForRoom).toBe(2);
    void tasks.stopGraceful();
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(NotAcceptingError);
    expect(tasks.stats().waitingForRoom).toBe(0);
  });

  it("refuses a deadlineMs that is none, with a promise, and goes on", async () => {
    const { tasks } = createManager();
    const options = { deadlineMS: 5 } as unknown as { deadlineMs: number };
    const error = await rejectionOf(tasks.stopGraceful(options));
    expect(error).toBeInstanceOf(OptionError);
    expect(String(error)).toContain("deadlineMs");
    expect(await tasks.enqueue(() => "goes on").result()).toBe("goes on");
  });
});

describe("stops of managers that do not run", () => {
  it("ends everything at once where autoStart is false", async () => {
    const { tasks } = createManager({ autoStart: false });
    tasks.enqueue(() => expect.unreachable("it was not started"));
    tasks.enqueue(() => expect.unreachable("it was not started"), { delayMs: 5 });
    expect(await tasks.stopGraceful()).toEqual(report({ alive: 2, neverStarted: 2 }));
  });

  it("ends what waits at once where it is paused, and lets go on what runs", async () => {
    const { tasks, clock } = createManager();
    const running = new Stubborn<string>();
    const handle = tasks.enqueue(running.run);
    await clock.settle();
    await tasks.pause();
    tasks.enqueue(() => expect.unreachable("it was paused"));
    const stopped = tasks.stopGraceful();
    await clock.advance(3_000);
    expect(tasks.stats()).toMatchObject({ queued: 0, running: 1 });
    running.resolve("done");
    expect(await stopped).toEqual(report({ alive: 2, completed: 1, neverStarted: 1, durationMs: 3_000 }));
    expect(await handle.result()).toBe("done");
  });

  it.each(["stopGraceful", "stopNow"] as const)(
    "X7: %s of an empty manager is done at once",
    async (stop) => {
      const { tasks, clock } = createManager();
      expect(await tasks[stop]()).toEqual(report({}));
      expect(clock.timers).toBe(0);
      expect(tasks.health()).toMatchObject({ status: "stopped", concerns: ["stopped"] });
    },
  );

  it("says in health that it stops", async () => {
    const { tasks, clock } = createManager();
    tasks.enqueue(untilAborted);
    await clock.settle();
    void tasks.stopGraceful();
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["stopping"] });
  });

  it("is disposed of by a graceful stop", async () => {
    const clock = new ManualClock();
    const tasks = new TaskManager({ clock });
    const handle = tasks.enqueue(() => "ran");
    await tasks[Symbol.asyncDispose]();
    expect(await handle.result()).toBe("ran");
    expect(tasks.stats().phase).toBe("stopped");
  });
});

describe("X7: a manager's signal", () => {
  it("X7: stops an empty manager, and is let go of", async () => {
    const controller = new AbortController();
    const { tasks, clock } = createManager({ signal: controller.signal });
    await clock.settle();
    controller.abort();
    await clock.settle();
    expect(tasks.stats().phase).toBe("stopped");
    expect(clock.timers).toBe(0);
  });

  it("X7: stops one that has work, as by stopNow", async () => {
    const controller = new AbortController();
    const { tasks, clock } = createManager({ signal: controller.signal, concurrency: 1 });
    const handles = [
      tasks.enqueue(untilAborted),
      tasks.enqueue(() => 1),
      tasks.enqueue(() => 1, { delayMs: 9 }),
    ];
    await clock.settle();
    controller.abort("over");
    expect(await tasks.stopNow()).toEqual(report({ alive: 3, cancelled: 1, neverStarted: 2 }));
    for (const handle of handles)
      expect(await rejectionOf(handle.result())).toBeInstanceOf(ManagerStoppedError);
  });

  it("X7: that has aborted already gives a manager that accepts nothing", async () => {
    const { tasks, clock } = createManager({ signal: AbortSignal.abort() });
    expect(() => tasks.enqueue(() => 1)).toThrow(NotAcceptingError);
    await clock.settle();
    expect(tasks.stats().phase).toBe("stopped");
    expect(await tasks.stopGraceful()).toEqual(report({}));
  });
});

describe("a stop in the middle of much work", () => {
  it.each(["stopGraceful", "stopNow"] as const)("X1: %s settles all of 100,000 tasks", async (stop) => {
    const count = 100_000;
    const { tasks, clock } = createManager({ capacity: count, concurrency: 50, tasksPerSecond: 1_000 });
    for (let index = 0; index < count; index++) {
      tasks.enqueue(
        index % 2 === 0 ? () => index : untilAborted,
        index % 5 === 0 ? { delayMs: index } : undefined,
      );
    }
    await clock.advance(20);
    const stopped = tasks[stop]();
    const turns = watchPromise(stopped);
    // 100,000 tasks in portions of 1,000: the walk takes turns of the loop, not time.
    await clock.settle(150);
    if (stop === "stopNow") expect(turns.outcome()).toBeDefined();
    await clock.advance(10_000);
    const { alive, durationMs, ...parts } = await stopped;
    expect(durationMs).toBeLessThanOrEqual(stop === "stopNow" ? 0 : 10_250);
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(alive);
    const { completed, failed, cancelled } = tasks.stats().total;
    expect(completed + failed + cancelled).toBe(count);
    expect(alive).toBeGreaterThan(count - 1_000);
  });
});
