import { describe, expect, test } from "vitest";
import { fixed } from "../../src/index.js";
import { createThreaded, type ThreadedManager } from "../support/threaded-manager.js";

/** A pool that has one slot and makes a further one for a task that has waited for so long. */
function createGrowing(scaleUpAfterMs: number, max = 4): ThreadedManager {
  const manager = createThreaded({ threads: { max }, queues: { urgent: {}, calm: {} } });
  let slots = 1;
  manager.pool.wait = (used, waitedMs) => (used < slots ? 0 : Math.max(0, scaleUpAfterMs - waitedMs));
  manager.core.journal.events.subscribe(() => {
    slots = Math.max(slots, manager.core.lanes.threads?.running ?? 0);
  }, ["started"]);
  return manager;
}

describe("a pool that grows when tasks have waited", () => {
  test("makes one more slot for each that has, and not before", async () => {
    const manager = createGrowing(100);
    manager.enqueue(1);
    await manager.clock.advance(10);
    manager.enqueue(2);
    await manager.clock.advance(10);
    manager.enqueue(3);
    await manager.clock.advance(89);
    expect(manager.pool.payloads).toEqual([1]);
    await manager.clock.advance(1);
    expect(manager.pool.payloads).toEqual([1, 2]);
    await manager.clock.advance(9);
    expect(manager.pool.payloads).toEqual([1, 2]);
    await manager.clock.advance(1);
    expect(manager.pool.payloads).toEqual([1, 2, 3]);
    expect(manager.pool.all.map(({ at }) => at - (manager.pool.all[0]?.at ?? 0))).toEqual([0, 110, 120]);
  });

  test("starts at once what finds a slot that was given back", async () => {
    const manager = createGrowing(100);
    manager.enqueue(1);
    manager.enqueue(2);
    await manager.clock.advance(30);
    manager.pool.end(1);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([2]);
    manager.enqueue(3);
    await manager.clock.advance(99);
    expect(manager.pool.payloads).toEqual([2]);
    await manager.clock.advance(1);
    expect(manager.pool.payloads).toEqual([2, 3]);
  });

  test("is asked again where there are other slots", async () => {
    const manager = createGrowing(Number.POSITIVE_INFINITY);
    manager.enqueue(1);
    manager.enqueue(2);
    await manager.clock.advance(200_000);
    expect(manager.pool.payloads).toEqual([1]);
    manager.pool.wait = () => 0;
    manager.pool.host.setSlots(4);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([1, 2]);
  });

  test("is asked again for what a pause has kept for longer", async () => {
    const manager = createGrowing(1_000);
    const { clock, controls, pool } = manager;
    manager.enqueue(1);
    void controls.pause({ queue: "calm" });
    manager.enqueue("paused", { queue: "calm" });
    await clock.advance(5_000);
    manager.enqueue(2);
    await clock.advance(1);
    expect(pool.payloads).toEqual([1]);
    controls.resume({ queue: "calm" });
    await clock.advance(0);
    expect(pool.payloads).toEqual([1, "paused"]);
    await clock.advance(998);
    expect(pool.payloads).toEqual([1, "paused"]);
    await clock.advance(1);
    expect(pool.payloads).toEqual([1, "paused", 2]);
  });

  test("holds up nothing on the event loop meanwhile", async () => {
    const manager = createGrowing(100);
    for (const payload of [1, 2, 3]) manager.enqueue(payload, { priority: -9 });
    const mail = [4, 5, 6].map((payload) => manager.enqueue(payload, {}, "mail"));
    await manager.clock.advance(0);
    expect(await Promise.all(mail.map((handle) => handle.result()))).toEqual([4, 5, 6]);
    expect(manager.pool.payloads).toEqual([1]);
  });

  test("grows for what waits though more urgent tasks come again and again", async () => {
    const manager = createGrowing(100, 2);
    manager.enqueue("runs");
    manager.enqueue("calm", { priority: 5 });
    for (let count = 1; count <= 10; count++) {
      await manager.clock.advance(9);
      manager.enqueue(count);
    }
    expect(manager.pool.payloads).toEqual(["runs"]);
    await manager.clock.advance(10);
    expect(manager.pool.payloads).toEqual(["runs", 1]); // the slot is for whose turn it is
  });

  test("does not grow for one that has been cancelled, or started, meanwhile", async () => {
    const manager = createGrowing(100);
    manager.enqueue(1);
    const handle = manager.enqueue(2);
    await manager.clock.advance(50);
    manager.enqueue(3);
    handle.cancel();
    await manager.clock.advance(99);
    expect(manager.pool.payloads).toEqual([1]);
    await manager.clock.advance(1);
    expect(manager.pool.payloads).toEqual([1, 3]);
  });

  test("counts the wait of a retry from when it was due", async () => {
    const manager = createGrowing(100);
    manager.enqueue(1, { maxAttempts: 2, backoff: fixed({ delayMs: 30 }) });
    await manager.clock.advance(0);
    manager.pool.fail(1, new Error("again"));
    manager.enqueue(2);
    await manager.clock.advance(129);
    expect(manager.pool.payloads).toEqual([2]);
    await manager.clock.advance(1);
    expect(manager.pool.payloads).toEqual([2, 1]);
  });

  test("is not asked in vain, however many wait", async () => {
    const manager = createGrowing(100, 2);
    const wait = manager.pool.wait;
    let asked = 0;
    manager.pool.wait = (used, waitedMs) => {
      asked++;
      return wait(used, waitedMs);
    };
    for (let payload = 0; payload < 1_000; payload++) manager.enqueue(payload);
    await manager.clock.advance(99);
    expect(asked).toBeLessThan(10);
    for (let payload = 0; payload < 500; payload++) {
      manager.pool.end(payload);
      await manager.clock.advance(0);
    }
    expect(asked).toBeLessThan(1_020);
  });

  test("ends its wait where rounding leaves a last trace of it", async () => {
    const manager = createThreaded({ threads: { max: 2 } });
    await manager.clock.advance(1e9 / 3);
    let asked = 0;
    manager.pool.wait = (used, waitedMs) => {
      asked++;
      return used === 0 || waitedMs >= 1 / 3 ? 0 : 1 / 3 - waitedMs + Number.EPSILON;
    };
    manager.enqueue(1);
    manager.enqueue(2);
    await manager.clock.advance(1);
    expect(manager.pool.payloads).toEqual([1, 2]);
    expect(asked).toBeLessThan(10);
  });

  test("is left alone by a stop", async () => {
    const manager = createGrowing(100);
    const handles = [1, 2].map((payload) => manager.enqueue(payload));
    await manager.clock.advance(10);
    const stopped = manager.core.shutdown.stopGraceful(5_000);
    await manager.clock.advance(90);
    expect(manager.pool.payloads).toEqual([1, 2]);
    for (const payload of [1, 2]) manager.pool.end(payload);
    expect(await stopped).toMatchObject({ completed: 2 });
    expect(handles.map(({ state }) => state)).toEqual(["completed", "completed"]);
  });
});
