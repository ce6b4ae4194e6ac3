import type { Backend } from "../../ports/backend.js";
import type { StoredTask } from "../../ports/backend-inspector.js";
import type { Clock } from "../../ports/clock.js";
import type { StoredOutcome } from "../../task/stored-outcome.js";
import { EarliestTimer } from "./earliest-timer.js";
import { HeardQueues } from "./heard-queues.js";

/** One who waits for the end of a task; `undefined` is for a task that the store has no more. */
type Tell = (outcome: StoredOutcome | undefined) => void;

/** A task for whose end somebody waits. */
interface AwaitedTask {
  readonly queue: string;
  readonly tells: Set<Tell>;
  /** When the store is asked after it, unless a signal comes before; and how long that was put off. */
  lookAt: number;
  lookMs: number;
}

/** The store is asked after so long at first, where no signal comes, and ever more seldom. */
const FIRST_LOOK_MS = 250;
const LAST_LOOK_MS = 5_000;

/** So many are looked for in one call. */
const BATCH = 500;

/**
 * Those who wait for durable tasks to end, wherever these run. The store signals ends; signals may be lost,
 * and so it is asked after each task from time to time, about many at once.
 */
export class ResultWaiters {
  readonly #backend: Pick<Backend, "inspector">;
  readonly #clock: Clock;
  readonly #heard: HeardQueues;
  readonly #awaited = new Map<string, AwaitedTask>();
  readonly #timer: EarliestTimer;
  #due = new Set<string>();
  #soon = false;
  /** The store is being asked after all that is overdue: it is not asked beside that. */
  #asking = false;

  constructor(backend: Pick<Backend, "inspector" | "signals">, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
    this.#heard = new HeardQueues(backend.signals, (id) => this.look(id));
    this.#timer = new EarliestTimer(clock, () => void this.#askOverdue());
  }

  /** Tells of the end of a task, once. @returns stops waiting; may be called more than once */
  wait(id: string, tell: Tell): () => void {
    const awaited = this.#awaited.get(id) ?? this.#begin(id);
    awaited.tells.add(tell);
    this.look(id);
    return () => {
      awaited.tells.delete(tell);
      if (awaited.tells.size === 0 && this.#awaited.get(id) === awaited) this.#end(id, awaited);
    };
  }

  /** Something has been heard of the task. */
  look(id: string): void {
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) return;
    awaited.lookMs = FIRST_LOOK_MS;
    this.#due.add(id);
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      const due = this.#due;
      this.#due = new Set();
      void this.#ask([...due]);
    });
  }

  close(): void {
    this.#heard.close();
    this.#timer.clear();
    this.#awaited.clear();
  }

  #begin(id: string): AwaitedTask {
    const queue = id.slice(0, id.indexOf(":"));
    const awaited = { queue, tells: new Set<Tell>(), lookAt: 0, lookMs: FIRST_LOOK_MS };
    this.#awaited.set(id, awaited);
    this.#heard.enter(queue);
    return awaited;
  }

  #end(id: string, { queue }: AwaitedTask): void {
    this.#awaited.delete(id);
    this.#heard.leave(queue);
    if (this.#awaited.size === 0) this.#timer.clear();
  }

  async #askOverdue(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const now = this.#clock.now();
    const overdue: string[] = [];
    for (const [id, awaited] of this.#awaited) {
      if (awaited.lookAt > now) continue;
      awaited.lookMs = Math.min(LAST_LOOK_MS, awaited.lookMs * 2);
      overdue.push(id);
    }
    await this.#ask(overdue);
    this.#asking = false;
    this.#arm();
  }

  /** Those that have ended are told of; the others are to be asked after again. */
  async #ask(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#putOff(id, Number.POSITIVE_INFINITY);
    for (let from = 0; from < ids.length; from += BATCH) {
      const some = ids.slice(from, from + BATCH).filter((id) => this.#awaited.has(id));
      if (some.length > 0) await this.#read(some);
    }
    const now = this.#clock.now();
    for (const id of ids) this.#timer.set(this.#putOff(id, now));
  }

  /** The store is not asked after it before `lookMs` from then. @returns when that is over */
  #putOff(id: string, from: number): number {
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) return Number.POSITIVE_INFINITY;
    awaited.lookAt = from + awaited.lookMs;
    return awaited.lookAt;
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
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) return;
    this.#end(id, awaited);
    for (const tell of awaited.tells) tell(outcome);
  }

  /** For the next one that is overdue; others that are soon after it are asked after together with it. */
  #arm(): void {
    let at = Number.POSITIVE_INFINITY;
    for (const { lookAt } of this.#awaited.values()) at = Math.min(at, lookAt);
    this.#timer.set(Math.max(at, this.#clock.now() + FIRST_LOOK_MS));
  }
}
