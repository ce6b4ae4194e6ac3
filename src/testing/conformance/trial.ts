import assert, { AssertionError } from "node:assert/strict";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import type { Executor, PoolHost, WorkerPool } from "../../ports/executor.js";
import type { Outcome } from "../../task/outcome.js";
import type {
  LateFaultDetails,
  WorkerExitedDetails,
  WorkerStartedDetails,
} from "../../task/worker-details.js";
import type { ExecutorSubject } from "./executor-subject.js";
import { TrialAttempt, type TrialAttemptOptions } from "./trial-attempt.js";

const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 2;

/** What a pool has told of itself. */
class TrialHost implements PoolHost {
  slots: number | undefined = undefined;
  readonly started: WorkerStartedDetails[] = [];
  readonly exited: WorkerExitedDetails[] = [];
  readonly lateFaults: LateFaultDetails[] = [];

  setSlots(slots: number): void {
    this.slots = slots;
  }

  workerStarted(details: WorkerStartedDetails): void {
    this.started.push(details);
  }

  workerExited(details: WorkerExitedDetails): void {
    this.exited.push(details);
  }

  lateFault(details: LateFaultDetails): void {
    this.lateFaults.push(details);
  }

  carrierFailed(): void {
    // There are no carriers of context here.
  }

  atRoot<R>(callback: () => R): R {
    return callback();
  }
}

/** One executor under test, connected and opened as a manager does it. */
export class Trial {
  readonly subject: ExecutorSubject;
  readonly executor: Executor;
  readonly host = new TrialHost();
  readonly #patienceMs: number;
  #attempts = 0;

  constructor(subject: ExecutorSubject, slots: number) {
    this.subject = subject;
    this.#patienceMs = subject.patienceMs ?? PATIENCE_MS;
    this.executor = subject.create(slots);
    this.executor.pool?.connect(this.host);
    this.executor.pool?.open();
  }

  get pool(): WorkerPool {
    const { pool } = this.executor;
    assert(pool !== undefined, "it was said to have a pool");
    return pool;
  }

  prepare(handler: string, payload?: unknown, options?: TrialAttemptOptions): TrialAttempt {
    return new TrialAttempt(`task-${++this.#attempts}`, this.subject.work(handler, payload), options);
  }

  run(handler: string, payload?: unknown, options?: TrialAttemptOptions): TrialAttempt {
    const attempt = this.prepare(handler, payload, options);
    try {
      this.executor.run(attempt);
    } catch {
      // That it does not throw is a rule of its own.
    }
    return attempt;
  }

  /** Runs it, and waits for its end. */
  async outcome(handler: string, payload?: unknown, options?: TrialAttemptOptions): Promise<Outcome> {
    return await this.end(this.run(handler, payload, options));
  }

  /** Runs it, and waits for what it returns. */
  async value(handler: string, payload?: unknown, options?: TrialAttemptOptions): Promise<unknown> {
    return toValue(await this.outcome(handler, payload, options));
  }

  /** Runs it, and waits for what it throws. */
  async thrown(handler: string, payload?: unknown, options?: TrialAttemptOptions): Promise<unknown> {
    return toThrown(await this.outcome(handler, payload, options));
  }

  /** Runs it, and waits until it has reported. */
  async begin(handler: string, payload?: unknown, options?: TrialAttemptOptions): Promise<TrialAttempt> {
    const attempt = this.run(handler, payload, options);
    await this.until(() => attempt.reports.length > 0 || attempt.isOver, `${handler} has begun`);
    return attempt;
  }

  async end(attempt: TrialAttempt): Promise<Outcome> {
    await this.settled(attempt.over, `the attempt of ${attempt.context.id} is over`);
    const { outcome } = attempt;
    assert(outcome !== undefined, "it was handed back, though it was wanted");
    return outcome;
  }

  /** Waits for what must come; fails where it does not. */
  async settled<R>(promise: Promise<R>, what: string): Promise<R> {
    const given = new AbortController();
    const late = delay(this.#patienceMs, LATE, { signal: given.signal }).catch(() => LATE);
    try {
      const first = await Promise.race([promise, late]);
      if (first === LATE) throw this.#tooLate(what);
      return first as R;
    } finally {
      given.abort();
    }
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const until = performance.now() + this.#patienceMs;
    while (!condition()) {
      if (performance.now() > until) throw this.#tooLate(what);
      await delay(LOOK_EVERY_MS);
    }
  }

  /** As long as nothing that was said to have ended can be on its way any more. */
  async linger(): Promise<void> {
    await delay(20);
    await turn();
  }

  /** Waits until all its slots are there, and then sees that it does its work. */
  async worksOn(slots = 1): Promise<void> {
    if (this.subject.pooled)
      await this.until(() => this.host.slots === slots, `its ${slots} slots are there`);
    for (let count = 0; count < 5; count++) assert.equal(await this.value("giveBack", count), count);
  }

  async close(): Promise<void> {
    await this.settled(this.executor.close(), "close() has resolved");
  }

  #tooLate(what: string): AssertionError {
    return new AssertionError({ message: `Not so after ${this.#patienceMs} ms: ${what}` });
  }
}

const LATE = Symbol("late");

export function toValue(outcome: Outcome): unknown {
  if (outcome.returned) return outcome.value;
  throw new AssertionError({ message: `It was to return, and has thrown ${tell(outcome.thrown)}` });
}

export function toThrown(outcome: Outcome): unknown {
  assert(!outcome.returned, "it was to throw, and has returned");
  return outcome.thrown;
}

function tell(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "what cannot be read";
  }
}
