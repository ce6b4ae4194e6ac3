import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import type { Random, TaskHandle, TaskSnapshot } from "../../dist/index.js";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { failureOf, isTimed, type LoadPlan, LoadPlanner } from "./thread-plans.js";
import { createManager, inThread, type Threads, ThreadWatch, untilAllExited } from "./threads.js";

/** How many may be on their way at a time. */
const IN_FLIGHT = 400;
/** Nothing settles for so long: then something hangs. */
const SILENCE_MS = 30_000;
const LOOK_EVERY_MS = 2;

export interface LoadSize {
  readonly seed: number;
  readonly tasks: number;
  /** About so many threads are to die. */
  readonly deaths: number;
}

interface Loaded {
  readonly plan: LoadPlan;
  readonly index: number;
  readonly id: string;
  /** Whether a call of `cancel` has decided what becomes of it. */
  cancelled: boolean;
  ended: string | undefined;
}

/** Lets threads die in all ways while tasks flow, and holds what becomes of them against a ledger. */
export class ThreadLoad {
  readonly tasks: Threads;
  readonly watch = new ThreadWatch();
  /** Attempts that are inside the middleware. */
  wrapped = 0;
  readonly #size: LoadSize;
  readonly #planner: LoadPlanner;
  readonly #random: Random;
  /** Two words for each task and for each child of one; shared with all threads. */
  readonly #ledger: Int32Array;
  readonly #all: Loaded[] = [];
  readonly #unsettled = new Set<Loaded>();
  #lastSettledAt = performance.now();

  constructor(size: LoadSize) {
    const { seed, tasks, deaths } = size;
    this.#size = size;
    this.#random = seededRandom(seed + 1);
    this.#planner = new LoadPlanner(seededRandom(seed), deaths / tasks);
    this.#ledger = new Int32Array(new SharedArrayBuffer(tasks * 4 * 4));
    this.tasks = createManager(
      {
        ...{ capacity: 10_000, killAfterMs: 20, retention: { maxEntries: 0 }, random: seededRandom(seed) },
        ...(seed % 2 === 0 ? { tasksPerSecond: 5_000, burst: 20 } : {}),
        threads: {
          max: 4,
          idleTimeoutMs: 50,
          resourceLimits: { maxOldGenerationSizeMb: 48 },
          maxTasksPerThread: 5_000,
        },
        middleware: [(_, next) => this.#wrap(next)],
      },
      { quick: inThread("load.mjs", "quick"), work: inThread("load.mjs") },
      this.watch,
    );
  }

  /** Those that have not settled, by what they do. */
  get unsettled(): readonly string[] {
    return [...this.#unsettled].map(({ plan, id }) => [id, ...plan.plan].join(" "));
  }

  /** How each has ended that has, by the name of its error. */
  get outcomes(): readonly (string | undefined)[] {
    return this.#all.map(({ ended }) => ended);
  }

  /** Enqueues them all and waits until each has settled. */
  async run(): Promise<void> {
    for (let index = 0; index < this.#size.tasks; index++) {
      this.enqueue(index);
      if (index % 100 === 99) await this.tasks.setConcurrency({ threads: this.#drawSize() });
      if (this.#unsettled.size >= IN_FLIGHT) await this.#until(() => this.#unsettled.size < IN_FLIGHT / 2);
    }
    await this.#until(() => this.#unsettled.size === 0);
    await this.#until(() => this.tasks.stats().running + this.tasks.stats().queued === 0); // children too
  }

  /** Checks all that is promised, with nothing running any more. */
  expectSound(): void {
    const ends = this.#endsById();
    const broken = this.#all.flatMap((loaded) => this.#complaintsOf(loaded, ends.get(loaded.id)));
    expect(broken).toEqual([]);
    expect(this.wrapped).toBe(0);
    const { lanes, threads, total } = this.tasks.stats();
    expect(lanes.threads).toMatchObject({ running: 0, abandoned: 0, held: 0 });
    expect(threads.busy).toBe(0);
    expect(total.completed + total.failed + total.cancelled).toBe(total.enqueued);
    expect(this.watch.finished.length).toBe(total.enqueued);
    const attempts = this.watch.finished.reduce((sum, { attempt }) => sum + attempt, 0);
    expect(total.started).toBe(attempts + total.handedBack);
    expect(threads.lateFaults).toBe(this.watch.lateFaults.length);
    for (const { handler } of this.watch.lateFaults) expect(["quick", "work"]).toContain(handler);
  }

  /** Threads that have died of what ran in them. */
  get deaths(): number {
    const { idle, resized, stopped, "task-count": count, ...others } = this.tasks.stats().threads.exited;
    return Object.values(others).reduce((sum, each) => sum + each, 0);
  }

  async stop(): Promise<void> {
    await this.tasks.stopGraceful();
    await untilAllExited(this.tasks);
    expect(this.watch.started.length).toBe(this.tasks.stats().threads.started);
  }

  async #wrap(next: () => Promise<unknown>): Promise<unknown> {
    this.wrapped++;
    try {
      return await next();
    } finally {
      this.wrapped--;
    }
  }

  /** How many may be there now: threads come and go also without dying. */
  #drawSize(): { readonly min: number; readonly max: number } {
    const max = 1 + Math.floor(this.#random.next() * 4);
    return { min: Math.floor(this.#random.next() * (max + 1)), max };
  }

  enqueue(index: number): void {
    const plan = this.#planner.next();
    const payload = { ledger: this.#ledger, index, plan: plan.plan, child: this.#size.tasks + index };
    const handle = this.tasks.enqueue(plan.handler, payload, plan.options);
    const loaded: Loaded = { plan, index, id: handle.id, cancelled: false, ended: undefined };
    this.#all.push(loaded);
    this.#unsettled.add(loaded);
    handle.result().then(
      (value) => this.#settle(loaded, value === index ? "completed" : `completed with ${value}`),
      (error: Error) => this.#settle(loaded, error.name),
    );
    if (plan.cancelAfterTurns !== undefined) void this.#cancelLater(loaded, handle, plan.cancelAfterTurns);
  }

  #settle(loaded: Loaded, ended: string): void {
    loaded.ended = loaded.ended === undefined ? ended : `${loaded.ended}, then ${ended}`;
    this.#unsettled.delete(loaded);
    this.#lastSettledAt = performance.now();
  }

  async #cancelLater(loaded: Loaded, handle: TaskHandle, turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    loaded.cancelled = handle.cancel();
  }

  async #until(holds: () => boolean): Promise<void> {
    this.#lastSettledAt = performance.now();
    while (!holds()) {
      // Not in each turn: who looks all the time takes a processor from the threads that it looks at.
      await delay(LOOK_EVERY_MS);
      if (performance.now() - this.#lastSettledAt < SILENCE_MS) continue;
      const hanging = this.unsettled.slice(0, 20);
      const { lanes, threads } = this.tasks.stats();
      throw new Error(`seed ${this.#size.seed}: ${JSON.stringify({ hanging, lanes, threads })}`);
    }
  }

  #endsById(): ReadonlyMap<string, TaskSnapshot> {
    const ends = new Map(this.watch.finished.map((task) => [task.id, task]));
    expect(ends.size).toBe(this.watch.finished.length); // each has ended once
    return ends;
  }

  /** What is wrong with one task; nothing where its own plan explains all that became of it. */
  #complaintsOf({ plan: { plan }, index, id, cancelled, ended }: Loaded, end: TaskSnapshot | undefined) {
    const complaints: string[] = [];
    const said = `task ${id} (${plan.join(", ")}${cancelled ? ", cancelled" : ""})`;
    const begun = this.#ledger[index * 2];
    const returned = this.#ledger[index * 2 + 1];
    const { attempt = -1, state = "unknown" } = end ?? {};
    const expected = cancelled ? "TaskCancelledError" : outcomeOf(plan);
    const timedOut = isTimed(plan) && ended === "TaskTimeoutError";
    if (ended !== expected && !timedOut)
      complaints.push(`${said} ended with ${ended} in place of ${expected}`);
    // What was cancelled in a thread before it had begun has used an attempt that never ran.
    const mayLack = cancelled ? 1 : 0;
    if (begun === undefined || begun > attempt || begun < attempt - mayLack) {
      complaints.push(`${said} began ${begun} times in ${attempt} attempts`);
    }
    if (state === "completed" && returned !== 1) complaints.push(`${said} returned ${returned} times`);
    if (!cancelled && attempt !== attemptsOf(plan)) complaints.push(`${said} used ${attempt} attempts`);
    const child = this.#ledger[(this.#size.tasks + index) * 2] ?? 0;
    const asked = plan.slice(0, begun).filter((kind) => kind.startsWith("enqueues")).length;
    if (child > asked || (!cancelled && !timedOut && child !== asked))
      complaints.push(`${said} has ${child} children`);
    return complaints;
  }
}

function outcomeOf(plan: readonly string[]): string | undefined {
  for (const kind of plan) if (failureOf(kind) === undefined) return "completed";
  return failureOf(plan.at(-1) ?? "");
}

/** How many attempts a plan takes where nobody cancels it. */
function attemptsOf(plan: readonly string[]): number {
  const sound = plan.findIndex((kind) => failureOf(kind) === undefined);
  return sound < 0 ? plan.length : sound + 1;
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What a process holds that a leak would show in. */
export function readProcess() {
  const events = ["warning", "uncaughtException", "unhandledRejection", "exit", "message"];
  const listeners = events.map((event) => process.listenerCount(event));
  const resources = process.getActiveResourcesInfo();
  return { listeners, ports: resources.filter((name) => /Port|Worker/.test(name)).length };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes in use when all that can be collected has been. */
export async function heapInUse(): Promise<number> {
  for (let time = 0; time < 5; time++) {
    collect();
    await nextTurn();
  }
  return process.memoryUsage().heapUsed;
}
