import type { Backend } from "../../ports/backend.js";
import type { StoredTask } from "../../ports/backend-inspector.js";
import type { Clock, Timer } from "../../ports/clock.js";
import type { StoredOutcome } from "../../task/stored-outcome.js";

/** One who waits for the end of a task; `undefined` is for a task that the store has no more. */
type Tell = (outcome: StoredOutcome | undefined) => void;

/** The store is asked after so long at first, where no signal comes, and ever more seldom. */
const FIRST_LOOK_MS = 250;
const LAST_LOOK_MS = 5_000;

/** So many are looked for in one call. */
const BATCH = 500;

/** Signals of so many queues are heard; of others, the store is asked. */
const MAX_QUEUES = 1_000;

/**
 * Those who wait for durable tasks to end, wherever these run. The store signals ends; signals may be lost,
 * and so it is asked from time to time, about all of them at once.
 */
export class ResultWaiters {
  readonly #backend: Pick<Backend, "inspector" | "signals">;
  readonly #clock: Clock;
  /** By queue, what stops hearing it. */
  readonly #heard = new Map<string, () => void>();
  readonly #waiting = new Map<string, Set<Tell>>();
  #timer: Timer | undefined;
  #lookMs = FIRST_LOOK_MS;
  #due = new Set<string>();
  #soon = false;
  #closed = false;

  constructor(backend: Pick<Backend, "inspector" | "signals">, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  /** Tells of the end of a task, once. @returns stops waiting; may be called more than once */
  wait(id: string, tell: Tell): () => void {
    let tells = this.#waiting.get(id);
    if (tells === undefined) {
      tells = new Set();
      this.#waiting.set(id, tells);
    }
    tells.add(tell);
    this.#hear(id.slice(0, id.indexOf(":")));
    this.look(id);
    return () => {
      tells.delete(tell);
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
    this.#closed = true;
    for (const leave of this.#heard.values()) leave();
    this.#heard.clear();
    this.#disarm();
    this.#waiting.clear();
  }

  /** Whether or not its tasks run here: whoever only produces waits for results, too. */
  #hear(queue: string): void {
    if (this.#closed || this.#heard.has(queue) || this.#heard.size >= MAX_QUEUES) return;
    const finished = (id: string) => this.look(id);
    this.#heard.set(queue, this.#backend.signals.listen([queue], { ...DEAF, finished }));
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
      found = await this.#backend.inspector.read(ids, { payloads: false });
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
    for (const tell of tells ?? []) tell(outcome);
  }

  #arm(): void {
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimeout(() => {
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

/** To all that does not concern those who wait. */
const DEAF = { wake: () => {}, cancelAsked: () => {}, storeLost: () => {} };
