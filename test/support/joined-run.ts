import {
  cancelTask,
  defineHandlers,
  fixed,
  type Hooks,
  QueueFullError,
  rateLimited,
  reschedule,
  type Subscription,
  skipRetry,
  type TaskContext,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
  type TaskResult,
  TaskTimeoutError,
} from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { answering } from "./schemas.js";

/** Queues with and without settings, and one whose name is a trap for who keeps things in an object. */
const QUEUES = ["default", "narrow", "limited", "tenant-1", "__proto__"] as const;
const HANDLERS = [undefined, "plain", "constructor"] as const;
const STEPS = 60;

/** Counts by a few words, such as a queue and a handler. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(...words: readonly (string | undefined)[]): void {
    const key = words.map((word) => word ?? "(function)").join(" ");
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** As `Scrape.by` gives them. */
  toRecord(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }
}

/** What one who stands outside can count. */
export class Tallied {
  readonly accepted = new Counts();
  readonly refused = new Counts();
  readonly started = new Counts();
  readonly timedOut = new Counts();
  readonly completed = new Counts();
  readonly failed = new Counts();
  readonly cancelled = new Counts();
  readonly retried = new Counts();
  readonly rescheduled = new Counts();
  readonly dropped = new Counts();
  readonly abandoned = new Counts();
  readonly resultsDropped = new Counts();
  /** Tasks that ended after at least one attempt, by their state. */
  readonly ran = new Counts();
  /** How long their last attempts ran, in milliseconds. */
  ranMs = 0;
}

/** One random run, counted by its hooks, its handlers, those who enqueue, and those who read results. */
export class JoinedRun {
  readonly clock = new ManualClock();
  readonly tasks: TaskManager;
  /** Counted by hooks. */
  readonly hooked = new Tallied();
  /** Counted by those who call and are called: producers and handlers. */
  readonly seen = new Tallied();
  /** Counted from the results of one subscription that loses nothing. */
  readonly results = new Tallied();
  readonly subscriptions: Subscription[] = [];
  /** What readers were given, that of the one which loses nothing included. */
  delivered = 0;
  readonly #next: () => number;
  readonly #handles: TaskHandle<unknown>[] = [];
  readonly #outcomes: Promise<unknown>[] = [];
  readonly #waiting: Promise<unknown>[] = [];

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#next = () => random.next();
    this.tasks = new TaskManager({ ...this.#options(), clock: this.clock, random: seededRandom(seed + 1) });
    this.#read(this.tasks.subscribe({ capacity: 100_000 }), (result) => this.#countResult(result));
    for (const overflow of ["drop-newest", "drop-oldest", "block"] as const)
      this.subscriptions.push(
        this.tasks.subscribe({
          ...{ overflow, capacity: 1 + this.#below(4) },
          ...(overflow === "block" ? { blockTimeoutMs: 50 } : {}),
          name: this.#oneOf([undefined, "slow", overflow]),
        }),
      );
  }

  /** All that happens but for the end; `look` is called now and then, when nothing is under way. */
  async play(look: () => Promise<void>): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      this.#act();
      if (this.#below(3) === 0) await this.clock.advance(this.#below(40));
      if (this.#below(20) === 0) {
        await this.clock.advance(0);
        await look();
      }
    }
  }

  /** A stop, and all that is left to be read. */
  async end(): Promise<void> {
    const stopped =
      this.#below(2) === 0 ? this.tasks.stopNow() : this.tasks.stopGraceful({ deadlineMs: 500 });
    await this.clock.advance(5_000);
    await stopped;
    for (const subscription of this.subscriptions) this.#read(subscription, () => undefined);
    await Promise.all([...this.#outcomes, ...this.#waiting]);
    await this.clock.advance(0);
  }

  #act(): void {
    const kind = this.#below(20);
    if (kind < 12) this.#enqueue(this.#below(3) === 0);
    else if (kind === 12) this.#enqueueMany();
    else if (kind === 13) void this.#oneHandle()?.cancel("not wanted");
    else if (kind === 14) void this.tasks.pause(this.#below(2) === 0 ? {} : { queue: "narrow" });
    else if (kind === 15) this.#resume();
    else if (kind === 16) this.tasks.setRate({ tasksPerSecond: this.#oneOf([5, 100, Infinity]) });
    else if (kind === 17)
      void this.subscriptions[this.#below(3)]?.next().then(({ done }) => {
        if (done !== true) this.delivered++;
      });
    else if (kind === 18 && this.#below(8) === 0) void this.tasks.cancelAll("all of them");
    else if (kind === 19 && this.#below(8) === 0) void this.subscriptions[this.#below(3)]?.return();
  }

  #resume(): void {
    this.tasks.resume();
    this.tasks.resume({ queue: "narrow" });
  }

  #enqueue(waits: boolean): void {
    const [queue, handler] = [this.#oneOf(QUEUES), this.#oneOf(HANDLERS)];
    const signal = this.#below(4) === 0 ? this.#signal() : undefined;
    const options = { ...this.#taskOptions(), queue, signal };
    const work = (context: TaskContext) => this.#work(context);
    try {
      if (waits) {
        const calls =
          handler === undefined
            ? this.tasks.enqueueAsync(work, options)
            : this.tasks.enqueueAsync(handler as never, work as never, options);
        this.#waiting.push(
          calls.then((handle) => this.#accept(queue, handler, handle), this.#refusal(queue, handler)),
        );
        return;
      }
      const handle =
        handler === undefined
          ? this.tasks.enqueue(work, options)
          : this.tasks.enqueue(handler as never, work as never, options);
      this.#accept(queue, handler, handle as TaskHandle<unknown>);
    } catch (error) {
      this.#refusal(queue, handler)(error);
    }
  }

  #enqueueMany(): void {
    const queues = Array.from({ length: 1 + this.#below(4) }, () => this.#oneOf(QUEUES));
    try {
      const entries = queues.map(
        (queue) =>
          [(context: TaskContext) => this.#work(context), { ...this.#taskOptions(), queue }] as const,
      );
      const handles = this.tasks.enqueueMany(entries);
      for (const [index, handle] of handles.entries()) this.#accept(queues[index] ?? "", undefined, handle);
    } catch (error) {
      for (const queue of queues) this.#refusal(queue, undefined)(error);
    }
  }

  #accept(queue: string, handler: string | undefined, handle: TaskHandle<unknown>): void {
    this.seen.accepted.add(queue, handler);
    this.#handles.push(handle);
    const settled = handle.result().then(
      () => this.seen.completed.add(queue, handler),
      () => {
        const { state, reason } = this.tasks.get(handle.id) ?? {};
        this.seen[state === "failed" ? "failed" : "cancelled"].add(queue, handler, reason);
      },
    );
    this.#outcomes.push(settled);
  }

  #refusal(queue: string, handler: string | undefined) {
    return (error: unknown) => {
      if (error instanceof QueueFullError) this.seen.refused.add(queue, handler);
    };
  }

  /** One attempt, of a function or a handler: it does something at random. */
  #work({ queue, handler, signal, progress }: TaskContext): unknown {
    this.seen.started.add(queue, handler);
    signal.addEventListener("abort", () => {
      if (signal.reason instanceof TaskTimeoutError) this.seen.timedOut.add(queue, handler);
    });
    const kind = this.#below(14);
    if (kind === 0) throw new Error("broken");
    if (kind === 1) throw reschedule({ delayMs: this.#below(30) });
    if (kind === 2)
      throw rateLimited({ retryAfterMs: 1 + this.#below(30), scope: this.#oneOf(["handler", "all"]) });
    if (kind === 3) throw skipRetry(new Error("in vain"));
    if (kind === 4) throw cancelTask("from inside");
    if (kind === 5) return this.#later(this.#below(60)).then(() => Promise.reject(new TypeError("late")));
    if (kind === 6) progress(1);
    if (kind === 7) return this.#later(5_000); // deaf to its signal: it is given up
    if (kind < 11) return Promise.race([this.#later(this.#below(60)), this.#aborted(signal)]);
    return kind;
  }

  #later(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, ms));
  }

  #aborted(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  /** One that aborts some time later, whatever has become of the task, or the call, by then. */
  #signal(): AbortSignal {
    const controller = new AbortController();
    this.clock.setTimeout(() => controller.abort("gone"), this.#below(100));
    return controller.signal;
  }

  #taskOptions(): TaskOptions {
    return {
      priority: this.#below(3),
      maxAttempts: 1 + this.#below(3),
      timeoutMs: this.#oneOf([20, 200, false]),
      ...(this.#below(4) === 0 ? { delayMs: this.#below(60) } : {}),
      ...(this.#below(4) === 0 ? { ttlMs: 1 + this.#below(100) } : {}),
    };
  }

  #options(): TaskManagerOptions {
    const entry = {
      payload: answering<(context: TaskContext) => unknown>((value) => ({ value })),
      run: (work: (context: TaskContext) => unknown, context: TaskContext) => work(context),
    };
    const handlers = defineHandlers({ plain: { ...entry, queue: "narrow" }, constructor: entry });
    return {
      handlers: handlers as never,
      queues: { narrow: { maxConcurrency: 1 }, limited: { rateLimit: { tasksPerSecond: 50 } } },
      concurrency: 1 + this.#below(4),
      capacity: 2 + this.#below(12),
      whenFull: this.#oneOf(["reject", "drop-oldest"]),
      tasksPerSecond: this.#oneOf([20, 200, Infinity]),
      backoff: fixed({ delayMs: this.#oneOf([0, 15]) }),
      killAfterMs: this.#oneOf([10, 100]),
      maxAbandoned: this.#below(3),
      retention: { maxEntries: 100_000 },
      hooks: toHooks(this.hooked),
    };
  }

  #read(subscription: Subscription, count: (result: TaskResult) => void): void {
    const read = async () => {
      for await (const result of subscription) {
        this.delivered++;
        count(result);
      }
    };
    this.#waiting.push(read());
  }

  #countResult({ queue, handler, state, reason, runMs }: TaskResult): void {
    countEnd(this.results, { queue, handler, state, reason, runMs });
  }

  #oneHandle(): TaskHandle<unknown> | undefined {
    return this.#handles[this.#below(this.#handles.length)];
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[this.#below(values.length)] as T;
  }

  #below(bound: number): number {
    return Math.floor(this.#next() * bound);
  }
}

type End = Pick<TaskResult, "queue" | "handler" | "reason" | "runMs"> & { readonly state: string };

function countEnd(counts: Tallied, { queue, handler, state, reason, runMs }: End): void {
  if (state === "completed") counts.completed.add(queue, handler);
  else counts[state === "failed" ? "failed" : "cancelled"].add(queue, handler, reason);
  if (runMs === undefined) return;
  counts.ran.add(queue, handler, state);
  counts.ranMs += runMs;
}

function toHooks(counts: Tallied): Hooks {
  return {
    onStarted: ({ queue, handler }) => counts.started.add(queue, handler),
    onRetried: ({ queue, handler }) => counts.retried.add(queue, handler),
    onRescheduled: ({ queue, handler }) => counts.rescheduled.add(queue, handler),
    onTaskDropped: ({ queue, handler }) => counts.dropped.add(queue, handler),
    onAbandoned: ({ queue, handler }) => counts.abandoned.add(queue, handler),
    onFinished: (task) => countEnd(counts, task),
    onResultDropped: ({ subscription }) =>
      counts.resultsDropped.add(/^subscriber-/.test(subscription) ? "_OTHER" : subscription),
  };
}
