import { DuplicateTaskError, QueueFullError } from "../../errors.js";
import { isTerminal } from "../../task/states.js";
import { Task } from "../../task/task.js";
import type { CheckedTaskOptions } from "../../task/task-options.js";
import type { Work } from "../../task/work.js";
import type { Calendar } from "./calendar.js";
import type { Carriers } from "./carriers.js";
import { Checkpoint } from "./checkpoint.js";
import { DuplicateHandle } from "./duplicate-handle.js";
import type { Acceptance, IdempotencyKeys, Verdict } from "./idempotency-keys.js";
import type { Journal } from "./journal.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Registry } from "./registry.js";
import { Room, type RoomParts } from "./room.js";
import type { Settler } from "./settler.js";
import type { SignalListeners } from "./signal-listeners.js";
import { toDetails } from "./task-details.js";
import { type HandleHost, LocalTaskHandle, type TaskHandle } from "./task-handle.js";
import {
  refuseAborted,
  type TaskPlan,
  type TaskRequest,
  toDueAt,
  toExpiresAt,
  whenGone,
} from "./task-plan.js";
import { WaitingRoom } from "./waiting-room.js";
import type { Watches } from "./watches.js";

export interface IntakeParts extends RoomParts {
  readonly calendar: Calendar;
  readonly lifecycle: Lifecycle;
  readonly registry: Registry;
  readonly keys: IdempotencyKeys;
  readonly settler: Settler;
  readonly watches: Watches;
  readonly carriers: Carriers;
  readonly journal: Journal;
  readonly signals: SignalListeners;
  readonly handleHost: HandleHost;
}

/** A task that has just been taken in. */
interface Admitted {
  readonly task: Task;
  readonly options: CheckedTaskOptions | undefined;
}

/**
 * The door. A request is accepted whole or refused with nothing left behind: all that can be wrong with it is
 * looked at before the first thing is changed.
 */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #room: Room;
  readonly #waiters: WaitingRoom;
  readonly #checks: Checkpoint;
  #number = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#room = new Room(parts);
    this.#waiters = new WaitingRoom(parts.capacity, parts.signals);
    this.#checks = new Checkpoint(parts.capacity, parts.signals);
  }

  /** The number of the task that was accepted last. */
  get lastNumber(): number {
    return this.#number;
  }

  /** A number for a task that comes in by another door. */
  takeNumber(): number {
    return ++this.#number;
  }

  get capacity(): number {
    return this.#parts.capacity;
  }

  /** Calls that wait for room. */
  get waiting(): number {
    return this.#waiters.waiting;
  }

  /** Calls that wait for an asynchronous schema. */
  get checking(): number {
    return this.#checks.waiting;
  }

  /** @throws {NotAcceptingError} */
  refuseUnlessAccepting(): void {
    this.#parts.lifecycle.refuseUnlessAccepting();
  }

  /** @throws {NotAcceptingError} @throws {DuplicateTaskError} @throws {QueueFullError} */
  accept<R>(work: Work, plan: TaskPlan): TaskHandle<R> {
    this.admitWaiting(); // a handler that starts may enqueue before its own place was given to them
    return this.#accept(work, plan);
  }

  /** Accepts all or none. */
  acceptAll(requests: readonly TaskRequest[]): TaskHandle<unknown>[] {
    this.admitWaiting();
    return this.#acceptAll(requests);
  }

  /**
   * Accepts at once where there is room, else when the calls before it have been accepted and there is room.
   */
  async acceptWhenRoom<R>(work: Work, plan: TaskPlan): Promise<TaskHandle<R>> {
    const { whenFull, carriers, keys, clock } = this.#parts;
    const gone = whenGone(plan, "room");
    const signal = plan.options?.signal;
    if (signal?.aborted) throw gone(signal.reason); // while its payload was checked
    if (whenFull === "drop-oldest" || (this.#waiters.waiting === 0 && this.#room.free > 0))
      return this.accept(work, plan);
    if (keys.isHeld(plan, clock.now())) return this.accept(work, plan); // it needs no room
    this.#refuse(plan.options);
    const accept = carriers.bind(() => {
      // The same abort may have made the room, and have come to a task before it comes to this call.
      if (signal?.aborted) throw gone(signal.reason);
      return this.#accept<R>(work, plan);
    });
    return await this.#countRefusal(plan, this.#waiters.wait(accept, signal, gone));
  }

  /** The work of a call, when an asynchronous schema has let its payload pass. */
  async whenChecked<W extends Work>(checked: Promise<W>, plan: TaskPlan): Promise<W> {
    const waiting = this.#checks.wait(checked, plan.options?.signal, whenGone(plan, "its schema"));
    return await this.#countRefusal(plan, waiting);
  }

  /** The same for what is no task of this process. */
  whenAnswered<T>(checked: Promise<T>): Promise<T> {
    return this.#checks.wait(checked, undefined, (reason) => reason);
  }

  async #countRefusal<T>({ profile }: TaskPlan, waiting: Promise<T>): Promise<T> {
    try {
      return await waiting;
    } catch (error) {
      if (error instanceof QueueFullError) this.#parts.mishaps.recordRefusal(profile);
      throw error;
    }
  }

  /** Room may have become free. */
  admitWaiting(): void {
    while (this.#waiters.waiting > 0 && this.#room.free > 0) {
      if (!this.#waiters.admitOne()) return;
    }
  }

  /** Sends those that wait for room away. */
  close(): void {
    const { lifecycle } = this.#parts;
    this.#waiters.refuseAll(() => lifecycle.toRefusal("This task manager stopped before there was room"));
    this.#checks.close(() => lifecycle.toRefusal("This task manager stopped before a schema answered"));
  }

  /** There is room, or nobody waits for any. */
  #accept<R>(work: Work, plan: TaskPlan): TaskHandle<R> {
    if (plan.options?.idempotencyKey !== undefined) {
      const [handle] = this.#acceptAll([{ work, plan }]);
      return handle as TaskHandle<R>;
    }
    this.#refuse(plan.options);
    return this.#room.free > 0 ? this.#admit(work, plan) : this.#admitInPlaceOfAnother(work, plan);
  }

  #admitInPlaceOfAnother<R>(work: Work, plan: TaskPlan): TaskHandle<R> {
    return this.#parts.journal.events.hold(() => {
      this.#room.make(1, [plan]);
      return this.#admit(work, plan);
    });
  }

  #acceptAll(requests: readonly TaskRequest[]): TaskHandle<unknown>[] {
    const { clock, journal, keys, lifecycle } = this.#parts;
    if (requests.length > 0) lifecycle.refuseUnlessAccepting();
    const verdicts = keys.judge(requests, clock.now());
    const ids = new Set<string>();
    const replaced = new Set<Task>();
    const accepted: TaskPlan[] = [];
    for (const [index, { plan }] of requests.entries()) {
      const verdict = verdicts[index];
      if (verdict?.kind !== "accept") continue;
      accepted.push(plan);
      if (verdict.replaced !== undefined) replaced.add(verdict.replaced); // its place is the new one's
      this.#refuse(plan.options);
      const id = plan.options?.id;
      if (id === undefined) continue;
      if (ids.has(id)) throw new DuplicateTaskError(id);
      ids.add(id);
    }
    return journal.events.hold(() => {
      this.#room.make(accepted.length - replaced.size, accepted, replaced);
      const handles: TaskHandle<unknown>[] = [];
      const admitted: Admitted[] = [];
      for (const [index, request] of requests.entries())
        handles.push(this.#follow(verdicts[index] as Verdict, request, handles, admitted));
      for (const { task, options } of admitted) this.#capture(task, options);
      return handles;
    });
  }

  #follow(verdict: Verdict, { work, plan }: TaskRequest, handles: TaskHandle[], admitted: Admitted[]) {
    const { canceller, clock, keys } = this.#parts;
    if (verdict.kind === "accept") {
      const { replaced } = verdict;
      const handle = this.#admit(work, plan, verdict, admitted);
      if (replaced !== undefined && canceller.cancel(replaced, REPLACED, clock.now())) keys.tally.replaced++;
      return handle;
    }
    keys.tally.kept++;
    if (verdict.kind === "keep") return verdict.handle;
    return new DuplicateHandle(handles[verdict.first] as TaskHandle<unknown>);
  }

  #refuse(options: CheckedTaskOptions | undefined): void {
    this.#parts.lifecycle.refuseUnlessAccepting();
    if (options === undefined) return;
    if (options.id !== undefined) this.#parts.registry.refuseTaken(options.id);
    refuseAborted(options); // a schema may have aborted it since the options were read
  }

  #admit<R>(work: Work, plan: TaskPlan, acceptance?: Acceptance, admitted?: Admitted[]): LocalTaskHandle<R> {
    const { calendar, clock, registry, settler, watches, handleHost } = this.#parts;
    const { options } = plan;
    const now = clock.now();
    const dueAt = toDueAt(options, calendar, now);
    const task = new Task({
      profile: plan.profile,
      number: ++this.#number,
      work,
      order: plan.order,
      details: options === undefined ? undefined : toDetails(options, toExpiresAt(options, calendar, now)),
      enqueuedAt: now,
      state: dueAt === undefined ? "queued" : "scheduled",
    });
    const handle = new LocalTaskHandle<R>(task, handleHost);
    task.sink = handle;
    if (task.details !== undefined) watches.watch(task); // before it counts, since a strange signal may throw
    if (acceptance?.claim !== undefined) this.#takeKey(acceptance, task, handle);
    registry.add(task);
    settler.begin(task);
    this.#enter(task, dueAt);
    if (admitted === undefined) this.#capture(task, options);
    else admitted.push({ task, options });
    return handle;
  }

  /** When the whole call is in: carriers are code of others, which may enter the manager. */
  #capture(task: Task, options: CheckedTaskOptions | undefined): void {
    const captured = this.#parts.carriers.capture(task, options?.context !== false);
    if (!isTerminal(task.state)) task.captured = captured;
  }

  #takeKey(acceptance: Acceptance, task: Task, handle: TaskHandle<unknown>): void {
    const { keys, watches } = this.#parts;
    try {
      keys.take(acceptance, task, handle);
    } catch (error) {
      watches.unwatch(task);
      throw error;
    }
  }

  #enter(task: Task, dueAt: number | undefined): void {
    const { backlog, journal } = this.#parts;
    if (dueAt === undefined) {
      backlog.addReady(task);
    } else {
      backlog.addDelayed(task, dueAt);
      journal.record("scheduled", task);
    }
  }
}

/** The reason of the cancellation of a task that was replaced. */
const REPLACED = "replaced by a task with the same idempotency key";
