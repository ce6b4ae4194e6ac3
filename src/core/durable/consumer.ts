import type { Backend, ClaimAnswer, CrashedTask } from "../../ports/backend.js";
import type { SignalListener } from "../../ports/backend-signals.js";
import type { Clock } from "../../ports/clock.js";
import type { Random } from "../../ports/random.js";
import type { StoredError } from "../../task/stored-outcome.js";
import type { ClaimNeed, Reservation } from "./claim-host.js";
import { Claimer } from "./claimer.js";
import { HeldLease, type Settlement } from "./held-lease.js";
import { LeaseKeeper, type OpenRenewal } from "./lease-keeper.js";
import { type LeaseTerms, toLeaseTerms } from "./lease-terms.js";
import type { ClaimedQueue } from "./queue-turns.js";
import { SettleBatcher } from "./settle-batcher.js";
import { SlotWatch } from "./slot-watch.js";

/** Who runs what is claimed. */
export interface ConsumerHost {
  /** A look at all queues begins, for what may be claimed. */
  beginRound(needs: readonly ClaimNeed[]): void;
  /** Keeps room for a claim; undefined where there is none now that would do. */
  reserve(need: ClaimNeed): Reservation | undefined;
  endRound(): void;
  /**
   * Starts a task. False where there is no room for it after all, or it cannot be run here: it goes back, at
   * no cost. Where true, `settle` or `abandon` follows, unless `lost` comes before.
   */
  start(held: HeldLease): boolean;
  /** A claim has been answered, and its tasks have been started. */
  claimed(): void;
  /** The task must end, and what comes of it counts for nothing. */
  lost(held: HeldLease): void;
  /** Somebody wants the task to be cancelled, and gave this reason. */
  cancelAsked(held: HeldLease, error: StoredError): void;
  /** The store has what was settled. */
  confirmed(held: HeldLease, settlement: Settlement): void;
  /** The store has not taken what was settled: the lease was lost before. */
  refused(held: HeldLease): void;
  /** It is not known whether the store has what was settled. */
  unknown(held: HeldLease): void;
  /** Tasks that have become dead letters at a claim: they were delivered too often. */
  crashed(queue: string, tasks: readonly CrashedTask[]): void;
  /** A call to the store has failed, and is made again. */
  failed(call: "claim" | "extend" | "settle", error: unknown): void;
  /** Nothing is under way any more. */
  idle(): void;
}

export interface ConsumerOptions {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly random: Random;
  readonly queues: readonly ClaimedQueue[];
  readonly strict: boolean;
  readonly leaseMs: number;
  readonly pollMs: number;
  /** So long the slot of a task without a timeout may be silent before its lease is left to expire. */
  readonly maxBlockedMs: number;
  /** Of the pool that runs tasks; undefined where none has any. */
  readonly pulses?: Int32Array | undefined;
  /** Tells the requests of this process from those of all others. */
  readonly requestPrefix: string;
  readonly host: ConsumerHost;
  /** What renews leases elsewhere; undefined where nothing does. */
  readonly openRenewal?: OpenRenewal | undefined;
}

/** While so many settlements are not confirmed, nothing more is claimed. */
const MAX_UNCONFIRMED = 1_000;

/**
 * The side of durable tasks that runs them: claims what there is room for, keeps the leases, and tells the
 * store what came of each.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #claimer: Claimer;
  readonly #keeper: LeaseKeeper;
  readonly #batcher: SettleBatcher;
  readonly #slots: SlotWatch;
  readonly #terms: LeaseTerms;
  #stopped = false;
  #gaveUp = false;

  constructor(options: ConsumerOptions) {
    const { host, ...ports } = options;
    const terms = toLeaseTerms(options.leaseMs);
    const parts = { ...ports, terms };
    this.#options = options;
    this.#terms = terms;
    this.#claimer = new Claimer({
      ...parts,
      host: {
        beginRound: (needs) => host.beginRound(this.#mayClaim ? needs : []),
        reserve: (need) => (this.#mayClaim ? host.reserve(need) : undefined),
        endRound: () => host.endRound(),
        claimed: (queue, answer, sentAt, askedAt) => this.#take(queue, answer, sentAt, askedAt),
        failed: (error) => host.failed("claim", error),
      },
    });
    this.#slots = new SlotWatch(options.clock, options.pulses, options.maxBlockedMs);
    this.#keeper = new LeaseKeeper({
      ...{ ...parts, slots: this.#slots },
      listener: {
        lost: (held) => {
          host.lost(held);
          this.#look();
        },
        cancelAsked: (held, error) => host.cancelAsked(held, error),
        failed: (error) => host.failed("extend", error),
      },
    });
    this.#batcher = new SettleBatcher({
      ...parts,
      listener: {
        confirmed: (held, settlement) => {
          this.#keeper.release(held);
          host.confirmed(held, settlement);
          this.#lookForMore();
        },
        refused: (held) => {
          this.#keeper.release(held);
          host.refused(held);
          this.#lookForMore();
        },
        unknown: (held) => {
          this.#keeper.release(held);
          host.unknown(held);
          this.#lookForMore();
        },
        failed: (error) => host.failed("settle", error),
      },
      catchUp: () => this.#keeper.catchUp(),
      claimFirst: () => this.#claimer.claimNow(),
      tellProgress: (ended) => this.#keeper.tellAll(ended),
    });
  }

  /** Leases that this process holds, those among them whose end is not confirmed. */
  get leased(): number {
    return this.#keeper.size;
  }

  get unconfirmed(): number {
    return this.#batcher.unconfirmed;
  }

  /** When the store last answered a claim, monotonic; undefined before the first answer. */
  get lastClaimAt(): number | undefined {
    return this.#claimer.lastAnswerAt;
  }

  /** A claim is under way. */
  get claiming(): boolean {
    return this.#claimer.busy;
  }

  /** For how long a claim has been wanted that has not been answered. */
  overdueMs(now: number): number {
    return this.#claimer.overdueMs(now);
  }

  /** Leases of any holder that had expired, and were given back by claims from here. */
  get reclaimed(): number {
    return this.#claimer.reclaimed;
  }

  get tally(): LeaseKeeper["tally"] {
    return this.#keeper.tally;
  }

  /** Whether a claim is under way, any lease is held, or any settlement is not confirmed. */
  get busy(): boolean {
    return this.#claimer.busy || this.#keeper.size > 0 || this.#batcher.unconfirmed > 0;
  }

  /** What the store tells by itself, as far as it concerns a consumer. */
  readonly signals: Pick<SignalListener, "wake" | "cancelAsked"> = {
    wake: (queue) => this.#claimer.wake(queue),
    cancelAsked: (id) => this.#keeper.lookAt(id),
  };

  start(): void {
    this.#keeper.start();
    this.#claimer.start();
  }

  /** Claims nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#claimer.stop();
  }

  /** There may be room. Where others are about to take it, `now` asks for it before they do. */
  claim(now: boolean): void {
    if (now) this.#claimer.claim();
    else this.#claimer.claimSoon();
  }

  /** The lease of a task that runs here; undefined where it has none. */
  find(id: string): HeldLease | undefined {
    return this.#keeper.get(id);
  }

  /**
   * The attempt of a task begins: its lease may be renewed elsewhere until it must be over, and a bit more.
   * @param atMostMs Infinity where that is not known
   * @param isElsewhere whether it goes on while this thread is blocked
   */
  begins(held: HeldLease, atMostMs: number, isElsewhere: boolean): void {
    const isFree = isElsewhere && atMostMs !== Number.POSITIVE_INFINITY;
    this.#keeper.limit(held, atMostMs + this.#terms.renewEveryMs, isFree ? "nobody" : "core");
  }

  /**
   * The handler of a task without a timeout has its place: its lease lasts while that shows life.
   * @param pulse undefined when it has left it, and it is this thread that goes on with the task
   */
  placed(held: HeldLease, pulse: number | undefined): void {
    if (held.state !== "held") return;
    const isWatched = pulse !== undefined && this.#slots.watch(held, pulse);
    if (!isWatched) this.#slots.forget(held);
    this.#keeper.limit(held, Number.POSITIVE_INFINITY, isWatched ? pulse : "core");
  }

  /** Tells the store how far the handler of a task says that it has come, within about a second. */
  report(held: HeldLease, progress: Uint8Array): void {
    this.#keeper.report(held, progress);
  }

  /** Tells the store what became of a task. */
  settle(held: HeldLease, settlement: Settlement): void {
    if (held.state !== "held") return;
    this.#batcher.settle(held, settlement);
    this.#slots.forget(held);
    this.#keeper.limit(held, Number.POSITIVE_INFINITY, "core");
  }

  /** Leaves a lease to expire: its handler goes on, and nobody may run the task beside it until then. */
  abandon(held: HeldLease): void {
    if (held.state !== "held") return;
    this.#keeper.release(held);
    this.#look();
  }

  /** Waits for the store no longer: what it has not confirmed is unknown, and leases are left to expire. */
  giveUp(error: unknown): void {
    this.#gaveUp = true;
    this.#batcher.giveUp(error);
    for (const held of this.#keeper.all()) this.abandon(held);
  }

  /** Lets go of what renews leases elsewhere. */
  async close(): Promise<void> {
    await this.#keeper.close();
  }

  get #mayClaim(): boolean {
    return this.#batcher.unconfirmed < MAX_UNCONFIRMED;
  }

  #take(queue: string, answer: ClaimAnswer | undefined, sentAt: number, askedAt: number): void {
    const { host, leaseMs } = this.#options;
    const { tasks = [], crashed = [] } = answer ?? {};
    if (crashed.length > 0) host.crashed(queue, crashed);
    if (this.#gaveUp) return; // nobody is left to keep the leases
    const { marginMs, renewEveryMs } = this.#terms;
    const times = { askedAt, trustedUntil: sentAt + leaseMs - marginMs, renewAt: sentAt + renewEveryMs };
    const taken = tasks.map((task) => new HeldLease(task, queue, times));
    this.#keeper.keep(taken);
    for (const held of taken) {
      if (held.state !== "held") continue; // what was started before it has ended all
      if (!this.#keeper.trusts(held) || this.#stopped || !host.start(held)) this.#handBack(held);
    }
    if (tasks.length === 0) this.#look();
    host.claimed();
  }

  #handBack(held: HeldLease): void {
    this.settle(held, { kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } });
  }

  #lookForMore(): void {
    this.#look();
    this.#claimer.claimSoon(); // it may have waited for fewer to be unconfirmed
  }

  /** Whether anything is left to be done. */
  #look(): void {
    if (!this.busy) this.#options.host.idle();
  }
}
