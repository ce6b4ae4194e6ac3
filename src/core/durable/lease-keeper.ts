import type { Backend, ExtendAnswer } from "../../ports/backend.js";
import type { Clock } from "../../ports/clock.js";
import type { LeaseNeed, LeaseRenewal, RenewalListener, RenewedLease } from "../../ports/lease-renewal.js";
import type { Random } from "../../ports/random.js";
import type { StoredError } from "../../task/stored-outcome.js";
import { TransitMap } from "../collections/transit-map.js";
import { EarliestTimer } from "./earliest-timer.js";
import type { HeldLease } from "./held-lease.js";
import type { LeaseTerms } from "./lease-terms.js";
import { RetryDelay } from "./retry-delay.js";
import type { SlotWatch } from "./slot-watch.js";

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
  readonly slots: Pick<SlotWatch, "isSilent" | "forget">;
  readonly listener: LeaseListener;
  /** What renews leases elsewhere; undefined where nothing does. */
  readonly openRenewal?: OpenRenewal | undefined;
}

export type OpenRenewal = (listener: RenewalListener) => LeaseRenewal | undefined;

/** So many leases travel in one call. */
const BATCH = 500;

/** Between two rounds in which all that is new of progress is told. */
const TELL_EVERY_MS = 1_000;

/**
 * Keeps the leases of this process alive, and says which are not.
 *
 * Each is renewed every third of its length, those that are nearly due along with those that are. Until when
 * one is trusted is counted by the monotonic clock, from before the request was sent that gave it or renewed
 * it: whatever the answer says of time, the store began to count no earlier. When that instant passes without
 * a renewal the lease is lost, though the store may still know it.
 *
 * Where there is a renewal elsewhere, it goes first: what it has not renewed after half the length of a lease
 * is renewed here. What it has told is heard before anything is judged: if this thread was blocked, its
 * timers come before its messages.
 *
 * What handlers tell of their progress travels with a renewal, and is reason enough for one: of all leases
 * together, at most once a second. Where the slot is silent it is none, and nothing else is.
 *
 * While a settlement is under way a refused renewal says nothing: it may be the settlement that has ended the
 * lease. Then the settlement's own answer counts.
 */
export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts;
  readonly #held = new TransitMap<string, HeldLease>();
  readonly #retry: RetryDelay;
  readonly #timer: EarliestTimer;
  #renewal: LeaseRenewal | undefined;
  /** Not to be renewed before, after a failure. */
  #notBefore = Number.NEGATIVE_INFINITY;
  /** When the next round for progress may be. */
  #tellAt = Number.NEGATIVE_INFINITY;
  #renewals = 0;
  #failures = 0;
  #lost = 0;

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts;
    const { clock, random, terms } = parts;
    this.#timer = new EarliestTimer(clock, () => this.#fire());
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

  /** Leases may be kept from now on. */
  start(): void {
    this.#renewal ??= this.#parts.openRenewal?.({
      renewed: (lease, sentAgoMs, cancel) => this.#renewedElsewhere(lease, sentAgoMs, cancel),
      refused: (lease) => {
        const held = this.#find(lease);
        if (held !== undefined) this.#read(held, { held: false, cancel: undefined }, 0);
      },
      failed: (error) => {
        this.#failures++;
        this.#parts.listener.failed(error);
      },
    });
  }

  /** What renews elsewhere is let go of. */
  async close(): Promise<void> {
    const renewal = this.#renewal;
    this.#renewal = undefined;
    await renewal?.close();
  }

  /**
   * Those of one claim; before the first of them starts, since its handler may block this thread. One of the
   * same task that this process had is void: the store has given the task anew.
   */
  keep(all: readonly HeldLease[]): void {
    const [first] = all;
    if (first === undefined) return;
    const former = all.flatMap(({ task }) => this.#held.get(task.id) ?? []);
    for (const held of all) this.#held.set(held.task.id, held);
    if (this.#renewal !== undefined) {
      const tasks = all.map(({ task }) => task);
      this.#renewal.keep(tasks, first.renewAt - this.#parts.clock.now());
      for (const held of all) held.renewAt += this.#graceMs;
    }
    this.#timer.set(Math.min(first.renewAt, first.trustedUntil));
    for (const held of former) if (held.state === "held") this.#lose(held);
  }

  /** Bounds for how long it may be renewed elsewhere, and says on whose life that depends. */
  limit({ task }: HeldLease, forMs: number, need: LeaseNeed): void {
    this.#renewal?.limit(task, forMs, need);
  }

  /** Whether the store cannot have given it to anybody else. */
  trusts(held: HeldLease): boolean {
    const { clock } = this.#parts;
    if (clock.now() >= held.trustedUntil) this.catchUp();
    return clock.now() < held.trustedUntil;
  }

  /** Hears what has been renewed elsewhere. */
  catchUp(): void {
    this.#renewal?.catchUp();
  }

  /** Lets go of it: it is left to what the store has been told, or to expire. */
  release(held: HeldLease): void {
    held.end();
    this.#parts.slots.forget(held);
    this.#renewal?.release(held.task);
    if (this.#held.get(held.task.id) === held) this.#held.delete(held.task.id);
    if (this.#held.size === 0) this.#timer.clear();
  }

  /** Asks the store at once: it may have been told to cancel the task. */
  lookAt(id: string): void {
    const held = this.#held.get(id);
    if (held?.state === "held" && !held.cancelAsked) this.#renew([held]);
  }

  /** What the handler tells of its progress; what it told before is not told any more, if it was not yet. */
  report(held: HeldLease, progress: Uint8Array): void {
    if (held.state !== "held") return;
    held.progress = progress;
    this.#timer.set(Math.max(this.#tellAt, this.#notBefore));
  }

  /** Their tasks have ended: tells what is new of their progress. Resolves when that is answered. */
  async tellAll(ended: readonly HeldLease[]): Promise<void> {
    const untold = ended.filter(({ progress, state }) => progress !== undefined && state !== "over");
    if (untold.length > 0) this.#renew(untold);
    await Promise.all(ended.map(({ telling }) => telling));
  }

  #fire(): void {
    this.catchUp();
    const now = this.#parts.clock.now();
    for (const held of this.all()) if (held.state === "held" && now >= held.trustedUntil) this.#lose(held);
    this.#renewDue(now);
    let next = Number.POSITIVE_INFINITY;
    for (const held of this.#held.values()) {
      next = Math.min(next, Math.max(held.renewAt, this.#notBefore));
      if (held.progress !== undefined && !this.#parts.slots.isSilent(held))
        next = Math.min(next, Math.max(this.#tellAt, this.#notBefore));
      if (held.state === "held") next = Math.min(next, held.trustedUntil);
    }
    this.#timer.set(next);
  }

  #renewDue(now: number): void {
    if (now < this.#notBefore) return;
    const { renewEveryMs } = this.#parts.terms;
    const due: HeldLease[] = [];
    let pressing = false;
    let tells = false;
    for (const held of this.#held.values()) {
      const isNew = held.progress !== undefined && now >= this.#tellAt;
      if (!isNew && held.renewAt > now + renewEveryMs / 4) continue;
      if (this.#parts.slots.isSilent(held)) {
        held.renewAt = now + renewEveryMs / 4; // then it is looked again
        continue;
      }
      due.push(held);
      tells ||= isNew;
      pressing ||= isNew || held.renewAt <= now;
    }
    if (!pressing) return;
    if (tells) this.#tellAt = now + TELL_EVERY_MS;
    for (let from = 0; from < due.length; from += BATCH) this.#renew(due.slice(from, from + BATCH));
  }

  #renew(batch: readonly HeldLease[]): void {
    const told = batch.map((held) => held.takeProgress());
    const telling = this.#extend(batch, told);
    for (const [index, held] of batch.entries()) if (told[index] !== undefined) held.tell(telling);
  }

  async #extend(batch: readonly HeldLease[], told: readonly (Uint8Array | undefined)[]): Promise<void> {
    const { backend, clock, terms } = this.#parts;
    const sentAt = clock.now();
    for (const held of batch) held.renewAt = sentAt + terms.renewEveryMs + this.#graceMs;
    let answers: readonly ExtendAnswer[];
    try {
      const toExtension = ({ task: { id, token } }: HeldLease, index: number) => {
        return { id, token, leaseMs: terms.leaseMs, progress: told[index] };
      };
      answers = await backend.extend(batch.map(toExtension));
    } catch (error) {
      for (const [index, held] of batch.entries()) held.progress ??= told[index];
      this.#renewLater(batch, error);
      return;
    }
    this.#retry.succeeded();
    this.#notBefore = Number.NEGATIVE_INFINITY;
    for (const [index, held] of batch.entries()) {
      const answer = answers[index];
      if (answer !== undefined) this.#read(held, answer, sentAt);
    }
  }

  /** So long it is waited for what renews elsewhere. */
  get #graceMs(): number {
    return this.#renewal?.active === true ? this.#parts.terms.renewEveryMs / 2 : 0;
  }

  #find({ id, token }: RenewedLease): HeldLease | undefined {
    const held = this.#held.get(id);
    return held?.task.token === token ? held : undefined;
  }

  #renewedElsewhere(lease: RenewedLease, sentAgoMs: number, cancel: StoredError | undefined): void {
    const held = this.#find(lease);
    if (held === undefined) return;
    const { clock, terms } = this.#parts;
    const sentAt = clock.now() - sentAgoMs;
    held.renewAt = Math.max(held.renewAt, sentAt + terms.renewEveryMs + this.#graceMs);
    this.#read(held, { held: true, cancel }, sentAt);
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
    if (this.#held.size > 0) this.#timer.set(at);
    listener.failed(error);
  }

  #lose(held: HeldLease): void {
    this.#lost++;
    this.release(held);
    this.#parts.listener.lost(held);
  }
}
