import { setTimeout as delay } from "node:timers/promises";
import {
  DuplicateTaskError,
  defineHandlers,
  json,
  StoreUnreachableError,
  TaskManager,
} from "../../src/index.js";
import type { Backend } from "../../src/ports/backend.js";

const EVERY_MS = 50;
/** A day: so long that no clock that is set by hours comes near its end. */
const RESULT_TTL_MS = 86_400_000;

/** How long a handler works, at least and at most. */
export type WorkMs = readonly [least: number, most: number];

/**
 * Enqueues tasks for the worker processes at a steady pace, and notes of which the store has said that it has
 * them. What failed is tried again under its id until the store has said so.
 */
export class SteadyProducer implements AsyncDisposable {
  readonly accepted = new Set<string>();
  readonly offered = new Set<string>();
  /** Kept by a call of which the answer was lost. */
  recovered = 0;
  /** Calls that failed, by the code of their error. */
  readonly failures = new Map<string, number>();
  readonly #manager: TaskManager<ReturnType<typeof contract>>;
  readonly #random: () => number;
  readonly #pending = new Set<Promise<void>>();
  /** A test that fails leaves it before its time. */
  #left = false;

  constructor(backend: Backend, random: () => number) {
    this.#manager = new TaskManager({ handlers: contract(), backend, consume: false, capacity: 100_000 });
    this.#random = random;
  }

  /** Goes on until `isOver`; resolves when the store has said of each task that it has it. */
  async run(tasksPerSecond: number, isOver: () => boolean, [least, most]: WorkMs = [5, 45]): Promise<void> {
    const startedAt = performance.now();
    for (let made = 0; !isOver() && !this.#left; await delay(EVERY_MS)) {
      const due = Math.floor(((performance.now() - startedAt) * tasksPerSecond) / 1_000);
      for (; made < due; made++) this.#offer(`n${made}`, least + Math.floor(this.#random() * (most - least)));
    }
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left = true;
    await this.#manager.stopNow();
  }

  #offer(id: string, workMs: number): void {
    this.offered.add(`work:${id}`);
    const pending = this.#keepTrying(id, workMs).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  async #keepTrying(id: string, workMs: number): Promise<void> {
    for (;;) {
      try {
        await this.#manager.enqueueDurable("work", { workMs }, { id, resultTtlMs: RESULT_TTL_MS });
        break;
      } catch (error) {
        if (error instanceof DuplicateTaskError) {
          this.recovered++;
          break;
        }
        if (this.#left) return;
        if (!(error instanceof StoreUnreachableError)) throw error;
        this.failures.set(error.code, (this.failures.get(error.code) ?? 0) + 1);
      }
      await delay(100 + 100 * this.#random());
    }
    this.accepted.add(`work:${id}`);
  }
}

function contract() {
  return defineHandlers({ work: { payload: json<{ workMs: number }>(), queue: "work" } });
}
