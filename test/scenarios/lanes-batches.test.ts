import { describe, expect, test } from "vitest";
import { createThreaded, type ThreadedManager } from "../support/threaded-manager.js";

const slots = (manager: ThreadedManager) => manager.stats().lanes.threads.running;

/** A manager of one slot that takes so many at a time. */
function createBatched(size: number, options: Parameters<typeof createThreaded>[0] = {}): ThreadedManager {
  const manager = createThreaded({ threads: { max: 1 }, ...options });
  manager.pool.batch = () => size;
  return manager;
}

describe("attempts that share a slot", () => {
  test("are as many of one handler as the pool takes at a time", async () => {
    const manager = createBatched(3, { threads: { max: 2 } });
    for (const payload of [1, 2, 3, 4, 5]) manager.enqueue(payload);
    for (const payload of ["a", "b"]) manager.enqueue(payload, { queue: "default" }, "zip");
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([1, 2, 3, 4, 5]);
    expect([slots(manager), manager.stats().running]).toEqual([2, 5]);
    expect(manager.stats().handlers["hash"]?.running).toBe(5);
  });

  test("give it back when the last of them is over, in whatever order they end", async () => {
    const manager = createBatched(3);
    for (const payload of [1, 2, 3, 4]) manager.enqueue(payload);
    await manager.clock.advance(0);
    manager.pool.end(3);
    manager.pool.end(1);
    await manager.clock.advance(0);
    expect([slots(manager), manager.pool.payloads]).toEqual([1, [2]]);
    manager.pool.fail(2, new Error("broken"));
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([4]);
    manager.pool.end(4);
    expect(slots(manager)).toBe(0);
  });

  test("take it anew where all before have ended within the call that started them", async () => {
    const manager = createBatched(4);
    const used: number[] = [];
    manager.pool.onRun = ({ payload }) => {
      used.push(slots(manager));
      manager.pool.end(payload);
    };
    for (const payload of [1, 2, 3, 4, 5]) manager.enqueue(payload);
    await manager.clock.advance(0);
    expect(used).toEqual([1, 1, 1, 1, 1]);
    expect([slots(manager), manager.stats().total.completed]).toEqual([0, 5]);
  });

  test.each<[string, (manager: ThreadedManager) => void, unknown[]]>([
    [
      "another priority",
      (manager) => {
        manager.enqueue(1, { priority: -1 });
        manager.enqueue(2);
        manager.enqueue(3);
      },
      [1],
    ],
    [
      "what is transferred, in whichever place",
      (manager) => {
        manager.enqueue(1);
        manager.enqueue(2, { transfer: [] });
        manager.enqueue(3);
      },
      [1],
    ],
    [
      "what is transferred first",
      (manager) => {
        manager.enqueue(1, { transfer: [] });
        manager.enqueue(2);
      },
      [1],
    ],
    [
      "another queue",
      (manager) => {
        manager.enqueue(1);
        manager.enqueue(2, { queue: "other" });
      },
      [1],
    ],
    [
      "another weight, which is the same priority",
      (manager) => {
        manager.enqueue(1);
        manager.enqueue(2, { weight: 5 });
      },
      [2, 1],
    ],
  ])("are not joined by %s", async (_, enqueue, expected) => {
    const manager = createBatched(9);
    enqueue(manager);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual(expected);
  });

  test("take no more permits than there are, and the next waits for its own", async () => {
    const manager = createBatched(9, { tasksPerSecond: 1, burst: 3 });
    for (const payload of [1, 2, 3, 4, 5]) manager.enqueue(payload, payload === 2 ? { cost: 2 } : {});
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([1, 2]);
    for (const payload of [1, 2]) manager.pool.end(payload);
    await manager.clock.advance(1_000);
    expect(manager.pool.payloads).toEqual([3]);
  });

  test("are held to the limits of their queue and their handler", async () => {
    const manager = createBatched(9, { queues: { default: { maxConcurrency: 2 } } });
    manager.controls.setRate({ handler: "zip", tasksPerSecond: 1, burst: 3 });
    for (const payload of [1, 2, 3, 4, 5]) manager.enqueue(payload);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([1, 2]);
    for (const payload of ["a", "b", "c", "d"]) manager.enqueue(payload, { priority: -1 }, "zip");
    for (const payload of [1, 2]) manager.pool.end(payload);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual(["a", "b", "c"]);
    for (const payload of ["a", "b", "c"]) manager.pool.end(payload);
    await manager.clock.advance(999);
    expect(manager.pool.payloads).toEqual([3, 4]);
    for (const payload of [3, 4]) manager.pool.end(payload);
    await manager.clock.advance(0);
    manager.pool.end(5);
    expect(manager.pool.payloads).toEqual([]);
    await manager.clock.advance(1);
    expect(manager.pool.payloads).toEqual(["d"]);
  });

  test.each<[string, (manager: ThreadedManager) => void]>([
    ["a pause of all", ({ core }) => core.dispatcher.pause()],
    ["a pause of their queue", ({ controls }) => void controls.pause({ queue: "default" })],
    ["a stop", ({ core }) => void core.shutdown.stopNow()],
  ])("are joined by none after %s by who hears of the first", async (_, act) => {
    const manager = createBatched(9);
    manager.core.journal.events.subscribe(() => act(manager), ["started"]);
    for (const payload of [1, 2, 3]) manager.enqueue(payload);
    await manager.clock.advance(0);
    expect(manager.pool.all.map(({ payload }) => payload)).toEqual([1]);
  });

  test("leave out what ends in place of its start", async () => {
    const manager = createBatched(9);
    for (const payload of [1, 2, 3]) manager.enqueue(payload, payload === 2 ? { ttlMs: 50 } : {});
    manager.core.dispatcher.pause();
    await manager.clock.advance(49);
    manager.core.journal.events.subscribe(() => manager.clock.block(5), ["started"]);
    manager.core.dispatcher.resume();
    await manager.clock.settle();
    expect(manager.pool.payloads).toEqual([1, 3]);
    expect(manager.stats().total.failed).toBe(1);
  });

  test("begin each by themselves: one that waits for the one before is not charged", async () => {
    const manager = createBatched(2);
    manager.pool.beginsAtOnce = false;
    for (const payload of [1, 2]) manager.enqueue(payload, { timeoutMs: 100, killAfterMs: 10 });
    await manager.clock.advance(0);
    manager.pool.begin(1);
    await manager.clock.advance(90);
    manager.pool.end(1);
    manager.pool.begin(2);
    await manager.clock.advance(90);
    manager.pool.end(2);
    expect(manager.stats().total).toMatchObject({ completed: 2, timedOut: 0 });
    const ends = manager.events.filter((event) => event.type === "finished") as { task: { runMs: number } }[];
    expect(ends.map(({ task }) => task.runMs)).toEqual([90, 90]);
  });

  test("come to as much of each queue as its share says", async () => {
    const manager = createBatched(8, {
      ...{ capacity: 100_000, queues: { large: { share: 3 }, small: { share: 1 } } },
    });
    const counts = { large: 0, small: 0 };
    let farthestOff = 0;
    manager.core.journal.events.subscribe(
      (event) => {
        if (event.type !== "started") return;
        counts[event.task.queue as keyof typeof counts]++;
        if (counts.large < 500)
          // then it is empty
          farthestOff = Math.max(farthestOff, Math.abs(counts.large - counts.small * 3));
      },
      ["started"],
    );
    manager.pool.onRun = ({ payload }) => queueMicrotask(() => manager.pool.end(payload));
    manager.core.dispatcher.pause();
    let payload = 0;
    for (const queue of ["large", "small"])
      for (let count = 0; count < 500; count++) manager.enqueue(++payload, { queue });
    manager.core.dispatcher.resume();
    await manager.clock.settle(20);
    expect(manager.stats().total.completed).toBe(1_000);
    expect(farthestOff).toBeLessThanOrEqual(3 * 8);
  });
});
