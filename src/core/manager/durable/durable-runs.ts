import { DeadlineError } from "../../../errors.js";
import type { ClaimedTask } from "../../../ports/backend.js";
import type { Clock } from "../../../ports/clock.js";
import { LeaseLostError } from "../../../store-errors.js";
import type { HandlerDefinition } from "../../../task/handler-definition.js";
import type { LaneName } from "../../../task/lane-name.js";
import { toOrder } from "../../../task/order.js";
import { refusedPayload } from "../../../task/refused-payload.js";
import { fromStoredError } from "../../../task/stored-error.js";
import type { StoredError } from "../../../task/stored-outcome.js";
import { startStoredPayload } from "../../../task/stored-payload.js";
import { readTaskEnvelope, type TaskEnvelope } from "../../../task/task-envelope.js";
import { HandlerCall, perform, type Work } from "../../../task/work.js";
import type { Consumer } from "../../durable/consumer.js";
import type { HeldLease } from "../../durable/held-lease.js";
import type { Limiter } from "../../limiter/limiter.js";
import type { QueueSet } from "../../queue/queue-set.js";
import type { AttemptRunner } from "../attempt-runner.js";
import type { Carriers } from "../carriers.js";
import type { Journal } from "../journal.js";
import type { Lane, Lanes } from "../lane.js";
import type { Registry } from "../registry.js";
import type { Settler } from "../settler.js";
import type { TaskPlanner } from "../task-plan.js";
import type { Watches } from "../watches.js";
import type { ClaimRoom } from "./claim-room.js";
import type { DurableEnds } from "./durable-ends.js";
import { DurableRun, DurableTask, runUnder } from "./durable-run.js";
import { lifeLeftMs } from "./life-left.js";

export interface DurableRunsParts {
  readonly carriers: Carriers;
  readonly clock: Clock;
  readonly consumer: () => Consumer;
  readonly ends: DurableEnds;
  readonly handlers: ReadonlyMap<string, HandlerDefinition>;
  readonly journal: Journal;
  readonly lanes: Lanes;
  readonly limiter: Limiter;
  readonly planner: TaskPlanner;
  readonly queues: QueueSet;
  readonly registry: Registry;
  readonly room: Pick<ClaimRoom, "admits" | "starts">;
  readonly runner: AttemptRunner;
  readonly settler: Settler;
  readonly watches: Watches;
  readonly takeNumber: () => number;
}

/** So long a task is left alone that a later version has enqueued. */
const LEAVE_MS = 60_000;

/** Starts claimed tasks as attempts like any others, and ends those whose lease is lost. */
export class DurableRuns {
  readonly #parts: DurableRunsParts;

  constructor(parts: DurableRunsParts) {
    this.#parts = parts;
  }

  /** False where there is no room for it after all, or it cannot be run here. */
  start(held: HeldLease): boolean {
    const { handlers, clock, consumer, ends, room } = this.#parts;
    const { task: claimed } = held;
    const handler = handlers.get(claimed.handler);
    if (handler === undefined) return false;
    const read = readTaskEnvelope(claimed.envelope);
    if (read.problem === "version") {
      const nack = { kind: "reschedule", delayMs: LEAVE_MS, error: undefined } as const;
      consumer().settle(held, { kind: "nack", nack });
      return true;
    }
    const envelope = read.problem === undefined ? read.envelope : {};
    const lane = this.#laneOf(handler);
    if (read.problem === undefined && !room.admits(held, lane)) return false;
    const leftMs = lifeLeftMs(envelope, claimed);
    const endsAt = held.askedAt + leftMs;
    // It may be over by now, or may not: the next claim tells.
    if (leftMs > 0 && endsAt <= clock.now()) return false;
    const run = this.#admit(held, handler, envelope, endsAt);
    if (read.problem !== undefined) {
      const error = refusedPayload(handler.name, "envelope", `cannot be read: ${read.message}`);
      ends.settle(run, { next: "fail", reason: "error", error });
    } else if (leftMs <= 0) {
      const error = new DeadlineError(`Task ${claimed.id} did not end before its deadline`, claimed.id);
      ends.settle(run, { next: "fail", reason: "deadline", error });
    } else {
      this.#begin(run, lane);
    }
    return true;
  }

  /** Its task must end, and what comes of it counts for nothing. */
  lost(held: HeldLease): void {
    const { clock, ends, journal, runner } = this.#parts;
    const run = runUnder(held);
    if (run === undefined) return;
    const { task } = run;
    const error = new LeaseLostError(`The lease of task ${task.id} was lost: it may run elsewhere`, task.id);
    task.tally.durable.leasesLost++;
    journal.record("leaseLost", task);
    if (task.state === "running") runner.abort(task, { kind: "lease-lost", error }, clock.now());
    else ends.drop(run); // it has not begun
  }

  cancelAsked(held: HeldLease, error: StoredError): void {
    const { clock, ends, runner } = this.#parts;
    const task = runUnder(held)?.task;
    if (task === undefined) return;
    const reason = "cancelled";
    const cause = fromStoredError(error);
    if (task.state === "running") runner.abort(task, { kind: reason, error: cause }, clock.now());
    else ends.endWaiting(task, { next: "cancel", reason, error: cause });
  }

  #laneOf({ module }: HandlerDefinition): Lane {
    const { inline, threads } = this.#parts.lanes;
    return module === undefined ? inline : (threads ?? inline);
  }

  #admit(held: HeldLease, handler: HandlerDefinition, envelope: TaskEnvelope, endsAt: number): DurableRun {
    const { carriers, clock, planner, registry, settler, takeNumber, watches } = this.#parts;
    const { task: claimed } = held;
    const now = clock.now();
    const { id, cost, token: fencingToken, deliveries } = claimed;
    const { name, description, metadata, correlationId } = envelope;
    const expiresAt = endsAt === Number.POSITIVE_INFINITY ? undefined : endsAt;
    const task = new DurableTask({
      profile: planner.durableProfile(handler, held.queue, envelope),
      number: takeNumber(),
      work: unstarted,
      order: toOrder(claimed.priority, claimed.weight),
      details: { id, name, description, metadata, correlationId, expiresAt, cost, fencingToken, deliveries },
      enqueuedAt: now - claimed.waitMs,
      state: "queued",
    });
    task.attempt = claimed.attempts;
    task.captured = carriers.receive(envelope.headers);
    if (deliveries > 1) task.tally.durable.redelivered++;
    const run = new DurableRun(task, held, handler, envelope);
    watches.watch(task);
    registry.add(task);
    settler.begin(task);
    return run;
  }

  #begin(run: DurableRun, lane: Lane): void {
    const { claimed, handler } = { claimed: run.held.task, handler: run.handler };
    const work = toWork(handler, claimed);
    if (work instanceof Promise && lane.executor.lane !== INLINE) {
      work.then(
        (call) => this.#startOrReturn(run, call, lane),
        (error: unknown) => this.#startOrReturn(run, failing(error), lane),
      );
      return;
    }
    this.#start(run, work instanceof Promise ? whenChecked(work) : work, lane);
  }

  /** Its payload has been checked meanwhile. */
  #startOrReturn(run: DurableRun, work: Work, lane: Lane): void {
    const { ends, room } = this.#parts;
    if (run.task.state !== "queued" || run.held.state !== "held") return;
    if (room.admits(run.held, lane)) this.#start(run, work, lane);
    else ends.settle(run, { next: "hand-back", event: "handedBack" });
  }

  /** What fails before it comes to its handler needs no thread for that. */
  #start(run: DurableRun, work: Work, lane: Lane): void {
    const { held, task } = run;
    const { clock, ends, lanes, limiter, queues, room, runner } = this.#parts;
    const { cost, handler } = held.task;
    const now = clock.now();
    const place = typeof work === "function" ? lanes.inline : lane;
    task.work = work;
    room.starts(held, place);
    limiter.take(held.queue, handler, cost, now);
    ends.begins(run, place.executor.lane);
    runner.start(task, queues.join(held.queue, handler, place), place, now);
  }
}

const INLINE: LaneName = "inline";

/** Stands for the work until the payload has been decoded. */
function unstarted(): never {
  throw new Error("It has not been decoded");
}

/** The payload goes through its schema once more: what cannot pass is a failed attempt, as any other. */
function toWork(handler: HandlerDefinition, { payload }: ClaimedTask): Work | Promise<HandlerCall> {
  try {
    const checked = startStoredPayload(handler, payload);
    if (checked instanceof Promise) return checked.then(({ value }) => new HandlerCall(handler, value));
    return new HandlerCall(handler, checked.value);
  } catch (error) {
    return failing(error);
  }
}

function failing(error: unknown): Work {
  return () => {
    throw error;
  };
}

function whenChecked(call: Promise<HandlerCall>): Work {
  return async (context) => await perform(await call, context);
}
