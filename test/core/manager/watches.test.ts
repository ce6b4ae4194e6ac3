import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Alarms } from "../../../src/core/manager/alarms.js";
import { SignalListeners } from "../../../src/core/manager/signal-listeners.js";
import { Watches } from "../../../src/core/manager/watches.js";
import type { Task } from "../../../src/task/task.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";

function createWatches(onEnd: (task: Task, watches: Watches) => void = () => {}) {
  const clock = new ManualClock();
  const alarms = new Alarms(clock);
  const seen: string[] = [];
  const watches: Watches = new Watches(alarms, new SignalListeners(), {
    aborted: (task, reason) => {
      seen.push(`${task.id} aborted: ${reason}`);
      onEnd(task, watches);
    },
    expired: (task, now) => {
      seen.push(`${task.id} expired at ${now}`);
      onEnd(task, watches);
    },
  });
  return { clock, alarms, watches, seen };
}

describe("Watches", () => {
  it("tells of a signal's abort, each task once, in the order of their coming", () => {
    const { watches, seen } = createWatches();
    const controller = new AbortController();
    for (const number of [1, 2, 3])
      watches.watch(newTask({ number, details: { signal: controller.signal } }));
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort("why");
    expect(seen).toEqual(["p-1 aborted: why", "p-2 aborted: why", "p-3 aborted: why"]);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  it("tells nothing of tasks that ended before, one that ends meanwhile included", () => {
    const tasks: Task[] = [];
    const { watches, seen } = createWatches((task, watches) => {
      if (task === tasks[0]) for (const other of tasks) watches.unwatch(other);
    });
    const controller = new AbortController();
    for (const number of [1, 2, 3]) tasks.push(newTask({ number, details: { signal: controller.signal } }));
    const gone = newTask({ number: 9, details: { signal: controller.signal } });
    watches.watch(gone);
    for (const task of tasks) watches.watch(task);
    watches.unwatch(gone);
    controller.abort("why");
    expect(seen).toEqual(["p-1 aborted: why"]);
  });

  it("listens no longer than a task needs it, and anew for the next", () => {
    const { watches } = createWatches();
    const { signal } = new AbortController();
    const task = newTask({ details: { signal } });
    for (let round = 0; round < 3; round++) {
      watches.watch(task);
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      watches.unwatch(task);
      watches.unwatch(task);
      expect(getEventListeners(signal, "abort")).toEqual([]);
    }
  });

  it("tells when a deadline passes, and nothing of one that was let go", async () => {
    const { clock, alarms, watches, seen } = createWatches();
    const [one, two] = [
      newTask({ details: { expiresAt: 10 } }),
      newTask({ number: 2, details: { expiresAt: 10 } }),
    ];
    watches.watch(one);
    watches.watch(two);
    watches.unwatch(two);
    await clock.advance(20);
    expect(seen).toEqual(["p-1 expired at 10"]);
    watches.unwatch(one);
    expect(alarms.size).toBe(0);
  });

  it("does nothing for a task that has neither", () => {
    const { alarms, watches } = createWatches();
    for (const details of [undefined, { name: "plain" }]) {
      watches.watch(newTask({ details }));
      watches.unwatch(newTask({ details }));
    }
    expect(alarms.size).toBe(0);
  });
});
