import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import {
  defineHandlers,
  type HandlerEntry,
  type Hooks,
  type LateFaultDetails,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
  type TaskSnapshot,
  threadModule,
  type WorkerExitedDetails,
  type WorkerStartedDetails,
} from "../../dist/index.js";
import { crowding } from "./crowding.js";
import { answering } from "./schemas.js";

/** Handlers by name, of which the compiler knows no more than that. */
export type ThreadedHandlers = Record<string, HandlerEntry>;

const registerAll = (handlers: ThreadedHandlers) => defineHandlers(handlers);

/** A manager of the compiled package, since a thread runs compiled code. */
export type Threads = TaskManager<ReturnType<typeof registerAll>>;

type Options = Omit<TaskManagerOptions, "handlers" | "hooks">;

/** Native code that goes on after a stop takes its time on a crowded machine. */
const CLEAN_END_MS = 60_000;

/** The URL of a module that is kept for threads to run. */
export function fixture(name: string): URL {
  return new URL(`../fixtures/threads/${name}`, import.meta.url);
}

/** An entry for one export of a module; any payload will do. */
export function inThread(module: URL | string, exportName?: string, rest: Partial<HandlerEntry> = {}) {
  const url = typeof module === "string" ? fixture(module) : module;
  const make = threadModule as (url: URL, exportName?: string) => HandlerEntry["module"];
  return {
    payload: answering((value) => ({ value })),
    ...rest,
    module: make(url, exportName),
  } as HandlerEntry;
}

/** What most tests run. */
export const simpleHandlers: ThreadedHandlers = {
  add: inThread("simple.mjs"),
  echo: inThread("simple.mjs", "echo"),
  whichThread: inThread("simple.mjs", "whichThread"),
  sleep: inThread("simple.mjs", "sleep"),
  held: inThread("simple.mjs", "held"),
  heldStill: inThread("simple.mjs", "heldStill"),
  failing: inThread("simple.mjs", "failing"),
  environment: inThread("simple.mjs", "environment"),
  die: inThread("deaths.mjs", "die"),
};

/** Each kind of thread start, end and late fault that a manager has told of, and who waits for more. */
export class ThreadWatch {
  readonly started: WorkerStartedDetails[] = [];
  readonly exited: WorkerExitedDetails[] = [];
  readonly lateFaults: LateFaultDetails[] = [];
  readonly finished: TaskSnapshot[] = [];
  readonly progress: unknown[] = [];
  readonly #waiting = new Set<() => void>();

  readonly hooks: Hooks = {
    onWorkerStarted: (worker) => this.#add(this.started, worker),
    onWorkerExited: (worker) => this.#add(this.exited, worker),
    onLateFault: (fault) => this.#add(this.lateFaults, fault),
    onFinished: (task) => this.#add(this.finished, task),
    onProgress: (_task, value) => this.#add(this.progress, value),
  };

  /** Resolves as soon as it holds; it is asked whenever something has happened. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Why threads have ended, in order. */
  get reasons(): string[] {
    return this.exited.map(({ reason }) => reason);
  }

  #add<T>(list: T[], entry: T): void {
    list.push(entry);
    for (const look of [...this.#waiting]) look();
  }
}

export interface ThreadScene {
  readonly tasks: Threads;
  readonly watch: ThreadWatch;
  /** Enqueues and waits for the outcome. */
  run(handler: string, payload?: unknown, options?: TaskOptions): Promise<unknown>;
}

/** A manager of real threads; whoever makes it stops it. */
export function createManager(options: Options, handlers: ThreadedHandlers, watch: ThreadWatch): Threads {
  return new TaskManager({ ...options, handlers: registerAll(handlers), hooks: watch.hooks });
}

/** A manager of real threads that is stopped when the test is over; then nothing of it may be left. */
export function createThreads(options: Options = {}, more: ThreadedHandlers = {}): ThreadScene {
  const watch = new ThreadWatch();
  const threads = { max: 2, ...options.threads };
  const tasks = createManager(
    { killAfterMs: 100, ...options, threads },
    { ...simpleHandlers, ...more },
    watch,
  );
  onTestFinished(() => expectCleanEnd(tasks, watch), CLEAN_END_MS);
  return {
    tasks,
    watch,
    run: (handler, payload = {}, rest = {}) => tasks.enqueue(handler, payload, rest).result(),
  };
}

/** Stops it and checks what holds after every stop: each task has ended once, no thread is left. */
export async function expectCleanEnd(tasks: Threads, watch: ThreadWatch) {
  const begunAt = performance.now();
  await tasks.stopNow();
  expect(performance.now() - begunAt).toBeLessThan(1_500 * crowding());
  await untilAllExited(tasks);
  const { lanes, queued, running, scheduled, threads, total } = tasks.stats();
  expect({ queued, running, scheduled }).toEqual({ queued: 0, running: 0, scheduled: 0 });
  expect(lanes.threads).toMatchObject({ running: 0, abandoned: 0, held: 0 });
  expect(threads).toMatchObject({ alive: 0, starting: 0, busy: 0, started: watch.started.length });
  expect(total.completed + total.failed + total.cancelled).toBe(total.enqueued);
  expect(new Set(watch.finished.map(({ id }) => id)).size).toBe(watch.finished.length);
  expect(watch.finished.length).toBe(total.enqueued);
}

/** So many words of memory that a handler and the test share. */
export function shareWords(count = 2): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * 4));
}

/** Resolves when a word is at least so large; handlers wake who waits for it. */
export async function untilWord(words: Int32Array, index: number, least: number): Promise<void> {
  for (let seen = Atomics.load(words, index); seen < least; seen = Atomics.load(words, index)) {
    const { async, value } = waitAsync(words, index, seen);
    if (async) await value;
  }
}

/** Sets a word and wakes the handler that waits for it. */
export function setWord(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
  Atomics.notify(words, index);
}

interface Waiting {
  readonly async: boolean;
  readonly value: unknown;
}

/** The compiler's library does not know it yet for the language that we compile to. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(words: Int32Array, index: number, value: number): Waiting;
};

/**
 * Tasks that hold a thread until their words say otherwise, handed over together: which they are once the
 * handler is known to be quick, so on a busy machine some may have to show that first.
 */
export async function heldTogether({ tasks }: ThreadScene, each: readonly TaskOptions[]) {
  for (;;) {
    const open = shareWords();
    setWord(open, 1, 1);
    await Promise.all(Array.from({ length: 64 }, () => tasks.enqueue("heldStill", { words: open }).result()));
    const held = each.map((options) => {
      const words = shareWords();
      return { words, handle: tasks.enqueue("heldStill", { words }, options) };
    });
    await untilHolds(() => held[0]?.handle.state === "running");
    if (held.every(({ handle }) => handle.state === "running")) return held;
    for (const { words } of held) setWord(words, 1, 1);
    await Promise.all(held.map(({ handle }) => handle.result()));
  }
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error("It did not reject");
}

/** How long a promise took to settle, in milliseconds. */
export async function timeToSettle(promise: Promise<unknown>): Promise<number> {
  const begunAt = performance.now();
  await promise.catch(() => {});
  return performance.now() - begunAt;
}

/** A hundred small tasks run, all right and in time. */
export async function expectHundred({ tasks }: ThreadScene): Promise<void> {
  const handles = Array.from({ length: 100 }, (_, a) => tasks.enqueue("add", { a, b: 1 }));
  expect(await Promise.all(handles.map((handle: TaskHandle) => handle.result()))).toEqual(
    handles.map((_, a) => a + 1),
  );
}

export function pathOf(url: URL): string {
  return fileURLToPath(url);
}

/** What does not hold after so many turns of the event loop takes its time. */
const FIRST_TURNS = 50;

/**
 * Resolves when it holds; for what tells nobody, and is asked again: at first in each turn of the event loop, for
 * what comes and goes, then each millisecond, since who never rests takes a processor from those it waits for.
 */
export async function untilHolds(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turns = 0; !(await holds()); turns++) await (turns < FIRST_TURNS ? nextTurn() : delay(1));
}

/** Resolves when every thread has exited. A stop does not wait for that for ever, and hooks end with it. */
export function untilAllExited(tasks: Threads): Promise<void> {
  return untilHolds(() => {
    const { alive, exited, started } = tasks.stats().threads;
    return alive === 0 && Object.values(exited).reduce((sum, count) => sum + count, 0) >= started;
  });
}
