import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { assert } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import type { ErrorEnvelope } from "../../task/error-envelope.js";
import { fromEnvelope } from "../../task/from-envelope.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import type { ThreadSettings } from "../../task/thread-options.js";
import type { WorkerExitReason } from "../../task/worker-details.js";
import type { HandedAttempt } from "./handed-attempt.js";
import { type BatchThread, HandedBatch } from "./handed-batch.js";
import { hear, type MessageListener } from "./hear.js";
import { type LaunchedThread, launchThread, type ThreadListener } from "./launch-thread.js";
import type { EnqueueMessage, LateFaultMessage, ThreadStarted, ThrewMessage } from "./messages.js";
import { OneTimer } from "./one-timer.js";
import { Patience } from "./patience.js";
import type { TaskWords } from "./task-words.js";
import type { ThreadKeeper } from "./thread-keeper.js";
import { ThreadLife } from "./thread-life.js";
import { exitError, isOutOfMemory, loadError, toSource } from "./worker-faults.js";

/** A start that was taken to be this much too early is no matter: timers have no finer grain. */
const TOLERANCE_MS = 1;

/**
 * One worker thread, from its launch to its exit, and the batch that it has been given; `ThreadLife` has its
 * states. What it has posted before its end counts: the channel is read out first.
 */
export class WorkerThread extends ThreadLife implements ThreadListener, BatchThread, MessageListener {
  readonly #settings: ThreadSettings;
  readonly #clock: Clock;
  readonly #keeper: ThreadKeeper<WorkerThread>;
  readonly #known = new Set<HandlerDefinition>();
  /** For what must not take longer than `startTimeoutMs`. */
  readonly #watched: OneTimer;
  /** What waits behind a task that turns out to be slow goes back: another thread may have it sooner. */
  readonly #patience: Patience<HandedBatch>;
  #launched: LaunchedThread | undefined;
  #batch: HandedBatch | undefined;
  #batches = 0;
  #loading: HandlerDefinition | undefined;

  constructor(name: string, settings: ThreadSettings, clock: Clock, keeper: ThreadKeeper<WorkerThread>) {
    super(name, clock.now());
    this.#settings = settings;
    this.#clock = clock;
    this.#keeper = keeper;
    this.#watched = new OneTimer(clock);
    this.#patience = new Patience(clock, (batch) => {
      if (this.#batch === batch) batch.withdrawRest();
      this.attemptLeft();
    });
  }

  get port(): MessagePort {
    return this.#channel.port;
  }

  get words(): TaskWords {
    return this.#channel.words;
  }

  get loading(): boolean {
    return this.#loading !== undefined;
  }

  get threadId(): number {
    return this.#launched?.threadId ?? -1;
  }

  async launch(): Promise<void> {
    this.#watch(() => this.notStarted(new Error(`The thread did not come up ${this.#inTime}`)));
    try {
      const launched = await launchThread(this.#settings, this);
      this.#launched = launched;
      if (this.state === "dying") launched.terminate();
    } catch (error) {
      this.notStarted(error);
      this.exited(undefined);
    }
  }

  /** Gives it a batch; it must be idle. */
  give(attempts: readonly HandedAttempt[]): void {
    const batch = new HandedBatch(++this.#batches, attempts, this);
    const [first] = attempts as readonly [HandedAttempt];
    const { handler } = first;
    this.#batch = batch;
    this.state = "busy";
    this.busySince = this.#clock.now();
    this.attempts += attempts.length;
    if (attempts.length > 1) this.#patience.begin(batch, this.busySince);
    const isNew = !this.#known.has(handler);
    if (!batch.post(this.#keeper.numberOf(handler), isNew ? toSource(handler) : undefined)) {
      this.#free();
    } else if (isNew) {
      this.#known.add(handler);
      this.#loading = handler;
      this.#watch(() => this.#failLoad(new Error(`It was not imported ${this.#inTime}`)));
    } else if (first.waited) {
      first.attempt.began();
    }
  }

  /** Ends it when its batch is over, at once where it has none. What has not begun goes back. */
  retire(reason: WorkerExitReason): void {
    if (this.ending) return;
    this.exitReason ??= reason;
    if (this.state !== "busy") this.terminate(reason);
    this.#batch?.withdrawRest();
    this.attemptLeft();
  }

  /** Ends it at once. Attempts that have begun are for the caller to end; what has not begun goes back. */
  terminate(reason: WorkerExitReason): void {
    if (this.ending) return;
    this.#leave(reason);
    this.#launched?.terminate();
    this.#batch?.withdrawRest();
  }

  /** Reads out what it has told and nobody has heard yet. */
  hearAll(): void {
    const port = this.#launched?.port;
    if (port === undefined) return;
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
      this.told(next.message);
  }

  started({ failure }: ThreadStarted): void {
    if (this.state !== "starting") return;
    if (failure !== undefined) {
      this.notStarted(fromEnvelope(failure, this.#origin));
      return;
    }
    this.#watched.clear();
    this.state = "idle";
    this.readyAt = this.idleSince = this.#clock.now();
    this.#keeper.threadReady(this);
  }

  failed(error: unknown): void {
    this.error ??= error;
  }

  notStarted(error: unknown): void {
    if (this.state !== "starting") return;
    this.error ??= error;
    this.terminate("start-failed");
  }

  exited(exitCode: number | undefined): void {
    if (this.state === "gone") return;
    this.exitCode = exitCode;
    if (this.state === "starting") this.error ??= new Error(`It ended with code ${exitCode} when it came up`);
    this.#leave(this.#reasonOfExit()); // before it is read out: it must not be given another batch
    this.hearAll();
    this.state = "gone";
    this.#endBatch();
    this.#keeper.threadExited(this);
  }

  told(message: unknown): void {
    hear(message, this);
  }

  returned(index: number, value: unknown, runMs: number): void {
    this.#end(index, runMs, (handed, batch) => batch.returned(handed, value, runMs));
  }

  threw({ index, error, runMs, fault }: ThrewMessage): void {
    const thrown = fromEnvelope(error, this.#origin);
    if (fault) this.terminate("exited");
    this.#end(index, runMs, (handed) => handed.fail(thrown, runMs));
  }

  progressed(index: number, value: unknown): void {
    this.#batch?.attempts[index]?.attempt.context.progress(value);
  }

  enqueues(message: EnqueueMessage): void {
    const handed = this.#batch?.attempts[message.index];
    if (handed !== undefined) void this.#batch?.enqueue(handed, message);
  }

  faultedLate(message: LateFaultMessage): void {
    this.#keeper.lateFault(this, message, fromEnvelope(message.error, this.#origin));
    this.retire("late-fault");
  }

  carrierFailed(error: ErrorEnvelope): void {
    this.#keeper.carrierFailed(fromEnvelope(error, this.#origin));
  }

  heapFull(): void {
    this.retire("heap");
  }

  loaded(): void {
    if (this.#loading === undefined) return;
    this.#watched.clear();
    this.#keeper.handlerLoaded(this.#loading);
    this.#loading = undefined;
    this.#batch?.next?.attempt.began();
    this.attemptLeft();
  }

  loadFailed(error: ErrorEnvelope): void {
    this.#failLoad(fromEnvelope(error, this.#origin));
  }

  /**
   * The thread has done with an attempt; the next one of its batch has begun by now. After the last one it is
   * free before anybody hears of the end, so that it can be given what starts with that.
   */
  #end(index: number, runMs: number, end: (handed: HandedAttempt, batch: HandedBatch) => void): void {
    const batch = this.#batch;
    const handed = batch?.attempts[index];
    if (batch === undefined || handed === undefined || handed.left) return;
    this.#keeper.handlerRan(handed.handler, runMs);
    handed.left = true;
    const { next } = batch;
    if (next !== undefined && this.#clock.now() - this.busySince >= TOLERANCE_MS) next.attempt.began();
    this.attemptLeft();
    end(handed, batch);
  }

  attemptLeft(): void {
    if (this.#batch !== undefined && !this.loading && this.#batch.next === undefined) this.#free();
  }

  #free(): void {
    this.#batch = undefined;
    if (this.state !== "busy") return;
    this.#countBusy();
    this.state = "idle";
    this.idleSince = this.#clock.now();
    if (this.attempts >= this.#settings.maxTasksPerThread) this.exitReason ??= "task-count";
    if (this.exitReason === undefined) this.#keeper.threadFree(this);
    else this.terminate(this.exitReason);
  }

  #failLoad(cause: unknown): void {
    const handler = this.#loading;
    if (handler === undefined) return;
    this.#loading = undefined;
    this.#leave("load-failed");
    this.exitReason = "load-failed"; // also where the import has ended the thread itself
    this.#launched?.terminate();
    this.#keeper.handlerFailed(handler, cause);
    for (const handed of this.#batch?.attempts ?? []) handed.fail(loadError(handler, cause));
    this.#free();
  }

  /** The thread is gone: what had begun in it has failed with what became of it. */
  #endBatch(): void {
    if (this.#loading !== undefined)
      this.#failLoad(this.error ?? new Error(`Its thread ended with code ${this.exitCode}`));
    this.#batch?.withdrawRest();
    for (const handed of this.#batch?.attempts ?? []) if (!handed.left) handed.fail(exitError(handed, this));
    this.#batch = undefined;
  }

  #reasonOfExit(): WorkerExitReason {
    if (this.state === "starting") return "start-failed";
    return isOutOfMemory(this.error) ? "out-of-memory" : "exited";
  }

  #leave(reason: WorkerExitReason): void {
    if (this.ending) return;
    this.#watched.clear();
    this.#patience.end();
    if (this.state === "busy") this.#countBusy();
    this.exitReason = reason;
    this.state = "dying";
    this.#keeper.threadDying(this);
  }

  get #channel(): LaunchedThread {
    assert(this.#launched !== undefined, "a thread that has come up has its channel");
    return this.#launched;
  }

  #countBusy(): void {
    this.#keeper.threadWasBusy(this.#clock.now() - this.busySince);
  }

  #watch(tooLate: () => void): void {
    this.#watched.set(this.#settings.startTimeoutMs, tooLate);
  }

  get #inTime(): string {
    return `within ${this.#settings.startTimeoutMs} ms (startTimeoutMs)`;
  }

  /** A line for the stacks of errors: where they came from. */
  get #origin(): string {
    return `    at worker thread ${this.name}`;
  }
}
