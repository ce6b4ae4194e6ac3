import { inspect } from "node:util";
import { OptionError } from "../errors.js";
import type {
  AnyHandlers,
  HandlerNames,
  PayloadInputOf,
  Random,
  ResultOfHandler,
  StopReport,
  TaskManager,
  TaskManagerOptions,
  TaskResultOf,
} from "../index.js";
import type { BackendIn } from "../task/backend-types.js";
import {
  type EnqueuedFilter,
  type EnqueuedTask,
  type EnqueuedTaskOf,
  hasAll,
  matches,
  type PayloadMatch,
  readFilter,
} from "./enqueued-task.js";
import { type Expectation, unmet } from "./expectation.js";
import { ManualClock } from "./manual-clock.js";
import { Pacer } from "./pacer.js";
import { EnqueueRecord, RecordedManager } from "./recorded-manager.js";
import { type RunHandlerOptions, runAlone } from "./run-handler.js";
import { seededRandom } from "./seeded-random.js";
import { UnendedDurables } from "./unended-durables.js";

const MAX_STEPS = 10_000;
const REAL_WAIT_MS = 50;
/** What a subscription may hold at most. */
const MAX_RESULTS = 1_000_000;

/** Options of a test manager: those of a manager, but for time and chance, which are under control. */
export interface TestManagerOptions<H extends AnyHandlers = AnyHandlers>
  extends Omit<TaskManagerOptions<H>, "autoStart" | "clock"> {
  /**
   * True: tasks run as they do in production. Default false: they stay where they are until `runAll` or
   * `tasks.start()`.
   */
  run?: boolean | undefined;
  /** Default: a new one, at 2026-01-01T00:00:00Z. */
  clock?: ManualClock | undefined;
  /** Default: `seededRandom(1)`. */
  random?: Random | undefined;
}

/** What `requireEnqueued` asks for beside the name and the payload. */
export interface RequireEnqueuedOptions extends EnqueuedFilter {
  /** How many tasks must match, from 1 up. Default: any number but none. */
  readonly times?: number | undefined;
}

/** How far `runAll` goes. */
export interface RunAllOptions {
  /** So many times it moves the clock, or waits for a handler, at most. Default 10,000. */
  readonly maxSteps?: number | undefined;
  /**
   * Real milliseconds that handlers which wait for the outside world (a file, a socket) are given before the
   * clock is moved on, and their timeouts come nearer. Default 50.
   */
  readonly waitMs?: number | undefined;
}

/**
 * A real task manager on a manual clock, for tests of code that enqueues: see `createTestManager`.
 */
export class TestManager<
  H extends AnyHandlers = AnyHandlers,
  out B extends Pick<TaskManagerOptions, "backend"> = Pick<TaskManagerOptions, "backend">,
> implements AsyncDisposable
{
  /** The manager: give it to the code under test in place of its own. */
  readonly tasks: TaskManager<H, B>;
  /** Its time, which moves only when told to. */
  readonly clock: ManualClock;
  /** Its chance. */
  readonly random: Random;
  readonly #options: TaskManagerOptions<H>;
  readonly #record = new EnqueueRecord();
  readonly #unended = new UnendedDurables();
  readonly #pacer: Pacer;

  /** @internal */
  constructor({ run = false, clock, random, ...options }: TestManagerOptions<H>) {
    if ("autoStart" in options) throw new OptionError("autoStart", "Expected `run` in place of `autoStart`");
    if (typeof run !== "boolean") throw new OptionError("run", "Expected `run` to be true or false");
    this.clock = clock ?? new ManualClock();
    this.random = random ?? seededRandom(1);
    this.#options = { ...options, clock: this.clock, random: this.random, autoStart: run };
    this.tasks = new RecordedManager<H, B>(this.#options, this.#record, this.#unended);
    this.#pacer = new Pacer(this.clock, this.#untyped, () => this.#unended.describe());
  }

  /**
   * The tasks that were accepted since the start or the last `clear`, in that order, by whichever call and
   * from inside of handlers; also those that have ended.
   * @param name only those of this handler
   * @throws {UnknownHandlerError} @throws {OptionError} for an unknown name in the filter
   * @throws {Error} when there were more than 100,000
   */
  enqueued(name?: undefined, filter?: EnqueuedFilter): EnqueuedTask[];
  enqueued<K extends HandlerNames<H>>(name: K, filter?: EnqueuedFilter): EnqueuedTaskOf<H, K>[];
  enqueued(name?: string, filter: EnqueuedFilter = {}): EnqueuedTask[] {
    if (name !== undefined) this.#refuseUnknown(name);
    const asked = readFilter(filter);
    const isMeant = (task: EnqueuedTask) => name === undefined || task.handler === name;
    return this.#record.tasks().filter((task) => isMeant(task) && hasAll(task, asked));
  }

  /**
   * The tasks of a handler that are as they should be; there has to be one, or as many as `times` says.
   * @param payload what `enqueue` should have been given, compared deeply and in whole, or a function that
   *   lets it through; `undefined` for any
   * @throws {AssertionError} of `node:assert`, which tells what was enqueued instead
   * @throws what `enqueued` throws
   */
  requireEnqueued<K extends HandlerNames<H>>(
    name: K,
    payload?: PayloadMatch<PayloadInputOf<H, K>>,
    { times, ...filter }: RequireEnqueuedOptions = {},
  ): EnqueuedTaskOf<H, K>[] {
    if (times !== undefined && !(Number.isSafeInteger(times) && times >= 1)) {
      throw new OptionError(
        "times",
        `Expected \`times\` to be an integer from 1 up, found ${inspect(times)}`,
      );
    }
    const found = this.enqueued(name, filter).filter((task) => matches(task.payload, payload));
    if (times === undefined ? found.length > 0 : found.length === times) return found;
    throw this.#unmet({ name, payload, filter, times }, this.requireEnqueued);
  }

  /**
   * There is no task of a handler that is like this.
   * @throws {AssertionError} of `node:assert`, which tells those that there are
   * @throws what `enqueued` throws
   */
  requireNotEnqueued<K extends HandlerNames<H>>(
    name: K,
    payload?: PayloadMatch<PayloadInputOf<H, K>>,
    filter: EnqueuedFilter = {},
  ): void {
    const found = this.enqueued(name, filter).some((task) => matches(task.payload, payload));
    if (found) throw this.#unmet({ name, payload, filter, times: 0 }, this.requireNotEnqueued);
  }

  /** Forgets what was enqueued so far. The tasks themselves stay where they are. */
  clear(): void {
    this.#record.clear();
  }

  /**
   * Runs a handler once and by itself, as a real attempt with its schemas, its timeout and the middleware
   * that wraps attempts, in no queue of `tasks` and under none of its limits. What it enqueues through its
   * context goes to `tasks`, and is recorded. Time stands still: `advance` it where the handler waits for the
   * clock or its timeout. A rejection that comes before anybody awaits it is not reported as unhandled.
   * @throws what the handler (or middleware) threw, steering included, as it threw it
   * @throws {TaskTimeoutError} @throws {UnknownHandlerError} @throws {PayloadError} @throws {ResultError}
   * @throws {OptionError}
   */
  runHandler<K extends HandlerNames<H>>(
    name: K,
    payload: PayloadInputOf<H, K>,
    options: RunHandlerOptions = {},
  ): Promise<ResultOfHandler<H, K>> {
    const { handlers, ...others } = this.#options;
    const stage = { handlers, options: others, tasks: this.#untyped };
    const result = runAlone(stage, name, payload, options);
    result.catch(() => {});
    return result as Promise<ResultOfHandler<H, K>>;
  }

  /**
   * Lets everything that can go on at this instant do so, until nothing changes any more: promises,
   * `setImmediate` and timers that are due. It does not wait for files or sockets.
   * @throws {Error} when there is no end to it
   */
  async settle(): Promise<void> {
    await this.#pacer.settle();
  }

  /**
   * Moves time on by `ms` milliseconds, from one timer to the next, and settles at each.
   * @throws {RangeError} when `ms` is negative or not finite
   * @throws what `settle` throws
   */
  async advance(ms: number): Promise<void> {
    await this.#pacer.advance(ms);
  }

  /**
   * Starts the manager and moves time on until every task has ended, with its delays and its retries, and so
   * have those that were enqueued meanwhile. Durable ones too, where the backend is given `clock` as its own.
   * @returns the results of the tasks that ended meanwhile, in that order
   * @throws {Error} when there is no end to it, with what is left: a task of a paused queue, or one that runs
   *   again and again
   * @throws {OptionError}
   */
  async runAll(options: RunAllOptions = {}): Promise<TaskResultOf<H>[]> {
    const { maxSteps, waitMs } = readRunAll(options);
    const results = this.tasks.subscribe({ name: "run-all", capacity: MAX_RESULTS });
    try {
      this.tasks.start();
      await this.#pacer.until(() => this.#isIdle(), maxSteps, waitMs);
      results.close();
      const all: TaskResultOf<H>[] = [];
      for await (const result of results) all.push(result);
      return all;
    } finally {
      results.close();
    }
  }

  /**
   * Stops the manager at once, and moves time on as far as that takes.
   * @returns what became of the tasks that were left
   */
  async close(): Promise<StopReport> {
    let done = false;
    const stopped = this.tasks.stopNow().finally(() => {
      done = true;
    });
    await this.#pacer.until(() => done, MAX_STEPS, 0);
    return await stopped;
  }

  /** `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #untyped(): TaskManager {
    return this.tasks as unknown as TaskManager;
  }

  #isIdle(): boolean {
    const { queued, scheduled, running, waitingForRoom, waitingForSchema } = this.tasks.stats();
    this.#unended.watch();
    return queued + scheduled + running + waitingForRoom + waitingForSchema + this.#unended.size === 0;
  }

  /** A name without a handler cannot have been enqueued: the manager says so, with the name that is near. */
  #refuseUnknown(name: string): void {
    if (!Object.hasOwn(this.tasks.stats().handlers, name))
      this.#untyped.enqueue(name as never, undefined as never);
  }

  #unmet(expectation: Expectation, caller: (...given: never[]) => unknown): Error {
    return unmet(expectation, this.#record.tasks(), caller);
  }
}

/**
 * A real task manager for tests of code that enqueues: its time and its chance are under control, it records
 * what is enqueued, and by itself it runs nothing. It needs no test framework, and works in each. `close` it
 * when the test is over. Middleware sees a call of `execute` as one of `enqueueAsync`.
 * @throws {OptionError} for a wrong or unknown option
 */
export function createTestManager<
  H extends AnyHandlers = AnyHandlers,
  B extends Pick<TaskManagerOptions, "backend"> = Pick<TaskManagerOptions, "backend">,
>(options?: TestManagerOptions<H> & BackendIn<B>): TestManager<H, B> {
  return new TestManager<H, B>(options ?? {});
}

function readRunAll({ maxSteps = MAX_STEPS, waitMs = REAL_WAIT_MS, ...others }: RunAllOptions) {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new OptionError(unknown, `Unknown option \`${unknown}\`; known are maxSteps, waitMs`);
  }
  for (const [name, value] of Object.entries({ maxSteps, waitMs })) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new OptionError(name, `Expected \`${name}\` to be an integer from 0 up, got ${String(value)}`);
  }
  return { maxSteps, waitMs };
}
