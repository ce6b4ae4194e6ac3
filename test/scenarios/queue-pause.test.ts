import { describe, expect, test } from "vitest";
import { createManager, untilAborted } from "../support/manual-manager.js";

describe("pause of all", () => {
  test("starts nothing more, lets go on what runs, and goes on in order after a resume", async () => {
    const { clock, tasks } = createManager({ concurrency: 2 });
    const sleep = (ms: number) => () => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    tasks.enqueue(sleep(10), { id: "running" });
    await clock.settle();
    await tasks.pause();
    const started: string[] = [];
    tasks.enqueue(() => started.push("second"));
    tasks.enqueue(() => started.push("first"), { priority: -1 });
    tasks.enqueue(() => started.push("third"), { delayMs: 5 });
    await clock.advance(100);
    expect(tasks.get("running")?.state).toBe("completed");
    expect(started).toEqual([]);
    expect(tasks.stats()).toMatchObject({ paused: true, queued: 3, running: 0 });
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["paused"], oldestWaitMs: 100 });
    tasks.resume();
    await clock.settle();
    expect(started).toEqual(["first", "second", "third"]);
    expect(tasks.stats().paused).toBe(false);
    expect(tasks.health()).toMatchObject({ status: "ok", oldestWaitMs: 0 });
  });

  test("takes effect at once, also on what was enqueued before it in the same call", async () => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(() => 1);
    void tasks.pause();
    await clock.settle();
    expect(handle.state).toBe("queued");
    tasks.resume();
    tasks.resume();
    await clock.settle();
    expect(handle.state).toBe("completed");
  });

  test("with wait resolves when what was running has ended", async () => {
    const { clock, tasks } = createManager({ concurrency: 2 });
    const sleep = (ms: number) => () => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    for (const ms of [10, 20]) tasks.enqueue(sleep(ms));
    const late = tasks.enqueue(sleep(1));
    await clock.settle();
    let paused = false;
    void tasks.pause({ wait: true }).then(() => {
      paused = true;
    });
    await clock.advance(19);
    expect(paused).toBe(false);
    await clock.advance(1);
    expect(paused).toBe(true);
    expect(late.state).toBe("queued");
    await tasks.pause({ wait: true });
  });

  test.each([undefined, "one"])("with wait (queue: %s) resolves when it is undone first", async (queue) => {
    const { clock, tasks } = createManager();
    const running = tasks.enqueue(untilAborted, { queue: "one" });
    await clock.settle();
    let waited = false;
    void tasks.pause({ queue, wait: true }).then(() => {
      waited = true;
    });
    await clock.settle();
    expect(waited).toBe(false);
    tasks.resume({ queue });
    await clock.settle();
    expect(waited).toBe(true);
    expect(running.state).toBe("running");
    await tasks.stopNow();
  });

  test("does not keep tasks from being cancelled, expired or accepted", async () => {
    const { clock, tasks } = createManager({ capacity: 3 });
    await tasks.pause();
    tasks.enqueue(() => 1, { id: "cancelled" });
    tasks.enqueue(() => 1, { id: "expired", ttlMs: 10 });
    await tasks.cancel("cancelled");
    await clock.advance(10);
    expect(tasks.get("cancelled")?.state).toBe("cancelled");
    expect(tasks.get("expired")).toMatchObject({ state: "failed", reason: "deadline", attempt: 0 });
  });

  test("autoStart: false is undone by start alone, once", async () => {
    const { clock, tasks } = createManager({ autoStart: false });
    const handle = tasks.enqueue(() => 1);
    tasks.resume();
    await clock.settle();
    expect(handle.state).toBe("queued");
    expect(tasks.health().concerns).toEqual(["not-started"]);
    tasks.start();
    await clock.settle();
    expect(handle.state).toBe("completed");
    await tasks.pause();
    tasks.start();
    expect(tasks.stats()).toMatchObject({ paused: true, phase: "running" });
  });
});

describe("pause of a queue", () => {
  test("holds that one up and no other", async () => {
    const { clock, tasks } = createManager({ concurrency: 1, queues: { email: {} } });
    await tasks.pause({ queue: "email" });
    const email = tasks.enqueue(() => 1, { queue: "email", priority: -9 });
    const other = tasks.enqueue(() => 1);
    await clock.settle();
    expect([email.state, other.state]).toEqual(["queued", "completed"]);
    expect(tasks.stats()).toMatchObject({ paused: false, queues: { email: { paused: true, queued: 1 } } });
    expect(tasks.health().status).toBe("ok");
    tasks.resume({ queue: "email" });
    await clock.settle();
    expect(email.state).toBe("completed");
    expect(tasks.stats().queues["email"]).toMatchObject({ paused: false, queued: 0, completed: 1 });
  });

  test("holds for one that is not known yet, and is forgotten when it is resumed", async () => {
    const { clock, tasks } = createManager();
    await tasks.pause({ queue: "later" });
    const handle = tasks.enqueue(() => 1, { queue: "later" });
    await clock.settle();
    expect(handle.state).toBe("queued");
    tasks.resume({ queue: "later" });
    tasks.resume({ queue: "unknown" });
    await clock.settle();
    expect(handle.state).toBe("completed");
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
  });

  test("and a pause of all are undone separately", async () => {
    const { clock, tasks } = createManager({ queues: { email: {} } });
    await tasks.pause({ queue: "email" });
    await tasks.pause();
    const email = tasks.enqueue(() => 1, { queue: "email" });
    const other = tasks.enqueue(() => 1);
    tasks.resume();
    await clock.settle();
    expect([email.state, other.state]).toEqual(["queued", "completed"]);
    await tasks.pause();
    tasks.resume({ queue: "email" });
    await clock.settle();
    expect(email.state).toBe("queued");
    tasks.resume();
    await clock.settle();
    expect(email.state).toBe("completed");
  });

  test("with wait resolves when none of its tasks runs, whatever the others do", async () => {
    const { clock, tasks } = createManager({ queues: { email: {} } });
    const sleep = (ms: number) => () => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    tasks.enqueue(untilAborted);
    tasks.enqueue(sleep(10), { queue: "email" });
    await clock.settle();
    let paused = false;
    void tasks.pause({ queue: "email", wait: true }).then(() => {
      paused = true;
    });
    await clock.advance(9);
    expect(paused).toBe(false);
    await clock.advance(1);
    expect(paused).toBe(true);
    await tasks.pause({ queue: "unknown", wait: true });
  });
});

describe("setConcurrency", () => {
  test("starts more at once when it grows, and lets run what runs when it shrinks", async () => {
    const { clock, tasks } = createManager({ concurrency: 2 });
    const ends: (() => void)[] = [];
    for (let index = 0; index < 20; index++) tasks.enqueue(() => new Promise<void>((end) => ends.push(end)));
    await clock.settle();
    expect(tasks.stats().running).toBe(2);
    tasks.setConcurrency({ inline: 5 });
    await clock.settle();
    expect(tasks.stats()).toMatchObject({ running: 5, lanes: { inline: { concurrency: 5, free: 0 } } });
    tasks.setConcurrency({ inline: 1 });
    await clock.settle();
    expect(tasks.stats()).toMatchObject({ running: 5, lanes: { inline: { concurrency: 1, free: 0 } } });
    for (const end of ends.splice(0, 4)) end();
    await clock.settle();
    expect(tasks.stats().running).toBe(1);
    ends.shift()?.();
    await clock.settle();
    expect(tasks.stats().running).toBe(1);
    tasks.setConcurrency({});
    expect(tasks.stats().lanes.inline.concurrency).toBe(1);
  });
});
