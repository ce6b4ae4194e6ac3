import type {
  AttemptFollower,
  Executor,
  PoolHost,
  PoolSize,
  RunnableAttempt,
  WorkerPool,
} from "../../src/ports/executor.js";
import type { ThreadStats } from "../../src/task/manager-stats.js";
import { HandlerCall, type Work } from "../../src/task/work.js";
import { WORKER_EXIT_REASONS, type WorkerExitReason } from "../../src/task/worker-details.js";

/** What an attempt was told of an abort or a stop, in its order. */
export type Heard = readonly ["aborted" | "stopping", Error];

/** An attempt that was handed over. */
export interface HandedOver {
  readonly attempt: RunnableAttempt;
  readonly payload: unknown;
  readonly at: number;
  readonly heard: Heard[];
  begun: boolean;
  over: boolean;
}

/** Stands for worker threads: what they do with an attempt, and when, the test says. */
export class PoolExecutor implements Executor, WorkerPool {
  readonly lane = "threads";
  readonly pool: WorkerPool = this;
  /** What turns, the test says here; and to attempts where they are. */
  readonly pulses = new Int32Array(new SharedArrayBuffer(16));
  /** All that was handed over, in that order. */
  readonly all: HandedOver[] = [];
  readonly sizes: PoolSize[] = [];
  readonly stats: { -readonly [K in keyof ThreadStats]?: ThreadStats[K] } = {};
  /** Called with each attempt as it is handed over. */
  onRun: ((handed: HandedOver) => void) | undefined = undefined;
  onKill: ((handed: HandedOver) => boolean) | undefined = undefined;
  /** How long tasks wait for one more slot. */
  wait: (used: number, waitedMs: number) => number = () => 0;
  batch: (work: Work) => number = () => 1;
  /** Whether handlers begin when they are handed over. */
  beginsAtOnce = true;
  opened = 0;
  closed = 0;
  readonly #now: () => number;
  #host: PoolHost | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  get host(): PoolHost {
    if (this.#host === undefined) throw new Error("the pool was not connected");
    return this.#host;
  }

  /** Those that are not over. */
  get present(): HandedOver[] {
    return this.all.filter(({ over }) => !over);
  }

  /** The payloads of those. */
  get payloads(): unknown[] {
    return this.present.map(({ payload }) => payload);
  }

  /** The one with this payload that is not over. */
  find(payload: unknown): HandedOver {
    const found = this.present.find((handed) => handed.payload === payload);
    if (found === undefined) throw new Error(`${String(payload)} was not handed over`);
    return found;
  }

  begin(payload: unknown): void {
    const handed = this.find(payload);
    handed.begun = true;
    handed.attempt.began();
  }

  end(payload: unknown, value: unknown = payload, runMs?: number): void {
    const handed = this.find(payload);
    handed.over = true;
    handed.attempt.ended({ returned: true, value }, runMs);
  }

  fail(payload: unknown, thrown: unknown): void {
    const handed = this.find(payload);
    handed.over = true;
    handed.attempt.ended({ returned: false, thrown });
  }

  handBack(payload: unknown): void {
    const handed = this.find(payload);
    handed.over = true;
    handed.attempt.handBack();
  }

  run(attempt: RunnableAttempt): void {
    const { work } = attempt;
    const payload = work instanceof HandlerCall ? work.payload : work;
    const handed: HandedOver = {
      ...{ attempt, payload, at: this.#now(), heard: [], begun: this.beginsAtOnce, over: false },
    };
    this.all.push(handed);
    const follower: AttemptFollower = {
      aborted: (reason) => handed.heard.push(["aborted", reason]),
      stopping: (reason) => handed.heard.push(["stopping", reason]),
    };
    attempt.follow(follower);
    this.onRun?.(handed);
  }

  kill(attempt: RunnableAttempt): boolean {
    const handed = this.present.find((one) => one.attempt === attempt);
    if (handed === undefined) throw new Error("an attempt was killed that is not there");
    if (this.onKill !== undefined) return this.onKill(handed);
    handed.over = true;
    attempt.ended({ returned: false, thrown: new Error("terminated") });
    return true;
  }

  async close(): Promise<void> {
    this.closed++;
  }

  connect(host: PoolHost): void {
    if (this.#host !== undefined) throw new Error("the pool was connected twice");
    this.#host = host;
  }

  open(): void {
    this.opened++;
  }

  resize(size: PoolSize): void {
    this.sizes.push(size);
    this.#host?.setSlots(size.max);
  }

  waitMs(used: number, waitedMs: number): number {
    return this.wait(used, waitedMs);
  }

  batchSize(work: Work): number {
    return this.batch(work);
  }

  /** It hands over at once. */
  handOver(): void {}

  hasBegun(attempt: RunnableAttempt): boolean {
    const handed = this.present.find((one) => one.attempt === attempt);
    if (handed === undefined) throw new Error("an attempt is asked for that is not there");
    return handed.begun;
  }

  read(): ThreadStats {
    const none = Object.fromEntries(WORKER_EXIT_REASONS.map((reason) => [reason, 0]));
    return {
      ...{ min: 0, max: 4, alive: 4, starting: 0, busy: this.present.length, started: 4 },
      exited: none as Record<WorkerExitReason, number>,
      ...{ lateFaults: 0, busyMs: 0, aliveMs: 0, failing: false, failingHandlers: [] },
      ...this.stats,
    };
  }
}
