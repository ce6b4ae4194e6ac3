import { expect, test } from "vitest";
import { ManualClock } from "../../src/testing/index.js";
import { OpenManager } from "../support/model-manager.js";

test("a call that waits for room is not accepted by the abort of its own signal that makes the room", async () => {
  const clock = new ManualClock();
  const tasks = new OpenManager({ clock, capacity: 2, autoStart: false });
  const controller = new AbortController();
  const { signal } = controller;
  const first = tasks.enqueue(() => 1, { signal });
  tasks.enqueue(() => 1);
  const second = tasks.enqueueAsync(() => 1, { signal, id: "second" });
  const third = tasks.enqueueAsync(() => 1);
  controller.abort("enough");
  await expect(second).rejects.toMatchObject({ code: "MILLRACE_TASK_CANCELLED", cause: "enough" });
  expect(first.state).toBe("cancelled");
  expect((await third).state).toBe("queued");
  expect(tasks.stats()).toMatchObject({ queued: 2, waitingForRoom: 0, total: { enqueued: 3 } });
  await tasks.stopNow();
});
