import type { AttemptFollower, RunnableAttempt } from "../../ports/executor.js";
import type { TaskMetadata } from "../../task/metadata.js";
import type { Outcome } from "../../task/outcome.js";
import { reschedule } from "../../task/steering.js";
import type { PastAttempt, Task } from "../../task/task.js";
import type { TaskContext } from "../../task/task-context.js";
import type { TaskLocals } from "../../task/task-locals.js";
import type { Transfer } from "../../task/transfer.js";
import type { Work } from "../../task/work.js";
import type { QueueGroup } from "../queue/task-queue.js";
import type { Alarm } from "./alarms.js";
import type { Batch } from "./batch.js";
import type { AbortCause } from "./conclude.js";
import type { ContextEnqueuer } from "./context-enqueuer.js";
import type { Lane } from "./lane.js";
import type { Progress } from "./progress.js";

/** Who looks after an attempt. */
export interface AttemptKeeper {
  /** The time is up: its timeout, or the grace after its abort. */
  timeUp(attempt: Attempt, now: number): void;
  /** The handler has begun, having waited for its place. */
  handlerBegan(attempt: Attempt): void;
  /** The handler has its place, of that pulse; undefined: it has left it. */
  placed(attempt: Attempt, pulse: number | undefined): void;
  /** How long the handler ran, where that is known better; said just before it has ended. */
  handlerRan(attempt: Attempt, runMs: number): void;
  /** The handler has ended; said once, also when the attempt was given up before. */
  handlerEnded(attempt: Attempt, outcome: Outcome): void;
  /** The handler has not begun and will not; said in place of its end. */
  handedBack(attempt: Attempt): void;
  /** What carriers give to travel along. */
  headersOf(task: Task): Readonly<Record<string, string>> | undefined;
  /** Hands in what the handler enqueues. */
  readonly enqueuer: ContextEnqueuer;
  /** The handler says how far it has come. */
  progressed(attempt: Attempt, value: unknown): void;
}

/** What a task knew of itself before an attempt, for when that comes back. */
export interface TaskTimes {
  readonly startedAt: number | undefined;
  readonly pastAttempt: PastAttempt | undefined;
}

/**
 * One start of a handler. It holds a slot from its start until it is over: when the handler has ended, or
 * when it was given up.
 */
export class Attempt implements RunnableAttempt, Alarm {
  alarmTicket = -1;
  readonly task: Task;
  /** Where it waited. */
  readonly group: QueueGroup;
  readonly lane: Lane;
  readonly work: Work;
  readonly context: TaskContext;
  /**
   * Set by the first abort; a later one changes nothing, but that any abort takes precedence over a stop's.
   */
  cause: AbortCause | undefined = undefined;
  abortedAt: number | undefined = undefined;
  over = false;
  /** When its permits were taken, where it may come back with them. */
  takenAt: number | undefined = undefined;
  /** Made when the handler first reports any that somebody hears. */
  progress: Progress | undefined = undefined;
  readonly #keeper: AttemptKeeper;
  #ended = false;
  #onOutcome: ((outcome: Outcome) => void) | undefined;
  #abort: AbortController | undefined;
  #stopping: AbortController | undefined;
  #stopReason: Error | undefined;
  #follower: AttemptFollower | undefined;
  #batch: Batch | undefined;
  #before: TaskTimes | undefined;

  constructor(task: Task, work: Work, group: QueueGroup, lane: Lane, keeper: AttemptKeeper) {
    this.task = task;
    this.work = work;
    this.group = group;
    this.lane = lane;
    this.#keeper = keeper;
    this.context = new AttemptContext(this);
  }

  /** The handler's signal. Made when it is first asked for, since it costs 760 bytes and 4 µs. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.cause !== undefined) this.#abort.abort(this.cause.error);
    }
    return this.#abort.signal;
  }

  /** One for each attempt: listeners that a handler leaves on it go with the attempt. */
  get stopping(): AbortSignal {
    if (this.#stopping === undefined) {
      this.#stopping = new AbortController();
      if (this.#stopReason !== undefined) this.#stopping.abort(this.#stopReason);
    }
    return this.#stopping.signal;
  }

  /** Why it will be aborted soon; undefined while no stop is under way. */
  get stopReason(): Error | undefined {
    return this.#stopReason;
  }

  /** Whose slot it shares; undefined where it has one of its own. */
  get batch(): Batch | undefined {
    return this.#batch;
  }

  /** Of a task that has been started before, where the attempt may come back. */
  get before(): TaskTimes | undefined {
    return this.#before;
  }

  /** Before its task knows of it: keeps what is needed when it comes back. */
  enterPool(batch: Batch | undefined, now: number): void {
    this.takenAt = now;
    const { startedAt, pastAttempt } = this.task;
    this.#batch = batch;
    if (startedAt !== undefined) this.#before = { startedAt, pastAttempt };
  }

  get headers(): Readonly<Record<string, string>> | undefined {
    return this.#keeper.headersOf(this.task);
  }

  get transfer(): Transfer | undefined {
    return this.task.details?.transfer;
  }

  /** Where a lease is renewed for as long as the handler runs, and that may be for ever. */
  get watched(): boolean {
    return this.task.durable && this.task.settings.timeoutMs === false;
  }

  /** Tells the handler to end. */
  abort(cause: AbortCause, now: number): void {
    this.cause = cause;
    this.abortedAt ??= now;
    this.#abort?.abort(cause.error);
    this.#follower?.aborted(cause.error);
  }

  announceStop(reason: Error): void {
    this.#stopReason = reason;
    this.#stopping?.abort(reason);
    this.#follower?.stopping(reason);
  }

  follow(follower: AttemptFollower): void {
    this.#follower = follower;
    if (this.#stopReason !== undefined) follower.stopping(this.#stopReason);
    if (this.cause !== undefined) follower.aborted(this.cause.error);
  }

  ring(now: number): void {
    this.#keeper.timeUp(this, now);
  }

  reportProgress(value: unknown): void {
    if (!this.over) this.#keeper.progressed(this, value);
  }

  /** How the handler will end, for who wraps the attempt; to be asked for before it begins. */
  outcome(): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#onOutcome = resolve;
    });
  }

  get enqueuer(): ContextEnqueuer {
    return this.#keeper.enqueuer;
  }

  began(): void {
    if (!this.#ended) this.#keeper.handlerBegan(this);
  }

  placed(pulse: number | undefined): void {
    if (!this.#ended) this.#keeper.placed(this, pulse);
  }

  ended(outcome: Outcome, runMs?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    if (runMs !== undefined) this.ran(runMs);
    this.#onOutcome?.(outcome);
    this.#keeper.handlerEnded(this, outcome);
  }

  /** How long the handler ran. */
  ran(runMs: number): void {
    this.#keeper.handlerRan(this, runMs);
  }

  handBack(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onOutcome?.(toHandedBack(this));
    this.#keeper.handedBack(this);
  }
}

/**
 * What those who wait for the outcome of an attempt are told of one that came back: it will run again, and no
 * attempt was used; or, where it was aborted, that it ended by that.
 */
export function toHandedBack({ cause }: Attempt): Outcome {
  return { returned: false, thrown: cause === undefined ? reschedule({ delayMs: 0 }) : cause.error };
}

/** What a handler sees of its attempt. */
class AttemptContext implements TaskContext {
  readonly #attempt: Attempt;
  /** Kept, since the task goes on counting when the attempt was given up. */
  readonly attempt: number;
  #locals: TaskLocals | undefined = undefined;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
    this.attempt = attempt.task.attempt;
  }

  get id(): string {
    return this.#attempt.task.id;
  }

  get handler(): string | undefined {
    return this.#attempt.task.handler;
  }

  get name(): string | undefined {
    return this.#attempt.task.details?.name;
  }

  get queue(): string {
    return this.#attempt.task.queue;
  }

  get priority(): number {
    return this.#attempt.task.priority;
  }

  get maxAttempts(): number {
    return this.#attempt.task.settings.maxAttempts;
  }

  get metadata(): TaskMetadata {
    return this.#attempt.task.metadata;
  }

  get correlationId(): string | undefined {
    return this.#attempt.task.details?.correlationId;
  }

  get fencingToken(): number | undefined {
    return this.#attempt.task.details?.fencingToken;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get stopping(): AbortSignal {
    return this.#attempt.stopping;
  }

  /** A function of its own, since handlers take what they need of their context apart. */
  get enqueue(): TaskContext["enqueue"] {
    return (...[first, second, third]: [unknown, unknown?, unknown?]) =>
      this.#attempt.enqueuer.enqueue(first, second, third);
  }

  get enqueueDurable(): TaskContext["enqueueDurable"] {
    return (...given) => this.#attempt.enqueuer.enqueueDurable(...given);
  }

  get locals(): TaskLocals {
    this.#locals ??= Object.create(null) as TaskLocals;
    return this.#locals;
  }

  /** A function that can be taken out of the context, as the other members can. */
  get progress(): (value: unknown) => void {
    return (value) => this.#attempt.reportProgress(value);
  }
}
