import { expect, onTestFinished } from "vitest";
import {
  type AnyHandlers,
  type Backend,
  type MemoryBackend,
  memoryBackend,
  TaskManager,
  type TaskManagerOptions,
} from "../../src/index.js";
import type { BackendSignals, SignalListener } from "../../src/ports/backend-signals.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { breakClient, breakInspector } from "./broken-backend.js";

/** Calls that concern tasks. */
type Call = Exclude<keyof Backend, "signals" | "inspector" | "close">;

/** Longer than any stop takes, also one whose store does not answer. */
const STOP_MS = 60_000;

/** The way of one process to its store, which the test can make worse. */
export class FaultyLink {
  /** What calls meet instead of the store. */
  readonly faults = new Map<Call, () => Promise<never>>();
  readonly #listeners = new Set<SignalListener>();
  #countsFault: Error | undefined;
  readonly backend: Backend;

  constructor(sound: Backend) {
    const pass =
      <A extends unknown[], R>(call: Call, ask: (...given: A) => Promise<R>) =>
      (...given: A): Promise<R> =>
        this.faults.get(call)?.() ?? ask(...given);
    this.backend = breakClient(sound, () => ({
      signals: this.#listenBy(sound.signals),
      ...breakInspector(sound, {
        counts: async (queues) => {
          if (this.#countsFault !== undefined) throw this.#countsFault;
          return await sound.inspector.counts(queues);
        },
      }),
      enqueue: pass("enqueue", (...given) => sound.enqueue(...given)),
      claim: pass("claim", (...given) => sound.claim(...given)),
      extend: pass("extend", (...given) => sound.extend(...given)),
      ack: pass("ack", (...given) => sound.ack(...given)),
      nack: pass("nack", (...given) => sound.nack(...given)),
      deadLetter: pass("deadLetter", (...given) => sound.deadLetter(...given)),
      cancel: pass("cancel", (...given) => sound.cancel(...given)),
    }));
  }

  /** These calls fail from now on. */
  fail(error: Error, ...calls: readonly Call[]): void {
    for (const call of calls) this.faults.set(call, () => Promise.reject(error));
  }

  /** These calls are not answered, whatever comes. */
  hang(...calls: readonly Call[]): void {
    for (const call of calls) this.faults.set(call, () => new Promise(() => {}));
  }

  /** What the store has cannot be asked for from now on. */
  failCounts(error: Error): void {
    this.#countsFault = error;
  }

  mend(): void {
    this.faults.clear();
    this.#countsFault = undefined;
  }

  /** Tells what a store tells that has lost what it had. */
  tellOfLoss(): void {
    for (const listener of this.#listeners) listener.storeLost("q");
  }

  #listenBy(sound: BackendSignals): BackendSignals {
    return {
      listen: (queues, listener) => {
        this.#listeners.add(listener);
        return sound.listen(queues, listener);
      },
    };
  }
}

export interface DurableProcess<H extends AnyHandlers> {
  readonly clock: ManualClock;
  readonly store: MemoryBackend;
  readonly link: FaultyLink;
  readonly tasks: TaskManager<H>;
}

/**
 * A manager on a manual clock, with a store in memory, whose time is the same. It is stopped when the test is
 * over, and then no timer is left (I15).
 */
export function createDurable<H extends AnyHandlers>(
  options: TaskManagerOptions<H>,
  { clock = new ManualClock(), store = memoryBackend({ clock }), seed = 1 } = {},
): DurableProcess<H> {
  const link = new FaultyLink(store.connect());
  const before = clock.timers;
  const tasks = new TaskManager<H>({ clock, random: seededRandom(seed), backend: link.backend, ...options });
  onTestFinished(async () => {
    link.mend();
    const stopped = tasks.stopNow();
    await clock.advance(STOP_MS);
    await stopped;
    if (before === 0) expect(clock.timers).toBe(0); // else those of the others are still there
  });
  return { clock, store, link, tasks };
}
