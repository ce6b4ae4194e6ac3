import { instrument } from "../../src/adapters/otel/index.js";
import {
  defineHandlers,
  fixed,
  json,
  reschedule,
  type Subscription,
  type TaskContext,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
} from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { FaultyDurables } from "./faulty-durables.js";
import { FaultyThreads } from "./faulty-threads.js";
import { type End, FollowedTasks, type Group } from "./followed-tasks.js";
import type { Ledger } from "./ledger.js";
import { MetricsServer } from "./metrics-server.js";
import { Stubborn } from "./observed-manager.js";

const AN_HOUR = 3_600_000;
const CRITICAL = { queue: "critical" };
/** For how long the event loop is blocked, and for how long the night manager waits. */
export const BLOCKED_MS = 700;
export const NIGHT_MS = 600_000;

const MANAGERS = ["shop", "mail", "batch", "old", "night"] as const;
type ManagerName = (typeof MANAGERS)[number];

/**
 * Eight managers of one process, two of them with worker threads, one with a store, with all that can go wrong, served for
 * Prometheus on a free port. It counts for itself all that it causes. When `run` has resolved nothing changes
 * any more until `release`.
 */
export class FaultyWorkload implements AsyncDisposable {
  readonly #followed = new FollowedTasks();
  readonly #released = new Stubborn();
  readonly #clock = new ManualClock();
  readonly #managers = new Map<ManagerName, TaskManager>();
  readonly #server: MetricsServer;
  readonly #threads: FaultyThreads;
  readonly #durables: FaultyDurables;
  #reader: Subscription | undefined;

  private constructor(server: MetricsServer) {
    this.#server = server;
    this.#threads = new FaultyThreads(this.#followed, server.provider);
    this.#durables = new FaultyDurables(this.#followed, server.provider);
  }

  static async create(): Promise<FaultyWorkload> {
    return new FaultyWorkload(await MetricsServer.start());
  }

  /** What it counts for itself. */
  get ledger(): Ledger {
    return this.#followed.ledger;
  }

  /** Where the metrics are served: `host:port`. */
  get target(): string {
    return this.#server.target;
  }

  /**
   * @param seen resolves when what there is at its call has been scraped: before anything has happened, so that
   * every counter is seen at 0
   */
  async run(seen: () => Promise<void>): Promise<void> {
    this.#createManagers();
    this.#enqueueFirst();
    this.#threads.enqueueFirst();
    await this.#durables.enqueueFirst();
    await seen();
    await this.#runShop();
    await this.#runMail();
    this.#fillBatch();
    await this.#threads.run();
    await this.#durables.run();
    await this.#of("old").stopNow();
    await this.#clock.advance(NIGHT_MS);
    await this.#followed.ended();
    await this.#readResults();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#released.resolve();
    const stops = [...this.#managers.values()].map((tasks) => tasks.stopNow());
    await this.#clock.advance(10_000);
    await Promise.all([
      ...stops,
      this.#threads[Symbol.asyncDispose](),
      this.#durables[Symbol.asyncDispose](),
    ]);
    await this.#server[Symbol.asyncDispose]();
  }

  #createManagers(): void {
    const handlers = this.#defineHandlers();
    const queues = { critical: { share: 3 }, bulk: {} };
    const options: Readonly<Record<ManagerName, TaskManagerOptions>> = {
      shop: { handlers, queues, concurrency: 6, capacity: 100, maxAbandoned: 1, killAfterMs: 10 },
      mail: { capacity: 3, whenFull: "drop-oldest", tasksPerSecond: 20, burst: 1 },
      batch: { capacity: 2, autoStart: false },
      old: {},
      night: { clock: this.#clock, concurrency: 2, tasksPerSecond: 0.0001, burst: 1, timeoutMs: false },
    };
    for (const name of MANAGERS) {
      const tasks = new TaskManager(options[name]);
      instrument(tasks, { name, meterProvider: this.#server.provider });
      this.#managers.set(name, tasks);
    }
    const shop = this.#of("shop");
    shop.subscribe({ name: "audit", capacity: 5 }); // nobody reads it
    this.#reader = shop.subscribe();
    const fail = () => {
      this.ledger.count("observer_errors_total", { manager: "shop" });
      throw new Error("a careless hook");
    };
    shop.observe({ onStarted: fail });
  }

  #defineHandlers() {
    const count = (what: string, { queue, handler }: TaskContext) =>
      this.#count(`tasks_${what}_total`, { manager: "shop", queue, handler });
    const begin = (context: TaskContext) => count("started", context);
    return defineHandlers({
      charge: { payload: json<{ order: number }>(), ...CRITICAL, run: async (_, context) => begin(context) },
      ship: {
        payload: json<{ failures: number }>(),
        ...{ ...CRITICAL, maxAttempts: 2, backoff: fixed({ delayMs: 5 }) },
        run: async ({ failures }, context) => {
          begin(context);
          if (context.attempt > failures) return;
          if (context.attempt < context.maxAttempts) count("retried", context);
          throw new Error("the carrier is closed");
        },
      },
      slow: {
        payload: json<{ attempts: number }>(),
        ...{ ...CRITICAL, timeoutMs: 20, backoff: fixed({ delayMs: 5 }) },
        run: async ({ attempts }, context) => {
          begin(context);
          await new Promise((_, reject) => {
            context.signal.addEventListener("abort", () => reject(context.signal.reason));
          }).finally(() => {
            count("timed_out", context);
            if (context.attempt < attempts) count("retried", context);
          });
        },
      },
      stubborn: {
        payload: json<null>(),
        ...{ ...CRITICAL, timeoutMs: 20 },
        run: async (_, context) => {
          begin(context);
          context.signal.addEventListener("abort", () => {
            count("timed_out", context);
            count("abandoned", context);
          });
          await this.#released.promise;
        },
      },
      index: {
        payload: json<{ again: boolean }>(),
        queue: "bulk",
        run: async ({ again }, context) => {
          begin(context);
          if (!again || this.#hasRun.has(context.id)) return;
          this.#hasRun.add(context.id);
          count("rescheduled", context);
          throw reschedule({ delayMs: 5 });
        },
      },
    });
  }

  /** Tasks that have asked to run again. */
  readonly #hasRun = new Set<string>();

  /** One task of each group, while nothing is started: so every counter is there at 0 before it counts. */
  #enqueueFirst(): void {
    for (const name of ["shop", "mail", "old"] as const) void this.#of(name).pause();
    this.#handle("charge", "completed", { order: 0 });
    this.#handle("ship", "completed", { failures: 0 });
    this.#handle("slow", "timeout", { attempts: 1 });
    this.#handle("stubborn", "timeout", null);
    this.#handle("index", "completed", { again: false });
    this.#enqueue("shop", "deadline", { delayMs: AN_HOUR, ttlMs: 20, ...CRITICAL });
    this.#enqueue("mail", "completed");
    this.#enqueue("batch", undefined);
    for (let n = 1; n <= 2; n++) this.#enqueue("old", "stopped");
    this.#enqueue("night", undefined, {}, () => this.#released.promise);
    this.#enqueue("night", undefined);
  }

  async #runShop(): Promise<void> {
    this.#of("shop").resume();
    for (let order = 1; order <= 9; order++) this.#handle("charge", "completed", { order });
    for (let n = 1; n <= 19; n++) this.#handle("ship", "completed", { failures: 0 });
    for (let n = 1; n <= 4; n++) this.#handle("ship", "completed", { failures: 1 });
    for (let n = 1; n <= 16; n++) this.#handle("ship", "error", { failures: 2 });
    this.#handle("slow", "timeout", { attempts: 1 });
    this.#handle("slow", "timeout", { attempts: 2 }, { maxAttempts: 2 });
    this.#handle("stubborn", "timeout", null);
    for (const again of [true, true, false, false]) this.#handle("index", "completed", { again });
    for (let n = 1; n <= 3; n++)
      this.#enqueue("shop", "cancelled", { delayMs: AN_HOUR, ...CRITICAL }).cancel("no longer needed");
    await this.#leaveShop();
  }

  /** What is there when nothing changes any more. */
  async #leaveShop(): Promise<void> {
    const shop = this.#of("shop");
    await shop.drain();
    await shop.pause({ queue: "bulk" });
    for (let n = 1; n <= 3; n++) this.#handle("index", undefined, { again: false });
    for (let n = 1; n <= 2; n++) this.#enqueue("shop", undefined, { delayMs: AN_HOUR, ...CRITICAL });
    const flaky = { maxAttempts: 2, backoff: fixed({ delayMs: AN_HOUR }), ...CRITICAL };
    this.#enqueue("shop", undefined, flaky, () => {
      this.#count("tasks_retried_total", { manager: "shop", queue: "critical", handler: undefined });
      throw new Error("not now");
    });
    for (let n = 1; n <= 2; n++) this.#enqueue("shop", undefined, CRITICAL, () => this.#released.promise);
    while (shop.stats().running < 2 || shop.stats().backingOff < 1)
      await new Promise((resolve) => setImmediate(resolve));
  }

  /** Six tasks wait for one permit each, then five come where there is room for three. */
  async #runMail(): Promise<void> {
    const mail = this.#of("mail");
    mail.resume();
    await mail.drain();
    for (let n = 1; n <= 5; n++) await this.#enqueue("mail", "completed").result();
    await mail.pause();
    for (const end of ["dropped", "dropped", undefined, undefined, undefined] as const)
      this.#enqueue("mail", end);
  }

  /** One more fits, twelve are refused, and two calls wait for room. */
  #fillBatch(): void {
    const batch = this.#of("batch");
    this.#enqueue("batch", undefined);
    for (let n = 1; n <= 12; n++) {
      try {
        batch.enqueue(() => {});
      } catch {
        this.#count("tasks_refused_total", { manager: "batch", queue: "default", handler: undefined });
      }
    }
    for (let n = 1; n <= 2; n++) batch.enqueueAsync(() => {}).catch(() => {}); // rejected at the end
  }

  async #readResults(): Promise<void> {
    const ended = this.#followed.countEnded("shop");
    for (let n = 0; n < ended; n++) await this.#reader?.next();
    const shop = { manager: "shop" };
    this.ledger.count("results_published_total", shop, 2 * ended);
    this.ledger.count("results_delivered_total", shop, ended);
    this.ledger.count("results_dropped_total", { ...shop, subscription: "audit" }, ended - 5);
    this.ledger.count("results_dropped_total", { ...shop, subscription: "_OTHER" }, 0);
  }

  /** Enqueues a task of a handler of the shop. @param end how it is to end; undefined where it stays */
  #handle(
    handler: string,
    end: End | undefined,
    payload: unknown,
    options: TaskOptions = {},
  ): TaskHandle<unknown> {
    const group: Group = { manager: "shop", queue: handler === "index" ? "bulk" : "critical", handler };
    const shop: TaskManager<never> = this.#of("shop");
    return this.#followed.follow(group, end, shop.enqueue(handler as never, payload as never, options));
  }

  /** Enqueues a plain function. */
  #enqueue(
    manager: ManagerName,
    end: End | undefined,
    options: TaskOptions = {},
    run: () => unknown = () => {},
  ): TaskHandle<unknown> {
    const group: Group = { manager, queue: options.queue ?? "default", handler: undefined };
    const work = () => {
      this.#count("tasks_started_total", group);
      return run();
    };
    return this.#followed.follow(group, end, this.#of(manager).enqueue(work, options));
  }

  #count(name: string, group: Group, by = 1): void {
    this.#followed.count(name, group, by);
  }

  #of(name: ManagerName): TaskManager {
    const tasks = this.#managers.get(name);
    if (tasks === undefined) throw new Error(`there is no manager ${name} yet`);
    return tasks;
  }
}

/** In a phase of the loop after which its timers come first: so the delay is measured before it is scraped. */
export function blockEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => {
      const until = performance.now() + BLOCKED_MS;
      while (performance.now() < until) {}
      resolve();
    });
  });
}
