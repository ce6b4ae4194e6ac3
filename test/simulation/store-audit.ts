import type {
  Ack,
  CancelAnswer,
  Cancellation,
  ClaimAnswer,
  ClaimRequest,
  DeadLetter,
  EnqueueAnswer,
  ExtendAnswer,
  Extension,
  Lease,
  Nack,
  NewTask,
} from "../../src/ports/backend.js";
import type { QueueCounts, StoredTask } from "../../src/ports/backend-inspector.js";
import { type AuditedLease, AuditedTask, type Ending } from "./audited-task.js";
import type { Answer, Call, Sent } from "./calls.js";
import type { Faults } from "./faults.js";
import type { SimulatedProcess } from "./simulated-process.js";
import type { Timeline } from "./timeline.js";
import type { Verdict, Violation } from "./violation.js";

/** What the audit is shown of the store; nothing that it does there changes anything. */
export interface StoreView {
  look(ids: readonly string[]): readonly (StoredTask | undefined)[];
  counts(): readonly QueueCounts[];
  /** The store's own time for leases, which does not go back. */
  readonly elapsed: number;
  readonly wallNow: number;
}

export interface StoreAuditParts {
  readonly verdict: Verdict;
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly store: StoreView;
  /** How long after a fault something may still follow from it. */
  readonly lingerMs: number;
  /** A task is claimed. */
  readonly claimed: (task: AuditedTask) => void;
  /** A lease may have come to the end of its time: who runs its task must have ended. */
  readonly expired: (lease: AuditedLease) => void;
}

/** What a claim gave when it was first executed, and until when it gives the same again. */
interface FirstClaim {
  readonly given: ReadonlyMap<string, number>;
  readonly until: number;
  readonly era: number;
}

type Before = readonly (StoredTask | undefined)[];

/** Rounding, and nothing else. */
const EPSILON_MS = 0.01;

/**
 * Follows each call that the store executes, with what it was really asked and what it really answered, and
 * says where a rule of durable tasks was broken. It knows tasks from these calls alone, and compares what it
 * knows with what the store has.
 */
export class StoreAudit {
  readonly tasks = new Map<string, AuditedTask>();
  /** Of the tasks, in the same order. */
  readonly #ids: string[] = [];
  /** How many times the contents of the store were replaced. */
  era = 0;
  /** Extra deliveries, each of which a fault explains. */
  redeliveries = 0;
  readonly #parts: StoreAuditParts;
  /** By the id of the request. */
  readonly #claims = new Map<string, FirstClaim>();
  /** Who holds a key, by the key. */
  readonly #keys = new Map<string, AuditedTask>();
  /** So much time has passed in the store at once that it may have forgotten what has ended. */
  #hasAged = false;

  constructor(parts: StoreAuditParts) {
    this.#parts = parts;
  }

  /** What must be known before the store executes a call. */
  before({ call }: Sent): Before {
    switch (call.method) {
      case "extend":
      case "ack":
      case "nack":
      case "deadLetter":
      case "cancel":
        return this.#parts.store.look(call.args[0].map(({ id }) => id));
      default:
        return [];
    }
  }

  after(sent: Sent, before: Before, answer: Answer): void {
    const { call, process } = sent;
    switch (call.method) {
      case "enqueue":
        this.#enqueued(call.args[0], call.args[1], answer as readonly EnqueueAnswer[]);
        break;
      case "claim":
        this.#claimed(process, call.args[0], answer as ClaimAnswer);
        break;
      case "extend":
        this.#extended(call.args[0], before, answer as readonly ExtendAnswer[]);
        break;
      case "cancel":
        this.#cancelled(call.args[0], before, answer as readonly CancelAnswer[]);
        break;
      default:
        this.#settled(call, before, answer as readonly boolean[]);
        break;
    }
    // Between two calls the tasks of the store do not change: so all of them are looked at whenever they may have.
    this.checkAll();
  }

  /** A lease that a process says it has. */
  lease({ id, token }: Lease): AuditedLease | undefined {
    return this.tasks.get(id)?.leases.get(token);
  }

  /** I1, I7: each task is where it must be, whole, and nowhere else. */
  checkAll(): void {
    const found = this.#parts.store.look(this.#ids);
    let index = 0;
    for (const task of this.tasks.values()) this.#checkPlace(task, found[index++]);
    this.#checkCounts(found);
  }

  /** By the store's own count there is in each place what was found there, and nothing else. */
  #checkCounts(found: readonly (StoredTask | undefined)[]): void {
    const surplus = { ready: 0, delayed: 0, leased: 0, dead: 0, finished: 0 };
    for (const { ready, delayed, leased, dead, finished } of this.#parts.store.counts()) {
      surplus.ready += ready;
      surplus.delayed += delayed;
      surplus.leased += leased;
      surplus.dead += dead;
      surplus.finished += finished;
    }
    for (const task of found) if (task !== undefined) surplus[task.place]--;
    const { ready, delayed, leased, dead, finished } = surplus;
    if ((ready | delayed | leased | dead | finished) === 0) return;
    throw this.#fail("I7", `the counts of places are not what was found: ${JSON.stringify(surplus)}`);
  }

  /** Looks for tasks that the store has cancelled by itself, when their holders did not end them. */
  noticeCancelled(): void {
    for (const task of this.tasks.values())
      if (task.live && task.cancelAsked) this.#checkPlace(task, this.#look(task.id));
  }

  /** The store has other contents than before: what it lost, what it has still, and what it has again. */
  storeReplaced(): void {
    const tasks = [...this.tasks.values()];
    const found = this.#parts.store.look(tasks.map(({ id }) => id));
    for (const [index, task] of tasks.entries()) this.#adopt(task, found[index]);
    this.era++;
    this.#keys.clear();
    for (const task of tasks) if (task.live && task.task.idempotency) this.#keys.set(keyOf(task), task);
    this.#excuseLeases();
  }

  /** The time of the store has jumped: leases may end before their holders can know. */
  timeJumped(): void {
    this.#hasAged = true;
    this.#excuseLeases();
  }

  #excuseLeases(): void {
    for (const { leases } of this.tasks.values()) for (const lease of leases.values()) lease.excused = true;
  }

  #adopt(task: AuditedTask, found: StoredTask | undefined): void {
    task.lost = found === undefined;
    if (found === undefined) return;
    const { outcome, place } = found;
    const isOver = place === "finished" || place === "dead";
    task.ending = isOver ? (outcome?.reason === "crash-loop" ? "crashed" : outcome?.state) : undefined;
    task.unreported = found.deliveries;
    task.failures = found.attempts;
    task.lease = task.leases.get(found.token);
    if (place === "leased" && task.lease !== undefined) task.lease.reported = undefined;
    task.published = 0;
  }

  #enqueued(requestId: string, tasks: readonly NewTask[], answers: readonly EnqueueAnswer[]): void {
    for (const [index, task] of tasks.entries()) {
      const answer = answers[index];
      if (answer?.outcome === "kept") this.#kept(requestId, task, answer.replaced);
    }
  }

  #kept(requestId: string, task: NewTask, replaced: string | undefined): void {
    const known = this.tasks.get(task.id);
    // The store answers a call that is made again, also when the task has ended since; as long as it knows.
    // One that was to be cancelled may have ended when its lease did, and never waits again.
    const hasEnded = known !== undefined && (known.ending !== undefined || known.cancelAsked);
    const isForgotten = known?.lost || (hasEnded && this.#hasAged && this.#waits(task.id));
    if (known !== undefined && !isForgotten) {
      if (known.requestId !== requestId) throw this.#fail("I2", `${task.id} was kept for two calls`);
      this.#checkPlace(known, this.#look(task.id));
      return;
    }
    const audited = new AuditedTask(requestId, task);
    audited.readyAt = this.#parts.timeline.now + task.delayMs;
    if (known !== undefined) audited.follow(known);
    if (known === undefined) this.#ids.push(task.id);
    this.tasks.set(task.id, audited);
    this.#takeKey(audited, replaced);
  }

  #takeKey(task: AuditedTask, replaced: string | undefined): void {
    if (task.task.idempotency === undefined) return;
    const key = keyOf(task);
    if (replaced !== undefined) {
      const other = this.tasks.get(replaced);
      // A store that has forgotten both keeps the other one anew where the call comes again, and replaces it at once.
      const isAnew = this.#hasAged && other?.requestId === task.requestId;
      if (other?.live) this.#end(other, "cancelled");
      else if (!isAnew) throw this.#fail("I2", `${replaced} was replaced, and had ended`);
    }
    const holder = this.#keys.get(key);
    if (holder?.live && holder.cancelAsked) this.#checkPlace(holder, this.#look(holder.id));
    if (holder?.live) throw this.#fail("I2", `${task.id} was kept, and ${holder.id} has its key and lives`);
    this.#keys.set(key, task);
  }

  #claimed(process: SimulatedProcess, request: ClaimRequest, answer: ClaimAnswer): void {
    for (const crashed of answer.crashed) this.#crashed(crashed.id, request);
    const { elapsed } = this.#parts.store;
    const { requestId, leaseMs } = request;
    const first = this.#claims.get(requestId);
    const isAgain = first !== undefined && elapsed < first.until && first.era === this.era;
    const given = new Map<string, number>();
    for (const task of answer.tasks) {
      given.set(task.id, task.token);
      if (first?.given.get(task.id) === task.token) continue;
      if (isAgain) throw this.#fail("I6", `${requestId} was made again, and leased ${task.id} anew`);
      this.#leased(process, request, task);
    }
    if (!isAgain) this.#claims.set(requestId, { given, until: elapsed + leaseMs, era: this.era });
  }

  #leased(process: SimulatedProcess, { leaseMs }: ClaimRequest, claimed: ClaimAnswer["tasks"][number]): void {
    const { timeline, store } = this.#parts;
    const { id, token } = claimed;
    const task = this.#find(id);
    if (task.ending !== undefined) throw this.#fail("I8", `${id} was leased, and had ended`);
    if (token <= task.token) throw this.#fail("I4", `${id} got token ${token} after ${task.token}`);
    this.#checkReclaimed(task);
    this.#parts.claimed(task);
    task.unreported++;
    if (claimed.deliveries !== task.unreported)
      throw this.#fail("I5", `${id}: ${claimed.deliveries} deliveries, and ${task.unreported} were made`);
    if (task.unreported > task.task.maxDeliveries)
      throw this.#fail("I5", `${id} was delivered ${task.unreported} times without a word`);
    if (claimed.attempts !== task.failures)
      throw this.#fail("I6", `${id}: ${claimed.attempts} attempts count, and ${task.failures} failed`);
    const lease: AuditedLease = {
      id,
      token,
      process,
      claimedAt: timeline.now,
      validUntil: timeline.now + leaseMs,
      expiresAt: store.elapsed + leaseMs,
      reported: undefined,
      confirmed: undefined,
      run: undefined,
      excused: false,
      era: this.era,
      watch: undefined,
    };
    task.token = token;
    task.lease = lease;
    task.leases.set(token, lease);
    this.#watch(lease);
  }

  /** I3, I6: the lease before this one is over, and a fault explains why its holder did not end it. */
  #checkReclaimed({ lease }: AuditedTask): void {
    if (lease === undefined || lease.reported !== undefined) return;
    const { timeline, faults, store, lingerMs } = this.#parts;
    if (!lease.excused && store.elapsed < lease.expiresAt - EPSILON_MS)
      throw this.#fail("I3", `${lease.id} was leased, and ${lease.process.name} had a valid lease of it`);
    const explained =
      lease.excused || faults.explain(lease.process, lease.claimedAt - lingerMs, timeline.now);
    if (!explained)
      throw this.#fail("I6", `${lease.id} was delivered again, and nothing had happened to its holder`);
    this.redeliveries++;
  }

  #crashed(id: string, { requestId }: ClaimRequest): void {
    const task = this.#find(id);
    if (task.ending === "crashed" && this.#claims.has(requestId)) return;
    this.#checkReclaimed(task);
    if (task.unreported !== task.task.maxDeliveries)
      throw this.#fail("I5", `${id} was given up after ${task.unreported} deliveries`);
    this.#end(task, "crashed");
  }

  #extended(extensions: readonly Extension[], before: Before, answers: readonly ExtendAnswer[]): void {
    const { timeline, store } = this.#parts;
    for (const [index, extension] of extensions.entries()) {
      const holds = isHeld(before[index], extension);
      if (answers[index]?.held !== holds) throw this.#wrongAnswer("extend", extension, holds);
      if (!holds) this.#checkUntouched("extend", before[index], extension, extensions);
      else if (!this.#hasProgress(extension, before[index]))
        throw this.#fail("I4", `${extension.id} has other progress than its holder told`);
      const lease = this.lease(extension);
      if (!holds || lease === undefined) continue;
      lease.validUntil = timeline.now + extension.leaseMs;
      lease.expiresAt = store.elapsed + extension.leaseMs;
    }
  }

  #settled(
    call: Extract<Call, { method: "ack" | "nack" | "deadLetter" }>,
    before: Before,
    answers: readonly boolean[],
  ): void {
    for (const [index, write] of call.args[0].entries()) {
      const holds = isHeld(before[index], write);
      const lease = this.lease(write);
      const accepted = answers[index] === true;
      // The same write by the same lease again is done, and does nothing.
      const again = accepted && !holds && lease?.reported === call.method;
      if (accepted !== holds && !again) throw this.#wrongAnswer(call.method, write, holds);
      if (!holds) this.#checkUntouched(call.method, before[index], write, call.args[0]);
      else if (lease !== undefined) this.#report(call, index, lease);
    }
  }

  #report(
    call: Extract<Call, { method: "ack" | "nack" | "deadLetter" }>,
    index: number,
    lease: AuditedLease,
  ): void {
    const task = this.#find(lease.id);
    lease.reported = call.method;
    lease.confirmed = call.method;
    task.unreported = 0;
    this.#unwatch(lease);
    if (call.method === "ack") this.#acked(task, call.args[0][index], lease);
    else if (call.method === "nack") this.#nacked(task, call.args[0][index], lease);
    else this.#deadLettered(task, call.args[0][index], lease);
  }

  #acked(task: AuditedTask, ack: Ack | undefined, { run }: AuditedLease): void {
    const state = ack?.outcome.state;
    if (state === "completed" && run?.result !== "returned")
      throw this.#fail("I6", `${task.id} was acked as completed, and its handler did not return`);
    this.#end(task, state ?? "failed");
  }

  /** What counts as an attempt is what the handler did, and not what it is called. */
  #nacked(task: AuditedTask, nack: Nack | undefined, { run }: AuditedLease): void {
    const failed = run?.result === "failed";
    if (nack?.kind === "retry") task.failures++;
    task.readyAt = this.#parts.timeline.now + (nack?.delayMs ?? 0);
    if (failed !== (nack?.kind === "retry"))
      throw this.#fail(
        "I6",
        `${task.id} went back as ${nack?.kind}, and its handler ${run?.result ?? "never ran"}`,
      );
  }

  #deadLettered(task: AuditedTask, _end: DeadLetter | undefined, { run }: AuditedLease): void {
    if (run?.result !== "failed")
      throw this.#fail("I6", `${task.id} is a dead letter, and its handler did not fail`);
    this.#end(task, "failed");
  }

  #cancelled(cancellations: readonly Cancellation[], before: Before, answers: readonly CancelAnswer[]): void {
    for (const [index, { id }] of cancellations.entries()) {
      const task = this.tasks.get(id);
      const place = before[index]?.place;
      if (answers[index] === "asked" && task !== undefined) task.cancelAsked = true;
      if (answers[index] !== "cancelled") {
        this.#checkSamePlace("cancel", before[index], id);
        continue;
      }
      if (task === undefined) throw this.#fail("I8", `${id} was cancelled, and never accepted`);
      if (place === "leased") throw this.#fail("I4", `${id} was cancelled under its lease`);
      if (task.ending === undefined) this.#end(task, "cancelled");
      else if (task.ending !== "cancelled")
        throw this.#fail("I8", `${id} was cancelled, and had ${task.ending}`);
    }
  }

  #end(task: AuditedTask, ending: Ending): void {
    if (task.ending !== undefined)
      throw this.#fail("I8", `${task.id} ${ending}, and had ${task.ending} before`);
    task.ending = ending;
  }

  /** I4: a write that is refused, or was done before, changes nothing at all. */
  #checkUntouched(
    method: string,
    before: StoredTask | undefined,
    { id }: Lease,
    batch: readonly Lease[],
  ): void {
    // A holder that has got the same task again may write for both leases at once.
    if (batch.length > 1 && batch.filter((other) => other.id === id).length > 1) return;
    const after = this.#look(id);
    const same =
      before === undefined || after === undefined
        ? before === after
        : before.place === after.place &&
          before.token === after.token &&
          before.attempts === after.attempts &&
          before.deliveries === after.deliveries &&
          before.until === after.until &&
          isSame(before.progress, after.progress) &&
          before.outcome?.state === after.outcome?.state;
    if (!same) throw this.#fail("I4", `${method} of ${id} by a lease that is over has changed it`);
  }

  /** Whether a task has the progress that its holder has just told, or else what it had before. */
  #hasProgress({ id, progress }: Extension, before: StoredTask | undefined): boolean {
    return isSame(this.#look(id)?.progress, progress ?? before?.progress);
  }

  #checkSamePlace(method: string, before: StoredTask | undefined, id: string): void {
    if (this.#look(id)?.place !== before?.place)
      throw this.#fail("I4", `${method} of ${id} was refused, and moved it`);
  }

  #checkPlace(task: AuditedTask, found: StoredTask | undefined): void {
    if (task.lost) return;
    const isOver = found?.place === "finished" || found?.place === "dead";
    if (task.ending !== undefined) {
      if (found !== undefined && !isOver)
        throw this.#fail("I8", `${task.id} had ended, and is ${found.place}`);
      return;
    }
    const isCancelled = found === undefined ? this.#hasAged : isOver && found.outcome?.state === "cancelled";
    if (task.cancelAsked && isCancelled) {
      this.#end(task, "cancelled"); // the store does it itself when the lease ends without an end of the task
      return;
    }
    if (found === undefined) throw this.#fail("I1", `${task.id} is gone`);
    if (isOver) throw this.#fail("I8", `${task.id} is ${found.place}, and nobody has ended it`);
    if (found.payload === undefined) throw this.#fail("I7", `${task.id} has lost its payload`);
    const held = task.lease !== undefined && task.lease.reported === undefined;
    if (found.place === "leased" && !held)
      throw this.#fail("I3", `${task.id} is leased, and nobody holds it`);
  }

  #wrongAnswer(method: string, { id, token }: Lease, holds: boolean): Violation {
    const why = holds ? "was refused, and holds the lease" : "was accepted, and does not hold the lease";
    return this.#fail("I4", `${method} of ${id} with token ${token} ${why}`);
  }

  #fail(rule: string, what: string): Violation {
    return this.#parts.verdict.fail(rule, what);
  }

  #waits(id: string): boolean {
    const place = this.#look(id)?.place;
    return place === "ready" || place === "delayed";
  }

  #look(id: string): StoredTask | undefined {
    return this.#parts.store.look([id])[0];
  }

  #find(id: string): AuditedTask {
    const task = this.tasks.get(id);
    if (task === undefined) throw this.#fail("I1", `${id} was delivered, and never accepted`);
    return task;
  }

  #watch(lease: AuditedLease): void {
    const { timeline, expired } = this.#parts;
    const look = () => {
      lease.watch = undefined;
      if (timeline.now >= lease.validUntil) expired(lease);
      else this.#watch(lease);
    };
    lease.watch = timeline.after(Math.max(0, lease.validUntil - timeline.now), look, false);
  }

  #unwatch(lease: AuditedLease): void {
    if (lease.watch !== undefined) this.#parts.timeline.cancel(lease.watch);
    lease.watch = undefined;
  }
}

function keyOf({ task }: AuditedTask): string {
  return `${task.id.split(":", 1)[0]} ${task.handler} ${task.idempotency?.key}`;
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && Buffer.compare(one, other) === 0);
}

function isHeld(task: StoredTask | undefined, { token }: Lease): boolean {
  return task?.place === "leased" && task.token === token;
}
