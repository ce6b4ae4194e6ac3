import type { WorkerPool } from "../../ports/executor.js";
import type { Task } from "../../task/task.js";
import type { Alarm, Alarms } from "./alarms.js";
import type { Lane } from "./lane.js";

/** A shorter wait, in milliseconds, is what rounding has left of one that is over. */
const GRAIN_MS = 0.001;

/**
 * Asks a pool, before each start, whether there is a slot or one is to be made. Where tasks are to wait for
 * that, the whole lane closes, so that it costs nothing to pass it over: until the time has come, or a slot
 * is given back, or there is another number of them.
 */
export class Growth implements Alarm {
  alarmTicket = -1;
  readonly #lane: Lane;
  readonly #pool: WorkerPool;
  readonly #alarms: Alarms;
  readonly #wake: () => void;
  /**
   * The task for which the lane was closed last. As long as it waits, it speaks for all: more urgent ones may
   * come again and again and take the slots, and none of them has waited for long.
   */
  #first: Task | undefined;

  constructor(lane: Lane, pool: WorkerPool, alarms: Alarms, wake: () => void) {
    this.#lane = lane;
    this.#pool = pool;
    this.#alarms = alarms;
    this.#wake = wake;
  }

  /** Whether this task has to wait for a slot; its lane is then closed. */
  holdsBack(task: Task, now: number): boolean {
    const first = this.#firstOf(task);
    const waitMs = this.#pool.waitMs(this.#lane.running, now - first.readySince);
    if (waitMs < GRAIN_MS) return false;
    this.#first = first;
    this.#lane.full = true;
    if (waitMs < Number.POSITIVE_INFINITY) this.#alarms.set(this, now + waitMs);
    else this.#alarms.clear(this);
    return true;
  }

  ring(): void {
    this.#lane.full = false;
    this.#wake();
  }

  /** Which has waited longer: this one, or the one before it where that still waits. */
  #firstOf(task: Task): Task {
    const first = this.#first;
    if (first?.state === "queued" && first.readySince < task.readySince) return first;
    this.#first = undefined;
    return task;
  }
}
