import type { LeaseNeed, LeaseRenewal, RenewalOptions, RenewedLease } from "../../../ports/lease-renewal.js";
import { StoreUnreachableError } from "../../../store-errors.js";
import { toErrorType } from "../../../task/error-type.js";
import type { RedisLog } from "../redis-log.js";
import { KeptLeases } from "./kept-leases.js";
import { LeaseTable } from "./lease-table.js";
import { LifeWords } from "./life-words.js";
import type { MessageFromRenewal, SentAddress } from "./messages.js";
import { monotonicNow } from "./monotonic.js";
import { RenewalThread } from "./renewal-thread.js";
import { ThreadWatch } from "./thread-watch.js";

export interface RedisRenewalParts extends RenewalOptions {
  readonly address: SentAddress;
  readonly prefix: string;
  readonly commandTimeoutMs: number;
  readonly log: RedisLog;
  /** It is over. */
  readonly onClosed: (renewal: RedisRenewal) => void;
}

/** A thread that died is replaced after so long, and each next one in a row after twice as long. */
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 60_000;

/**
 * Has leases renewed by a thread with a connection of its own, which is started with the first of them. One
 * that dies, or whose event loop turns no more, is replaced; until then nobody is told of renewals.
 */
export class RedisRenewal implements LeaseRenewal {
  readonly #parts: RedisRenewalParts;
  readonly #table = new LeaseTable(monotonicNow());
  readonly #kept = new KeptLeases(this.#table);
  readonly #watch: ThreadWatch;
  #life = new LifeWords();
  #thread: RenewalThread | undefined;
  #beatTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #deaths = 0;
  #closed = false;
  readonly #ends = new Set<Promise<void>>();

  constructor(parts: RedisRenewalParts) {
    this.#parts = parts;
    this.#watch = new ThreadWatch(parts.leaseMs, parts.maxBlockedMs);
  }

  get active(): boolean {
    return this.#thread !== undefined;
  }

  keep(leases: readonly RenewedLease[], dueInMs: number): void {
    if (this.#closed) return;
    this.#startBeating();
    this.#kept.keep(leases, monotonicNow() + dueInMs);
    if (this.#thread === undefined && this.#restartTimer === undefined) this.#launch();
  }

  limit(lease: RenewedLease, forMs: number, need: LeaseNeed): void {
    const until = forMs === Number.POSITIVE_INFINITY ? forMs : monotonicNow() + forMs;
    this.#kept.limit(lease, until, need);
  }

  release(lease: RenewedLease): void {
    this.#kept.release(lease);
  }

  catchUp(): void {
    this.#thread?.hearAll();
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      clearInterval(this.#beatTimer);
      clearTimeout(this.#restartTimer);
      this.#end();
      this.#parts.onClosed(this);
    }
    await Promise.all(this.#ends);
  }

  #launch(): void {
    const { address, commandTimeoutMs, leaseMs, maxBlockedMs, prefix, pulses } = this.#parts;
    this.#restartTimer = undefined;
    this.#life = new LifeWords();
    this.#watch.begin(this.#life, monotonicNow());
    try {
      this.#thread = new RenewalThread(
        {
          ...{ address, prefix, leaseMs, maxBlockedMs, pulses },
          commandTimeoutMs: Math.min(commandTimeoutMs, leaseMs / 3),
          ...{ leases: this.#table.shared, startedAt: this.#table.startedAt, life: this.#life.words },
        },
        { told: (message) => this.#hear(message), exited: (error) => this.#replace(error) },
      );
    } catch (error) {
      this.#replace(error);
    }
  }

  #startBeating(): void {
    if (this.#beatTimer !== undefined) return;
    this.#beatTimer = setInterval(() => this.#beat(), this.#watch.beatMs);
    this.#beatTimer.unref();
    this.#life.beatMain();
  }

  /** Says that this event loop turns, and looks whether the other one does. */
  #beat(): void {
    this.#life.beatMain();
    const isWedged = this.#watch.look(monotonicNow());
    if (this.#thread !== undefined && isWedged)
      this.#replace(new Error("The event loop of the thread does not turn"));
    if (this.#kept.size > 0) return;
    clearInterval(this.#beatTimer);
    this.#beatTimer = undefined;
  }

  #hear(message: MessageFromRenewal): void {
    const { listener, log } = this.#parts;
    switch (message.type) {
      case "answered": {
        const { leases, sentAt } = message;
        const sentAgoMs = monotonicNow() - sentAt;
        this.#deaths = 0;
        for (const [id, token, { cancel, held }] of leases) {
          const lease = { id, token };
          if (held) listener.renewed(lease, sentAgoMs, cancel);
          else listener.refused(lease);
        }
        break;
      }
      case "failed":
        listener.failed(new StoreUnreachableError(message.text));
        break;
      case "trouble":
        log.trouble(message.text, message.fields);
    }
  }

  #replace(error: unknown): void {
    if (this.#closed) return;
    this.#end();
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#deaths);
    this.#deaths = Math.min(this.#deaths + 1, 10);
    this.#restartTimer = setTimeout(() => {
      if (this.#kept.size > 0) this.#launch();
      else this.#restartTimer = undefined; // the next lease does it
    }, delayMs);
    this.#restartTimer.unref();
    const fields = { errorType: toErrorType(error), againInMs: delayMs };
    this.#parts.log.trouble("the thread that renews leases was lost", fields);
    this.#parts.listener.failed(error);
  }

  #end(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread === undefined) return;
    const end: Promise<void> = thread.end().finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }
}
