import { InvariantError } from "../errors.js";
import type { GroupTally } from "./group-tally.js";
import type { LaneName } from "./lane-name.js";
import { NO_METADATA, type TaskMetadata } from "./metadata.js";
import { toPriority, toWeight } from "./order.js";
import type { TaskSettings } from "./settings.js";
import { isTerminal, type Move, type TaskReason, type TaskState } from "./states.js";
import type { TaskIds } from "./task-ids.js";
import type { Transfer } from "./transfer.js";
import type { Work } from "./work.js";

/** What few tasks have, kept aside so that the many do not pay for it. */
export interface TaskDetails {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly metadata?: TaskMetadata | undefined;
  readonly correlationId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly cost?: number | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Monotonic end of the task's whole life. */
  readonly expiresAt?: number | undefined;
  readonly transfer?: Transfer | undefined;
  /** Of a durable task: the proof that this process may run it. */
  readonly fencingToken?: number | undefined;
  /** Of a durable task: claims in a row without a word from their holders, the present one included. */
  readonly deliveries?: number | undefined;
}

/** Where a waiting task stands, for whoever takes it out again without knowing what kind of place it is. */
export interface WaitingPlace {
  remove(task: Task): void;
  /** The order of the task has changed. */
  reorder(task: Task): void;
}

/** Key of the method that hands a task's end to the one who waits for it; kept out of reach of users. */
export const deliver: unique symbol = Symbol("millrace.deliver");

/** Key of the method that reads ahead what `deliver` will read. */
export const readAhead: unique symbol = Symbol("millrace.readAhead");

/** Owns the outcome of a task, so that pruning the task's record does not touch it. */
export interface ResultSink {
  /**
   * Reads what it will take to hand the outcome over, so that the processor has it at hand by then: a
   * prefetch, for where hundreds of thousands wait. It changes nothing and must not throw. Its answer says
   * nothing, and is there so that no compiler leaves the reading out.
   */
  [readAhead](): boolean;
  /** @returns whether somebody waits for it */
  [deliver](task: Task, value: unknown): boolean;
}

/** What many tasks share: one object for all plain tasks of a queue. */
export interface TaskProfile {
  readonly ids: TaskIds;
  readonly queue: string;
  readonly handler: string | undefined;
  /** Where their attempts run. */
  readonly lane: LaneName;
  readonly settings: TaskSettings;
  /** Counts what happens to them. */
  readonly tally: GroupTally;
}

/**
 * Instants that are written when a task starts and ends are kept as whole ticks after its acceptance: up to a
 * microsecond late, and small integers for 35 minutes. A number with a fraction, like a text, is an object of
 * its own, and a minor collection spares whatever an object of the old generation refers to, be that dead: of
 * a large backlog, which is old, each took ten times as long.
 */
const TICKS_PER_MS = 1_024;

/** What is known of an attempt that has ended while its task has not. */
export interface PastAttempt {
  /** How long the task had been ready. */
  readonly waitMs: number;
  /** How long the attempt ran. */
  readonly runMs: number;
}

/** What a new task is made of. */
export interface TaskSeed {
  readonly profile: TaskProfile;
  readonly number: number;
  readonly work: Work;
  readonly order: number;
  readonly details: TaskDetails | undefined;
  readonly enqueuedAt: number;
  readonly state: "scheduled" | "queued";
}

/**
 * One task: the record that queue, dispatcher and settler share. Instants are monotonic milliseconds. There
 * may be a million of these: fields that most tasks do not need are `undefined` until they do, and a number
 * with a fraction costs a heap object of its own, so that instants are written only when they are known.
 */
export class Task {
  readonly profile: TaskProfile;
  readonly number: number;
  readonly details: TaskDetails | undefined;
  readonly enqueuedAt: number;
  order: number;
  /** Place among equals: drawn anew when a scheduled or rescheduled task falls due, kept through retries. */
  sequence = 0;
  /** Attempts used; the running one counts. */
  attempt = 0;
  reason: TaskReason | undefined = undefined;
  /** When it became, or will become, ready to start; undefined where that is `enqueuedAt`. */
  readyAt: number | undefined = undefined;
  /** Its last attempt, once that has ended and the task goes on; else the instants here tell of it. */
  pastAttempt: PastAttempt | undefined = undefined;
  /** Where it waits; undefined while it runs, and when it has ended. */
  place: WaitingPlace | undefined = undefined;
  /** What finds it again where it waits, or its attempt where it runs. */
  ticket = -1;
  /** What the context carrier took along; dropped when the task ends. */
  captured: unknown = undefined;
  /** The work; dropped when the task ends. */
  work: Work | undefined;
  /** Who waits for the outcome; dropped when the task ends. */
  sink: ResultSink | undefined = undefined;
  #error: Error | (() => Error) | undefined = undefined;
  #state: TaskState;
  #id: string | undefined = undefined;
  /** Both in ticks after `enqueuedAt`. */
  #startedTicks: number | undefined = undefined;
  #finishedTicks: number | undefined = undefined;

  constructor(seed: TaskSeed) {
    this.profile = seed.profile;
    this.number = seed.number;
    this.work = seed.work;
    this.order = seed.order;
    this.details = seed.details;
    this.enqueuedAt = seed.enqueuedAt;
    this.#state = seed.state;
  }

  /** Made into text when it is first read; when the task has ended, each time: see `TICKS_PER_MS`. */
  get id(): string {
    if (this.#id !== undefined) return this.#id;
    const id = this.details?.id ?? this.profile.ids.text(this.number);
    if (!isTerminal(this.#state)) this.#id = id;
    return id;
  }

  get queue(): string {
    return this.profile.queue;
  }

  /** The name of its handler; a plain function has none. */
  get handler(): string | undefined {
    return this.profile.handler;
  }

  get settings(): TaskSettings {
    return this.profile.settings;
  }

  get tally(): GroupTally {
    return this.profile.tally;
  }

  get state(): TaskState {
    return this.#state;
  }

  /**
   * Why the task failed or was cancelled, or why its last attempt failed. An error costs 6 µs and 1 kB, most
   * of it for its stack: who ends a hundred thousand tasks gives what makes it, when somebody looks.
   */
  get error(): Error | undefined {
    if (typeof this.#error === "function") this.#error = this.#error();
    return this.#error;
  }

  set error(error: Error | (() => Error) | undefined) {
    this.#error = error;
  }

  /** When its last attempt started; undefined until its first start. */
  get startedAt(): number | undefined {
    return this.#toInstant(this.#startedTicks);
  }

  set startedAt(instant: number | undefined) {
    this.#startedTicks = this.#toTicks(instant);
  }

  get finishedAt(): number | undefined {
    return this.#toInstant(this.#finishedTicks);
  }

  set finishedAt(instant: number | undefined) {
    this.#finishedTicks = this.#toTicks(instant);
  }

  /** When it became ready to start, or will. */
  get readySince(): number {
    return this.readyAt ?? this.enqueuedAt;
  }

  /** How long it was ready before its last start; undefined before the first. */
  get waitMs(): number | undefined {
    const { startedAt } = this;
    if (startedAt === undefined) return undefined;
    return this.pastAttempt?.waitMs ?? startedAt - this.readySince;
  }

  /** How long its last attempt ran; undefined before the first start and while it runs. */
  get runMs(): number | undefined {
    if (this.pastAttempt !== undefined) return this.pastAttempt.runMs;
    if (this.#startedTicks === undefined || this.#finishedTicks === undefined) return undefined;
    return (this.#finishedTicks - this.#startedTicks) / TICKS_PER_MS;
  }

  /** Keeps what the instants say of the attempt that has ended, before they change. */
  rememberAttempt(now: number): void {
    const { startedAt } = this;
    if (this.pastAttempt !== undefined || startedAt === undefined) return;
    this.pastAttempt = { waitMs: this.waitMs ?? 0, runMs: Math.max(0, now - startedAt) };
  }

  get priority(): number {
    return toPriority(this.order);
  }

  get weight(): number {
    return toWeight(this.order);
  }

  get cost(): number {
    return this.details?.cost ?? 1;
  }

  /** Whether it lives in a store, and only visits this process. */
  get durable(): boolean {
    return this.details?.fencingToken !== undefined;
  }

  get metadata(): TaskMetadata {
    return this.details?.metadata ?? NO_METADATA;
  }

  /** @throws {InvariantError} when the task is not where the move begins */
  move({ from, transition, to }: Move, reason?: TaskReason): void {
    if (this.#state !== from)
      throw new InvariantError(`the task to ${transition} is ${this.#state}, not ${from}`);
    this.#state = to;
    this.reason = reason;
  }

  #toInstant(ticks: number | undefined): number | undefined {
    return ticks === undefined ? undefined : this.enqueuedAt + ticks / TICKS_PER_MS;
  }

  /** Never earlier than the instant: a start does not come before what it waited for. */
  #toTicks(instant: number | undefined): number | undefined {
    return instant === undefined ? undefined : Math.ceil((instant - this.enqueuedAt) * TICKS_PER_MS);
  }
}
