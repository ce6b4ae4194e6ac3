import { IndexedHeap } from "../../core/collections/indexed-heap.js";
import type { TaskRecord } from "./task-record.js";

/** What is ready in one queue: a line for each handler, so that a claim sees only what it may run. */
export class ReadyLines {
  readonly #lines = new Map<string, IndexedHeap<TaskRecord>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(record: TaskRecord): void {
    const line = this.#lines.get(record.handler) ?? new IndexedHeap<TaskRecord>(bySequence);
    this.#lines.set(record.handler, line);
    record.ticket = line.push(record, record.priority, -record.weight);
    this.#size++;
  }

  remove(record: TaskRecord): void {
    const line = this.#lines.get(record.handler);
    line?.remove(record.ticket);
    if (line?.size === 0) this.#lines.delete(record.handler);
    this.#size--;
  }

  /** The best task of a handler, which stays. */
  head(handler: string): TaskRecord | undefined {
    return this.#lines.get(handler)?.peek();
  }
}

/** Below 0 where `one` goes before `other`. */
export function byUrgency(one: TaskRecord, other: TaskRecord): number {
  return one.priority - other.priority || other.weight - one.weight || bySequence(one, other);
}

function bySequence(one: TaskRecord, other: TaskRecord): number {
  return one.sequence - other.sequence;
}
