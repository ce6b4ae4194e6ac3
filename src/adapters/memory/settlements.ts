import type {
  Ack,
  CancelAnswer,
  Cancellation,
  DeadLetter,
  ExtendAnswer,
  Extension,
  Lease,
  Nack,
} from "../../ports/backend.js";
import type { Places } from "./places.js";
import type { SignalBoard } from "./signal-board.js";
import type { StoreTime } from "./store-time.js";
import { cancelled, failed } from "./stored-ends.js";
import { copyOf, copyOfOutcome, type Settlement, type TaskRecord } from "./task-record.js";

const NOT_HELD: ExtendAnswer = Object.freeze({ held: false, cancel: undefined });

/** What holders write, each time against the token of the present lease; and cancellation. */
export class Settlements {
  readonly #places: Places;
  readonly #time: StoreTime;
  readonly #signals: SignalBoard;

  constructor(places: Places, time: StoreTime, signals: SignalBoard) {
    this.#places = places;
    this.#time = time;
    this.#signals = signals;
  }

  extend(extension: Extension): ExtendAnswer {
    const record = this.#held(extension);
    if (record === undefined) return NOT_HELD;
    this.#places.extend(record, extension.leaseMs);
    if (extension.progress !== undefined) record.progress = copyOf(extension.progress);
    return { held: true, cancel: record.cancellation?.error };
  }

  ack(ack: Ack): boolean {
    const record = this.#held(ack);
    if (record === undefined) return this.#isDone(ack, "ack");
    const outcome = copyOfOutcome(ack.outcome);
    this.#settle(record, "ack", outcome.charged);
    record.error = outcome.error ?? record.error;
    this.#places.toFinished(record, { outcome, resultTtlMs: ack.resultTtlMs });
    return true;
  }

  nack(nack: Nack): boolean {
    const record = this.#held(nack);
    if (record === undefined) return this.#isDone(nack, "nack");
    this.#settle(record, "nack", nack.kind === "retry");
    record.error = nack.error ?? record.error;
    if (record.cancellation !== undefined) {
      cancelNow(this.#places, record, record.cancellation);
      return true;
    }
    if (nack.kind === "reschedule") record.sequence = 0;
    this.#places.giveBack(record, this.#time.now + nack.delayMs);
    return true;
  }

  deadLetter(end: DeadLetter): boolean {
    const record = this.#held(end);
    if (record === undefined) return this.#isDone(end, "dead-letter");
    const { reason, error, charged, resultTtlMs } = end;
    this.#settle(record, "dead-letter", charged);
    record.error = error;
    this.#places.toDead(record, { outcome: failed(reason, error, charged), resultTtlMs });
    return true;
  }

  cancel(cancellation: Cancellation): CancelAnswer {
    const record = this.#places.find(cancellation.id);
    if (record === undefined) return "unknown";
    if (record.isWaiting) {
      cancelNow(this.#places, record, cancellation);
      return "cancelled";
    }
    if (record.place !== "leased") return "ended";
    record.cancellation ??= { ...cancellation };
    this.#signals.cancelAsked(record.queue, record.id);
    return "asked";
  }

  #held({ id, token }: Lease): TaskRecord | undefined {
    const record = this.#places.find(id);
    return record?.place === "leased" && record.token === token ? record : undefined;
  }

  /** Whether the same lease has made the same write before. */
  #isDone({ id, token }: Lease, settlement: Settlement): boolean {
    const record = this.#places.find(id);
    return record?.token === token && record.settledBy === settlement;
  }

  /** The holder has reported back. */
  #settle(record: TaskRecord, settlement: Settlement, charged: boolean): void {
    record.settledBy = settlement;
    record.deliveries = 0;
    if (charged) record.attempts++;
  }
}

/** Ends a task that somebody wants to be cancelled, and that nobody runs. */
export function cancelNow(places: Places, record: TaskRecord, { error, resultTtlMs }: Cancellation): void {
  places.toFinished(record, { outcome: cancelled(error), resultTtlMs });
}
