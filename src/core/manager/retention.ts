import type { Task } from "../../task/task.js";
import { RingBuffer } from "../collections/ring-buffer.js";
import type { Alarm, Alarms } from "./alarms.js";
import { type KeptValue, KeptValues } from "./kept-values.js";
import type { Registry } from "./registry.js";

/** How long finished tasks are kept for `get` and `list`, and their values for `replay`. */
export interface RetentionLimits {
  /** At most so many, the oldest are pruned first. */
  readonly maxEntries: number;
  /** At most so long after their end, in milliseconds. */
  readonly ttlMs: number;
  /** Whether values are kept too. */
  readonly values: boolean;
  /** Of all values together, at most. */
  readonly maxBytes: number;
}

/** By so much the instant that a task has of its end may be late: none is to be kept for longer by that. */
const GRAIN_MS = 0.001;

/** So many are pruned in one turn of the event loop when they expire together. */
const PRUNES_PER_TURN = 1_000;

/**
 * Keeps finished tasks in the order of their end, and forgets them by count and age: O(1) for each in the
 * end.
 */
export class Retention implements Alarm {
  alarmTicket = -1;
  readonly #registry: Registry;
  readonly #alarms: Alarms;
  readonly #onPrune: (number: number) => void;
  /** Their numbers. */
  readonly #finished = new RingBuffer<number>();
  readonly values = new KeptValues();
  #limits: RetentionLimits;

  /** @param onPrune told the number of each task that is pruned */
  constructor(
    registry: Registry,
    alarms: Alarms,
    limits: RetentionLimits,
    onPrune: (number: number) => void,
  ) {
    this.#registry = registry;
    this.#alarms = alarms;
    this.#onPrune = onPrune;
    this.#limits = limits;
  }

  get size(): number {
    return this.#finished.size;
  }

  get limits(): RetentionLimits {
    return this.#limits;
  }

  /** @returns the place for its value, where values are kept: `keepValue` fills it */
  keep(task: Task, now: number): KeptValue | undefined {
    this.#finished.push(task.number);
    const place = this.#limits.values ? this.values.reserve(task) : undefined;
    while (this.#finished.size > this.#limits.maxEntries) this.#prune();
    if (this.#finished.size === 1) this.#setAlarm(now);
    return place;
  }

  /** May run code of users: nothing of the task's end may be left to be done but to publish it. */
  keepValue(place: KeptValue, value: unknown): void {
    this.values.fill(place, value, () => this.#limits.maxBytes);
  }

  setLimits(limits: RetentionLimits, now: number): void {
    this.#limits = limits;
    while (this.#finished.size > limits.maxEntries) this.#prune();
    if (limits.values) this.values.shrinkTo(limits.maxBytes);
    else this.values.clear();
    this.#setAlarm(now);
  }

  ring(now: number): void {
    for (let count = 0; count < PRUNES_PER_TURN && this.#expiry() <= now; count++) this.#prune();
    this.#setAlarm(now);
  }

  #setAlarm(now: number): void {
    const expiry = this.#expiry();
    if (expiry === Number.POSITIVE_INFINITY) this.#alarms.clear(this);
    else this.#alarms.set(this, Math.max(now, expiry));
  }

  /** When the one that ended first may go; Infinity when none is kept. */
  #expiry(): number {
    const oldest = this.#finished.peek();
    if (oldest === undefined) return Number.POSITIVE_INFINITY;
    return (this.#registry.at(oldest)?.finishedAt ?? 0) - GRAIN_MS + this.#limits.ttlMs;
  }

  #prune(): void {
    const number = this.#finished.shift();
    if (number === undefined) return;
    this.#registry.delete(number);
    this.values.forget(number);
    this.#onPrune(number);
  }
}
