import { expect, onTestFinished, test } from "vitest";
import { createManager } from "../support/manual-manager.js";

test("a large backlog runs though the global Promise was replaced since its results were asked for", async () => {
  const { clock, tasks } = createManager({ capacity: 10_000, autoStart: false });
  let told = 0;
  const count = () => {
    told += 1;
  };
  for (let index = 0; index < 9_000; index += 1)
    tasks
      .enqueue(() => index, { priority: (index * 7_919) % 1_000 })
      .result()
      .then(count, () => {});
  const original = globalThis.Promise;
  onTestFinished(() => {
    globalThis.Promise = original;
  });
  globalThis.Promise = class Replaced<T> extends original<T> {} as PromiseConstructor;
  tasks.start();
  for (let turn = 0; turn < 100 && tasks.stats().queued > 0; turn += 1) await clock.settle();
  expect(tasks.stats()).toMatchObject({ queued: 0, total: { completed: 9_000 } });
  await clock.settle();
  expect(told).toBe(9_000);
});
