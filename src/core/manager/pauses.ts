import type { Task } from "../../task/task.js";
import { PAUSED } from "../queue/gate.js";
import type { QueueSet } from "../queue/queue-set.js";
import type { Lifecycle } from "./lifecycle.js";

/**
 * What is paused: all, or queues by their names. A pause that stands when a stop begins is taken to last:
 * what it holds ends by the stop. One that is made during a stop only holds: a resume may come before the
 * abort.
 */
export class Pauses {
  readonly #lifecycle: Lifecycle;
  readonly #queues: QueueSet;
  #all = false;
  /** Those that were made during the stop, as are all after them; undefined is the pause of all. */
  readonly #madeInStop = new Set<string | undefined>();

  constructor(lifecycle: Lifecycle, queues: QueueSet) {
    this.#lifecycle = lifecycle;
    this.#queues = queues;
  }

  /** Whether all is paused. */
  get all(): boolean {
    return this.#all;
  }

  /** Whether that queue is paused by its name; all, where none is given. */
  has(queue: string | undefined): boolean {
    return queue === undefined ? this.#all : this.#queues.known(queue)?.isClosedBy(PAUSED) === true;
  }

  /** Pauses a queue, or all; one that stands already stays the pause that it is. */
  pause(queue?: string): void {
    if (this.has(queue)) return;
    if (!this.#lifecycle.accepting) this.#madeInStop.add(queue);
    if (queue === undefined) this.#all = true;
    else this.#queues.queue(queue).close(PAUSED);
  }

  /** Ends the pause of a queue, or that of all, whenever it was made. */
  resume(queue?: string): void {
    if (queue === undefined) {
      this.#all = false;
    } else {
      const known = this.#queues.known(queue);
      if (known !== undefined) this.#queues.open(known, PAUSED);
    }
  }

  /** Whether a stop takes it that the task will not start: a pause lasts, or nothing was ever started. */
  holdsForGood({ queue }: Task): boolean {
    return !this.#lifecycle.started || this.#lasts(undefined) || this.#lasts(queue);
  }

  /** The same by the pauses that stand now, whatever becomes of them. */
  standing(): (task: Task) => boolean {
    if (!this.#lifecycle.started || this.#lasts(undefined)) return () => true;
    const names = new Set<string>();
    for (const { name } of this.#queues.queues()) if (this.#lasts(name)) names.add(name);
    return ({ queue }) => names.has(queue);
  }

  #lasts(queue: string | undefined): boolean {
    return this.has(queue) && !this.#madeInStop.has(queue);
  }
}
