import type {
  Ack,
  Backend,
  CancelAnswer,
  Cancellation,
  ClaimAnswer,
  ClaimRequest,
  DeadLetter,
  EnqueueAnswer,
  ExtendAnswer,
  Extension,
  Nack,
  NewTask,
} from "../../ports/backend.js";
import type {
  BackendInspector,
  QueueCounts,
  ReplayAnswer,
  ReplayRequest,
  StoredTask,
} from "../../ports/backend-inspector.js";
import type { BackendSignals, SignalListener } from "../../ports/backend-signals.js";
import type { Clock } from "../../ports/clock.js";
import { StoreUnreachableError } from "../../store-errors.js";
import { type Checks, duration, having, integer, readOptions } from "../../task/checks.js";
import { MemoryStore } from "./memory-store.js";

/** How long the dead letters of a queue are kept. What is dropped is counted. */
export interface MemoryDeadLetterOptions {
  /** At most so many in each queue, the oldest are dropped first; from 0 up. Default 10,000. */
  maxEntries?: number | undefined;
  /** At most so long, in milliseconds. Default 1,209,600,000, 14 days. */
  ttlMs?: number | undefined;
}

/** Settings of `memoryBackend`. */
export interface MemoryBackendOptions {
  /** Whose wall clock is the time of the store; `ManualClock` serves tests. Default: the system. */
  clock?: Pick<Clock, "wallNow"> | undefined;
  /**
   * How many tasks it holds, those included that have ended and whose outcomes or idempotency keys are still
   * kept; beyond it, new ones are refused with a StoreFullError. From 1 up. Default 1,000,000.
   */
  capacity?: number | undefined;
  deadLetters?: MemoryDeadLetterOptions | undefined;
}

/** A backend whose store is in this process. */
export interface MemoryBackend extends Backend {
  /** Gives another client of the same store, which is closed by itself. */
  connect(): MemoryBackend;
}

const DEAD_LETTER_CHECKS: Checks<MemoryDeadLetterOptions> = { maxEntries: integer(0), ttlMs: duration(0) };

const CHECKS: Checks<MemoryBackendOptions> = {
  clock: having<Pick<Clock, "wallNow">>("a clock", "wallNow"),
  capacity: integer(1),
  deadLetters: (value, path) => readOptions<MemoryDeadLetterOptions>(path, value, DEAD_LETTER_CHECKS),
};

/**
 * Keeps durable tasks in the memory of this process: for tests, and as the reference of what a backend does.
 * What it holds goes with the process. It keeps no timers, and nothing alive.
 * @throws {OptionError}
 */
export function memoryBackend(options?: MemoryBackendOptions): MemoryBackend {
  const { clock = SYSTEM, capacity = 1_000_000, deadLetters } = readOptions("", options, CHECKS);
  const { maxEntries = 10_000, ttlMs = 1_209_600_000 } = deadLetters ?? {};
  return new MemoryClient(new MemoryStore({ clock, capacity, deadLetters: { maxEntries, ttlMs } }));
}

const SYSTEM: Pick<Clock, "wallNow"> = { wallNow: () => Date.now() };

/** A client of a store that is at hand: nothing lies between the two but a promise. */
class MemoryClient implements MemoryBackend {
  readonly signals: BackendSignals;
  readonly inspector: BackendInspector;
  readonly #store: MemoryStore;
  readonly #deafen = new Set<() => void>();
  #closed = false;

  constructor(store: MemoryStore) {
    this.#store = store;
    this.signals = { listen: (queues, listener) => this.#listen(queues, listener) };
    this.inspector = {
      read: async (ids, options): Promise<readonly (StoredTask | undefined)[]> =>
        this.#open().read(ids, options),
      counts: async (queues): Promise<readonly QueueCounts[]> => this.#open().counts(queues),
      replay: async (request: ReplayRequest): Promise<ReplayAnswer> => this.#open().replay(request),
    };
  }

  connect(): MemoryBackend {
    return new MemoryClient(this.#store);
  }

  async enqueue(requestId: string, tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    return this.#open().enqueue(requestId, tasks);
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#open().claim(request);
  }

  async extend(extensions: readonly Extension[]): Promise<readonly ExtendAnswer[]> {
    return this.#open().extend(extensions);
  }

  async ack(ends: readonly Ack[]): Promise<readonly boolean[]> {
    return this.#open().ack(ends);
  }

  async nack(returns: readonly Nack[]): Promise<readonly boolean[]> {
    return this.#open().nack(returns);
  }

  async deadLetter(ends: readonly DeadLetter[]): Promise<readonly boolean[]> {
    return this.#open().deadLetter(ends);
  }

  async cancel(cancellations: readonly Cancellation[]): Promise<readonly CancelAnswer[]> {
    return this.#open().cancel(cancellations);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const deafen of this.#deafen) deafen();
    this.#deafen.clear();
  }

  #open(): MemoryStore {
    if (this.#closed) throw new StoreUnreachableError("This client of the memory backend was closed");
    return this.#store;
  }

  #listen(queues: readonly string[], listener: SignalListener): () => void {
    if (this.#closed) return () => {};
    const deafen = this.#store.listen(queues, listener);
    this.#deafen.add(deafen);
    return () => {
      deafen();
      this.#deafen.delete(deafen);
    };
  }
}
