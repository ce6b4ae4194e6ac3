import { QueueFullError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import type { Task } from "../../task/task.js";
import type { Mishaps } from "../events/mishaps.js";
import type { Backlog } from "./backlog.js";
import type { Canceller } from "./canceller.js";
import type { TaskPlan } from "./task-plan.js";

export interface RoomParts {
  readonly capacity: number;
  readonly whenFull: "reject" | "drop-oldest";
  readonly clock: Clock;
  readonly backlog: Backlog;
  readonly canceller: Canceller;
  readonly mishaps: Mishaps;
}

const NONE: ReadonlySet<Task> = new Set();

/** How many more tasks may wait, and what goes for those that are too many. */
export class Room {
  readonly #parts: RoomParts;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  /** Below 0 where retries have taken more than there was. */
  get free(): number {
    return this.#parts.capacity - this.#parts.backlog.size;
  }

  /**
   * Sees to it that so many more can wait.
   * @param plans what is to be accepted: all of them are refused where there is no room
   * @param spared tasks that go anyway, each for a new one: they can be dropped for nobody else
   * @throws {QueueFullError}
   */
  make(count: number, plans: readonly TaskPlan[], spared = NONE): void {
    const { capacity, whenFull, backlog, canceller, clock, mishaps } = this.#parts;
    const missing = count - this.free;
    // Retries may have taken more room than there is: that is no reason to refuse nothing.
    if (missing <= 0 || count === 0) return;
    const oldest =
      whenFull === "drop-oldest" && count <= capacity ? backlog.oldestFew(missing + spared.size) : [];
    const victims = spared.size === 0 ? oldest : oldest.filter((task) => !spared.has(task)).slice(0, missing);
    if (victims.length < missing) {
      for (const { profile } of plans) mishaps.recordRefusal(profile);
      const wanted = count === 1 ? "a task" : `${count} tasks`;
      const found = `${backlog.size} of ${capacity} places are taken`;
      throw new QueueFullError(`No room for ${wanted}: ${found} (capacity)`, capacity);
    }
    const now = clock.now();
    for (const victim of victims) canceller.drop(victim, capacity, now);
  }
}
