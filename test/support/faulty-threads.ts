import { setTimeout as delay } from "node:timers/promises";
import type { MeterProvider } from "@opentelemetry/sdk-metrics";
import { SystemClock } from "../../dist/adapters/system/system-clock.js";
// Threads run what is compiled, and so does the manager that hands tasks to them.
import { defineHandlers, json, TaskManager, type TaskManagerOptions } from "../../dist/index.js";
import { instrument } from "../../src/adapters/otel/index.js";
import { WORKER_EXIT_REASONS, type WorkerExitReason } from "../../src/task/worker-details.js";
import type { End, FollowedTasks } from "./followed-tasks.js";

const fixture = (name: string) => new URL(`../fixtures/threads-otel/${name}`, import.meta.url);
const shop = { payload: json<{ really?: boolean }>(), module: fixture("shop.mjs") };

const handlers = defineHandlers({
  ...{ add: shop, exit: shop, late: shop, hold: { ...shop, timeoutMs: false } },
  hang: { ...shop, timeoutMs: 20, killAfterMs: 20 },
  lost: { payload: json<object>(), module: fixture("there-is-no-such-file.mjs") },
});
const unlucky = defineHandlers({ never: shop });

type Handler = "add" | "exit" | "late" | "hold" | "hang" | "lost";

/** Loads of a module, and starts of threads, that fail in a row before it is taken for granted. */
const IN_A_ROW = 10;
const LATE_FAULTS = 3;
const HANGING = 2;
/** A batch is as large as the machine is fast: so many times it is tried to break one. */
const MAX_ROUNDS = 50;

/** After ten failed starts a manager tries one each second: on this clock that second lasts for an hour. */
class NoSecondTry extends SystemClock {
  override setTimeout(callback: () => void, delayMs: number) {
    return super.setTimeout(callback, delayMs > 1_000 && delayMs < 1_002 ? 3_600_000 : delayMs);
  }
}

/**
 * Two managers with worker threads: in one these die of all that they can die of, in the other none comes up.
 * Their faults are counted in the ledger by what causes them. When `run` has resolved, one thread of the first
 * is busy, and two are idle.
 */
export class FaultyThreads implements AsyncDisposable {
  readonly #followed: FollowedTasks;
  readonly #crunch: TaskManager<typeof handlers>;
  readonly #broken: TaskManager<typeof unlucky>;
  readonly #died = new Map<WorkerExitReason, number>();
  /** Of tasks that are to end. */
  readonly #results: Promise<unknown>[] = [];

  constructor(followed: FollowedTasks, meterProvider: MeterProvider) {
    this.#followed = followed;
    this.#crunch = new TaskManager({ handlers, threads: { max: 3 } });
    this.#broken = new TaskManager({
      ...{ handlers: unlucky, threads: { max: 1, preload: [fixture("broken.mjs")] } },
      clock: new NoSecondTry(),
    } satisfies TaskManagerOptions<typeof unlucky>);
    this.#watch("crunch", this.#crunch, meterProvider);
    this.#watch("broken", this.#broken, meterProvider);
  }

  /** While nothing is started. */
  enqueueFirst(): void {
    void this.#crunch.pause();
    void this.#broken.pause();
    this.#enqueue("hold", undefined);
    this.#enqueue("add", "completed");
    this.#die("exited", "exit", "error");
    this.#die("load-failed", "lost", "error");
    for (let n = 1; n <= HANGING; n++) this.#die("killed", "hang", "timeout");
    const never = this.#followed.follow(this.#groupOf("never"), "error", this.#broken.enqueue("never", {}));
    this.#results.push(never.result().catch(() => {}));
    this.#followed.count("tasks_started_total", this.#groupOf("never"));
    this.#count("broken", "start-failed", IN_A_ROW);
  }

  async run(): Promise<void> {
    this.#crunch.resume();
    this.#broken.resume();
    await Promise.all(this.#results);
    for (let n = 2; n <= IN_A_ROW; n++) await this.#die("load-failed", "lost", "error");
    for (let n = 1; n <= LATE_FAULTS; n++) await this.#leaveFault(n);
    await this.#breakBatches();
    for (let n = 1; n <= 20; n++) this.#enqueue("add", "completed");
    await Promise.all(this.#results);
    this.#crunch.setConcurrency({ threads: { min: 3, max: 3 } });
    await until(() => this.#isAtRest());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#crunch.stopNow(), this.#broken.stopNow()]);
  }

  #watch(name: string, tasks: TaskManager<never>, meterProvider: MeterProvider): void {
    instrument(tasks as never, { name, meterProvider });
    const { ledger } = this.#followed;
    for (const reason of WORKER_EXIT_REASONS) this.#count(name, reason, 0);
    tasks.observe({ onWorkerStarted: () => ledger.count("worker_threads_started_total", { manager: name }) });
  }

  /** What the task had left behind throws when it is over. */
  async #leaveFault(nth: number): Promise<void> {
    await this.#die("late-fault", "late", "completed");
    this.#followed.ledger.count("worker_late_faults_total", { manager: "crunch" });
    await until(() => this.#crunch.stats().threads.exited["late-fault"] === nth);
  }

  /** Small tasks travel together, as soon as they are known to be small; one of them ends their thread. */
  async #breakBatches(): Promise<void> {
    const { total } = this.#crunch.stats();
    for (let round = 1; this.#crunch.stats().total.handedBack === total.handedBack; round++) {
      if (round > MAX_ROUNDS) throw new Error("no task was handed back");
      await Promise.all(Array.from({ length: 32 }, () => this.#enqueue("exit", "completed")));
      const batch = [this.#enqueue("exit", "completed"), this.#die("exited", "exit", "error")];
      for (let n = 1; n <= 8; n++) batch.push(this.#enqueue("exit", "completed"));
      await Promise.all(batch);
    }
    const handedBack = this.#crunch.stats().total.handedBack - total.handedBack;
    this.#followed.count("tasks_handed_back_total", this.#groupOf("exit"), handedBack);
    this.#followed.count("tasks_started_total", this.#groupOf("exit"), handedBack);
  }

  #isAtRest(): boolean {
    const { crunch, broken } = { crunch: this.#crunch.stats().threads, broken: this.#broken.stats().threads };
    const haveDied = [...this.#died].every(([reason, count]) => crunch.exited[reason] === count);
    const isStill = crunch.alive === 3 && crunch.starting === 0 && crunch.busy === 1;
    return haveDied && isStill && broken.alive === 0 && this.#crunch.stats().waitingHookCalls === 0;
  }

  /** Its thread does not survive it. */
  #die(reason: WorkerExitReason, handler: Handler, end: End): Promise<unknown> {
    this.#died.set(reason, (this.#died.get(reason) ?? 0) + 1);
    this.#count("crunch", reason, 1);
    if (handler === "hang") this.#followed.count("tasks_timed_out_total", this.#groupOf("hang"));
    return this.#enqueue(handler, end, { really: true });
  }

  /** @returns a promise that resolves when it is over, however it ends */
  #enqueue(handler: Handler, end: End | undefined, payload = {}): Promise<unknown> {
    const handle = this.#crunch.enqueue(handler, payload);
    this.#followed.follow(this.#groupOf(handler), end, handle);
    this.#followed.count("tasks_started_total", this.#groupOf(handler));
    const result = handle.result().catch(() => {});
    if (end !== undefined) this.#results.push(result);
    return result;
  }

  #groupOf(handler: string) {
    return { manager: handler === "never" ? "broken" : "crunch", queue: "default", handler };
  }

  #count(manager: string, reason: WorkerExitReason, by: number): void {
    this.#followed.ledger.count("worker_threads_exited_total", { manager, reason }, by);
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(1);
}
