import type { Clock } from "../../../ports/clock.js";
import { StoreFullError } from "../../../store-errors.js";
import type { StoreCall } from "../../../task/durable-stats.js";
import type { Consumer } from "../../durable/consumer.js";
import type { StoreCalls } from "../../durable/store-calls.js";
import type { Mishaps } from "../../events/mishaps.js";

export interface StoreConditionParts {
  readonly calls: StoreCalls;
  readonly clock: Clock;
  readonly consumer: Pick<Consumer, "claiming" | "leased" | "overdueMs" | "unconfirmed">;
  readonly mishaps: Mishaps;
  /** How long a queue of which nothing has been heard is left alone, in milliseconds. */
  readonly pollMs: number;
}

/** So much later than two polls the answer to a claim may come. */
const GRACE_MS = 2_000;

/** So long a loss of the store is told of. */
const LOSS_TOLD_MS = 300_000;

/**
 * Whether the store does what it is asked, judged by what has come of it: that it is connected to says
 * nothing. What nobody wants of it at present is not held against it.
 */
export class StoreCondition {
  readonly #parts: StoreConditionParts;
  #failing = false;
  #losses = 0;
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(parts: StoreConditionParts) {
    this.#parts = parts;
    parts.calls.listen((call, _durationMs, error) => this.#heed(call, error));
  }

  /** How often it was found to have forgotten what it had. */
  get losses(): number {
    return this.#losses;
  }

  /** Durable tasks do not get on: a claim, a renewal or an end is asked for in vain. */
  unreachable(now: number): boolean {
    const { calls, consumer, pollMs } = this.#parts;
    if (consumer.claiming && calls.failing("claim")) return true;
    if (consumer.leased > 0 && calls.failing("extend")) return true;
    if (consumer.unconfirmed > 0 && calls.failing("ack", "nack", "deadLetter")) return true;
    return consumer.overdueMs(now) > 2 * pollMs + GRACE_MS;
  }

  /** It has forgotten what it had, not long ago. */
  lost(now: number): boolean {
    return now - this.#lostAt < LOSS_TOLD_MS;
  }

  noteLoss(): void {
    this.#losses++;
    this.#lostAt = this.#parts.clock.now();
  }

  /** A store that is full has answered. */
  #heed(call: StoreCall, error: unknown): void {
    const { calls, mishaps } = this.#parts;
    if (error !== undefined && !(error instanceof StoreFullError)) {
      this.#failing = true;
      mishaps.record({ type: "storeFailed", call, error });
    } else if (this.#failing && !calls.failing(...KEPT_UP)) {
      this.#failing = false;
      mishaps.record({ type: "storeRecovered" });
    }
  }
}

/** Calls that are made again and again until they succeed. */
const KEPT_UP: readonly StoreCall[] = ["claim", "extend", "ack", "nack", "deadLetter"];
