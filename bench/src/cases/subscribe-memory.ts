import assert from "node:assert/strict";
import type { BenchCase } from "../bench-case.js";
import { collectGarbage } from "../collect-garbage.js";
import { createTaskManager, type TaskManager, type TaskResult } from "../millrace.js";

const TASKS = 200_000;
const CAPACITY = 50_000;

async function bytesInUse(): Promise<number> {
  await collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What is kept for each of the results that there is room for, after four times as many. */
async function bytesPerResult(keep: (tasks: TaskManager) => () => number): Promise<number> {
  const tasks = createTaskManager();
  tasks.setRetention({ maxEntries: 0 });
  const work = async () => 1;
  const run = async () => {
    for (let index = 0; index < TASKS; index += 1) tasks.enqueue(work);
    await tasks.drain();
  };
  await run(); // so that what the manager itself has grown by is there before
  const before = await bytesInUse();
  const kept = keep(tasks);
  await run();
  const after = await bytesInUse();
  assert.equal(kept(), CAPACITY);
  await tasks.stopGraceful();
  return (after - before) / CAPACITY;
}

/** A subscriber that never reads. */
function stalled(tasks: TaskManager): () => number {
  const subscription = tasks.subscribe({ capacity: CAPACITY });
  return () => {
    assert.equal(subscription.dropped, TASKS - CAPACITY);
    return subscription.buffered;
  };
}

/** The arithmetic: as many results, and a place for each in an array. */
function inArray(tasks: TaskManager): () => number {
  const subscription = tasks.subscribe();
  const results: TaskResult[] = [];
  void (async () => {
    for await (const result of subscription) if (results.push(result) === CAPACITY) break;
  })();
  return () => results.length;
}

export const subscribeMemory: BenchCase = {
  name: "subscribe-memory",
  what: "a result that waits for a subscriber who never reads, of 50,000; @array: results in an array",
  unit: "bytes/task",
  better: "lower",
  rounds: 3,
  contestants: [
    { name: "millrace", run: () => bytesPerResult(stalled) },
    { name: "millrace@array", run: () => bytesPerResult(inArray) },
  ],
  goals: [{ of: "millrace", to: "millrace@array", floor: 1.2 }],
};
