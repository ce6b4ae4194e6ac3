import { IndexedHeap } from "../../core/collections/indexed-heap.js";
import type { StoredOutcome } from "../../task/stored-outcome.js";
import { HeldKeys } from "./held-keys.js";
import type { SignalBoard } from "./signal-board.js";
import type { StoreTime } from "./store-time.js";
import { StoredQueue } from "./stored-queue.js";
import type { TaskRecord } from "./task-record.js";

/** So long any call may be made again, at least: what it came to is known until then. */
export const REPEATED_MS = 60_000;

/** How long dead letters are kept, and how many of each queue. */
export interface DeadLetterLimits {
  readonly maxEntries: number;
  readonly ttlMs: number;
}

/** What a task comes to. */
export interface TaskEnd {
  readonly outcome: StoredOutcome;
  readonly resultTtlMs: number;
}

/**
 * The one owner of where tasks are. Each record is in one place, and in the one collection of that place:
 * every move takes it out of the one before it puts it into the other.
 */
export class Places {
  readonly keys = new HeldKeys();
  readonly #time: StoreTime;
  readonly #signals: SignalBoard;
  readonly #limits: DeadLetterLimits;
  readonly #records = new Map<string, TaskRecord>();
  readonly #queues = new Map<string, StoredQueue>();
  /** By the elapsed time at which the outcome goes; those without one, when the record goes. */
  readonly #finished = new IndexedHeap<TaskRecord>();
  #sequence = 0;
  #moves = 0;

  constructor(time: StoreTime, signals: SignalBoard, limits: DeadLetterLimits) {
    this.#time = time;
    this.#signals = signals;
    this.#limits = limits;
  }

  /** How many tasks are known, those that have ended included. */
  get size(): number {
    return this.#records.size;
  }

  find(id: string): TaskRecord | undefined {
    return this.#records.get(id);
  }

  queue(name: string): StoredQueue | undefined {
    return this.#queues.get(name);
  }

  /** A new task comes in, to be ready or delayed. */
  admit(record: TaskRecord, dueAt: number): void {
    this.#records.set(record.id, record);
    this.#wait(record, dueAt);
  }

  /** A leased task waits again, in the place that its sequence gives it where it has one. */
  giveBack(record: TaskRecord, dueAt: number): void {
    this.#leave(record);
    this.#wait(record, dueAt);
  }

  /** A delayed task is due, or the lease of one has expired. Who brings that about says whom it concerns. */
  toReady(record: TaskRecord): void {
    this.#leave(record);
    this.#makeReady(record);
  }

  /** A ready task is claimed. */
  toLeased(record: TaskRecord, leaseMs: number): void {
    this.#leave(record);
    const { now, elapsed } = this.#time;
    record.claimedAt = now;
    record.deliveries++;
    record.token = Math.max(record.token + 1, Math.floor(now * 1000));
    record.settledBy = undefined;
    record.place = "leased";
    record.expiresAt = elapsed + leaseMs;
    record.ticket = this.#queueOf(record).leased.push(record, record.expiresAt, ++this.#moves);
  }

  extend(record: TaskRecord, leaseMs: number): void {
    record.expiresAt = this.#time.elapsed + leaseMs;
    this.#queueOf(record).leased.update(record.ticket, record.expiresAt, ++this.#moves);
  }

  /** The task ends and leaves a dead letter; the oldest of its queue make room. */
  toDead(record: TaskRecord, end: TaskEnd): void {
    this.#end(record, end);
    record.place = "dead";
    record.expiresAt = this.#time.elapsed + this.#limits.ttlMs;
    const queue = this.#queueOf(record);
    record.diedAs = ++this.#moves;
    record.ticket = queue.dead.push(record, record.expiresAt, record.diedAs);
    while (queue.dead.size > this.#limits.maxEntries) this.#dropOldestDead(queue);
  }

  toFinished(record: TaskRecord, end: TaskEnd): void {
    this.#end(record, end);
    this.#keepOutcome(record);
  }

  /** The other task that holds the idempotency key of this one, if any does. */
  otherHolder({ key }: TaskRecord): string | undefined {
    return key && this.keys.otherHolder(key, this.#time.elapsed);
  }

  /** A dead letter is put back to work, as if it had just come. No other task holds its key. */
  replay(record: TaskRecord): void {
    this.#leave(record);
    record.attempts = 0;
    record.deliveries = 0;
    record.sequence = 0;
    record.replayedAt = this.#time.now;
    record.settledBy = undefined;
    record.progress = undefined;
    record.error = undefined;
    record.outcome = undefined;
    if (record.key !== undefined) this.keys.revived(record.key);
    this.#makeReady(record);
    this.#signals.wake(record.queue);
  }

  /** Drops the dead letters of a queue that are too old, as far as `steps` go. */
  dropOldDead(queue: StoredQueue, steps: number): void {
    for (let left = steps; left > 0 && queue.dead.topPrimary <= this.#time.elapsed; left--)
      this.#dropOldestDead(queue);
  }

  /** Forgets what has been kept long enough, as far as `steps` go. */
  sweep(steps: number): void {
    const { elapsed } = this.#time;
    this.keys.sweep(elapsed, steps);
    for (let left = steps; left > 0 && this.#finished.topPrimary <= elapsed; left--) {
      const record = this.#finished.pop();
      if (record === undefined) return;
      if (record.outcome === undefined) this.#forget(record);
      else this.#dropOutcome(record);
    }
  }

  #queueOf(record: TaskRecord): StoredQueue {
    const known = this.#queues.get(record.queue);
    if (known !== undefined) return known;
    const queue = new StoredQueue(record.queue);
    this.#queues.set(record.queue, queue);
    return queue;
  }

  #wait(record: TaskRecord, dueAt: number): void {
    if (dueAt <= this.#time.now) {
      this.#makeReady(record);
      this.#signals.wake(record.queue);
      return;
    }
    record.place = "delayed";
    record.dueAt = dueAt;
    const { delayed } = this.#queueOf(record);
    record.ticket = delayed.push(record, dueAt, ++this.#moves);
    // Who was told when something falls due was told of another one.
    if (delayed.peek() === record) this.#signals.wake(record.queue);
  }

  #makeReady(record: TaskRecord): void {
    record.place = "ready";
    record.readyAt = this.#time.now;
    if (record.sequence === 0) record.sequence = ++this.#sequence;
    this.#queueOf(record).ready.add(record);
  }

  /** Takes it out of where it is. */
  #leave(record: TaskRecord): void {
    const queue = this.#queueOf(record);
    if (record.place === "ready") queue.ready.remove(record);
    else if (record.place === "finished") this.#finished.remove(record.ticket);
    else queue[record.place].remove(record.ticket);
    record.ticket = -1;
  }

  #end(record: TaskRecord, { outcome, resultTtlMs }: TaskEnd): void {
    this.#leave(record);
    const { elapsed } = this.#time;
    record.outcome = outcome;
    record.outcomeUntil = elapsed + resultTtlMs;
    record.knownUntil = elapsed + Math.max(resultTtlMs, REPEATED_MS);
    record.cancellation = undefined;
    if (record.key !== undefined) this.#endKey(record.key, outcome);
    this.#signals.finished(record.queue, record.id);
  }

  #endKey(key: NonNullable<TaskRecord["key"]>, { state }: StoredOutcome): void {
    const isFreed = state === "cancelled" || (state === "failed" && key.onFailure === "free");
    if (isFreed) this.keys.release(key);
    else this.keys.ended(key);
  }

  #dropOldestDead(queue: StoredQueue): void {
    const record = queue.dead.pop();
    if (record === undefined) return;
    queue.deadDropped++;
    this.#keepOutcome(record);
  }

  #keepOutcome(record: TaskRecord): void {
    record.place = "finished";
    record.payload = undefined;
    this.#queueOf(record).outcomes++;
    record.ticket = this.#finished.push(record, record.outcomeUntil, 0);
  }

  /** What is left says that there was such a task, and by which lease it ended. */
  #dropOutcome(record: TaskRecord): void {
    this.#queueOf(record).outcomes--;
    record.outcome = undefined;
    record.progress = undefined;
    record.error = undefined;
    record.envelope = "";
    record.ticket = this.#finished.push(record, record.knownUntil, 0);
  }

  #forget(record: TaskRecord): void {
    this.#records.delete(record.id);
    const queue = this.#queues.get(record.queue);
    if (queue?.isForgettable) this.#queues.delete(record.queue);
  }
}
