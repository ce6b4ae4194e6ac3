import { describe, expect, test } from "vitest";
import { rateLimited } from "../../../src/index.js";
import { type ObservedManager, observeManager, Stubborn } from "../../support/observed-manager.js";

const limitedMs = ({ core, clock }: ObservedManager) => core.dispatcher.limitedMs(clock.now());

/** One permit each second, of which the first is taken. */
async function createLimited(): Promise<ObservedManager> {
  const manager = observeManager({ tasksPerSecond: 1, burst: 1 });
  manager.enqueue(() => "takes the permit");
  await manager.clock.advance(0);
  return manager;
}

describe("the time for which the shared limit alone keeps a task from its start", () => {
  test("grows while a task lacks a permit, and not while none waits", async () => {
    const manager = await createLimited();
    await manager.clock.advance(300);
    expect(limitedMs(manager)).toBe(0);
    manager.enqueue(() => 1);
    await manager.clock.advance(200);
    expect(limitedMs(manager)).toBe(200);
    await manager.clock.advance(10_000);
    expect(limitedMs(manager)).toBe(700);
  });

  test("counts each instant once, however many wait", async () => {
    const manager = await createLimited();
    for (let number = 0; number < 3; number++) manager.enqueue(() => number);
    await manager.clock.advance(60_000);
    expect(limitedMs(manager)).toBe(3_000);
  });

  test("does not grow while the slots are taken", async () => {
    const manager = observeManager({ tasksPerSecond: 1, burst: 1, concurrency: 1 });
    const stubborn = new Stubborn();
    manager.enqueue(stubborn.run);
    manager.enqueue(() => 1);
    await manager.clock.advance(5_000);
    expect(limitedMs(manager)).toBe(0);
    stubborn.resolve();
    await manager.clock.advance(0);
    expect([limitedMs(manager), manager.stats().total.completed]).toEqual([0, 2]);
  });

  test.each<[string, (manager: ObservedManager) => void]>([
    ["a pause", (manager) => void manager.pause()],
    ["the pause of the queue", (manager) => void manager.pause({ queue: "default" })],
    ["a cancellation", (manager) => void manager.cancelAll()],
    ["a higher rate", (manager) => manager.setRate({ tasksPerSecond: Number.POSITIVE_INFINITY })],
    ["a stop", (manager) => void manager.stopNow()],
    [
      "a subscriber that blocks",
      (manager) => {
        manager.subscribe({ overflow: "block", capacity: 1, blockTimeoutMs: 3_600_000 });
        manager.enqueue(() => 1).cancel();
      },
    ],
  ])("ends with %s", async (_, act) => {
    const manager = await createLimited();
    manager.enqueue(() => "wants a permit");
    await manager.clock.advance(400);
    act(manager);
    await manager.clock.advance(3_600);
    expect(limitedMs(manager)).toBe(400);
  });

  test("goes on after a pause where it was", async () => {
    const manager = await createLimited();
    for (let number = 0; number < 2; number++) manager.enqueue(() => number);
    await manager.clock.advance(400);
    await manager.pause();
    await manager.clock.advance(100);
    manager.resume();
    await manager.clock.advance(10_000);
    expect(limitedMs(manager)).toBe(400 + 500 + 1_000);
  });

  test("is that of a handler's rateLimited too, where that holds all starts back", async () => {
    const manager = observeManager();
    manager.enqueue(
      () => {
        throw rateLimited({ retryAfterMs: 700, scope: "all" });
      },
      { ttlMs: 1 },
    );
    await manager.clock.advance(0);
    manager.enqueue(() => 1);
    await manager.clock.advance(10_000);
    expect(limitedMs(manager)).toBe(700);
  });
});
