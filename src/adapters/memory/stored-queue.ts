import { IndexedHeap } from "../../core/collections/indexed-heap.js";
import { ReadyLines } from "./ready-lines.js";
import type { TaskRecord } from "./task-record.js";

/** What one queue holds, by place. */
export class StoredQueue {
  readonly name: string;
  readonly ready = new ReadyLines();
  /** By the instant at which they are due, then in the order in which they came. */
  readonly delayed = new IndexedHeap<TaskRecord>();
  /** By the elapsed time at which they expire. */
  readonly leased = new IndexedHeap<TaskRecord>();
  /** By the elapsed time at which they are too old, then in the order in which they came. */
  readonly dead = new IndexedHeap<TaskRecord>();
  deadDropped = 0;
  /** Outcomes that are kept of tasks that have finished. */
  outcomes = 0;

  constructor(name: string) {
    this.name = name;
  }

  get isForgettable(): boolean {
    const { ready, delayed, leased, dead, outcomes, deadDropped } = this;
    return ready.size + delayed.size + leased.size + dead.size + outcomes + deadDropped === 0;
  }
}
