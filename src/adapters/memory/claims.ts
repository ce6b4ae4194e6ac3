import type { ClaimAnswer, ClaimedTask, ClaimRequest, CrashedTask, Lease } from "../../ports/backend.js";
import { CrashLoopError } from "../../store-errors.js";
import { ClaimBudget } from "./claim-budget.js";
import { type Places, REPEATED_MS } from "./places.js";
import { type ClaimRecord, RecentClaims } from "./recent-claims.js";
import { cancelNow } from "./settlements.js";
import type { SignalBoard } from "./signal-board.js";
import type { StoreTime } from "./store-time.js";
import { DEFAULT_RESULT_TTL_MS, failed, toOwnError } from "./stored-ends.js";
import type { StoredQueue } from "./stored-queue.js";
import { copyOf, type TaskRecord } from "./task-record.js";

/** Of what one claim promotes, reclaims, and makes dead letters: so many of each at most. */
const STEPS_PER_CLAIM = 100;

/** Leases what is ready. */
export class Claims {
  readonly #places: Places;
  readonly #time: StoreTime;
  readonly #signals: SignalBoard;
  readonly #recent = new RecentClaims();

  constructor(places: Places, time: StoreTime, signals: SignalBoard) {
    this.#places = places;
    this.#time = time;
    this.#signals = signals;
  }

  claim(request: ClaimRequest): ClaimAnswer {
    this.#recent.sweep(this.#time.elapsed, STEPS_PER_CLAIM);
    const queue = this.#places.queue(request.queue);
    const before = this.#recent.find(request.requestId);
    if (before !== undefined) return this.#answer(before, queue);
    const claim = queue === undefined ? this.#nothing(request) : this.#claim(request, queue);
    // One that came to nothing too: whoever made it again may have its answer, and nobody that of the first.
    this.#recent.add(claim);
    return this.#answer(claim, queue);
  }

  #nothing({ requestId }: ClaimRequest): ClaimRecord {
    const knownUntil = this.#time.elapsed + REPEATED_MS;
    return { requestId, leases: [], stoppedAtCost: undefined, crashed: [], reclaimed: 0, knownUntil };
  }

  #claim(request: ClaimRequest, queue: StoredQueue): ClaimRecord {
    this.#places.dropOldDead(queue, STEPS_PER_CLAIM);
    const promoted = this.#promote(queue);
    const reclaimed = this.#reclaim(queue);
    const crashed: CrashedTask[] = [];
    const budget = new ClaimBudget(request);
    const leases = this.#lease(queue, request.leaseMs, budget, crashed);
    // There is something for others where more has become ready than this one takes.
    if (promoted + reclaimed > leases.length + crashed.length) this.#signals.wake(queue.name);
    const { requestId, leaseMs } = request;
    const { stoppedAtCost } = budget;
    const knownUntil = this.#time.elapsed + Math.max(leaseMs, REPEATED_MS);
    return { requestId, leases, stoppedAtCost, crashed, reclaimed, knownUntil };
  }

  /** Makes ready what is due. */
  #promote({ delayed }: StoredQueue): number {
    let promoted = 0;
    while (promoted < STEPS_PER_CLAIM && delayed.topPrimary <= this.#time.now) {
      const record = delayed.peek();
      if (record === undefined) break;
      this.#places.toReady(record);
      promoted++;
    }
    return promoted;
  }

  /** Gives back what holders have let expire. What was to be cancelled is not given to anybody again. */
  #reclaim({ leased }: StoredQueue): number {
    let reclaimed = 0;
    while (reclaimed < STEPS_PER_CLAIM && leased.topPrimary <= this.#time.elapsed) {
      const record = leased.peek();
      if (record === undefined) break;
      if (record.cancellation === undefined) this.#places.toReady(record);
      else cancelNow(this.#places, record, record.cancellation);
      reclaimed++;
    }
    return reclaimed;
  }

  #lease(queue: StoredQueue, leaseMs: number, budget: ClaimBudget, crashed: CrashedTask[]): readonly Lease[] {
    const leases: Lease[] = [];
    for (let record = budget.next(queue.ready); record; record = budget.next(queue.ready)) {
      if (record.deliveries >= record.maxDeliveries) {
        if (crashed.length === STEPS_PER_CLAIM) break;
        crashed.push(this.#crash(record));
      } else if (budget.take(record)) {
        this.#places.toLeased(record, leaseMs);
        leases.push({ id: record.id, token: record.token });
      } else break;
    }
    return leases;
  }

  #crash(record: TaskRecord): CrashedTask {
    const { id, handler, deliveries, attempts } = record;
    record.error = toOwnError(() => new CrashLoopError(id, deliveries));
    const outcome = failed("crash-loop", record.error, false);
    this.#places.toDead(record, { outcome, resultTtlMs: DEFAULT_RESULT_TTL_MS });
    return { id, handler, deliveries, attempts };
  }

  /** The leases of a claim that are still held, which are all where it has just been made. */
  #answer(claim: ClaimRecord, queue: StoredQueue | undefined): ClaimAnswer {
    const tasks: ClaimedTask[] = [];
    for (const { id, token } of claim.leases) {
      const record = this.#places.find(id);
      if (record?.place === "leased" && record.token === token)
        tasks.push(toClaimedTask(record, this.#time.now));
    }
    const { stoppedAtCost, crashed, reclaimed } = claim;
    const isCut = crashed.length === STEPS_PER_CLAIM;
    const nextDueMs = isCut ? 0 : queue && this.#nextDueMs(queue);
    return { tasks, stoppedAtCost, nextDueMs, crashed, reclaimed };
  }

  #nextDueMs({ delayed, leased }: StoredQueue): number | undefined {
    const { now, elapsed } = this.#time;
    const nextMs = Math.min(delayed.topPrimary - now, leased.topPrimary - elapsed);
    return nextMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, nextMs);
  }
}

function toClaimedTask(record: TaskRecord, claimedAt: number): ClaimedTask {
  const { payload } = record;
  return {
    id: record.id,
    token: record.token,
    handler: record.handler,
    envelope: record.envelope,
    priority: record.priority,
    weight: record.weight,
    cost: record.cost,
    attempts: record.attempts,
    deliveries: record.deliveries,
    payload: payload === undefined ? new Uint8Array() : copyOf(payload),
    enqueuedAt: record.enqueuedAt,
    replayedAt: record.replayedAt,
    claimedAt,
    waitMs: Math.max(0, record.claimedAt - record.readyAt),
  };
}
