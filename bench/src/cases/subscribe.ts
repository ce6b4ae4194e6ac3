import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import type { BenchCase } from "../bench-case.js";
import { Countdown } from "../countdown.js";
import { createTaskManager, type Subscription } from "../millrace.js";

const TASKS = 200_000;

/** Reads to the end; how many it was given. */
async function read(subscription: Subscription): Promise<number> {
  let count = 0;
  for await (const { state } of subscription) if (state === "completed") count += 1;
  return count;
}

/** The time until all tasks have ended; readers may take what is left in their buffers after that. */
async function rate(readers: number, stalled: number): Promise<number> {
  const tasks = createTaskManager();
  const ended = new Countdown(TASKS);
  const idle = Array.from({ length: stalled }, () => tasks.subscribe());
  const reading = Array.from({ length: readers }, () => tasks.subscribe());
  const counts = reading.map(read);
  const work = async () => ended.arrive();
  const startedAt = performance.now();
  for (let index = 0; index < TASKS; index += 1) tasks.enqueue(work);
  await ended.finished;
  await tasks.drain();
  const elapsedMs = performance.now() - startedAt;
  await tasks.stopGraceful();
  for (const [index, count] of (await Promise.all(counts)).entries()) {
    const { published, delivered, dropped } = reading[index] as Subscription;
    assert.equal(count, delivered);
    assert.equal(published, TASKS);
    assert.equal(delivered + dropped, TASKS);
  }
  for (const { buffered, dropped } of idle) assert.equal(buffered + dropped, TASKS);
  return (TASKS / elapsedMs) * 1_000;
}

export const subscribe: BenchCase = {
  name: "subscribe",
  what: "200,000 no-op async tasks while three subscribers read every result and a fourth never reads",
  unit: "tasks/s",
  better: "higher",
  rounds: 11,
  contestants: [
    { name: "millrace", run: () => rate(3, 1) },
    { name: "millrace@alone", run: () => rate(0, 0) },
    { name: "millrace@stalled", run: () => rate(0, 1) },
  ],
  goals: [
    { of: "millrace", to: "millrace@alone", floor: 0.8 },
    { of: "millrace@stalled", to: "millrace@alone" },
  ],
};
