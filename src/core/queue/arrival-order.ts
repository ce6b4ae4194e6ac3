import type { Task } from "../../task/task.js";
import { RingBuffer } from "../collections/ring-buffer.js";

/** Below this size the line is not worth tidying. */
const TIDY_FROM = 64;

/**
 * Tasks that are queued and were never started, the first arrived first. It answers "which has waited
 * longest?" without an index: tasks that have gone on are dropped when they come to the front, and swept out
 * together when they are more than half of the line, so that each costs O(1) in the end.
 */
export class ArrivalOrder {
  readonly #line = new RingBuffer<Task>();

  /** To be called when a task becomes queued for the first time. */
  push(task: Task): void {
    this.#line.push(task);
  }

  /** To be called when a task has left the queue. */
  tidy(queued: number): void {
    this.oldest();
    if (this.#line.size > TIDY_FROM && this.#line.size > 2 * queued) this.#line.retain(isWaiting);
  }

  /** The task that arrived first among those that still wait for their first start. */
  oldest(): Task | undefined {
    let task = this.#line.peek();
    while (task !== undefined && !isWaiting(task)) {
      this.#line.shift();
      task = this.#line.peek();
    }
    return task;
  }

  /** The first `count` of them, or fewer when there are not so many. */
  first(count: number): Task[] {
    // One that was handed over and came back may stand in line twice: it has its first place.
    const found = new Set<Task>();
    for (const task of this.#line) {
      if (found.size === count) break;
      if (isWaiting(task)) found.add(task);
    }
    return [...found];
  }
}

function isWaiting(task: Task): boolean {
  return task.state === "queued" && task.startedAt === undefined;
}
