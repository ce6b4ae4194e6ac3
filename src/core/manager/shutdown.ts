import type { Clock } from "../../ports/clock.js";
import { duration, readOptions } from "../../task/checks.js";
import { isTerminal } from "../../task/states.js";
import type { Task } from "../../task/task.js";
import type { Broadcaster } from "../events/broadcaster.js";
import type { HookRunner } from "../events/hook-runner.js";
import type { ObserverErrors } from "../events/observer-errors.js";
import type { Alarm, Alarms } from "./alarms.js";
import type { AttemptRunner } from "./attempt-runner.js";
import type { Canceller } from "./canceller.js";
import { stoppedError } from "./conclude.js";
import type { Conditions } from "./conditions.js";
import type { Intake } from "./intake.js";
import type { Journal } from "./journal.js";
import { type KeepAlive, STOPPING } from "./keep-alive.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Pauses } from "./pauses.js";
import type { Registry } from "./registry.js";
import type { Settler } from "./settler.js";
import type { SignalListeners } from "./signal-listeners.js";
import { visitInPortions } from "./sweep.js";

/**
 * What became of the tasks that were alive when a stop was called:
 * `alive = completed + failed + cancelled + interrupted + abandoned + neverStarted`.
 */
export interface StopReport {
  /** Tasks that had been accepted and had not ended at the call. */
  readonly alive: number;
  readonly completed: number;
  readonly failed: number;
  /** Cancelled after at least one attempt had begun. */
  readonly cancelled: number;
  /** Durable tasks that were handed back unfinished; another process goes on with them. */
  readonly interrupted: number;
  /** Given up while their handler went on, however they ended. */
  readonly abandoned: number;
  /** Cancelled before any attempt. */
  readonly neverStarted: number;
  /** How long the stop took, in milliseconds. */
  readonly durationMs: number;
}

/** How long a graceful stop may take. */
export interface StopOptions {
  /**
   * The end of everything, in milliseconds from the call: tasks go on until `killAfterMs` before it, are
   * aborted then, and given up at it. Default 10,000.
   */
  deadlineMs?: number | undefined;
}

/**
 * The deadline of a graceful stop.
 * @throws {OptionError}
 */
export function readStopOptions(options: unknown): number {
  return readOptions<StopOptions>("", options, { deadlineMs: duration(0) }).deadlineMs ?? 10_000;
}

/** So long a stop waits for hook calls when all tasks are settled. */
const MAX_HOOKS_MS = 100;

/** Tasks that are more than the settler knows of. */
interface StoppableTasks {
  /** Whether anything of theirs is under way. */
  readonly busy: boolean;
  /** The stop has begun, or its end has come closer. */
  stop(endAt: number): void;
}

export interface ShutdownParts {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly lifecycle: Lifecycle;
  readonly registry: Registry;
  readonly intake: Intake;
  readonly canceller: Canceller;
  readonly runner: AttemptRunner;
  readonly settler: Settler;
  readonly signals: SignalListeners;
  readonly conditions: Conditions;
  readonly keepAlive: KeepAlive;
  readonly journal: Journal;
  readonly results: Broadcaster;
  readonly hooks: HookRunner;
  readonly observerErrors: ObserverErrors;
  /** Durable tasks; undefined where there are none. */
  readonly durable: StoppableTasks | undefined;
  readonly killAfterMs: number;
  readonly pauses: Pauses;
  /** Lets go of everything, once no task is left. */
  readonly release: () => Promise<void>;
}

/**
 * A stop, step by step:
 *
 * 1. draining: nothing is accepted any more, `stopping` fires, what cannot start in time is cancelled;
 * 2. aborting, at `deadlineMs - killAfterMs` or at once for `stopNow`: what waits is cancelled, what runs is
 *    aborted;
 * 3. what still runs `killAfterMs` later, or at the deadline where that is sooner, is given up by its own
 *    alarm;
 * 4. stopped, when no task is left: everything is let go, hooks are told of all that happened, and the
 *    one report is given to all who called.
 *
 * A stop that comes while another is under way can only bring step 2 forward.
 */
export class Shutdown implements Alarm {
  alarmTicket = -1;
  readonly #parts: ShutdownParts;
  readonly #counts = { completed: 0, failed: 0, cancelled: 0, interrupted: 0, abandoned: 0, neverStarted: 0 };
  #report: Promise<StopReport> | undefined;
  #unlisten: (() => void) | undefined;

  constructor(parts: ShutdownParts) {
    this.#parts = parts;
  }

  /** What the stop will come to; undefined before one has begun. */
  get report(): Promise<StopReport> | undefined {
    return this.#report;
  }

  stopGraceful(deadlineMs: number): Promise<StopReport> {
    if (this.#report !== undefined) return this.#report;
    const { clock, alarms, lifecycle, killAfterMs, pauses } = this.#parts;
    const now = clock.now();
    const abortAt = now + Math.max(0, deadlineMs - killAfterMs);
    const isHeld = pauses.standing(); // before anybody hears of the stop
    this.#begin(true, () => lifecycle.advance("draining", abortAt, now + deadlineMs));
    alarms.set(this, abortAt);
    this.#inBackground(this.#cancelHopeless(abortAt, isHeld));
    return this.#reported();
  }

  stopNow(): Promise<StopReport> {
    if (this.#report !== undefined) {
      this.#abort();
    } else {
      this.#begin(false, () => this.#enterAborting());
      this.#endAll();
    }
    return this.#reported();
  }

  /** Stops at once when the signal aborts; listens no longer than the manager lives. */
  stopOn(signal: AbortSignal): void {
    if (signal.aborted) void this.stopNow();
    else this.#unlisten = this.#parts.signals.listen(signal, () => void this.stopNow());
  }

  /** The time for going on is over. */
  ring(): void {
    this.#abort();
  }

  #begin(graceful: boolean, enter: () => void): void {
    const { clock, durable, intake, journal, keepAlive, lifecycle, results, runner, settler } = this.#parts;
    keepAlive.hold(STOPPING);
    const startedAt = clock.now();
    const alive = settler.unsettled;
    settler.onEnd = (task, abandoned) => this.#count(task, abandoned);
    this.#report = this.#finish(alive, startedAt);
    enter();
    durable?.stop(lifecycle.endAt);
    intake.close();
    results.unblock();
    journal.recordStopping(graceful);
    for (const attempt of runner.attempts()) attempt.announceStop(stoppedError(attempt.task));
  }

  #reported(): Promise<StopReport> {
    return this.#report as Promise<StopReport>;
  }

  async #finish(alive: number, startedAt: number): Promise<StopReport> {
    const { alarms, clock, conditions, durable, hooks, lifecycle } = this.#parts;
    const { observerErrors, release, results, settler } = this.#parts;
    await null; // let the phase that was entered do its first work
    await conditions.until(() => settler.unsettled === 0 && durable?.busy !== true);
    lifecycle.advance("stopped");
    alarms.clear(this);
    results.close();
    this.#unlisten?.();
    await release();
    const until = clock.now() + MAX_HOOKS_MS;
    await hooks.settled(until);
    await observerErrors.reported(until);
    hooks.close(); // they would keep the process alive for who knows how long
    observerErrors.close();
    const durationMs = clock.now() - startedAt;
    return Object.freeze({ alive, ...this.#counts, durationMs });
  }

  /**
   * Ends what waits longer than the stop does, or where a pause lasts. What stands at this instant decides
   * for all: a resume that comes before the walk has reached a task is too late for it.
   */
  async #cancelHopeless(abortAt: number, isHeld: (task: Task) => boolean): Promise<void> {
    const { canceller, clock, intake, runner } = this.#parts;
    const running = new Set([...runner.attempts()].map(({ task }) => task)); // these may come back
    const sweep = canceller.beginSweep(intake.lastNumber, (task, now) => {
      if (task.state === "running" || running.has(task)) return false;
      const late = task.state === "scheduled" && (task.readyAt ?? 0) > abortAt;
      return (late || isHeld(task)) && canceller.stop(task, now);
    });
    try {
      await this.#visit((task) => sweep.visit(task, clock.now()));
    } finally {
      sweep.close();
    }
  }

  #abort(): void {
    const { phase } = this.#parts.lifecycle;
    if (phase === "aborting" || phase === "stopped") return;
    this.#enterAborting();
    this.#parts.durable?.stop(this.#parts.lifecycle.endAt);
    this.#endAll();
  }

  #enterAborting(): void {
    const { alarms, clock, killAfterMs, lifecycle } = this.#parts;
    lifecycle.advance("aborting", Number.NEGATIVE_INFINITY, clock.now() + killAfterMs);
    alarms.clear(this);
  }

  #endAll(): void {
    const { canceller, clock, runner } = this.#parts;
    const now = clock.now();
    for (const attempt of runner.attempts()) canceller.stop(attempt.task, now);
    this.#inBackground(
      this.#visit((task) => {
        if (!isTerminal(task.state) && task.state !== "running") canceller.stop(task, clock.now());
      }),
    );
  }

  /** Hooks are told afterwards: slow ones would take the time that a stop has. */
  async #visit(visit: (task: Task) => void): Promise<void> {
    const { clock, hooks, registry } = this.#parts;
    const held = hooks.hold();
    try {
      await visitInPortions(registry, clock, visit);
    } finally {
      held[Symbol.dispose]();
    }
  }

  /** The walks over the tasks settle nothing themselves: the report waits for the last task, not for them. */
  #inBackground(walk: Promise<void>): void {
    walk.catch((error: unknown) => {
      this.#parts.clock.setImmediate(() => {
        throw error; // an invariant is broken: it must be seen
      });
    });
  }

  #count(task: Task, abandoned: boolean): void {
    const counts = this.#counts;
    if (abandoned) counts.abandoned++;
    else if (!isTerminal(task.state)) counts.interrupted++;
    else if (task.state === "completed") counts.completed++;
    else if (task.state === "failed") counts.failed++;
    else if (task.startedAt === undefined) counts.neverStarted++;
    else counts.cancelled++;
  }
}
