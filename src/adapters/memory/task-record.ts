import { assert } from "../../errors.js";
import type { Cancellation, NewTask } from "../../ports/backend.js";
import type { StoredPlace, StoredTask } from "../../ports/backend-inspector.js";
import type { StoredError, StoredOutcome } from "../../task/stored-outcome.js";
import type { HeldKey } from "./held-keys.js";
import type { StoreTime } from "./store-time.js";

/** The write by which a lease came to its end, so that the same write can be made again. */
export type Settlement = "ack" | "nack" | "dead-letter";

/** A task in the store, from its acceptance until nothing is known of it any more. */
export class TaskRecord {
  readonly id: string;
  readonly queue: string;
  readonly handler: string;
  readonly priority: number;
  readonly weight: number;
  readonly cost: number;
  readonly maxDeliveries: number;
  /** By the wall clock. */
  readonly enqueuedAt: number;
  /** Of the call that brought it. */
  readonly requestId: string;
  /** The task whose key it took. */
  readonly replaced: string | undefined;
  payload: Uint8Array | undefined;
  envelope: string;
  key: HeldKey | undefined;

  place: StoredPlace = "ready";
  /** In the collection of its place. */
  ticket = -1;
  /** Its place among equals, counted from 1; 0 until it has one. */
  sequence = 0;
  attempts = 0;
  deliveries = 0;
  token = 0;
  /** By the wall clock, where it is delayed. */
  dueAt = 0;
  /** By the wall clock: when it last became ready. */
  readyAt = 0;
  /** By the wall clock: when it was last put back from the dead letters. */
  replayedAt: number | undefined;
  /** By the wall clock: when it was last claimed. */
  claimedAt = 0;
  /** Elapsed time at which its lease expires, or its dead letter is dropped. */
  expiresAt = 0;
  /** Its place among dead letters, the oldest first. */
  diedAs = 0;
  /** How the lease of `token` has ended; undefined where no holder has ended it. */
  settledBy: Settlement | undefined;
  cancellation: Cancellation | undefined;
  progress: Uint8Array | undefined;
  error: StoredError | undefined;
  outcome: StoredOutcome | undefined;
  /** Elapsed time until which the outcome is kept. */
  outcomeUntil = 0;
  /** Elapsed time until which it is known that there was such a task. */
  knownUntil = 0;

  constructor(requestId: string, task: NewTask, replaced: string | undefined, now: number) {
    this.id = task.id;
    this.queue = queueOf(task.id);
    this.handler = task.handler;
    this.priority = task.priority;
    this.weight = task.weight;
    this.cost = task.cost;
    this.maxDeliveries = task.maxDeliveries;
    this.enqueuedAt = now;
    this.requestId = requestId;
    this.replaced = replaced;
    this.payload = copyOf(task.payload);
    this.envelope = task.envelope;
  }

  get isWaiting(): boolean {
    return this.place === "ready" || this.place === "delayed";
  }

  toStoredTask(time: StoreTime, withPayload: boolean): StoredTask {
    const { id, handler, place, attempts, deliveries, token, priority, weight, envelope } = this;
    return {
      id,
      handler,
      place,
      attempts,
      deliveries,
      token,
      priority,
      weight,
      envelope,
      payload: withPayload && this.payload ? copyOf(this.payload) : undefined,
      enqueuedAt: this.enqueuedAt,
      until: this.#until(time),
      progress: this.progress && copyOf(this.progress),
      error: this.error,
      outcome: this.outcome && copyOfOutcome(this.outcome),
    };
  }

  #until({ now, elapsed }: StoreTime): number | undefined {
    if (this.place === "delayed") return this.dueAt;
    return this.place === "leased" ? now + this.expiresAt - elapsed : undefined;
  }
}

/** The queue of an id: what stands before its first colon. */
export function queueOf(id: string): string {
  const colon = id.indexOf(":");
  assert(colon > 0, "the id of a durable task is `queue:rest`");
  return id.slice(0, colon);
}

/** The same bytes, which nobody else can change. A Buffer's own `slice` would share them. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

export function copyOfOutcome(outcome: StoredOutcome): StoredOutcome {
  const { state, reason, value, error, charged } = outcome;
  return { state, reason, value: value && copyOf(value), error, charged };
}
