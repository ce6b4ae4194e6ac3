import type { Ack, Backend, DeadLetter, Nack } from "../../ports/backend.js";
import type { Clock, Timer } from "../../ports/clock.js";
import type { Random } from "../../ports/random.js";
import type { HeldLease, Settlement } from "./held-lease.js";
import type { LeaseTerms } from "./lease-terms.js";
import { RetryDelay } from "./retry-delay.js";

/** Who is told what has come of a settlement; once for each. */
export interface SettlementListener {
  /** The store has it. */
  confirmed(held: HeldLease, settlement: Settlement): void;
  /** The store refused it: the lease was not held any more. */
  refused(held: HeldLease): void;
  /** The store did not say, and by now the lease may be another's. */
  unknown(held: HeldLease, error: unknown): void;
  /** A call has failed, and is made again. */
  failed(error: unknown): void;
}

export interface SettleBatcherParts {
  readonly backend: Pick<Backend, "ack" | "nack" | "deadLetter">;
  readonly clock: Clock;
  readonly random: Random;
  readonly terms: LeaseTerms;
  readonly listener: SettlementListener;
  /** Hears until when leases are trusted, as far as that is known elsewhere. */
  readonly catchUp: () => void;
  /** Lets the claim go first for the slots that these tasks have left, if there is to be one. */
  readonly claimFirst: () => void;
  /** Tells what is new of the progress of tasks that have ended. Never rejects. */
  readonly tellProgress: (ended: readonly HeldLease[]) => Promise<void>;
}

/** So many settlements travel in one call. */
const BATCH = 500;

/** So many calls are under way at a time: while one is answered, the next one is filled. */
const MAX_CALLS = 2;

/**
 * Tells the store what became of tasks, many at a time: what ends within one turn of the event loop travels
 * together, and in one round trip with the claim for the slots that this has freed. The claim goes first: a
 * store that answers each call as it is done settles while the next tasks run. A call that fails is made
 * again, as it was, until it is answered or the lease cannot be held any longer; that is safe, since the
 * store does the same settlement once only.
 *
 * What a task has told of its progress comes before its end, since it is refused when the lease has ended: it
 * is waited for, since a store may answer calls in another order than that in which they were made.
 */
export class SettleBatcher {
  readonly #parts: SettleBatcherParts;
  readonly #retry: RetryDelay;
  /** Those that have ended; those of whose progress the store is being told; and those that may be sent. */
  readonly #waiting: HeldLease[] = [];
  readonly #untold = new Set<HeldLease>();
  readonly #ready: HeldLease[] = [];
  /** What is under way, call by call. */
  readonly #sent: (readonly HeldLease[])[] = [];
  #unconfirmed = 0;
  #soon = false;
  #retryTimer: Timer | undefined;

  constructor(parts: SettleBatcherParts) {
    this.#parts = parts;
    const { random, terms } = parts;
    this.#retry = new RetryDelay(random, Math.min(50, terms.leaseMs / 100), terms.leaseMs / 10);
  }

  /** Settlements of which the store has not said that it has them. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  settle(held: HeldLease, settlement: Settlement): void {
    held.settle(settlement);
    this.#unconfirmed++;
    this.#waiting.push(held);
    this.#flushSoon();
  }

  /** Waits no longer for the store to confirm anything. */
  giveUp(error: unknown): void {
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    const unconfirmed = [
      ...this.#sent.flat(),
      ...this.#untold,
      ...this.#ready.splice(0),
      ...this.#waiting.splice(0),
    ];
    this.#untold.clear();
    for (const held of unconfirmed) if (this.#end(held)) this.#parts.listener.unknown(held, error);
  }

  #flushSoon(): void {
    if (this.#soon || this.#retryTimer !== undefined) return;
    this.#soon = true;
    this.#parts.clock.setImmediate(() => {
      this.#soon = false;
      this.#parts.claimFirst();
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#retryTimer !== undefined) return;
    const untold: HeldLease[] = [];
    for (const held of this.#waiting.splice(0)) (isTelling(held) ? untold : this.#ready).push(held);
    if (untold.length > 0) void this.#tellProgress(untold);
    while (this.#ready.length > 0 && this.#sent.length < MAX_CALLS)
      void this.#send(this.#ready.splice(0, BATCH));
  }

  async #tellProgress(untold: readonly HeldLease[]): Promise<void> {
    for (const held of untold) this.#untold.add(held);
    await this.#parts.tellProgress(untold);
    for (const held of untold) if (this.#untold.delete(held)) this.#ready.push(held);
    if (this.#ready.length > 0) this.#flushSoon();
  }

  async #send(batch: readonly HeldLease[]): Promise<void> {
    this.#sent.push(batch);
    await this.#tellEnds(batch);
    this.#sent.splice(this.#sent.indexOf(batch), 1);
    if (this.#waiting.length + this.#ready.length > 0) this.#flushSoon();
  }

  async #tellEnds(batch: readonly HeldLease[]): Promise<void> {
    const { backend } = this.#parts;
    await Promise.all([
      this.#tell(batch, toAck, (acks) => backend.ack(acks)),
      this.#tell(batch, toNack, (nacks) => backend.nack(nacks)),
      this.#tell(batch, toDeadLetter, (letters) => backend.deadLetter(letters)),
    ]);
  }

  async #tell<C>(
    batch: readonly HeldLease[],
    toCall: (held: HeldLease) => C | undefined,
    call: (calls: readonly C[]) => Promise<readonly boolean[]>,
  ): Promise<void> {
    const told: HeldLease[] = [];
    const calls: C[] = [];
    for (const held of batch) {
      const settlement = toCall(held);
      if (settlement === undefined || held.state === "over") continue;
      told.push(held);
      calls.push(settlement);
    }
    if (told.length === 0) return;
    try {
      const answers = await call(calls);
      this.#retry.succeeded();
      told.forEach((held, index) => {
        this.#conclude(held, answers[index] === true);
      });
    } catch (error) {
      this.#again(told, error);
    }
  }

  #conclude(held: HeldLease, done: boolean): void {
    const { listener } = this.#parts;
    const { settlement } = held;
    if (!this.#end(held)) return;
    if (done && settlement !== undefined) listener.confirmed(held, settlement);
    else listener.refused(held);
  }

  /** False where it has ended before: it was given up while its call was under way. */
  #end(held: HeldLease): boolean {
    if (held.state === "over") return false;
    this.#unconfirmed--;
    held.end();
    return true;
  }

  #again(batch: readonly HeldLease[], error: unknown): void {
    const { catchUp, clock, listener } = this.#parts;
    catchUp();
    const now = clock.now();
    for (const held of batch) {
      if (held.state === "over") continue;
      if (now < held.trustedUntil) this.#waiting.push(held);
      else if (this.#end(held)) listener.unknown(held, error);
    }
    listener.failed(error);
    if (this.#waiting.length === 0 || this.#retryTimer !== undefined) return;
    this.#retryTimer = clock.setTimeout(() => {
      this.#retryTimer = undefined;
      this.#flush();
    }, this.#retry.next());
  }
}

/** Whether the store has yet to be told of its progress, or to answer that. */
function isTelling({ progress, telling }: HeldLease): boolean {
  return progress !== undefined || telling !== undefined;
}

// Each call is written out: an object that begins with a spread has a hidden class of its own in V8.

function toAck({ task: { id, token }, settlement }: HeldLease): Ack | undefined {
  if (settlement?.kind !== "ack") return undefined;
  const { outcome, resultTtlMs } = settlement.ack;
  return { id, token, outcome, resultTtlMs };
}

function toNack({ task: { id, token }, settlement }: HeldLease): Nack | undefined {
  if (settlement?.kind !== "nack") return undefined;
  const { kind, delayMs, error } = settlement.nack;
  return { id, token, kind, delayMs, error };
}

function toDeadLetter({ task: { id, token }, settlement }: HeldLease): DeadLetter | undefined {
  if (settlement?.kind !== "dead-letter") return undefined;
  const { reason, error, charged, resultTtlMs } = settlement.deadLetter;
  return { id, token, reason, error, charged, resultTtlMs };
}
