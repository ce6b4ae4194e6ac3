import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import fastq from "fastq";
import PQueue from "p-queue";
import type { BenchCase } from "../bench-case.js";
import { collectGarbage } from "../collect-garbage.js";
import { Countdown } from "../countdown.js";
import { createTaskManager } from "../millrace.js";

const WAITING = 200_000;

const storage = new AsyncLocalStorage<object>();
const request = {};

/** Typed arrays live outside the heap, and count. */
async function bytesInUse(): Promise<number> {
  await collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** All tasks share one function: what a user's closure holds is not the library's. */
async function bytesPerTask(enqueueAll: () => void): Promise<number> {
  const before = await bytesInUse();
  storage.run(request, enqueueAll);
  const after = await bytesInUse();
  return (after - before) / WAITING;
}

async function millrace(keepHandles: boolean): Promise<number> {
  const tasks = createTaskManager();
  const countdown = new Countdown(WAITING);
  const kept = new Array<unknown>(keepHandles ? WAITING : 0).fill(undefined);
  let inContext = 0;
  const work = async () => {
    if (storage.getStore() === request) inContext += 1;
    countdown.arrive();
  };
  await tasks.pause();
  const figure = await bytesPerTask(() => {
    for (let index = 0; index < WAITING; index += 1) {
      const handle = tasks.enqueue(work);
      if (keepHandles) kept[index] = handle;
    }
  });
  assert(kept.every((handle) => handle !== undefined));
  tasks.resume();
  await countdown.finished;
  await tasks.stopGraceful();
  assert.equal(inContext, WAITING, "a task lost the async context of its enqueue");
  return figure;
}

async function fastqPromise(): Promise<number> {
  const countdown = new Countdown(WAITING);
  const queue = fastq.promise(async (_task: null) => countdown.arrive(), 10);
  queue.pause();
  const figure = await bytesPerTask(() => {
    for (let index = 0; index < WAITING; index += 1) void queue.push(null);
  });
  queue.resume();
  await countdown.finished;
  return figure;
}

async function pQueue(): Promise<number> {
  const countdown = new Countdown(WAITING);
  const queue = new PQueue({ concurrency: 10, autoStart: false });
  const work = async () => countdown.arrive();
  const figure = await bytesPerTask(() => {
    for (let index = 0; index < WAITING; index += 1) void queue.add(work);
  });
  queue.start();
  await countdown.finished;
  return figure;
}

export const memory: BenchCase = {
  name: "memory",
  what: "a waiting task while an AsyncLocalStorage is in use, of 200,000; millrace keeps the async context",
  unit: "bytes/task",
  better: "lower",
  rounds: 3,
  contestants: [
    { name: "millrace", run: () => millrace(false) },
    { name: "millrace@handles-kept", run: () => millrace(true) },
    { name: "fastq", run: fastqPromise },
    { name: "p-queue", run: pQueue },
  ],
  goals: [
    { of: "millrace", floor: 450, aim: 300 },
    { of: "millrace@handles-kept", floor: 450, aim: 300 },
    { of: "millrace", to: "fastq" },
    { of: "millrace", to: "p-queue" },
  ],
};
