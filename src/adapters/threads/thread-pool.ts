import type { Clock, Timer } from "../../ports/clock.js";
import type { PoolHost, PoolSize } from "../../ports/executor.js";
import type { ThreadStats } from "../../task/manager-stats.js";
import type { ThreadSettings } from "../../task/thread-options.js";
import { FailureStreak, PROBE_AFTER_MS } from "./failure-streak.js";
import { OneTimer } from "./one-timer.js";
import { Pulses } from "./pulses.js";
import type { HandlerKeeper, ThreadKeeper } from "./thread-keeper.js";
import { ThreadTally } from "./thread-tally.js";
import { toError } from "./worker-faults.js";
import { WorkerThread } from "./worker-thread.js";

/** A thread that was ended and does not exit, since native code holds it, keeps its slot for so long. */
const DYING_MS = 1_000;

/** A stop waits for so long until its threads have exited. */
const CLOSING_MS = 200;

/** Who uses the threads. */
export interface ThreadUser {
  /** A thread has become idle. */
  threadIdle(): void;
  /** No thread comes up. */
  threadsFail(cause: unknown): void;
}

/**
 * The threads of a manager: how many there are, and why. It makes them on demand, keeps `min` of them, lets
 * go of those that are idle for long, and replaces what has died.
 */
export class ThreadPool {
  readonly #settings: ThreadSettings;
  readonly #clock: Clock;
  readonly #user: ThreadUser;
  readonly #handlers: HandlerKeeper;
  readonly #keeper: ThreadKeeper<WorkerThread>;
  readonly pulses = new Pulses();
  readonly #threads = new Set<WorkerThread>();
  /** Those that have been ended and have not exited yet. */
  readonly #dying = new Map<WorkerThread, Timer>();
  /** Of those, the ones that do not hold a slot any more. */
  #stuck = 0;
  /** The one that became idle last is used first, so that the others may go. */
  readonly #idle: WorkerThread[] = [];
  readonly #starts = new FailureStreak();
  readonly #probe: OneTimer;
  readonly #tally = new ThreadTally();
  #size: PoolSize;
  #host: PoolHost | undefined;
  readonly #idleTimer: OneTimer;
  #onEmpty: (() => void) | undefined;
  #open = false;
  #closed = false;
  #made = 0;

  constructor(settings: ThreadSettings, clock: Clock, user: ThreadUser, handlers: HandlerKeeper) {
    this.#settings = settings;
    this.#clock = clock;
    this.#user = user;
    this.#handlers = handlers;
    this.#keeper = this.#toKeeper(handlers);
    this.#size = settings;
    this.#idleTimer = new OneTimer(clock);
    this.#probe = new OneTimer(clock);
  }

  connect(host: PoolHost): void {
    this.#host = host;
    this.#tellSlots();
  }

  open(): void {
    this.#open = true;
    this.#keepLeast();
  }

  resize(size: PoolSize): void {
    this.#size = size;
    for (const thread of this.#shrinkable(this.#staying - size.max)) thread.retire("resized");
    this.#keepLeast();
    this.#watchIdle();
    this.#tellSlots();
  }

  waitMs(used: number, waitedMs: number): number {
    if (used < Math.max(1, this.#threads.size)) return 0; // the first one is not waited for
    return Math.max(0, this.#settings.scaleUpAfterMs - waitedMs);
  }

  takeIdle(): WorkerThread | undefined {
    return this.#idle.pop();
  }

  /** What the last thread died of that did not come up. */
  get cause(): unknown {
    return this.#starts.cause;
  }

  /**
   * Sees to it that so many threads will be free for those in line, as far as there may be so many.
   * @returns false when there is none and none will come up: starts fail, and it is too early for another try
   */
  want(count: number): boolean {
    if (this.#closed) return false;
    if (this.#threads.size === 0 && !this.#starts.mayTry(this.#clock.now())) return false;
    const total = Math.min(this.#count("busy") + count, this.#limit);
    const most = this.#starts.failing
      ? Math.min(total, this.#threads.size + 1 - this.#count("starting"))
      : total;
    while (this.#threads.size < most) this.#launch();
    return true;
  }

  read(): ThreadStats {
    const { min, max } = this.#size;
    const { failing } = this.#starts;
    const failingHandlers = this.#handlers.failing();
    const counted = this.#tally.read(this.#threads, this.#clock.now());
    return Object.freeze({ min, max, ...counted, failing, failingHandlers });
  }

  /** Ends all threads. Resolves when they have exited, or a little later when one does not. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idleTimer.clear();
    this.#probe.clear();
    for (const thread of [...this.#threads]) thread.terminate("stopped");
    if (this.#dying.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimeout(resolve, CLOSING_MS);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
    for (const timer of this.#dying.values()) timer.cancel();
  }

  /** Slots that may be in use: threads that were ended hold theirs until they have exited. */
  get #limit(): number {
    return Math.max(0, this.#size.max - (this.#dying.size - this.#stuck));
  }

  #tellSlots(): void {
    this.#host?.setSlots(this.#limit);
  }

  #keepLeast(): void {
    if (!this.#open || this.#closed || this.#starts.failing) return;
    while (this.#threads.size < Math.min(this.#size.min, this.#limit)) this.#launch();
  }

  #launch(): void {
    this.#starts.tried(this.#clock.now());
    const name = `${this.#settings.name}-${++this.#made}`;
    this.#atRoot(() => {
      const thread = new WorkerThread(name, this.#settings, this.#clock, this.#keeper);
      this.#threads.add(thread);
      void thread.launch();
    });
  }

  #toKeeper(handlers: HandlerKeeper): ThreadKeeper<WorkerThread> {
    return {
      ...{ handlers, pulses: this.pulses },
      threadReady: (thread) => {
        this.#starts.succeeded();
        this.#tally.started++;
        const { name: worker, channel, bornAt, readyAt = bornAt } = thread;
        this.#host?.workerStarted({ worker, threadId: channel.threadId, startMs: readyAt - bornAt });
        this.#welcome(thread);
      },
      threadFree: (thread) => this.#welcome(thread),
      threadDying: (thread) => this.#bury(thread),
      threadExited: (thread) => this.#countExit(thread),
      threadWasBusy: (busyMs) => {
        this.#tally.busyMs += busyMs;
      },
      lateFault: ({ name: worker }, { id, handler, queue }, error) => {
        this.#tally.lateFaults++;
        this.#host?.lateFault({ worker, id, handler, queue, error: toError(error) });
      },
      carrierFailed: (error) => this.#host?.carrierFailed(error),
    };
  }

  #welcome(thread: WorkerThread): void {
    if (thread.state !== "idle") return; // who heard of its start has closed the manager
    this.#idle.push(thread);
    this.#user.threadIdle();
    if (thread.state === "idle" && this.#staying > this.#size.max) thread.retire("resized");
    this.#watchIdle();
  }

  #bury(thread: WorkerThread): void {
    const { bornAt } = thread;
    this.#threads.delete(thread);
    const place = this.#idle.indexOf(thread);
    if (place >= 0) this.#idle.splice(place, 1);
    this.#tally.aliveMs += this.#clock.now() - bornAt;
    const giveUp = () => {
      if (this.#stuck >= this.#size.max) return; // it keeps its slot until it exits
      this.#stuck++;
      this.#dying.set(thread, NO_TIMER);
      this.#tellSlots();
      this.#user.threadIdle();
    };
    this.#dying.set(thread, this.#clock.setTimeout(giveUp, DYING_MS));
    if (thread.exitReason === "start-failed") this.#countFailedStart(thread);
    this.#tellSlots();
  }

  #countExit(thread: WorkerThread): void {
    const timer = this.#dying.get(thread);
    this.#dying.delete(thread);
    this.pulses.giveBack(thread.pulse);
    timer?.cancel();
    if (timer === NO_TIMER) this.#stuck--;
    const { name: worker, channel, exitReason: reason = "exited", exitCode, error, attempts } = thread;
    this.#tally.exited[reason]++;
    this.#host?.workerExited({
      ...{ worker, threadId: channel.threadId, reason, exitCode, attempts },
      error: error === undefined ? undefined : toError(error),
      aliveMs: this.#clock.now() - thread.bornAt,
    });
    if (this.#dying.size === 0) this.#onEmpty?.();
    this.#keepLeast();
    this.#tellSlots();
    this.#user.threadIdle(); // a thread for those in line may be made now
  }

  #countFailedStart({ error }: WorkerThread): void {
    this.#starts.failed(error, this.#clock.now());
    if (!this.#starts.failing || this.#closed) return;
    this.#probe.set(PROBE_AFTER_MS + 1, () => void this.want(1));
    if (this.#threads.size === 0) this.#user.threadsFail(error);
  }

  /** Those that are idle end after a while, the one that has been so for longest first. */
  #watchIdle(): void {
    const [first] = this.#idle;
    if (first === undefined || this.#idleTimer.isSet || this.#closed) return;
    if (this.#threads.size <= this.#size.min) return;
    const dueInMs = first.idleSince + this.#settings.idleTimeoutMs - this.#clock.now();
    const wake = () => {
      this.#letIdleGo();
      this.#watchIdle();
    };
    this.#idleTimer.set(dueInMs, wake);
  }

  #letIdleGo(): void {
    const since = this.#clock.now() - this.#settings.idleTimeoutMs;
    for (const thread of [...this.#idle]) {
      if (thread.idleSince > since || this.#threads.size <= this.#size.min) return;
      thread.retire("idle");
    }
  }

  /** So many threads that can best be done without: idle ones first. */
  #shrinkable(count: number): readonly WorkerThread[] {
    if (count <= 0) return [];
    const busy = [...this.#threads].filter(
      ({ state, exitReason }) => state !== "idle" && exitReason === undefined,
    );
    return [...this.#idle, ...busy.reverse()].slice(0, count);
  }

  /** Threads that are not to end after their task. */
  get #staying(): number {
    let staying = 0;
    for (const { exitReason } of this.#threads) if (exitReason === undefined) staying++;
    return staying;
  }

  #count(state: WorkerThread["state"]): number {
    let count = 0;
    for (const thread of this.#threads) if (thread.state === state) count++;
    return count;
  }

  #atRoot<R>(callback: () => R): R {
    return this.#host === undefined ? callback() : this.#host.atRoot(callback);
  }
}

const NO_TIMER: Timer = { cancel() {}, ref() {}, unref() {} };
