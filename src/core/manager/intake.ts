import { DuplicateTaskError, NotAcceptingError, QueueFullError, TaskCancelledError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import { Task, type TaskDetails } from "../../task/task.js";
import type { TaskFunction } from "../../task/task-context.js";
import type { CheckedTaskOptions } from "../../task/task-options.js";
import type { Backlog } from "./backlog.js";
import type { Calendar } from "./calendar.js";
import type { Canceller } from "./canceller.js";
import type { Carriers } from "./carriers.js";
import type { Journal } from "./journal.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Registry } from "./registry.js";
import type { Settler } from "./settler.js";
import type { SignalListeners } from "./signal-listeners.js";
import type { TaskTally } from "./tally.js";
import { type HandleHost, LocalTaskHandle } from "./task-handle.js";
import { type TaskPlan, toDueAt, toExpiresAt } from "./task-plan.js";
import { WaitingRoom } from "./waiting-room.js";
import type { Watches } from "./watches.js";

export interface IntakeParts {
  readonly calendar: Calendar;
  readonly clock: Clock;
  readonly capacity: number;
  readonly whenFull: "reject" | "drop-oldest";
  readonly lifecycle: Lifecycle;
  readonly registry: Registry;
  readonly backlog: Backlog;
  readonly canceller: Canceller;
  readonly settler: Settler;
  readonly watches: Watches;
  readonly carriers: Carriers;
  readonly journal: Journal;
  readonly tally: TaskTally;
  readonly signals: SignalListeners;
  readonly handleHost: HandleHost;
}

/** One task that somebody wants to be done: the work and the plan for it. */
export interface TaskRequest {
  readonly work: TaskFunction;
  readonly plan: TaskPlan;
}

/**
 * The door. A request is accepted whole or refused with nothing left behind: all that can be wrong with it is
 * looked at before the first thing is changed.
 */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #room: WaitingRoom;
  #number = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#room = new WaitingRoom(parts.capacity, parts.signals);
  }

  /** The number of the task that was accepted last. */
  get lastNumber(): number {
    return this.#number;
  }

  get capacity(): number {
    return this.#parts.capacity;
  }

  /** Calls that wait for room. */
  get waiting(): number {
    return this.#room.waiting;
  }

  /** @throws {NotAcceptingError} @throws {DuplicateTaskError} @throws {QueueFullError} */
  accept<R>(work: TaskFunction, plan: TaskPlan): LocalTaskHandle<R> {
    this.admitWaiting(); // a handler that starts may enqueue before its own place was given to them
    this.#refuse(plan.options);
    if (this.#free() > 0) return this.#admit(work, plan);
    return this.#parts.journal.events.hold(() => {
      this.#makeRoom(1);
      return this.#admit(work, plan);
    });
  }

  /** Accepts all or none. */
  acceptAll(requests: readonly TaskRequest[]): LocalTaskHandle<unknown>[] {
    this.admitWaiting();
    const ids = new Set<string>();
    for (const { plan } of requests) {
      this.#refuse(plan.options);
      const id = plan.options?.id;
      if (id === undefined) continue;
      if (ids.has(id)) throw new DuplicateTaskError(id);
      ids.add(id);
    }
    return this.#parts.journal.events.hold(() => {
      this.#makeRoom(requests.length);
      return requests.map(({ work, plan }) => this.#admit(work, plan));
    });
  }

  /**
   * Accepts at once where there is room, else when the calls before it have been accepted and there is room.
   */
  async acceptWhenRoom<R>(work: TaskFunction, plan: TaskPlan): Promise<LocalTaskHandle<R>> {
    const { whenFull, tally, carriers } = this.#parts;
    if (whenFull === "drop-oldest" || (this.#room.waiting === 0 && this.#free() > 0))
      return this.accept(work, plan);
    this.#refuse(plan.options);
    const taskId = plan.options?.id ?? "";
    const message = "The signal aborted while the task waited for room";
    const gone = (reason: unknown) => new TaskCancelledError(message, taskId, { cause: reason });
    const signal = plan.options?.signal;
    const accept = carriers.bind(() => {
      // The same abort may have made the room, and have come to a task before it comes to this call.
      if (signal?.aborted) throw gone(signal.reason);
      this.#refuse(plan.options);
      return this.#admit<R>(work, plan);
    });
    try {
      return await this.#room.wait(accept, signal, gone);
    } catch (error) {
      if (error instanceof QueueFullError) tally.refused++;
      throw error;
    }
  }

  /** Room may have become free. */
  admitWaiting(): void {
    while (this.#room.waiting > 0 && this.#free() > 0) {
      if (!this.#room.admitOne()) return;
    }
  }

  /** Sends those that wait for room away. */
  close(): void {
    this.#room.refuseAll(() => new NotAcceptingError("This task manager stopped before there was room"));
  }

  #free(): number {
    return this.#parts.capacity - this.#parts.backlog.size;
  }

  #refuse(options: CheckedTaskOptions | undefined): void {
    this.#parts.lifecycle.refuseUnlessAccepting();
    if (options?.id !== undefined) this.#parts.registry.refuseTaken(options.id);
  }

  #makeRoom(count: number): void {
    const { capacity, whenFull, backlog, canceller, clock, tally } = this.#parts;
    const missing = count - this.#free();
    // Retries may have taken more room than there is: that is no reason to refuse nothing.
    if (missing <= 0 || count === 0) return;
    const victims = whenFull === "drop-oldest" && count <= capacity ? backlog.oldestFew(missing) : [];
    if (victims.length < missing) {
      tally.refused += count;
      const found = `${backlog.size} of ${capacity} places are taken`;
      throw new QueueFullError(
        `No room for ${count === 1 ? "a task" : `${count} tasks`}: ${found}`,
        capacity,
      );
    }
    const now = clock.now();
    for (const victim of victims) canceller.drop(victim, capacity, now);
  }

  #admit<R>(work: TaskFunction, plan: TaskPlan): LocalTaskHandle<R> {
    const { calendar, clock, registry, settler, watches, carriers, handleHost } = this.#parts;
    const { options } = plan;
    const now = clock.now();
    const dueAt = toDueAt(options, calendar, now);
    const task = new Task({
      profile: plan.profile,
      number: ++this.#number,
      run: work,
      order: plan.order,
      details: options === undefined ? undefined : toDetails(options, toExpiresAt(options, calendar, now)),
      enqueuedAt: now,
      state: dueAt === undefined ? "queued" : "scheduled",
    });
    task.captured = carriers.capture(task, options?.context !== false);
    const handle = new LocalTaskHandle<R>(task, handleHost);
    task.sink = handle;
    if (task.details !== undefined) watches.watch(task); // before it counts, since a strange signal may throw
    registry.add(task);
    settler.begin();
    this.#enter(task, dueAt);
    return handle;
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

/** What few tasks have; undefined when this one has none of it. */
function toDetails(options: CheckedTaskOptions, expiresAt: number | undefined): TaskDetails | undefined {
  const { id, name, description, metadata, correlationId, signal, cost } = options;
  const isLabelled = id ?? name ?? description ?? metadata ?? correlationId;
  if ((isLabelled ?? signal ?? cost ?? expiresAt) === undefined) return undefined;
  return { id, name, description, metadata, correlationId, signal, cost, expiresAt };
}
