import { TaskChannels } from "./adapters/diagnostics/task-channels.js";
import { InlineExecutor } from "./adapters/inline/inline-executor.js";
import { ManagerLog } from "./adapters/logging/manager-log.js";
import { AsyncContext } from "./adapters/system/async-context.js";
import { parallelism } from "./adapters/system/parallelism.js";
import { SystemClock } from "./adapters/system/system-clock.js";
import { SystemRandom } from "./adapters/system/system-random.js";
import { ThreadExecutor } from "./adapters/threads/thread-executor.js";
import {
  type ConcurrencyOptions,
  Controls,
  type DrainOptions,
  type PauseOptions,
  type RateOptions,
  type ResumeOptions,
} from "./core/manager/controls.js";
import { assembleCore, type Core } from "./core/manager/core.js";
import type { DeadLetterSelection, ReplayReport } from "./core/manager/durable/dead-letter-selection.js";
import type { DurableHandle } from "./core/manager/durable/durable-handle.js";
import { toInstrumentationPoint } from "./core/manager/instrumentation-point.js";
import {
  type RetentionOptions,
  readManagerOptions,
  type TaskManagerOptions,
} from "./core/manager/options.js";
import { resolveOptions } from "./core/manager/resolved-options.js";
import { RootedClock } from "./core/manager/rooted-clock.js";
import { readStopOptions, type StopOptions, type StopReport } from "./core/manager/shutdown.js";
import { toHealth, toStats } from "./core/manager/stats.js";
import type { DurableEntry, DurableHandlesOf, HandlesOf, TaskEntry } from "./core/manager/task-entries.js";
import { filterTasks, type TaskFilter } from "./core/manager/task-filter.js";
import type { TaskHandle } from "./core/manager/task-handle.js";
import { assert } from "./errors.js";
import { type Instrumentable, type InstrumentationPoint, instrumentation } from "./ports/instrumentation.js";
import type { BackendIn, NeedsBackend } from "./task/backend-types.js";
import { name } from "./task/checks.js";
import type { DurableTaskOptions } from "./task/durable-task-options.js";
import type { AnyHandlers } from "./task/handler-registry.js";
import type { HandlerNames, PayloadInputOf, ResultOfHandler } from "./task/handler-types.js";
import { type Hooks, readHooks } from "./task/hooks.js";
import type { TaskManagerHealth, TaskManagerStats } from "./task/manager-stats.js";
import type { SubscribeOptions, Subscription } from "./task/subscription.js";
import type { TaskFunction } from "./task/task-context.js";
import type { TaskOptions } from "./task/task-options.js";
import type { TaskResultOf } from "./task/task-result.js";
import type { TaskSnapshot } from "./task/task-snapshot.js";

let readCore: (tasks: object) => Core;

/** The parts of a manager: for what instruments one, and for tests. The package does not export it. */
export function coreOf(tasks: object): Core {
  return readCore(tasks);
}

/**
 * Runs tasks by priority under one rate limit, on the event loop and in threads, and settles every promise.
 *
 * It keeps the process alive while an accepted task is unsettled, and lets it go after a stop. It installs no
 * signal handlers, writes nothing to the console and never ends the process: `stopOnSignals` is there for
 * those who want that.
 *
 * `H` is the type of its handlers, taken from the `handlers` option. `B` is what the options say of a
 * backend: `{ backend: Backend }` that there is one, `{}` that there is none, and then no call for a durable
 * task compiles. Left out, it says that there may be one: the type of any manager of these handlers.
 */
export class TaskManager<
  H extends AnyHandlers = AnyHandlers,
  out B extends Pick<TaskManagerOptions, "backend"> = Pick<TaskManagerOptions, "backend">,
> implements AsyncDisposable, Instrumentable
{
  static {
    readCore = (tasks) => {
      assert(#core in tasks, "only a TaskManager has a core");
      return tasks.#core;
    };
  }

  readonly #core: Core;
  readonly #controls: Controls;

  /** @throws {OptionError} for a wrong or unknown option */
  constructor(options?: TaskManagerOptions<H> & BackendIn<B>) {
    const read = readManagerOptions(options);
    const resolved = resolveOptions(read, parallelism());
    const { clock = new SystemClock(), logger, random = new SystemRandom() } = read;
    const carrier = new AsyncContext();
    const rooted = new RootedClock(clock, carrier); // a thread outlives the call that needs it first
    this.#core = assembleCore(resolved, {
      ...{ clock, random, carrier, inline: new InlineExecutor() },
      threads: resolved.threaded ? new ThreadExecutor(resolved.threads, rooted) : undefined,
      enqueue: (first, second, third) => this.enqueue(first as never, second as never, third as never),
      enqueueDurable: (handler, payload, options) =>
        this.enqueueDurable(handler as never, payload as never, options as DurableTaskOptions | undefined),
    });
    this.#controls = new Controls(this.#core);
    const point = toInstrumentationPoint(this.#core);
    point.attach(new TaskChannels(point));
    if (logger !== undefined) new ManagerLog(logger, point, this.#core.shutdown).serve(read.backend);
    if (resolved.autoStart) this.start();
    if (resolved.signal !== undefined) this.#core.shutdown.stopOn(resolved.signal);
  }

  /** Begins to start tasks, where `autoStart` is false. Does nothing when that has been done. */
  start(): void {
    this.#controls.start();
  }

  /**
   * Accepts a task, or throws and keeps nothing of it. It starts in a later microtask at the earliest, so
   * that tasks enqueued together are chosen from together.
   *
   * A payload is checked by its handler's schema, and its handler gets what comes out of that; it is not
   * copied. A function's `this` is undefined.
   *
   * Where another task holds its `idempotencyKey`, the handle may be one to that task.
   * @throws {OptionError} @throws {QueueFullError} @throws {NotAcceptingError} @throws {DuplicateTaskError}
   * @throws {TaskCancelledError} when `signal` has aborted already
   * @throws {UnknownHandlerError} @throws {PayloadError}
   * @throws {AsyncSchemaError} when the schema answers with a promise
   * @throws what call middleware refuses it with, or {MiddlewareError} when that did not call `next`
   */
  enqueue<R>(work: TaskFunction<R>, options?: TaskOptions): TaskHandle<R>;
  enqueue<K extends HandlerNames<H>>(
    handler: K,
    payload: PayloadInputOf<H, K>,
    options?: TaskOptions,
  ): TaskHandle<ResultOfHandler<H, K>>;
  enqueue(first: unknown, second?: unknown, third?: unknown): TaskHandle {
    return this.#core.calls.enqueue(first, second, third);
  }

  /**
   * The same, but waits for room (first come, first served, and no more than `capacity` calls at a time), and
   * for asynchronous schemas (as many again).
   * @throws {QueueFullError} when as many calls wait already
   * @throws {TaskCancelledError} when `signal` aborts first
   * @throws what `enqueue` throws
   */
  enqueueAsync<R>(work: TaskFunction<R>, options?: TaskOptions): Promise<TaskHandle<R>>;
  enqueueAsync<K extends HandlerNames<H>>(
    handler: K,
    payload: PayloadInputOf<H, K>,
    options?: TaskOptions,
  ): Promise<TaskHandle<ResultOfHandler<H, K>>>;
  async enqueueAsync(first: unknown, second?: unknown, third?: unknown): Promise<TaskHandle> {
    return await this.#core.calls.enqueueAsync(first, second, third);
  }

  /**
   * Accepts all of them or none; more than `capacity` at once are refused.
   * @param entries functions, pairs of a function and its options, or names of handlers with their payloads
   * @throws what `enqueue` throws
   */
  enqueueMany<const E extends readonly TaskEntry<H>[]>(entries: E): HandlesOf<E, H> {
    return this.#core.calls.enqueueMany(entries) as HandlesOf<E, H>;
  }

  /** `enqueueAsync`, then the result. */
  execute<R>(work: TaskFunction<R>, options?: TaskOptions): Promise<R>;
  execute<K extends HandlerNames<H>>(
    handler: K,
    payload: PayloadInputOf<H, K>,
    options?: TaskOptions,
  ): Promise<ResultOfHandler<H, K>>;
  async execute(first: unknown, second?: unknown, third?: unknown): Promise<unknown> {
    return await this.#core.calls.execute(first, second, third);
  }

  /**
   * Hands a durable task to the backend: when the call resolves it is kept there, and it runs at least once,
   * in any process that has its handler. A handler that is only a contract here will do.
   *
   * Where the store was not reached, nobody knows whether it has the task: give it an `id` or an
   * `idempotencyKey`, and the call can be made again.
   * @throws {BackendMissingError} when the manager has no `backend` @throws {StoreUnreachableError}
   * @throws {StoreFullError} @throws {DuplicateTaskError} @throws {OptionError} @throws {UnknownHandlerError}
   * @throws {PayloadError} also for what would not come back from the store as it is
   * @throws {NotAcceptingError} @throws {QueueFullError} when `capacity` tasks wait for the store already
   */
  enqueueDurable<K extends HandlerNames<H>>(
    handler: K & NeedsBackend<B>,
    payload: PayloadInputOf<H, K>,
    options?: DurableTaskOptions,
  ): Promise<DurableHandle<ResultOfHandler<H, K>>> {
    const handle = this.#core.calls.enqueueDurable(handler, payload, options);
    return handle as Promise<DurableHandle<ResultOfHandler<H, K>>>;
  }

  /**
   * The same for many at once, in few round trips; more than 1,000, or 8 MiB, in parts that may overtake each
   * other. All are checked before; where an id is taken, the others are kept: DuplicateTaskError.
   * @throws what `enqueueDurable` throws
   */
  async enqueueDurableMany<const E extends readonly DurableEntry<H>[]>(
    entries: E & NeedsBackend<B>,
  ): Promise<DurableHandlesOf<E, H>> {
    return (await this.#core.calls.enqueueDurableMany(entries)) as DurableHandlesOf<E, H>;
  }

  /**
   * A durable task by its id, whichever process enqueued it.
   * @throws {BackendMissingError} @throws {UnknownHandlerError} @throws {OptionError}
   */
  handle<K extends HandlerNames<H>>(
    handler: K & NeedsBackend<B>,
    id: string,
  ): DurableHandle<ResultOfHandler<H, K>> {
    return this.#controls.handle(handler, id) as DurableHandle<ResultOfHandler<H, K>>;
  }

  /**
   * Puts dead letters back to work, with their attempts and deliveries begun anew: those of these ids, or all
   * that the filter lets through. One whose idempotency key another task holds stays what it is.
   * @throws {BackendMissingError} @throws {StoreUnreachableError} @throws {OptionError}
   */
  async replayDeadLetters(selection: DeadLetterSelection & NeedsBackend<B>): Promise<ReplayReport> {
    return await this.#controls.replayDeadLetters(selection);
  }

  /**
   * Ends the task with this id: at once when it waits, through its signal when it runs. A durable task may be
   * anywhere: then true says that it waited, or that its process has been asked.
   * @returns true when this call decided what becomes of it; false when it is unknown, has ended or is ending
   */
  async cancel(id: string, reason?: unknown): Promise<boolean> {
    return await this.#controls.cancel(id, reason);
  }

  /**
   * Ends every task that was accepted before this call. Resolves to how many that were, when those that
   * waited are settled and those that run have been signalled.
   */
  async cancelAll(reason?: unknown): Promise<number> {
    return await this.#controls.cancelAll(reason);
  }

  /**
   * Gives a waiting task another priority; it keeps its place among equals.
   * @returns false when no task with this id waits
   * @throws {OptionError}
   */
  async reprioritize(id: string, priority: number): Promise<boolean> {
    return this.#controls.reprioritize(id, priority);
  }

  /** A live or retained task, pictured; undefined when none has this id. */
  get(id: string): TaskSnapshot | undefined {
    const task = this.#core.registry.get(name(id, "id"));
    return task === undefined ? undefined : this.#core.journal.snapshot(task);
  }

  /**
   * The live and retained tasks that the filter lets through, roughly in order of acceptance. Looks at all of
   * them.
   * @throws {OptionError}
   */
  list(filter?: TaskFilter): TaskSnapshot[] {
    const { journal, registry } = this.#core;
    return filterTasks(registry, filter).map((task) => journal.snapshot(task));
  }

  /**
   * The results of all tasks from now on, as they end, for `for await`. A reader that is slower than the
   * tasks loses what its buffer has no room for, by the rule of `overflow`, and can see how much that was.
   * After a stop it gives a subscription that has ended, apart from what it replays.
   * @throws {OptionError} @throws {SubscriptionLimitError} when 1,000 are open
   */
  subscribe(options?: SubscribeOptions<TaskResultOf<H>>): Subscription<TaskResultOf<H>> {
    // What each handler gives is known by its name, and so only to the compiler.
    const untyped = options as SubscribeOptions | undefined;
    return this.#controls.subscribe(untyped) as Subscription<TaskResultOf<H>>;
  }

  /**
   * Tells these hooks what happens from now on, beside those of the options, until it is disposed: then none
   * of them is called again, not even for what has happened before.
   * @throws {OptionError} for an unknown hook, and for one that is no function
   */
  observe(hooks: Hooks): Disposable {
    return this.#core.hooks.observe(readHooks(hooks, "hooks"));
  }

  /** Counts of everything, at this moment: a frozen picture. Cheap enough to be taken every second. */
  stats(): TaskManagerStats {
    return toStats(this.#core);
  }

  /** Whether it does its work, and if not, why. */
  health(): TaskManagerHealth {
    return toHealth(this.#core);
  }

  /**
   * Starts nothing more, of one queue or at all; what runs goes on.
   * @returns a promise that resolves at once, or with `wait` when what was running has ended or the pause was
   *   undone
   * @throws {OptionError}
   */
  async pause(options?: PauseOptions): Promise<void> {
    await this.#controls.pause(options);
  }

  /** Undoes `pause`. @throws {OptionError} */
  resume(options?: ResumeOptions): void {
    this.#controls.resume(options);
  }

  /** Changes how many tasks run at once, from now on. @throws {OptionError} */
  setConcurrency(options: ConcurrencyOptions): void {
    this.#controls.setConcurrency(options);
  }

  /**
   * Changes a rate limit, from now on. Without `burst`, the present one stays; where there was no limit, it
   * is the default. A waiting task whose cost is above the new burst takes the whole burst.
   * @throws {OptionError}
   */
  setRate(options: RateOptions): void {
    this.#controls.setRate(options);
  }

  /** Changes how long finished tasks are kept; what is not given stays. @throws {OptionError} */
  setRetention(options: RetentionOptions): void {
    this.#controls.setRetention(options);
  }

  /**
   * Resolves when nothing is scheduled, queued, in backoff or running. It does not keep others from
   * enqueuing.
   * @throws the reason of `signal` when that aborts first
   */
  async drain(options?: DrainOptions): Promise<void> {
    await this.#controls.drain(options);
  }

  /**
   * Accepts nothing more, lets go on what can end in time, aborts the rest `killAfterMs` before the deadline,
   * and gives up at the deadline what ignores that. Every stop of a manager gives the same promise.
   * @throws {OptionError}
   */
  stopGraceful(options?: StopOptions): Promise<StopReport> {
    try {
      return this.#core.shutdown.stopGraceful(readStopOptions(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Cancels what waits and aborts what runs, at once; shortens a graceful stop that is under way. */
  stopNow(): Promise<StopReport> {
    return this.#core.shutdown.stopNow();
  }

  [instrumentation](): InstrumentationPoint {
    return toInstrumentationPoint(this.#core);
  }

  /** `stopGraceful()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopGraceful();
  }
}
