import { expect } from "vitest";
import {
  fixed,
  reschedule,
  type TaskFunction,
  type TaskHandle,
  type TaskManagerOptions,
  type TaskManagerStats,
  type TaskOptions,
} from "../../src/index.js";
import { isTerminal } from "../../src/task/states.js";
import type { TaskEventType } from "../../src/task/task-event.js";
import { ManualClock } from "../../src/testing/index.js";
import { OpenManager } from "./model-manager.js";

const CAPACITY = 4;
/** A listener that enqueues at every event would never come to an end. */
export const MOST_REACTIONS = 40;

export const EVENTS = [
  ...(["queued", "scheduled", "started", "retried", "rescheduled", "finished"] as const),
  ...(["progress", "dropped", "abandoned", "resultDropped", "stopping"] as const),
] satisfies readonly TaskEventType[];

/** What the test holds of one run. */
export interface Scene {
  readonly clock: ManualClock;
  readonly tasks: OpenManager;
  readonly handles: TaskHandle[];
  /** Ends by task id. */
  readonly ends: Map<string, string[]>;
  readonly seen: Set<TaskEventType>;
  mostWaiting: number;
  /** How many ids of its own the scene has used. */
  ids: number;
}

export function setScene(whenFull: "reject" | "drop-oldest", options?: TaskManagerOptions): Scene {
  const clock = new ManualClock();
  const queues = { narrow: { rateLimit: { tasksPerSecond: 100 }, maxConcurrency: 1 } };
  const backoff = fixed({ delayMs: 3 });
  const tasks = new OpenManager({
    ...{ clock, whenFull, backoff, queues, capacity: CAPACITY, concurrency: 2, killAfterMs: 5 },
    ...{ tasksPerSecond: 1_000, burst: 3, maxAttempts: 2, ...options },
  });
  const scene: Scene = {
    clock,
    tasks,
    handles: [],
    ends: new Map(),
    seen: new Set(),
    mostWaiting: 0,
    ids: 0,
  };
  tasks.subscribe({ capacity: 1 }); // nobody reads it
  tasks.core.journal.events.subscribe((event) => {
    scene.seen.add(event.type);
    if (event.type === "queued") scene.mostWaiting = Math.max(scene.mostWaiting, newlyWaiting(tasks));
    if (event.type !== "finished") return;
    const { id, state, reason } = event.task;
    scene.ends.set(id, [...(scene.ends.get(id) ?? []), `${state} ${reason}`]);
  });
  return scene;
}

/** Waiting tasks that were never started: retries are taken back whatever the capacity. */
function newlyWaiting({ core }: OpenManager): number {
  let waiting = 0;
  for (const task of core.registry) {
    if (task.startedAt === undefined && (task.state === "queued" || task.state === "scheduled")) waiting++;
  }
  return waiting;
}

/** Every kind of event happens, by retries, drops, timeouts that are ignored, waits for room, a stop. */
export async function play(scene: Scene): Promise<void> {
  const { clock, tasks, handles } = scene;
  const refused = () => undefined;
  const enqueue = (work: TaskFunction, options?: TaskOptions) => {
    try {
      handles.push(tasks.enqueue(work, options));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  };
  const enqueueMany = (entries: Parameters<OpenManager["enqueueMany"]>[0]) => {
    try {
      handles.push(...tasks.enqueueMany(entries));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  };
  const keep = (promise: Promise<TaskHandle>) => void promise.then((handle) => handles.push(handle), refused);
  for (let round = 0; round < 4; round++) {
    enqueue(() => new Promise(() => {}), { timeoutMs: 4, killAfterMs: 2, maxAttempts: 2 });
    enqueue(({ attempt, progress }) => {
      progress(attempt);
      progress("held back until the end");
      return attempt === 1 ? Promise.reject(new Error("once more")) : attempt;
    });
    await clock.advance(1);
    enqueue(() => round);
    enqueue(() => Promise.reject(new Error("always")), { backoff: fixed({ delayMs: 0 }) });
    enqueue(rescheduling(), { queue: "narrow" });
    keep(tasks.enqueueAsync(() => round, { priority: -1 }));
    await clock.advance(8);
    enqueue(async () => round, { delayMs: 3, ttlMs: 50 });
    keep(tasks.enqueueAsync(() => round, { queue: `q${round}`, ttlMs: 20 }));
    enqueueMany([() => 1, [() => 2, { id: `own-${scene.ids++}` }]]);
    for (let count = 0; count < CAPACITY; count++) enqueue(() => count);
    handles.at(-1)?.cancel("not needed");
    await clock.advance(6);
    enqueueMany([() => 1, () => 1, [() => 2, { id: `own-${scene.ids++}` }]]);
    await clock.advance(15);
  }
  const report = tasks.stopGraceful({ deadlineMs: 40 });
  await clock.advance(60);
  await report;
}

/** Asks to run again, once. */
function rescheduling(): () => Promise<number> {
  let again = true;
  return async () => {
    if (!again) return 1;
    again = false;
    throw reschedule({ delayMs: 2 });
  };
}

function isRefusal(error: unknown): boolean {
  const codes = ["MILLRACE_QUEUE_FULL", "MILLRACE_NOT_ACCEPTING", "MILLRACE_DUPLICATE_TASK"];
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** What holds whatever observers do. */
export async function expectSound(scene: Scene): Promise<void> {
  const { clock, tasks, handles, ends, mostWaiting } = scene;
  const stats: TaskManagerStats = tasks.stats();
  expect(stats).toMatchObject({ phase: "stopped", queued: 0, scheduled: 0, backingOff: 0, running: 0 });
  const { enqueued, completed, failed, cancelled } = stats.total;
  expect(completed + failed + cancelled).toBe(enqueued);
  expect(ends.size).toBe(enqueued);
  expect([...ends].filter(([, of]) => of.length !== 1)).toEqual([]);
  expect(
    handles.filter(({ state }) => !isTerminal(state)).map(({ id, state }) => `${id} is ${state}`),
  ).toEqual([]);
  await Promise.allSettled(handles.map((handle) => handle.result()));
  expect(mostWaiting).toBeLessThanOrEqual(CAPACITY);
  expect(tasks.core.registry.size).toBe(tasks.core.retention.size);
  expect(clock.timers).toBe(0);
}

/** What an observer does when it is told of something about the task with this id. */
export type Reaction = (scene: Scene, id: string) => unknown;

export const REACTIONS: Readonly<Record<string, Reaction>> = {
  "cancels the task": ({ tasks }, id) => tasks.controls.cancel(id, "by an observer"),
  "cancels all other tasks": ({ tasks }, id) => {
    for (const other of tasks.core.registry)
      if (other.id !== id) tasks.controls.cancel(other.id, "by an observer");
  },
  "calls cancelAll": ({ tasks }) => void tasks.controls.cancelAll("by an observer"),
  "enqueues another": ({ tasks, handles }) => handles.push(tasks.enqueue(() => 1)),
  "enqueues another that goes first": ({ tasks, handles }) => {
    handles.push(tasks.enqueue(async () => 1, { priority: -5, cost: 2 }));
  },
  "takes ids that are about to be used": ({ tasks, handles, ids }) => {
    handles.push(tasks.enqueue(() => 1, { id: `own-${ids}` }));
    handles.push(tasks.enqueue(() => 1, { id: `own-${ids - 1}` }));
  },
  "enqueues when there is room": ({ tasks, handles }) => {
    void tasks
      .enqueueAsync(() => 1)
      .then(
        (handle) => handles.push(handle),
        () => undefined,
      );
  },
  "stops at once": ({ tasks }) => void tasks.stopNow(),
  "stops gracefully": ({ tasks }) => void tasks.stopGraceful({ deadlineMs: 10 }),
  "pauses and resumes": ({ tasks }) => {
    void tasks.controls.pause();
    void tasks.controls.pause({ queue: "default" });
    tasks.controls.resume();
    tasks.controls.resume({ queue: "default" });
  },
  "changes rates and concurrency": ({ tasks }) => {
    tasks.controls.setRate({ tasksPerSecond: 500, burst: 3 });
    tasks.controls.setRate({ queue: "q1", tasksPerSecond: 50 });
    tasks.controls.setConcurrency({ inline: 1 });
  },
  "gives the task another priority": ({ tasks }, id) => tasks.controls.reprioritize(id, -9),
  "forgets what is finished": ({ tasks }) => tasks.controls.setRetention({ maxEntries: 0 }),
};
