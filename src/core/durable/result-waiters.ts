import type { BackendInspector, StoredTask } from "../../ports/backend-inspector.js";
import type { BackendSignals } from "../../ports/backend-signals.js";
import type { Clock, Timer } from "../../ports/clock.js";
import type { StoredOutcome } from "../../task/stored-outcome.js";

/** One who waits for the end of a task; `undefined` is for a task that the store has no more. */
type Tell = (outcome: StoredOutcome | undefined) => void;

/** The store is asked after so long at first, where no signal comes, and ever more seldom. */
const FIRST_LOOK_MS = 250;
const LAST_LOOK_MS = 5_000;

/** So many are looked for in one call. */
const BATCH = 500;

/** The ends of so many queues are listened to though nobody waits for any of them now. */
const MAX_IDLE_QUEUES = 100;

/** A queue of which tasks are waited for. */
interface ListenedQueue {
  waiting: number;
  readonly unlisten: () => void;
}

export interface ResultWaitersParts {
  readonly inspector: Pick<BackendInspector, "read">;
  readonly signals: BackendSignals;
  readonly clock: Clock;
  /** The queue of a task. */
  readonly queueOf: (id: string) => string;
}

/**
 * Those who wait for durable tasks to end, wherever these run. The store signals ends; signals may be lost,
 * and so it is asked from time to time, about all of them at once.
 */
export class ResultWaiters {
  readonly #parts: ResultWaitersParts;
  readonly #waiting = new Map<string, Set<Tell>>();
  readonly #queues = new Map<string, ListenedQueue>();
  #timer: Timer | undefined;
  #lookMs = FIRST_LOOK_MS;
  #due = new Set<string>();
  #soon = false;

  constructor(parts: ResultWaitersParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Tells of the end of a task, once. @returns stops waiting; may be called more than once */
  wait(id: string, tell: Tell): () => void {
    let tells = this.#waiting.get(id);
    if (tells === undefined) {
      tells = new Set();
      this.#waiting.set(id, tells);
    }
    tells.add(tell);
    const leaveQueue = this.#listen(this.#parts.queueOf(id));
    this.look(id);
    return () => {
      if (tells.delete(tell)) leaveQueue();
      if (tells.size === 0 && this.#waiting.get(id) === tells) this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#disarm();
    };
  }

  /** Something has been heard of the task. */
  look(id: string): void {
    if (!this.#waiting.has(id)) return;
    this.#due.add(id);
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      const due = [...this.#due];
      this.#due.clear();
      this.#lookMs = FIRST_LOOK_MS;
      void this.#lookAt(due);
    });
  }

  close(): void {
    this.#disarm();
    this.#waiting.clear();
    for (const { unlisten } of this.#queues.values()) unlisten();
    this.#queues.clear();
  }

  /** Whoever waits for one task of a queue soon waits for another: so it is listened to for longer. */
  #listen(queue: string): () => void {
    const listened = this.#queues.get(queue) ?? { waiting: 0, unlisten: this.#toldOf(queue) };
    this.#queues.set(queue, listened);
    listened.waiting++;
    return () => {
      listened.waiting--;
      if (listened.waiting > 0 || this.#queues.size <= MAX_IDLE_QUEUES) return;
      listened.unlisten();
      this.#queues.delete(queue);
    };
  }

  #toldOf(queue: string): () => void {
    const ignore = () => {};
    const finished = (id: string) => this.look(id);
    return this.#parts.signals.listen([queue], {
      ...{ wake: ignore, cancelAsked: ignore, storeLost: ignore, finished },
    });
  }

  async #lookAt(ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += BATCH) {
      const some = ids.slice(from, from + BATCH).filter((id) => this.#waiting.has(id));
      if (some.length > 0) await this.#read(some);
    }
    this.#arm();
  }

  async #read(ids: readonly string[]): Promise<void> {
    let found: readonly (StoredTask | undefined)[];
    try {
      found = await this.#parts.inspector.read(ids);
    } catch {
      return; // it is asked again
    }
    for (const [index, id] of ids.entries()) {
      const task = found[index];
      if (task === undefined || task.outcome !== undefined) this.#tell(id, task?.outcome);
    }
  }

  #tell(id: string, outcome: StoredOutcome | undefined): void {
    const tells = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const tell of [...(tells ?? [])]) tell(outcome);
  }

  #arm(): void {
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    this.#timer = this.#parts.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#lookMs = Math.min(LAST_LOOK_MS, this.#lookMs * 2);
      void this.#lookAt([...this.#waiting.keys()]);
    }, this.#lookMs);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
