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
  readonly #dispatch: () => void;
  /**
   * The task for which the lane was closed. As long as it waits, it counts for all: more urgent ones that
   * come after it take the slots, and each of them has not waited for long.
   */
  #waiting: Task | undefined;

  constructor(lane: Lane, pool: WorkerPool, alarms: Alarms, dispatch: () => void) {
    this.#lane = lane;
    this.#pool = pool;
    this.#alarms = alarms;
    this.#dispatch = dispatch;
  }

  /** Whether this task has to wait for a slot; its lane is then closed. */
  holdsBack(task: Task, now: number): boolean {
    const readyAt = Math.min(readyAtOf(task), this.#waitingSince());
    const waitMs = this.#pool.waitMs(this.#lane.running, now - readyAt);
    if (waitMs < GRAIN_MS) return false;
    this.#waiting ??= task;
    this.#lane.full = true;
    if (waitMs < Number.POSITIVE_INFINITY) this.#alarms.set(this, now + waitMs);
    else this.#alarms.clear(this);
    return true;
  }

  ring(): void {
    this.#lane.full = false;
    this.#dispatch();
  }

  #waitingSince(): number {
    const task = this.#waiting;
    if (task !== undefined && task.state === "queued") return readyAtOf(task);
    this.#waiting = undefined;
    return Number.POSITIVE_INFINITY;
  }
}

function readyAtOf({ enqueuedAt, readyAt = enqueuedAt }: Task): number {
  return readyAt;
}
