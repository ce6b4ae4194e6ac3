import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import PQueue from "p-queue";
import type { BenchCase } from "../bench-case.js";
import { Countdown } from "../countdown.js";
import { createTaskManager } from "../millrace.js";
import { seededSample } from "../seeded-random.js";

const WAITING = 50_000;
const CANCELLED = 5_000;

/** From the first cancel until all callers have been told, so that neither side gains by settling late. */
async function cancelTimeMs(results: readonly Promise<void>[], cancelAll: () => void): Promise<number> {
  const told = Promise.allSettled(results);
  const startedAt = performance.now();
  cancelAll();
  const outcomes = await told;
  const elapsedMs = performance.now() - startedAt;
  assert(outcomes.every((outcome) => outcome.status === "rejected"));
  return elapsedMs;
}

async function millrace(): Promise<number> {
  const tasks = createTaskManager();
  const others = new Countdown(WAITING - CANCELLED);
  await tasks.pause();
  const handles = Array.from({ length: WAITING }, () => tasks.enqueue(async () => others.arrive()));
  const victims = Array.from(seededSample(CANCELLED, WAITING), (index) => handles[index]).filter(
    (handle) => handle !== undefined,
  );
  const results = victims.map((handle) => handle.result());
  const elapsedMs = await cancelTimeMs(results, () => {
    let cancelled = 0;
    for (const handle of victims) if (handle.cancel()) cancelled += 1;
    assert.equal(cancelled, CANCELLED);
  });
  tasks.resume();
  await others.finished;
  await tasks.stopGraceful();
  assert.equal(others.left, 0);
  return elapsedMs;
}

async function pQueue(): Promise<number> {
  const queue = new PQueue({ concurrency: 10, autoStart: false });
  const others = new Countdown(WAITING - CANCELLED);
  const victims = new Set(seededSample(CANCELLED, WAITING));
  const controllers = new Map<number, AbortController>();
  const results: Promise<void>[] = [];
  for (let index = 0; index < WAITING; index += 1) {
    if (!victims.has(index)) {
      void queue.add(async () => others.arrive());
      continue;
    }
    const controller = new AbortController();
    controllers.set(index, controller);
    results.push(queue.add(async () => others.arrive(), { signal: controller.signal }));
  }
  const elapsedMs = await cancelTimeMs(results, () => {
    for (const index of victims) controllers.get(index)?.abort();
  });
  queue.start();
  await others.finished;
  assert.equal(others.left, 0);
  return elapsedMs;
}

export const cancel: BenchCase = {
  name: "cancel",
  what: "cancel 5,000 of 50,000 waiting tasks at random, until the caller of each has been told",
  unit: "ms",
  better: "lower",
  rounds: 11,
  contestants: [
    { name: "millrace", run: millrace },
    { name: "p-queue", run: pQueue, once: true },
  ],
  goals: [
    { of: "millrace", floor: 50, aim: 20 },
    { of: "millrace", to: "p-queue" },
  ],
};
