import { expect, onTestFinished, test } from "vitest";
import { defineHandlers, json, memoryBackend, type TaskManagerOptions } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { ThreadedManager } from "../support/threaded-manager.js";

const module = new URL("file:///worker.js");
const payload = json<string>();

/** A manager of durable tasks with a handler in each lane; the slots of threads are the test's own. */
function createLanes(options: TaskManagerOptions) {
  const clock = new ManualClock();
  const inline: string[] = [];
  const run = async (name: string) => {
    inline.push(name);
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
  };
  const handlers = defineHandlers({ here: { payload, run }, there: { payload, module } });
  const backend = memoryBackend({ clock });
  const manager = new ThreadedManager({ handlers, backend, autoStart: false, ...options }, clock);
  const { calls, shutdown } = manager.core;
  onTestFinished(async () => {
    const stopped = shutdown.stopNow();
    await clock.advance(20_000);
    await stopped;
    expect(clock.timers).toBe(0);
  });
  const enqueue = async (handler: "here" | "there", count: number) => {
    for (let n = 0; n < count; n++) await calls.enqueueDurable(handler, `durable ${n}`, {});
  };
  return { clock, enqueue, inline, manager };
}

test("durable tasks of the event loop have their turns beside those of this process, though a thread is idle", async () => {
  const { clock, enqueue, inline, manager } = createLanes({ concurrency: 1 });
  await enqueue("here", 20);
  for (let n = 0; n < 20; n++) manager.enqueue(`local ${n}`, {}, "here");
  manager.controls.start();
  await clock.advance(200);
  const first = inline.slice(0, 20).filter((name) => name.startsWith("durable"));
  expect(first.length).toBeGreaterThanOrEqual(9);
  expect(first.length).toBeLessThanOrEqual(11);
  await clock.advance(300);
  expect(inline).toHaveLength(40);
});

const limits = { tasksPerSecond: 10, burst: 1 };

test.each<readonly [string, TaskManagerOptions]>([
  ["one permit at a time", limits],
  ["a queue that runs one at a time", { queues: { default: { maxConcurrency: 1 } } }],
])(
  "durable tasks of threads have their turns where %s is left, and the event loop has none",
  async (_, options) => {
    const { clock, enqueue, manager } = createLanes(options);
    await enqueue("there", 3);
    manager.controls.start();
    for (let n = 0; n < 3; n++) {
      await clock.advance(n === 0 ? 1 : 100);
      expect(manager.pool.payloads).toEqual([`durable ${n}`]);
      manager.pool.end(`durable ${n}`);
    }
  },
);

test.each<readonly [string, TaskManagerOptions]>([
  ["one permit at a time", limits],
  ["a queue that runs one at a time", { queues: { default: { maxConcurrency: 1 } } }],
])("neither lane starves where %s is left for the durable tasks of both", async (_, options) => {
  const { clock, enqueue, inline, manager } = createLanes(options);
  await enqueue("here", 10);
  await enqueue("there", 10);
  manager.controls.start();
  const { pool } = manager;
  let there = 0;
  for (let ms = 0; ms < 2_200; ms += 10) {
    await clock.advance(10);
    for (const handed of pool.payloads) {
      pool.end(handed);
      there++;
    }
  }
  expect([inline.length, there]).toEqual([10, 10]);
});
