import type { Backend, ExtendAnswer, Extension } from "../../ports/backend.js";
import type { Clock, Timer } from "../../ports/clock.js";
import type { Random } from "../../ports/random.js";
import type { StoredError } from "../../task/stored-outcome.js";
import type { HeldLease } from "./held-lease.js";
import type { LeaseTerms } from "./lease-terms.js";
import { RetryDelay } from "./retry-delay.js";

/** Who is told what becomes of leases. */
export interface LeaseListener {
  /** It is not held any more, or it cannot be known that it is: its task must end, and counts for nothing. */
  lost(held: HeldLease): void;
  /** Somebody wants its task to be cancelled. */
  cancelAsked(held: HeldLease, error: StoredError): void;
  /** A renewal has failed. */
  failed(error: unknown): void;
}

export interface LeaseKeeperParts {
  readonly backend: Pick<Backend, "extend">;
  readonly clock: Clock;
  readonly random: Random;
  readonly terms: LeaseTerms;
  readonly listener: LeaseListener;
}

/** So many leases travel in one call. */
const BATCH = 500;

/**
 * Keeps the leases of this process alive, and says which are not.
 *
 * Each is renewed every third of its length, those that are nearly due along with those that are. Until when
 * one is trusted is counted by the monotonic clock, from before the request was sent that gave it or renewed
 * it: whatever the answer says of time, the store began to count no earlier. When that instant passes without
 * a renewal the lease is lost, though the store may still know it.
 *
 * While a settlement is under way a refused renewal says nothing: it may be the settlement that has ended the
 * lease. Then the settlement's own answer counts.
 */
export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts;
  readonly #held = new Map<string, HeldLease>();
  readonly #retry: RetryDelay;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  /** Not to be renewed before, after a failure. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #renewals = 0;
  #failures = 0;
  #lost = 0;

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts;
    const { random, terms } = parts;
    this.#retry = new RetryDelay(random, terms.leaseMs / 100, terms.leaseMs / 10);
  }

  get size(): number {
    return this.#held.size;
  }

  get tally(): { readonly renewals: number; readonly failures: number; readonly lost: number } {
    return { renewals: this.#renewals, failures: this.#failures, lost: this.#lost };
  }

  get(id: string): HeldLease | undefined {
    return this.#held.get(id);
  }

  /** Those that are kept now; a copy. */
  all(): HeldLease[] {
    return [...this.#held.values()];
  }

  /** One of the same task that this process had is void: the store has given the task anew. */
  keep(held: HeldLease): void {
    const former = this.#held.get(held.task.id);
    this.#held.set(held.task.id, held);
    this.#arm(Math.min(held.renewAt, held.trustedUntil));
    if (former?.state === "held") this.#lose(former);
  }

  /** Lets go of it: it is left to what the store has been told, or to expire. */
  release(held: HeldLease): void {
    held.end();
    if (this.#held.get(held.task.id) === held) this.#held.delete(held.task.id);
    if (this.#held.size === 0) this.#disarm();
  }

  /** Asks the store at once: it may have been told to cancel the task. */
  lookAt(id: string): void {
    const held = this.#held.get(id);
    if (held?.state === "held" && !held.cancelAsked) void this.#renew([held]);
  }

  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    const { clock } = this.#parts;
    this.#timer = clock.setTimeout(() => this.#fire(), Math.max(0, at - clock.now()));
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #fire(): void {
    this.#disarm();
    const now = this.#parts.clock.now();
    for (const held of this.all()) if (held.state === "held" && now >= held.trustedUntil) this.#lose(held);
    this.#renewDue(now);
    let next = Number.POSITIVE_INFINITY;
    for (const held of this.#held.values()) {
      next = Math.min(next, Math.max(held.renewAt, this.#notBefore));
      if (held.state === "held") next = Math.min(next, held.trustedUntil);
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next);
  }

  #renewDue(now: number): void {
    if (now < this.#notBefore) return;
    const { renewEveryMs } = this.#parts.terms;
    const due: HeldLease[] = [];
    let pressing = false;
    for (const held of this.#held.values()) {
      if (held.renewAt > now + renewEveryMs / 4) continue;
      due.push(held);
      pressing ||= held.renewAt <= now;
    }
    if (!pressing) return;
    for (let from = 0; from < due.length; from += BATCH) void this.#renew(due.slice(from, from + BATCH));
  }

  async #renew(batch: readonly HeldLease[]): Promise<void> {
    const { backend, clock, terms } = this.#parts;
    const sentAt = clock.now();
    const sent = batch.map((held) => held.progress);
    for (const held of batch) held.renewAt = sentAt + terms.renewEveryMs;
    let answers: readonly ExtendAnswer[];
    try {
      answers = await backend.extend(batch.map((held) => toExtension(held, terms.leaseMs)));
    } catch (error) {
      this.#renewLater(batch, error);
      return;
    }
    this.#retry.succeeded();
    this.#notBefore = Number.NEGATIVE_INFINITY;
    for (const [index, held] of batch.entries()) {
      if (held.progress === sent[index]) held.progress = undefined;
      const answer = answers[index];
      if (answer !== undefined) this.#read(held, answer, sentAt);
    }
  }

  #read(held: HeldLease, { held: still, cancel }: ExtendAnswer, sentAt: number): void {
    if (held.state === "over") return;
    if (!still) {
      if (held.state === "held") this.#lose(held);
      else held.renewAt = Number.POSITIVE_INFINITY;
      return;
    }
    const { terms, listener } = this.#parts;
    this.#renewals++;
    held.trustedUntil = Math.max(held.trustedUntil, sentAt + terms.leaseMs - terms.marginMs);
    if (cancel === undefined || held.cancelAsked) return;
    held.cancelAsked = true;
    if (held.state === "held") listener.cancelAsked(held, cancel);
  }

  #renewLater(batch: readonly HeldLease[], error: unknown): void {
    const { clock, listener } = this.#parts;
    this.#failures++;
    const at = clock.now() + this.#retry.next();
    this.#notBefore = Math.max(this.#notBefore, at);
    for (const held of batch) if (held.state !== "over") held.renewAt = Math.min(held.renewAt, at);
    if (this.#held.size > 0) this.#arm(at);
    listener.failed(error);
  }

  #lose(held: HeldLease): void {
    this.#lost++;
    this.release(held);
    this.#parts.listener.lost(held);
  }
}

function toExtension({ lease, progress }: HeldLease, leaseMs: number): Extension {
  return { ...lease, leaseMs, progress };
}
