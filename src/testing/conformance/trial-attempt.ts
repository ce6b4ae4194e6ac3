import type { AttemptFollower, RunnableAttempt } from "../../ports/executor.js";
import type { Outcome } from "../../task/outcome.js";
import type { EnqueueFromHandler, TaskContext } from "../../task/task-context.js";
import type { Transfer } from "../../task/transfer.js";
import type { Work } from "../../task/work.js";

/** What an attempt is beside its work. */
export interface TrialAttemptOptions {
  /** What its context says otherwise than usual. */
  readonly context?: Partial<TaskContext> | undefined;
  readonly transfer?: Transfer | undefined;
  readonly watched?: boolean | undefined;
  /** Called when it has ended, before whoever ended it goes on. */
  readonly onEnd?: (() => void) | undefined;
}

/** An attempt that writes down what its executor says of it. */
export class TrialAttempt implements RunnableAttempt {
  readonly work: Work;
  readonly context: TaskContext;
  readonly headers = undefined;
  readonly transfer: Transfer | undefined;
  readonly watched: boolean;
  /** The places of its handler, one after another. */
  readonly places: (number | undefined)[] = [];
  /** All that it was said to have ended with: one, where all is well. */
  readonly outcomes: Outcome[] = [];
  readonly runTimes: (number | undefined)[] = [];
  readonly reports: unknown[] = [];
  /** How many reports had come when it ended. */
  reportsAtEnd = 0;
  begun = 0;
  handedBack = 0;
  /** Resolves when it has ended or was handed back. */
  readonly over: Promise<void>;
  readonly #onEnd: (() => void) | undefined;
  readonly #abort = new AbortController();
  readonly #stopping = new AbortController();
  #follower: AttemptFollower | undefined;
  #cause: Error | undefined;
  #stopReason: Error | undefined;
  #settle: () => void = () => {};

  constructor(id: string, work: Work, options: TrialAttemptOptions = {}) {
    const { context, onEnd, transfer, watched = false } = options;
    this.work = work;
    this.transfer = transfer;
    this.watched = watched;
    this.#onEnd = onEnd;
    this.over = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.context = {
      ...{ id, name: undefined, queue: "default", priority: 0, attempt: 1, maxAttempts: 1, metadata: {} },
      handler: typeof work === "function" ? undefined : work.handler.name,
      ...{ correlationId: undefined, fencingToken: undefined },
      signal: this.#abort.signal,
      stopping: this.#stopping.signal,
      locals: Object.create(null) as object,
      enqueue: refuse,
      enqueueDurable: refuse,
      fencingToken: undefined,
      progress: (value) => this.reports.push(value),
      ...context,
    };
  }

  get outcome(): Outcome | undefined {
    return this.outcomes[0];
  }

  get isOver(): boolean {
    return this.outcomes.length + this.handedBack > 0;
  }

  ended(outcome: Outcome, runMs?: number): void {
    this.reportsAtEnd = this.outcomes.length === 0 ? this.reports.length : this.reportsAtEnd;
    this.outcomes.push(outcome);
    this.runTimes.push(runMs);
    this.#settle();
    this.#onEnd?.();
  }

  began(): void {
    this.begun++;
  }

  placed(pulse: number | undefined): void {
    this.places.push(pulse);
  }

  handBack(): void {
    this.handedBack++;
    this.#settle();
  }

  follow(follower: AttemptFollower): void {
    this.#follower = follower;
    if (this.#stopReason !== undefined) follower.stopping(this.#stopReason);
    if (this.#cause !== undefined) follower.aborted(this.#cause);
  }

  /** As the manager does; more than once where a later cause decides. */
  abort(reason: Error): void {
    this.#cause = reason;
    this.#abort.abort(reason);
    this.#follower?.aborted(reason);
  }

  announceStop(reason: Error): void {
    this.#stopReason = reason;
    this.#stopping.abort(reason);
    this.#follower?.stopping(reason);
  }
}

const refuse: EnqueueFromHandler = async () => {
  throw new Error("nothing is to be enqueued here");
};
