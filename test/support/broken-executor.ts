import type { Executor, PoolHost, RunnableAttempt, WorkerPool } from "../../src/ports/executor.js";

/** What is broken about an executor that is sound otherwise. */
export interface Breakage {
  /** What an attempt is exchanged for before it is run. */
  readonly attempt?: (attempt: RunnableAttempt) => Partial<RunnableAttempt>;
  readonly run?: (attempt: RunnableAttempt, sound: Executor) => void;
  readonly kill?: (attempt: RunnableAttempt, sound: Executor) => boolean;
  readonly close?: (sound: Executor) => Promise<void>;
  readonly host?: (host: PoolHost) => Partial<PoolHost>;
  readonly pool?: Partial<WorkerPool>;
}

/** Does what the other does, but for what is broken. */
export class BrokenExecutor implements Executor {
  readonly lane;
  readonly pool: WorkerPool | undefined;
  readonly #sound: Executor;
  readonly #breakage: Breakage;
  readonly #exchanged = new Map<RunnableAttempt, RunnableAttempt>();

  constructor(sound: Executor, breakage: Breakage) {
    this.#sound = sound;
    this.#breakage = breakage;
    this.lane = sound.lane;
    this.pool = sound.pool && this.#breakPool(sound.pool);
  }

  run(attempt: RunnableAttempt): void {
    const { attempt: exchange, run } = this.#breakage;
    const given = exchange === undefined ? attempt : except(attempt, exchange(attempt));
    this.#exchanged.set(attempt, given);
    if (run === undefined) this.#sound.run(given);
    else run(given, this.#sound);
  }

  kill(attempt: RunnableAttempt): boolean {
    const given = this.#exchanged.get(attempt) ?? attempt;
    return this.#breakage.kill?.(given, this.#sound) ?? this.#sound.kill(given);
  }

  async close(): Promise<void> {
    await (this.#breakage.close?.(this.#sound) ?? this.#sound.close());
  }

  #breakPool(sound: WorkerPool): WorkerPool {
    const { host: breakHost, pool } = this.#breakage;
    return {
      pulses: sound.pulses,
      connect: (host) => sound.connect(breakHost === undefined ? host : except(host, breakHost(host))),
      open: () => sound.open(),
      resize: (size) => sound.resize(size),
      waitMs: (used, waitedMs) => sound.waitMs(used, waitedMs),
      batchSize: (work) => sound.batchSize(work),
      handOver: () => sound.handOver(),
      hasBegun: (attempt) => sound.hasBegun(this.#exchanged.get(attempt) ?? attempt),
      read: () => sound.read(),
      ...pool,
    };
  }
}

/** The object, but for some members. Methods of it are called on itself. */
export function except<T extends object>(whole: T, other: Partial<T>): T {
  return new Proxy(whole, {
    get(target, key) {
      if (Object.hasOwn(other, key)) return Reflect.get(other, key);
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
