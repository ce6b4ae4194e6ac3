import type { Task, WaitingPlace } from "../../task/task.js";
import { IndexedHeap } from "../collections/indexed-heap.js";

/**
 * Tasks that wait for their time, by when they fall due; those that fall due together come out in the order
 * in which they should start, so that a crowd may be taken in portions without an urgent task coming late.
 */
export class DelayQueue implements WaitingPlace {
  readonly #tasks = new IndexedHeap<Task>(byArrival);

  get size(): number {
    return this.#tasks.size;
  }

  /** When the next task falls due; Infinity when none waits. */
  get nextDueAt(): number {
    return this.#tasks.topPrimary;
  }

  push(task: Task, dueAt: number): void {
    task.readyAt = dueAt;
    task.place = this;
    task.ticket = this.#tasks.push(task, dueAt, task.order);
  }

  /** Takes out the next task that is due, or nothing. */
  shiftDue(now: number): Task | undefined {
    if (this.#tasks.topPrimary > now) return undefined;
    const task = this.#tasks.pop();
    if (task !== undefined) task.place = undefined;
    return task;
  }

  remove(task: Task): void {
    this.#tasks.remove(task.ticket);
    task.place = undefined;
  }

  reorder(task: Task): void {
    this.#tasks.update(task.ticket, task.readyAt ?? 0, task.order);
  }
}

function byArrival(one: Task, other: Task): number {
  return one.number - other.number;
}
