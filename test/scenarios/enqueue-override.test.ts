import { expect, test } from "vitest";
import { type TaskContext, type TaskHandle, TaskManager, type WrappedCall } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";

/** A manager that tells how often its own `enqueue` was called. */
class CountingManager extends TaskManager {
  enqueued = 0;

  override enqueue(first: unknown, second?: unknown, third?: unknown): TaskHandle<never> {
    this.enqueued++;
    if (first === "refused") throw new RangeError("refused by whoever overrides it");
    return super.enqueue(first as never, second as never, third as never);
  }
}

test("what a handler enqueues goes through the manager's own enqueue, and once through its middleware", async () => {
  const calls: WrappedCall[] = [];
  const clock = new ManualClock();
  const tasks = new CountingManager({
    clock,
    middleware: [
      {
        call: (request, next) => {
          calls.push(request.call);
          return next();
        },
      },
    ],
  });
  const outer = tasks.enqueue(async ({ enqueue }: TaskContext) => {
    const { id } = await enqueue(() => "inner", { id: "inner" });
    const refusal = await enqueue("refused", null).catch((error: unknown) => error);
    return [id, refusal];
  });
  await clock.advance(0);
  expect(await outer.result()).toEqual(["inner", new RangeError("refused by whoever overrides it")]);
  expect(tasks.get("inner")?.state).toBe("completed");
  expect(tasks.enqueued).toBe(3);
  expect(calls).toEqual(["enqueue", "enqueue"]);
  await tasks.stopNow();
});
