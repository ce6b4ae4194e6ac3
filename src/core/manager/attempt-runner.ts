import { assert, TaskTimeoutError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import type { CapturedContext } from "../../ports/context-carrier.js";
import type { Random } from "../../ports/random.js";
import type { Outcome } from "../../task/outcome.js";
import { MOVES } from "../../task/states.js";
import type { Task } from "../../task/task.js";
import type { Limiter } from "../limiter/limiter.js";
import type { QueueGroup } from "../queue/task-queue.js";
import { type Aftermath, LocalAftermath } from "./aftermath.js";
import type { Alarms } from "./alarms.js";
import { Attempt, type AttemptKeeper } from "./attempt.js";
import type { Backlog } from "./backlog.js";
import type { Batch } from "./batch.js";
import type { Carriers } from "./carriers.js";
import { type AbortCause, stoppedError } from "./conclude.js";
import { Concluder, isDecided } from "./concluder.js";
import type { ContextEnqueuer } from "./context-enqueuer.js";
import type { Journal } from "./journal.js";
import type { Lane } from "./lane.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Pauses } from "./pauses.js";
import { Progress } from "./progress.js";
import type { Settler } from "./settler.js";
import type { WrappedAttempts } from "./wrapped-attempts.js";

export interface AttemptRunnerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly alarms: Alarms;
  readonly carriers: Carriers;
  readonly lifecycle: Lifecycle;
  readonly pauses: Pauses;
  readonly limiter: Limiter;
  readonly backlog: Backlog;
  readonly settler: Settler;
  readonly journal: Journal;
  readonly enqueuer: ContextEnqueuer;
  /** What becomes of durable tasks; undefined where there are none. */
  readonly durable: () => Aftermath | undefined;
  /** Middleware round attempts; undefined where there is none. */
  readonly wrapped: WrappedAttempts | undefined;
  /** A slot may have become free, or a task ready. */
  readonly onProgress: () => void;
  /** Permits have come back. */
  readonly onPermits: () => void;
}

/**
 * Takes attempts from start to end: record the start, run inside the carried context, watch the time,
 * conclude from the outcome, and act on the conclusion. An attempt ends once: when its handler ends, or when
 * it is given up.
 */
export class AttemptRunner implements AttemptKeeper {
  readonly #parts: AttemptRunnerParts;
  readonly #concluder: Concluder;
  readonly #local: LocalAftermath;
  readonly #begin: (attempt: Attempt) => void;
  /** In no particular order; a running task's ticket is its attempt's place here. */
  readonly #running: Attempt[] = [];

  constructor(parts: AttemptRunnerParts) {
    this.#parts = parts;
    this.#concluder = new Concluder(parts);
    this.#local = new LocalAftermath(parts);
    const { wrapped } = parts;
    this.#begin = wrapped === undefined ? begin : (attempt) => wrapped.begin(attempt);
  }

  /** Attempts that hold a slot, or a part of one. */
  get running(): number {
    return this.#running.length;
  }

  /** Those that hold a slot now; a copy. */
  attempts(): Attempt[] {
    return [...this.#running];
  }

  /** @param batch what the attempt shares a slot with; undefined where it takes one of its own */
  start(task: Task, group: QueueGroup, lane: Lane, now: number, batch?: Batch): void {
    const attempt = this.#recordStart(task, group, lane, now, batch);
    const { timeoutMs } = task.settings;
    // One that was aborted by who heard of its start has the alarm of its abort.
    if (timeoutMs !== false && attempt.cause === undefined) this.#parts.alarms.set(attempt, now + timeoutMs);
    this.#perform(attempt);
  }

  /**
   * Tells a running task to end. The first cause decides what becomes of it, but that of a stop gives way,
   * and so does a timeout that leads only to another attempt: a cancellation or deadline that comes while its
   * handler winds up would else be lost, and the task would run again.
   * @returns whether this call decided
   */
  abort(task: Task, cause: AbortCause, now: number): boolean {
    const attempt = this.#running[task.ticket];
    if (attempt?.task !== task) return false;
    if (attempt.cause !== undefined && (cause.kind === "stopped" || isDecided(attempt))) {
      if (cause.kind === "stopped") this.#hurry(attempt, now);
      return false;
    }
    attempt.abort(cause, now);
    // The handler may have ended, and so may the task, by what its signal set off.
    if (!attempt.over) this.#hurry(attempt, now);
    return true;
  }

  timeUp(attempt: Attempt, now: number): void {
    if (attempt.cause !== undefined) {
      this.#giveUp(attempt, now);
      return;
    }
    const { task } = attempt;
    const timeoutMs = task.settings.timeoutMs || 0;
    if (!this.#hasBegun(attempt)) {
      this.#parts.alarms.set(attempt, now + timeoutMs); // set anew when it begins
      return;
    }
    task.tally.timedOut++;
    const called = [task.handler, task.details?.name].filter((one) => one !== undefined);
    this.abort(task, { kind: "timeout", error: new TaskTimeoutError(task.id, timeoutMs, called) }, now);
  }

  handlerBegan(attempt: Attempt): void {
    const { task } = attempt;
    if (attempt.over) return;
    const now = this.#parts.clock.now();
    const { timeoutMs } = task.settings;
    task.startedAt = now;
    if (timeoutMs !== false && attempt.cause === undefined) this.#parts.alarms.set(attempt, now + timeoutMs);
    this.#aftermathOf(task).began(attempt);
  }

  placed(attempt: Attempt, pulse: number | undefined): void {
    if (!attempt.over) this.#aftermathOf(attempt.task).placed(attempt, pulse);
  }

  handlerRan({ over, task }: Attempt, runMs: number): void {
    const now = this.#parts.clock.now();
    if (!over) task.startedAt = Math.min(now, Math.max(task.startedAt ?? now, now - runMs));
  }

  handlerEnded(attempt: Attempt, ended: Outcome): void {
    const { clock, onProgress } = this.#parts;
    // Those who hear of it may still abort the attempt.
    if (!attempt.over) attempt.progress?.end(clock.now());
    if (attempt.over) {
      attempt.lane.abandoned--; // it was given up before, and has ended after all
    } else {
      const aftermath = this.#aftermathOf(attempt.task);
      const outcome = aftermath.weigh(attempt, ended);
      if (outcome.returned && attempt.cause === undefined) {
        this.#recordEnd(attempt);
        aftermath.complete(attempt, outcome.value, clock.now());
      } else {
        this.#end(attempt, outcome, clock.now(), false);
      }
    }
    onProgress();
  }

  handedBack(attempt: Attempt): void {
    const { clock, limiter, onPermits, onProgress } = this.#parts;
    const now = clock.now();
    if (!attempt.over) attempt.progress?.end(now);
    if (attempt.over) {
      attempt.lane.abandoned--;
    } else if (attempt.cause !== undefined) {
      this.#end(attempt, { returned: false, thrown: attempt.cause.error }, now, false);
    } else {
      limiter.giveBack(attempt.task, attempt.takenAt ?? now, now);
      onPermits();
      this.#recordEnd(attempt);
      this.#aftermathOf(attempt.task).handBack(attempt, now);
      attempt.lane.full = false; // it may have waited for longer than the one for which its lane was closed
    }
    onProgress();
  }

  headersOf(task: Task): Readonly<Record<string, string>> | undefined {
    return this.#parts.carriers.headers(task);
  }

  get enqueuer(): ContextEnqueuer {
    return this.#parts.enqueuer;
  }

  progressed(attempt: Attempt, value: unknown): void {
    const { task } = attempt;
    if (!task.durable && this.#parts.journal.events.heard.progress === 0) return;
    attempt.progress ??= new Progress(task, this.#parts, (told) => {
      this.#aftermathOf(task).progressed(attempt, told);
    });
    attempt.progress.report(value);
  }

  #recordStart(task: Task, group: QueueGroup, lane: Lane, now: number, batch: Batch | undefined): Attempt {
    const { work } = task;
    assert(work !== undefined, "a live task has its work");
    task.move(MOVES.queued.start);
    task.attempt++;
    const attempt = new Attempt(task, work, group, lane, this);
    if (lane.executor.pool !== undefined) attempt.enterPool(batch, now);
    task.startedAt = now;
    task.pastAttempt = undefined;
    if (!this.#parts.lifecycle.accepting) attempt.announceStop(stoppedError(task));
    if (batch === undefined) lane.take();
    else batch.join();
    task.ticket = this.#running.push(attempt) - 1;
    task.tally.started++;
    this.#parts.journal.recordStarted(task);
    return attempt;
  }

  /** Runs the handler in the context that was carried to it. */
  #perform(attempt: Attempt): void {
    const { carriers } = this.#parts;
    if (carriers.attached) this.#performCarried(attempt);
    else carriers.enter(attempt.task.captured as CapturedContext | undefined, this.#begin, attempt);
  }

  /** The same, with carriers that are told how it ends. */
  #performCarried(attempt: Attempt): void {
    const { task } = attempt;
    void this.#parts.carriers.run(task.captured as CapturedContext | undefined, task, () => {
      const outcome = attempt.outcome();
      this.#begin(attempt);
      return outcome;
    });
  }

  /** The time that an aborted attempt has left, from its abort; a stop shortens it. */
  #hurry(attempt: Attempt, now: number): void {
    const { alarms, lifecycle } = this.#parts;
    const giveUpAt = (attempt.abortedAt ?? now) + attempt.task.settings.killAfterMs;
    alarms.set(attempt, Math.min(giveUpAt, lifecycle.endAt));
  }

  /** The handler went on after its abort: by force where there is one, else without its slot. */
  #giveUp(attempt: Attempt, now: number): void {
    const { lane } = attempt;
    const { wrapped } = this.#parts;
    if (wrapped === undefined ? lane.executor.kill(attempt) : wrapped.kill(attempt)) return;
    attempt.progress?.end(now);
    lane.abandoned++;
    attempt.task.tally.abandoned++;
    this.#end(attempt, { returned: false, thrown: attempt.cause?.error }, now, true);
    this.#parts.onProgress();
  }

  /** False while the handler waits for its place; time that middleware takes counts. */
  #hasBegun(attempt: Attempt): boolean {
    const { pool } = attempt.lane.executor;
    if (pool === undefined) return true;
    const { wrapped } = this.#parts;
    const runnable = wrapped === undefined ? attempt : wrapped.running(attempt);
    return runnable === undefined || pool.hasBegun(runnable);
  }

  #end(attempt: Attempt, outcome: Outcome, now: number, abandoned: boolean): void {
    const conclusion = this.#concluder.conclude(attempt, outcome);
    this.#recordEnd(attempt);
    if (abandoned) {
      attempt.task.rememberAttempt(now);
      this.#parts.journal.record("abandoned", attempt.task);
    }
    this.#aftermathOf(attempt.task).act(attempt, conclusion, now, abandoned);
  }

  #recordEnd(attempt: Attempt): void {
    const { batch, group, lane } = attempt;
    attempt.over = true;
    this.#parts.alarms.clear(attempt);
    this.#remove(attempt);
    if (batch === undefined) lane.giveBack();
    else batch.leave();
    this.#parts.backlog.ready.ended(group);
  }

  /** The last one takes its place. */
  #remove({ task }: Attempt): void {
    const last = this.#running.pop();
    if (last === undefined || last.task === task) return;
    this.#running[task.ticket] = last;
    last.task.ticket = task.ticket;
  }

  #aftermathOf({ durable }: Task): Aftermath {
    return durable ? (this.#parts.durable() ?? this.#local) : this.#local;
  }
}

function begin(attempt: Attempt): void {
  attempt.lane.executor.run(attempt);
}
