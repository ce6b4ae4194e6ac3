import type { Clock, Timer } from "../../ports/clock.js";
import { IndexedHeap } from "../collections/indexed-heap.js";

/** Node fires a timer of 2^31 ms or more after 1 ms: longer waits are made in hops of at most this. */
const MAX_HOP_MS = 2 ** 30 - 1;

/** As many tasks may well run at once, and end together: their alarms have room without being moved about. */
const FEWEST_SLOTS = 256;

/** So many alarms ring in one turn of the event loop; the rest, in the next. */
const RINGS_PER_TURN = 1_000;

const UNSET = -1;
const RINGING = -2;

/**
 * Something that wants to be called at an instant. It carries its own ticket, so that setting one costs
 * nothing else.
 */
export interface Alarm {
  /** Owned by `Alarms`; starts as -1. */
  alarmTicket: number;
  /** Whether a millisecond late is too late, when it is set. */
  isExact?: boolean | undefined;
  ring(now: number): void;
}

/**
 * All that waits for an instant, behind one timer. The timer is moved only for an earlier alarm: when alarms
 * are cleared it may fire for nothing, which is cheaper than a new timer for each. It does not keep the
 * process alive.
 */
export class Alarms {
  readonly #clock: Clock;
  readonly #heap = new IndexedHeap<Alarm>(undefined, FEWEST_SLOTS);
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #continuing = false;
  #order = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#heap.size;
  }

  /**
   * After `close`, nothing is set any more. Rings at `at`, in the order of setting among equals; moves the
   * alarm when it is set already.
   */
  set(alarm: Alarm, at: number): void {
    if (this.#closed) return;
    const order = ++this.#order;
    if (alarm.alarmTicket >= 0) this.#heap.update(alarm.alarmTicket, at, order);
    else alarm.alarmTicket = this.#heap.push(alarm, at, order);
    if (at < this.#timerAt) this.#arm(at, alarm);
  }

  clear(alarm: Alarm): void {
    if (alarm.alarmTicket >= 0) this.#heap.remove(alarm.alarmTicket);
    alarm.alarmTicket = UNSET;
  }

  /** Forgets all alarms and the timer. */
  close(): void {
    this.#closed = true;
    for (const alarm of this.#heap.drain().items) if (alarm !== undefined) alarm.alarmTicket = UNSET;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #arm(at: number, { isExact }: Pick<Alarm, "isExact"> = {}): void {
    this.#timer?.cancel();
    this.#timerAt = at;
    const delayMs = Math.min(Math.max(0, at - this.#clock.now()), MAX_HOP_MS);
    this.#timer = this.#clock.setTimeout(() => this.#fire(), delayMs, isExact);
  }

  #fire(): void {
    // It may be another than the one that fired: that of an alarm set while others rang.
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    try {
      this.#ringDue(now);
    } finally {
      this.#continue(now);
    }
  }

  /**
   * Alarms that are set for now by those that ring wait for the next turn, so that no chain of them holds the
   * loop.
   */
  #ringDue(now: number): void {
    const due: Alarm[] = [];
    while (due.length < RINGS_PER_TURN && this.#heap.topPrimary <= now) {
      const alarm = this.#heap.pop();
      if (alarm === undefined) break;
      alarm.alarmTicket = RINGING;
      due.push(alarm);
    }
    for (const [index, alarm] of due.entries()) {
      if (alarm.alarmTicket !== RINGING) continue; // cleared or moved by one that rang before it
      alarm.alarmTicket = UNSET;
      try {
        alarm.ring(now);
      } catch (broken) {
        this.#ringLater(due.slice(index + 1), now);
        throw broken;
      }
    }
  }

  /** One that breaks must not silence the others. */
  #ringLater(alarms: readonly Alarm[], now: number): void {
    for (const alarm of alarms) if (alarm.alarmTicket === RINGING) this.set(alarm, now);
  }

  #continue(now: number): void {
    const next = this.#heap.topPrimary;
    if (next > now) {
      if (next < this.#timerAt) this.#arm(next, this.#heap.peek());
    } else if (!this.#continuing) {
      this.#continuing = true;
      this.#clock.setImmediate(() => {
        this.#continuing = false;
        this.#fire();
      });
    }
  }
}
