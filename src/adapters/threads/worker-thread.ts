import type { Clock } from "../../ports/clock.js";
import type { ErrorEnvelope } from "../../task/error-envelope.js";
import { fromEnvelope } from "../../task/from-envelope.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import type { ThreadSettings } from "../../task/thread-options.js";
import type { WorkerExitReason } from "../../task/worker-details.js";
import type { HandedAttempt } from "./handed-attempt.js";
import { type BatchThread, HandedBatch } from "./handed-batch.js";
import { hear, type MessageListener } from "./hear.js";
import type { ThreadListener } from "./launch-thread.js";
import type { LateFaultMessage, ThreadStarted, ThrewMessage } from "./messages.js";
import { OneTimer } from "./one-timer.js";
import { Patience } from "./patience.js";
import { ThreadChannel } from "./thread-channel.js";
import type { ThreadKeeper } from "./thread-keeper.js";
import { ThreadLife } from "./thread-life.js";
import {
  exitError,
  heldUpError,
  isOutOfMemory,
  loadError,
  NOBODY,
  reasonOfExit,
  toSource,
} from "./worker-faults.js";

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
  readonly channel: ThreadChannel;
  readonly #known = new Set<HandlerDefinition>();
  /** For what must not take longer than `startTimeoutMs`. */
  readonly #watched: OneTimer;
  /** What waits behind a task that turns out to be slow goes back: another thread may have it sooner. */
  readonly #patience: Patience<HandedBatch>;
  batch: HandedBatch | undefined = undefined;
  #batches = 0;
  #loading: HandlerDefinition | undefined;
  importing = false;

  constructor(name: string, settings: ThreadSettings, clock: Clock, keeper: ThreadKeeper<WorkerThread>) {
    super(name, clock.now(), keeper.pulses.take());
    this.#settings = settings;
    this.#clock = clock;
    this.#keeper = keeper;
    this.channel = new ThreadChannel(this);
    this.#watched = new OneTimer(clock);
    this.#patience = new Patience(
      clock,
      (batch) => this.#giveRestBack(batch),
      (batch) => this.#endHeldUp(batch),
    );
  }

  get loading(): boolean {
    return this.#loading !== undefined;
  }

  async launch(): Promise<void> {
    this.#watched.limit(this.#settings, "The thread did not come up", (error) => this.notStarted(error));
    try {
      await this.channel.launch(this.#settings, this.pulse);
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
    this.batch = batch;
    this.state = "busy";
    this.busySince = this.#clock.now();
    const isNew = !this.#known.has(handler);
    if (!batch.post(this.#keeper.handlers.numberOf(handler), isNew ? toSource(handler) : undefined)) {
      this.#free();
    } else if (isNew) {
      this.#known.add(handler);
      this.#loading = handler;
      this.#watched.limit(this.#settings, "It was not imported", (error) => this.#failLoad(error));
    } else if (first.waited) {
      first.attempt.began();
    }
    if (this.batch === batch) this.#patience.begin(batch, this.busySince);
  }

  /** Ends it when its batch is over, at once where it has none. What has not begun goes back. */
  retire(reason: WorkerExitReason): void {
    if (this.ending) return;
    this.exitReason ??= reason;
    if (this.state !== "busy") this.terminate(reason);
    this.batch?.withdrawRest();
    this.attemptLeft();
  }

  /** Ends it at once. Attempts that have begun are for the caller to end; what has not begun goes back. */
  terminate(reason: WorkerExitReason): void {
    if (this.ending) return;
    this.#leave(reason);
    this.channel.end();
    this.batch?.withdrawRest();
  }

  started({ failure }: ThreadStarted): void {
    if (failure !== undefined) this.notStarted(fromEnvelope(failure, this.origin));
    if (this.state !== "starting") return;
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
    if (this.state === "starting") this.error ??= new Error(`It ended with code ${exitCode} at its start`);
    this.#leave(this.state === "starting" ? "start-failed" : reasonOfExit(this.error)); // before it is free
    this.channel.hearAll();
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
    const thrown = fromEnvelope(error, this.origin);
    if (fault) this.terminate("exited");
    this.#end(index, runMs, (handed) => handed.fail(thrown, runMs));
  }

  /** What a module throws beside its import is the module's; what a finished task left behind is not. */
  faultedLate(message: LateFaultMessage): void {
    const error = fromEnvelope(message.error, this.origin);
    if (this.loading && message.id === undefined) {
      this.#failLoad(error);
      return;
    }
    this.#keeper.lateFault(this, message, error);
    this.retire("late-fault");
  }

  carrierFailed(error: ErrorEnvelope): void {
    this.#keeper.carrierFailed(fromEnvelope(error, this.origin));
  }

  heapFull(): void {
    this.retire("heap");
  }

  heard(): void {
    this.importing = true;
  }

  loaded(): void {
    this.importing = false;
    if (this.#loading === undefined) return; // it was told again where it finds what it knows
    this.#watched.clear();
    this.#keeper.handlers.loaded(this.#loading);
    this.#loading = undefined;
    if (this.batch !== undefined) this.#patience.begin(this.batch, this.#clock.now());
    this.batch?.next?.attempt.began();
    this.attemptLeft();
  }

  /** What it was sent cannot be read there: it is given copies, of which it is known that they can. */
  unread(): void {
    const { batch } = this;
    const handler = batch?.attempts[0]?.handler;
    if (batch === undefined || handler === undefined) return;
    if (!batch.postCopies(this.#keeper.handlers.numberOf(handler), toSource(handler))) {
      this.#loading = undefined;
      this.#known.delete(handler);
    }
    this.attemptLeft();
  }

  loadFailed(error: ErrorEnvelope): void {
    this.#failLoad(fromEnvelope(error, this.origin));
  }

  /**
   * The thread has done with an attempt; the next one of its batch has begun by now. After the last one it is
   * free before anybody hears of the end, so that it can be given what starts with that.
   */
  #end(index: number, runMs: number, end: (handed: HandedAttempt, batch: HandedBatch) => void): void {
    const batch = this.batch;
    const handed = batch?.attempts[index];
    if (batch === undefined || handed === undefined || handed.left) return;
    this.#keeper.handlers.ran(handed.handler, runMs);
    handed.leave();
    this.attempts++;
    const { next } = batch;
    if (next !== undefined && this.#clock.now() - this.busySince >= TOLERANCE_MS) next.attempt.began();
    this.attemptLeft();
    end(handed, batch);
  }

  attemptLeft(): void {
    if (this.batch !== undefined && !this.loading && this.batch.next === undefined) this.#free();
  }

  #free(): void {
    this.batch = undefined;
    if (this.state !== "busy") return;
    this.state = "idle";
    this.idleSince = this.#clock.now();
    this.#keeper.threadWasBusy(this.idleSince - this.busySince);
    if (this.attempts >= this.#settings.maxTasksPerThread) this.exitReason ??= "task-count";
    if (this.exitReason === undefined) this.#keeper.threadFree(this);
    else this.terminate(this.exitReason);
  }

  #failLoad(cause: unknown): void {
    const handler = this.#loading ?? this.batch?.next?.handler;
    if (handler === undefined) return;
    this.#loading = undefined;
    this.#leave("load-failed");
    this.exitReason = "load-failed"; // also where the import has ended the thread itself
    this.channel.end();
    this.#keeper.handlers.failed(handler, cause);
    for (const handed of this.batch?.attempts ?? []) handed.fail(loadError(handler, cause));
    this.#free();
  }

  /** Another thread may have sooner what waits here behind a slow one. */
  #giveRestBack(batch: HandedBatch): void {
    if (this.batch !== batch || this.loading) return;
    batch.withdrawRest();
    this.attemptLeft();
  }

  /** What a finished task left behind does not let the thread go on, and no message reaches it. */
  #endHeldUp(batch: HandedBatch): void {
    if (this.batch !== batch) return;
    this.error ??= heldUpError();
    this.#keeper.lateFault(this, NOBODY, this.error);
    this.#endUnlessBegun(batch.next);
    this.terminate("late-fault");
  }

  /**
   * A thread was lost before this one began. It is its doing where reading it has taken the memory, or where
   * that happens again and again.
   */
  #endUnlessBegun(first: HandedAttempt | undefined): void {
    if (first === undefined || this.batch?.begun) return;
    if (isOutOfMemory(this.error)) this.#loading = undefined;
    else if (this.loading || !this.#keeper.handlers.struckOut(first.attempt.work)) return;
    first.fail(exitError(first, this));
  }

  /** The thread is gone: what had begun in it has failed with what became of it. */
  #endBatch(): void {
    this.#endUnlessBegun(this.batch?.next);
    if (this.#loading !== undefined && this.exitReason === "exited")
      this.#failLoad(this.error ?? new Error(`Its thread ended with code ${this.exitCode}`));
    this.batch?.withdrawRest();
    this.batch?.failBegun((handed) => exitError(handed, this));
    this.batch = undefined;
  }

  #leave(reason: WorkerExitReason): void {
    if (this.ending) return;
    this.#watched.clear();
    this.#patience.end();
    if (this.state === "busy") this.#keeper.threadWasBusy(this.#clock.now() - this.busySince);
    this.exitReason = reason;
    this.state = "dying";
    this.#keeper.threadDying(this);
  }
}
