import type { Clock } from "../../../ports/clock.js";
import { StoreFullError } from "../../../store-errors.js";
import type { StoreCall } from "../../../task/durable-stats.js";
import type { Consumer } from "../../durable/consumer.js";
import type { StoreCalls } from "../../durable/store-calls.js";
import type { Mishaps } from "../../events/mishaps.js";
import type { Alarm, Alarms } from "../alarms.js";

export interface StoreConditionParts {
  readonly alarms: Alarms;
  readonly calls: StoreCalls;
  readonly clock: Clock;
  readonly consumer: Pick<Consumer, "claiming" | "leased" | "overdueMs" | "unconfirmed">;
  readonly mishaps: Mishaps;
  /** How long a queue of which nothing has been heard is left alone, in milliseconds. */
  readonly pollMs: number;
  /** Asks the store for something that changes nothing, by a call that is among those in `calls`. */
  readonly ask: () => Promise<unknown>;
}

/** So much later than two polls the answer to a claim may come. */
const GRACE_MS = 2_000;

/** So long it is told of that a task was refused since the store was full. */
const FULL_TOLD_MS = 60_000;

/** So long a loss of the store is told of. */
const LOSS_TOLD_MS = 300_000;

/**
 * Whether the store does what it is asked, judged by what has come of it: that it is connected to says
 * nothing. What nobody wants of it at present is not held against it.
 *
 * What callers ask for is not made again by itself when it fails. So it counts as wanted until such a call
 * succeeds, and where none comes for a while, the store is asked whether it answers again: nobody may call
 * at all while health is bad.
 */
export class StoreCondition implements Alarm {
  alarmTicket = -1;
  readonly #parts: StoreConditionParts;
  /** What callers have asked for in vain, and what nothing has answered since. */
  readonly #inVain = new Set<StoreCall>();
  #failing = false;
  #closed = false;
  #losses = 0;
  #lostAt = Number.NEGATIVE_INFINITY;
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(parts: StoreConditionParts) {
    this.#parts = parts;
    parts.calls.listen((call, _durationMs, error) => this.#heed(call, error));
  }

  /** How often it was found to have forgotten what it had. */
  get losses(): number {
    return this.#losses;
  }

  /** Durable tasks do not get on: a claim, a renewal, an end, or what a caller wants is asked for in vain. */
  unreachable(now: number): boolean {
    const { calls, consumer, pollMs } = this.#parts;
    if (this.#inVain.size > 0) return true;
    if (consumer.claiming && calls.failing("claim")) return true;
    if (consumer.leased > 0 && calls.failing("extend")) return true;
    if (consumer.unconfirmed > 0 && calls.failing("ack", "nack", "deadLetter")) return true;
    return consumer.overdueMs(now) > 2 * pollMs + GRACE_MS;
  }

  /** It had no room for a task, not long ago, and has kept none since. */
  full(now: number): boolean {
    return now - this.#fullAt < FULL_TOLD_MS;
  }

  /** It has forgotten what it had, not long ago. */
  lost(now: number): boolean {
    return now - this.#lostAt < LOSS_TOLD_MS;
  }

  noteLoss(): void {
    this.#losses++;
    this.#lostAt = this.#parts.clock.now();
  }

  /** Nobody has called for a while. */
  ring(): void {
    this.#parts.ask().catch(() => {}); // heard as any other call
  }

  /** Nothing is asked of the store any more. */
  close(): void {
    this.#closed = true;
    this.#inVain.clear();
    this.#parts.alarms.clear(this);
  }

  /** A store that is full has answered. */
  #heed(call: StoreCall, error: unknown): void {
    const { calls, mishaps } = this.#parts;
    const hasFailed = error !== undefined && !(error instanceof StoreFullError);
    if (ASKED.has(call)) this.#noteAsked(call, hasFailed);
    if (error instanceof StoreFullError) this.#fullAt = this.#parts.clock.now();
    else if (call === "enqueue" && !hasFailed) this.#fullAt = Number.NEGATIVE_INFINITY;
    if (hasFailed) {
      this.#failing = true;
      mishaps.record({ type: "storeFailed", call, error });
    } else if (this.#failing && this.#inVain.size === 0 && !calls.failing(...KEPT_UP)) {
      this.#failing = false;
      mishaps.record({ type: "storeRecovered" });
    }
  }

  /** A store that writes for one has got over what others met; one that is read may still refuse to write. */
  #noteAsked(call: StoreCall, hasFailed: boolean): void {
    if (this.#closed) return;
    const { alarms, clock, pollMs } = this.#parts;
    if (hasFailed) this.#inVain.add(call);
    else if (call === "read") this.#inVain.delete(call);
    else this.#inVain.clear();
    if (this.#inVain.size === 0) alarms.clear(this);
    else if (hasFailed) alarms.set(this, clock.now() + pollMs);
  }
}

/** Calls that are made for those who have called, once. What only metrics ask for is none of them. */
const ASKED: ReadonlySet<StoreCall> = new Set(["enqueue", "cancel", "replay", "read"]);

/** Calls that are made again and again until they succeed. */
const KEPT_UP: readonly StoreCall[] = ["claim", "extend", "ack", "nack", "deadLetter"];
