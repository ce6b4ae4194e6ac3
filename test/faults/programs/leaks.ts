/**
 * A program of its own, run with `--expose-gc`: 200,000 tasks of all kinds through one manager. Prints what
 * the heap holds before and after, and what keeps the process alive after the stop, as JSON.
 */
import {
  cancelTask,
  fixed,
  rateLimited,
  reschedule,
  skipRetry,
  type TaskContext,
  type TaskHandle,
  TaskManager,
  type TaskOptions,
} from "../../../src/index.js";

// Run from its sources, whose source maps would make each stack cost a tenth of a millisecond.
Error.stackTraceLimit = 0;

const WARM_UP = 20_000;
const TASKS = 200_000;
const PER_ROUND = 2_000;

const collect = (globalThis as { gc?: () => void }).gc ?? (() => {});
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function heapBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await turn();
    collect();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const untilAborted = ({ signal }: TaskContext) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

/** What the handler of the n-th task does, and with which options. */
function enqueue(tasks: TaskManager, number: number, shared: AbortSignal): TaskHandle {
  const options: TaskOptions = { queue: `q${number % 50}`, maxAttempts: 2, backoff: fixed({ delayMs: 1 }) };
  switch (number % 16) {
    case 0:
      return tasks.enqueue(() => new Array<number>(64).fill(number), { id: `own-${number}` });
    case 1:
      return tasks.enqueue(async () => "x".repeat(200));
    case 2:
      return tasks.enqueue(() => Promise.reject(new Error("once more")), options);
    case 3:
      return tasks.enqueue(({ attempt }) => (attempt === 1 ? Promise.reject(null) : attempt), options);
    case 4:
      return tasks.enqueue(untilAborted, { ...options, timeoutMs: 1 });
    case 5:
      return tasks.enqueue(untilAborted, { ttlMs: 2 });
    case 6:
      return tasks.enqueue(untilAborted, { signal: AbortSignal.timeout(2) });
    case 7:
      return tasks.enqueue(() => 1, { delayMs: 2, metadata: { number, text: "y".repeat(50) } });
    case 8:
      return tasks.enqueue(() => 1, { delayMs: 1_000_000, signal: shared });
    case 9:
      return tasks.enqueue(() => Promise.reject(cancelTask(number)));
    case 10:
      return tasks.enqueue(() => Promise.reject(skipRetry(new Error("no more"))), options);
    case 11:
      return tasks.enqueue(() => new Promise<never>(() => {}), { timeoutMs: 1, killAfterMs: 0 });
    case 12:
      return tasks.enqueue(onceRefused(reschedule({ delayMs: 1 })));
    case 13:
      return tasks.enqueue(onceRefused(rateLimited({ retryAfterMs: 1 })));
    case 14:
      return tasks.enqueue(() => 1, { name: `task ${number}`, correlationId: `c${number}`, ttlMs: 60_000 });
    default:
      return tasks.enqueue(untilAborted, { signal: shared, priority: -(number % 10) });
  }
}

function onceRefused(steering: Error): () => number {
  let refused = false;
  return () => {
    if (refused) return 1;
    refused = true;
    throw steering;
  };
}

async function round(tasks: TaskManager, from: number): Promise<void> {
  const controller = new AbortController();
  const results: Promise<unknown>[] = [];
  for (let number = from; number < from + PER_ROUND; number++) {
    const handle = enqueue(tasks, number, controller.signal);
    if (number % 3 === 0) results.push(handle.result().catch(() => undefined));
    if (number % 7 === 0) results.push(handle.result({ timeoutMs: 1 }).catch(() => undefined));
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort(new Error("enough"));
  await tasks.drain();
  await Promise.all(results);
}

const tasks = new TaskManager({ capacity: PER_ROUND, concurrency: 200, maxAbandoned: 1_000_000 });
for (let done = 0; done < WARM_UP; done += PER_ROUND) await round(tasks, done);
const before = await heapBytes();
for (let done = 0; done < TASKS; done += PER_ROUND) await round(tasks, WARM_UP + done);
const after = await heapBytes();
const { enqueued, completed, failed, cancelled, abandoned } = tasks.stats().total;
const queues = Object.keys(tasks.stats().queues).length;
await tasks.stopGraceful({ deadlineMs: 1_000 });
await turn();
const resources = process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|FSReq/.test(name));
const ended = completed + failed + cancelled;
console.log(JSON.stringify({ before, after, enqueued, ended, abandoned, queues, resources }));
