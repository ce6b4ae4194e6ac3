import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { expect } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import type { QueueCounts, StoredTask } from "../../src/ports/backend-inspector.js";
import type { Random } from "../../src/ports/random.js";
import { seededRandom } from "../../src/testing/index.js";
import { crowding } from "./crowding.js";
import { auditRedis } from "./redis-audit.js";
import type { RedisServer } from "./redis-server.js";
import { SteadyProducer } from "./steady-producer.js";
import { judgeLedger, type LedgerEntry, type LedgerVerdict, TaskLedger } from "./task-ledger.js";
import { WorkerFleet } from "./worker-fleet.js";

export interface DurableRunOptions {
  readonly server: RedisServer;
  readonly seed: number;
  readonly workers: number;
  /** The way to Redis, where it is not the straight one. */
  readonly url?: string;
  readonly leaseMs: number;
  /** What a worker is given for its stop. Default 2,000. */
  readonly deadlineMs?: number;
}

const COMMAND_TIMEOUT_MS = 400;
/** Who only looks is in no hurry, however busy the machine is. */
const WATCHER_TIMEOUT_MS = 20_000;
const CONCURRENCY = 8;

/** So long after the faults are over a process may be away that is only waiting for its turn. */
const DRAIN_MS = 5_000;

/** What workers do even on a machine that has much else to do. */
const LEAST_TASKS_PER_SECOND = 100;

/**
 * A producer, worker processes and a Redis, all real, to which something is done meanwhile; and what they
 * wrote down of it, outside of themselves.
 */
export class DurableRun implements AsyncDisposable {
  readonly fleet: WorkerFleet;
  readonly producer: SteadyProducer;
  readonly random: Random;
  readonly #options: DurableRunOptions;
  readonly #ledger: TaskLedger;
  readonly #prefix: string;
  readonly #backend;
  #verdict: LedgerVerdict | undefined;

  private constructor(options: DurableRunOptions, ledger: TaskLedger) {
    const { deadlineMs = 2_000, leaseMs, seed, server } = options;
    const prefix = `run-${randomUUID()}`;
    const { url = server.url } = options;
    const commandTimeoutMs = COMMAND_TIMEOUT_MS;
    this.random = seededRandom(seed);
    this.fleet = new WorkerFleet({
      ...{ url, prefix, ledger, leaseMs, commandTimeoutMs },
      ...{ concurrency: CONCURRENCY, deadlineMs },
    });
    this.producer = new SteadyProducer(redisBackend({ url, prefix, commandTimeoutMs }), () =>
      this.random.next(),
    );
    this.#backend = redisBackend({ url: server.url, prefix, commandTimeoutMs: WATCHER_TIMEOUT_MS });
    this.#options = options;
    this.#ledger = ledger;
    this.#prefix = prefix;
  }

  /** Its worker processes consume when it is there. */
  static async start(options: DurableRunOptions): Promise<DurableRun> {
    const run = new DurableRun(options, await TaskLedger.create());
    await run.fleet.start(options.workers);
    return run;
  }

  /** Each process may have lost as many tasks to a kill as it runs at a time. */
  get mostByKills(): number {
    return this.fleet.killed.size * CONCURRENCY;
  }

  /** So many leases there are at a time. */
  get mostHeld(): number {
    return this.#options.workers * CONCURRENCY;
  }

  async counts(): Promise<QueueCounts> {
    const [counts] = await this.#backend.inspector.counts(["work"]);
    if (counts === undefined) throw new Error("There are no counts");
    return counts;
  }

  /** Resolves when a task has been done that was begun after this call, and says how long that took. */
  async resumed(): Promise<number> {
    const [since, sinceAt] = [performance.now(), Date.now()];
    const isNew = ({ at, phase }: LedgerEntry) => phase === "started" && at >= sinceAt;
    for (;;) {
      const entries = await this.#ledger.entries();
      const begun = new Set(entries.filter(isNew).map(({ id }) => id));
      if (entries.some(({ id, phase }) => phase === "finished" && begun.has(id)))
        return performance.now() - since;
      await delay(20);
    }
  }

  /** The process of a worker that runs so many tasks, as soon as there is one. */
  async whoRuns(count: number): Promise<number> {
    for (;;) {
      const running = new Map<number, number>();
      for (const { phase, pid } of await this.#ledger.entries()) {
        if (phase === "started") running.set(pid, (running.get(pid) ?? 0) + 1);
        else if (phase === "ended") running.set(pid, (running.get(pid) ?? 0) - 1);
      }
      for (const { pid } of this.fleet.ready()) if ((running.get(pid) ?? 0) >= count) return pid;
      await delay(20);
    }
  }

  /**
   * Resolves when no task waits or runs; rejects when that takes longer than it may after the last fault. Where
   * the machine was too busy to keep up with the load, what had gathered is given time as well.
   */
  async drained(): Promise<void> {
    const { leaseMs } = this.#options;
    const since = performance.now();
    const gatheredMs = ((await this.counts()).ready / LEAST_TASKS_PER_SECOND) * 1_000;
    for (;;) {
      const { delayed, leased, ready } = await this.counts();
      if (ready + delayed + leased === 0) return;
      const afterMs = performance.now() - since;
      if (afterMs > gatheredMs + (leaseMs + DRAIN_MS) * crowding())
        throw new Error(`${ready} ready, ${delayed} delayed, ${leased} leased after ${afterMs} ms`);
      await delay(50);
    }
  }

  async verdict(): Promise<LedgerVerdict> {
    const { accepted, offered } = this.producer;
    const { killed } = this.fleet;
    const entries = await this.#ledger.entries();
    this.#verdict = judgeLedger({ entries, accepted, offered, killed });
    return this.#verdict;
  }

  /** I1, I2, I4, I6, I7: what was accepted is done, once but for what a fault explains, and nothing else is there. */
  async expectSound(): Promise<LedgerVerdict> {
    const verdict = await this.verdict();
    const { lost, unexpected, wrong } = verdict;
    expect({ lost, unexpected, wrong }).toEqual({ lost: [], unexpected: [], wrong: [] });
    expect(await this.#notCompleted()).toEqual([]);
    const client = new Redis(this.#options.server.url);
    try {
      expect(await auditRedis(client, this.#prefix)).toEqual([]);
    } finally {
      client.disconnect();
    }
    return verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet[Symbol.asyncDispose]();
    await this.producer[Symbol.asyncDispose]();
    await this.#backend.close();
    await this.#ledger[Symbol.asyncDispose]();
  }

  /** Those of which the store has another outcome, or none. */
  async #notCompleted(): Promise<readonly string[]> {
    const ids = [...this.producer.accepted];
    const found: (StoredTask | undefined)[] = [];
    for (let from = 0; from < ids.length; from += 500)
      found.push(...(await this.#backend.inspector.read(ids.slice(from, from + 500))));
    return ids.filter((_, index) => found[index]?.outcome?.state !== "completed");
  }
}
