import type { Clock } from "../../ports/clock.js";
import type { Executor, PoolHost, PoolSize, RunnableAttempt, WorkerPool } from "../../ports/executor.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import type { ThreadStats } from "../../task/manager-stats.js";
import { skipRetry } from "../../task/steering.js";
import type { ThreadSettings } from "../../task/thread-options.js";
import { HandlerCall, type Work } from "../../task/work.js";
import { WorkerStartError } from "../../worker-errors.js";
import { type AttemptPlace, HandedAttempt } from "./handed-attempt.js";
import { ThreadHandlers } from "./thread-handlers.js";
import { ThreadPool } from "./thread-pool.js";
import { movedError } from "./unsent.js";
import { loadError } from "./worker-faults.js";

/**
 * Runs attempts in worker threads. Attempts that arrive within one turn stand in line until its end, so that
 * small ones can travel together; who finds no idle thread waits there for one that is coming up, which is
 * short: the dispatcher starts no more than there are slots.
 */
export class ThreadExecutor implements Executor, WorkerPool {
  readonly lane = "threads";
  readonly #settings: ThreadSettings;
  readonly #handlers: ThreadHandlers;
  readonly #threads: ThreadPool;
  readonly #handed = new Map<RunnableAttempt, HandedAttempt>();
  #line: HandedAttempt[] = [];
  #soon = false;
  /** One in line has not begun: it is over at once. */
  readonly #inLine: AttemptPlace = {
    abort: (handed, reason) => {
      const place = this.#line.indexOf(handed);
      if (place >= 0) this.#line.splice(place, 1);
      handed.fail(reason);
    },
    announceStop: () => {},
    kill: (handed) =>
      this.#inLine.abort(handed, new WorkerStartError("No thread came up for the task in time")),
    hasBegun: () => false,
  };
  readonly #forget = (handed: HandedAttempt) => {
    this.#handed.delete(handed.attempt);
  };
  readonly #handOverSoon = () => {
    this.#soon = false;
    this.handOver();
  };

  constructor(settings: ThreadSettings, clock: Clock) {
    this.#settings = settings;
    this.#handlers = new ThreadHandlers(clock);
    const user = {
      threadIdle: () => this.#assign(),
      threadsFail: (cause: unknown) => this.#refuseLine(cause),
    };
    this.#threads = new ThreadPool(settings, clock, user, this.#handlers);
  }

  get pool(): WorkerPool {
    return this;
  }

  get pulses(): Int32Array {
    return this.#threads.pulses.words;
  }

  run(attempt: RunnableAttempt): void {
    const handed = new HandedAttempt(attempt, this.#inLine, this.#forget);
    this.#handed.set(attempt, handed);
    const refusal = this.#refusalOf(handed);
    if (refusal !== undefined) {
      handed.fail(refusal);
      return;
    }
    this.#line.push(handed);
    attempt.follow(handed);
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(this.#handOverSoon); // middleware brings attempts here when nobody dispatches
  }

  kill(attempt: RunnableAttempt): boolean {
    const handed = this.#handed.get(attempt);
    handed?.place.kill(handed);
    return true;
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }

  connect(host: PoolHost): void {
    this.#threads.connect(host);
  }

  open(): void {
    this.#threads.open();
  }

  resize(size: PoolSize): void {
    this.#threads.resize(size);
  }

  waitMs(used: number, waitedMs: number): number {
    return this.#threads.waitMs(used, waitedMs);
  }

  batchSize(work: Work): number {
    return work instanceof HandlerCall ? this.#batchSizeOf(work.handler) : 1;
  }

  handOver(): void {
    if (this.#line.length === 0) return;
    this.#assign();
    for (const handed of this.#line) handed.waited = true;
  }

  hasBegun(attempt: RunnableAttempt): boolean {
    const handed = this.#handed.get(attempt);
    return handed === undefined || handed.left || handed.place.hasBegun(handed);
  }

  read(): ThreadStats {
    return this.#threads.read();
  }

  #assign(): void {
    while (this.#line.length > 0) {
      const thread = this.#threads.takeIdle();
      if (thread === undefined) break;
      thread.give(this.#nextBatch(this.#settings.maxTasksPerThread - thread.attempts));
    }
    if (this.#line.length > 0 && !this.#threads.want(this.#wanted())) this.#refuseLine(this.#threads.cause);
  }

  /** The first in line, and those who may travel with it. */
  #nextBatch(most: number): readonly HandedAttempt[] {
    const [first] = this.#line as [HandedAttempt];
    const size = Math.min(most, this.#batchSizeOf(first.handler));
    if (size === 1 || this.#line.length === 1) {
      this.#line.shift();
      return [first];
    }
    const batch: HandedAttempt[] = [];
    const rest: HandedAttempt[] = [];
    for (const handed of this.#line)
      (batch.length < size && travelsWith(handed, first) ? batch : rest).push(handed);
    this.#line = rest;
    return batch;
  }

  /** How many threads would serve those in line. */
  #wanted(): number {
    let wanted = 0;
    for (const { handler } of this.#line) wanted += 1 / this.#batchSizeOf(handler);
    return Math.ceil(wanted - Number.EPSILON * this.#line.length);
  }

  #batchSizeOf(handler: HandlerDefinition): number {
    const { batching, maxTasksPerThread } = this.#settings;
    return batching ? Math.min(maxTasksPerThread, this.#handlers.batchSize(handler)) : 1;
  }

  #refusalOf({ attempt, handler }: HandedAttempt): Error | undefined {
    if (attempt.transfer?.moved) return skipRetry(movedError(handler.name));
    const refusal = this.#handlers.refusal(handler);
    return refusal && loadError(handler, refusal.cause);
  }

  #refuseLine(cause: unknown): void {
    const line = this.#line;
    this.#line = [];
    for (const handed of line)
      handed.fail(new WorkerStartError("No worker thread can be started", { cause }));
  }
}

function travelsWith({ attempt, handler }: HandedAttempt, first: HandedAttempt): boolean {
  if (attempt === first.attempt) return true;
  if (handler !== first.handler || attempt.transfer !== undefined || first.attempt.transfer !== undefined)
    return false;
  const { queue, priority } = attempt.context;
  return queue === first.attempt.context.queue && priority === first.attempt.context.priority;
}
