import { describe, expect, test } from "vitest";
import { toReadings } from "../../../src/core/manager/readings.js";
import { defineHandlers, json } from "../../../src/index.js";
import { observeManager, Stubborn } from "../../support/observed-manager.js";

describe("readings", () => {
  test("say of each group what waits and runs, also where nothing does", async () => {
    const stubborn = new Stubborn();
    const handlers = defineHandlers({ send: { payload: json<number>(), queue: "email", run: () => 1 } });
    const manager = observeManager({ handlers, concurrency: 1, queues: { rare: {} } });
    manager.enqueue(stubborn.run, { priority: -1 });
    manager.enqueue("send" as never, 1 as never);
    manager.enqueue(() => 2, { queue: "email" });
    manager.enqueue(() => 3, { queue: "email" });
    await manager.clock.advance(0);
    const { groups } = toReadings(manager.core);
    const lane = "inline";
    expect(groups).toEqual([
      { queue: "default", handler: undefined, lane, queued: 0, running: 1 },
      { queue: "email", handler: undefined, lane, queued: 2, running: 0 },
      { queue: "email", handler: "send", lane, queued: 1, running: 0 },
    ]);
    stubborn.resolve();
    await manager.clock.advance(0);
    expect(toReadings(manager.core).groups).toEqual(
      groups.map((group) => ({ ...group, queued: 0, running: 0 })),
    );
  });

  test("begin with the group of each handler, and that of plain functions", () => {
    const handlers = defineHandlers({
      send: { payload: json<number>(), queue: "email", run: () => 1 },
      resize: { payload: json<number>(), run: () => 1 },
    });
    const { core } = observeManager({ handlers, queues: { email: {}, images: {}, reports: {} } });
    expect(toReadings(core).groups.map(({ queue, handler }) => [queue, handler])).toEqual([
      ["default", undefined],
      ["email", "send"],
      ["default", "resize"],
    ]);
  });

  test("count what waits in queues that are not told apart together", async () => {
    const manager = observeManager({ autoStart: false });
    for (let number = 0; number < 500; number++) manager.enqueue(() => number, { queue: `tenant-${number}` });
    const { groups, stats } = toReadings(manager.core);
    expect(groups.find(({ queue }) => queue === "_OTHER")).toMatchObject({ queued: 400, running: 0 });
    expect(groups.reduce((sum, { queued }) => sum + queued, 0)).toBe(stats.queued);
  });
});
