import type { ClaimNeed, Reservation } from "../../src/core/durable/claim-host.js";
import { Consumer, type ConsumerHost } from "../../src/core/durable/consumer.js";
import type { HeldLease, Settlement } from "../../src/core/durable/held-lease.js";
import type { Backend } from "../../src/ports/backend.js";
import type { Chance } from "./chance.js";
import type { Faults } from "./faults.js";
import type { Run, RunResult } from "./run.js";
import type { RunAudit } from "./run-audit.js";
import type { SimulatedProcess } from "./simulated-process.js";
import type { Appointment, Timeline } from "./timeline.js";
import type { TakeDown } from "./trace.js";
import type { Verdict } from "./violation.js";
import { type RoomShape, WorkerRoom } from "./worker-room.js";

export const QUEUES = ["q", "r"] as const;
export const HANDLERS = ["common", "rare"] as const;
const RESULT_TTL_MS = 600_000;
/** From the abort of a handler until it ends, where it listens. */
const OBEYS_MS = 20;
/** The rest of a stop after its deadline. */
const GRACE_MS = 250;
const ERROR = '{"name":"Error","message":"simulated"}';

export interface WorkerParts {
  readonly process: SimulatedProcess;
  readonly backend: Backend;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly faults: Faults;
  readonly audit: RunAudit;
  readonly verdict: Verdict;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly room: RoomShape;
  readonly queues: readonly string[];
  readonly maxAttempts: number;
  /** How likely it is that a handler takes long, and that it fails. */
  readonly long: number;
  readonly failing: number;
  /** Whether handlers may take long, fail and disobey. */
  readonly turbulent: () => boolean;
  readonly trace: TakeDown;
  /** It has stopped, and nothing of it is under way. */
  readonly stopped: () => void;
}

const CONFIRMED: Record<Settlement["kind"], string> = {
  ack: "confirmed ack",
  nack: "confirmed nack",
  "dead-letter": "confirmed dead-letter",
};
const COMPLETED: Settlement = {
  kind: "ack",
  ack: {
    outcome: { state: "completed", reason: undefined, value: undefined, error: undefined, charged: true },
    resultTtlMs: RESULT_TTL_MS,
  },
};
const CANCELLED: Settlement = {
  kind: "ack",
  ack: {
    outcome: { state: "cancelled", reason: "cancelled", value: undefined, error: ERROR, charged: true },
    resultTtlMs: RESULT_TTL_MS,
  },
};

const ignore = () => {};

/** A run and what it holds here. */
interface Running {
  readonly held: HeldLease;
  readonly run: Run;
  /** What is to happen to it next. */
  next: Appointment | undefined;
  /** It does not end when it is told to, for a while. */
  readonly stubborn: boolean;
  /** It tells of its progress, now and then and last when it ends. */
  readonly telling: boolean;
}

/**
 * A process that runs durable tasks: a consumer as it is, and in place of the manager a host whose handlers
 * take their time, tell of their progress, fail, reschedule, and obey or do not obey their signals, all by
 * chance.
 */
export class SimulatedWorker implements ConsumerHost {
  readonly process: SimulatedProcess;
  readonly consumer: Consumer;
  readonly #parts: WorkerParts;
  readonly #running = new Set<Running>();
  /** Settlements of which it has not been told what came of them. */
  readonly #untold = new Set<HeldLease>();
  readonly #heard = new WeakSet<HeldLease>();
  readonly #room: WorkerRoom;
  #stopping = false;
  #over = false;
  #deafen: () => void = () => {};

  constructor(parts: WorkerParts) {
    const { backend, chance, leaseMs, pollMs, process, queues, room, timeline } = parts;
    this.#parts = parts;
    this.process = process;
    this.consumer = new Consumer({
      backend,
      clock: process.clock,
      random: chance.fork(),
      leaseMs,
      pollMs,
      maxBlockedMs: 120_000,
      strict: false,
      queues: queues.map((name, index) => ({ name, share: index + 1 })),
      requestPrefix: `${process.name}-`,
      host: this,
    });
    this.#room = new WorkerRoom({
      shape: room,
      now: () => timeline.now,
      after: (delayMs, happen) => this.#after(delayMs, happen),
      onRoom: () => this.consumer.claim(false),
    });
  }

  /** Whether it takes part: it has not stopped, and was not told to. */
  get works(): boolean {
    return this.process.alive && !this.#stopping;
  }

  /** Whether it can run every task. */
  get complete(): boolean {
    return this.#parts.room.handlers === HANDLERS;
  }

  /** For how long it has had room for a task of this handler. */
  freeFor(handler: string): number {
    return this.works ? this.#room.freeFor(handler) : 0;
  }

  get stopped(): boolean {
    return this.#over;
  }

  start(): void;
  start(held: HeldLease): boolean;
  start(held?: HeldLease): boolean | undefined {
    if (held !== undefined) return this.#start(held);
    const { consumer } = this;
    this.#deafen = this.#parts.backend.signals.listen(this.#parts.queues, {
      wake: consumer.signals.wake,
      cancelAsked: consumer.signals.cancelAsked,
      finished: ignore,
      storeLost: ignore,
    });
    consumer.start();
    return undefined;
  }

  /** Ends within the deadline and its grace, whatever the store and the handlers do. */
  stop(deadlineMs: number): void {
    if (!this.works) return;
    this.#stopping = true;
    this.#parts.trace(this.process.name, "stops in", deadlineMs);
    this.consumer.stop();
    this.#deafen();
    const killAfterMs = Math.min(deadlineMs, GRACE_MS / 2);
    this.#after(deadlineMs - killAfterMs, () => this.#abortAll());
    this.#after(deadlineMs, () => this.#abandonAll());
    this.#after(deadlineMs + GRACE_MS, () => {
      if (!this.#over) this.consumer.giveUp(new Error("the stop is over"));
    });
    this.#finish();
  }

  /** Nothing of it is left here. */
  died(): void {
    this.#deafen();
    for (const running of this.#running) this.#cancelNext(running);
    this.#running.clear();
    this.#parts.audit.died(this.process);
  }

  beginRound(): void {}

  endRound(): void {}

  reserve(need: ClaimNeed): Reservation | undefined {
    if (this.#stopping) this.#parts.verdict.fail("X2", `${this.process.name} claims, and was to stop`);
    return this.#room.reserve(need);
  }

  claimed(): void {}

  lost(held: HeldLease): void {
    const running = this.#find(held);
    if (running === undefined) return;
    this.#trace("lost", held);
    this.#parts.audit.aborted(running.run);
    this.#endSoon(running, () => this.#leave(running));
  }

  cancelAsked(held: HeldLease): void {
    const running = this.#find(held);
    if (running === undefined) return;
    this.#trace("cancel asked", held);
    this.#endSoon(running, () => this.#end(running, "cancelled"));
  }

  confirmed(held: HeldLease, { kind }: Settlement): void {
    this.#trace(CONFIRMED[kind], held);
    this.#told(held);
    this.#parts.audit.confirmed(held.task, kind);
  }

  refused(held: HeldLease): void {
    this.#trace("refused", held);
    this.#told(held);
  }

  unknown(held: HeldLease): void {
    this.#trace("unknown", held);
    this.#told(held);
  }

  crashed(): void {}

  failed(): void {}

  idle(): void {
    this.#finish();
  }

  #start(held: HeldLease): boolean {
    if (this.#stopping) this.#parts.verdict.fail("X2", `${held.task.id} is started, and its process stops`);
    const { audit, chance, leaseMs, long, turbulent } = this.#parts;
    if (!this.#room.take(held.task.handler, held.task.cost)) return false;
    this.#trace("starts", held);
    const run = audit.started(this.process, held.task);
    const stubborn = turbulent() && chance.happens(0.2);
    const isLong = turbulent() && chance.happens(long);
    const telling = isLong && chance.happens(0.3);
    const running: Running = { held, run, next: undefined, stubborn, telling };
    this.#running.add(running);
    if (telling) this.#tellSoon(running);
    const runMs = isLong ? chance.between(30, leaseMs * 2.5) : chance.between(1, 30);
    running.next = this.#after(runMs, () => this.#end(running, this.#draw()));
    return true;
  }

  #tellSoon(running: Running): void {
    const { chance, leaseMs } = this.#parts;
    this.#after(chance.between(1, leaseMs), () => {
      if (!this.#running.has(running)) return;
      this.#tell(running);
      this.#tellSoon(running);
    });
  }

  #tell({ held }: Running): void {
    this.#trace("tells", held);
    this.consumer.report(held, new Uint8Array([this.#parts.chance.below(256)]));
  }

  #draw(): RunResult {
    const { chance, failing, turbulent } = this.#parts;
    if (turbulent() && chance.happens(failing)) return "failed";
    return turbulent() && chance.happens(0.1) ? "rescheduled" : "returned";
  }

  /** The handler has ended, and what came of it counts. */
  #end(running: Running, result: RunResult): void {
    const { held, run } = running;
    // It was over before, by what came while the process stood still.
    if (run.aborted || !this.#running.has(running)) return;
    if (running.telling) this.#tell(running);
    this.#parts.audit.ended(run, result);
    this.#trace(result, held);
    this.#untold.add(held);
    this.consumer.settle(held, this.#toSettlement(held, result));
    this.#leave(running);
  }

  #toSettlement({ task }: HeldLease, result: RunResult): Settlement {
    const { chance, maxAttempts } = this.#parts;
    const delayMs = chance.happens(0.5) ? 0 : Math.floor(chance.between(1, 200));
    const back = (kind: "retry" | "reschedule" | "hand-back", delay: number): Settlement => ({
      kind: "nack",
      nack: { kind, delayMs: delay, error: kind === "retry" ? ERROR : undefined },
    });
    switch (result) {
      case "returned":
        return COMPLETED;
      case "cancelled":
        return CANCELLED;
      case "rescheduled":
        return back("reschedule", delayMs);
      case "interrupted":
        return back("hand-back", 0);
      case "failed":
        if (task.attempts + 1 < maxAttempts) return back("retry", delayMs);
        return {
          kind: "dead-letter",
          deadLetter: { reason: "error", error: ERROR, charged: true, resultTtlMs: RESULT_TTL_MS },
        };
    }
  }

  #leave(running: Running): void {
    this.#cancelNext(running);
    this.#running.delete(running);
    this.#room.leave(running.held.task.handler);
    this.#finish();
  }

  #endSoon(running: Running, end: () => void): void {
    const { chance, leaseMs } = this.#parts;
    this.#cancelNext(running);
    const mostMs = running.stubborn ? leaseMs : OBEYS_MS;
    running.next = this.#after(chance.between(0, mostMs), end);
  }

  #abortAll(): void {
    for (const running of this.#running)
      if (running.held.state === "held") this.#endSoon(running, () => this.#end(running, "interrupted"));
  }

  /** Those that did not obey are left behind with their leases. */
  #abandonAll(): void {
    const { audit, faults, timeline } = this.#parts;
    for (const running of [...this.#running]) {
      this.#cancelNext(running);
      this.#running.delete(running);
      audit.aborted(running.run);
      if (running.held.state === "held") this.#trace("abandoned", running.held);
      faults.add("stop", this.process, timeline.now, timeline.now);
      this.consumer.abandon(running.held);
    }
    this.#finish();
  }

  /** I9: of each settlement it hears once. Those of hand-backs are the consumer's own. */
  #told(held: HeldLease): void {
    if (held.settlement === undefined) this.#parts.verdict.fail("I9", `${held.task.id} was never settled`);
    this.#untold.delete(held);
    if (this.#heard.has(held)) this.#parts.verdict.fail("I9", `${held.task.id} was told of twice`);
    this.#heard.add(held);
  }

  #finish(): void {
    if (!this.#stopping || this.#over || this.#running.size > 0 || this.consumer.busy) return;
    this.#over = true;
    for (const { task } of this.#untold) this.#parts.verdict.fail("I9", `nothing was told of ${task.id}`);
    this.#parts.trace(this.process.name, "has stopped");
    this.#parts.stopped();
  }

  #find(held: HeldLease): Running | undefined {
    for (const running of this.#running) if (running.held === held) return running;
    return undefined;
  }

  #cancelNext(running: Running): void {
    if (running.next !== undefined) this.#parts.timeline.cancel(running.next);
    running.next = undefined;
  }

  #after(delayMs: number, happen: () => void): Appointment {
    const { timeline } = this.#parts;
    return timeline.after(Math.max(0, delayMs), () => this.process.enter(happen, true));
  }

  #trace(what: string, { task }: HeldLease): void {
    this.#parts.trace(this.process.name, what, task.id, task.token);
  }
}
