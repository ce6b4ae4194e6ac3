import { toList, toNumber, toText } from "./answer-values.js";
import type { RedisConnection } from "./redis-connection.js";
import type { RedisLog } from "./redis-log.js";
import type { ScriptRunner } from "./script-runner.js";
import { RECONCILE } from "./scripts/reconcile.js";
import type { StoreKeys } from "./store-keys.js";

/** How often a step is made at most, in milliseconds. */
const STEP_EVERY_MS = 5_000;

/** So many keys Redis looks at for one step. */
const KEYS_PER_STEP = 1_000;

/** So many records one script looks at: that takes a few milliseconds, for which all others wait. */
const RECORDS_PER_SCRIPT = 200;

export interface ReconcilerParts {
  readonly connection: RedisConnection;
  readonly runner: ScriptRunner;
  readonly keys: StoreKeys;
  readonly log: RedisLog;
}

/**
 * Goes round all records of a store, slowly, and puts those back into their index that are missing from it.
 * What an index has without a record is noticed by whoever comes upon it. It has no timer: each claim gives
 * it the occasion. Several processes may do it at a time.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  #cursor = "0";
  #steppedAt = performance.now();

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** Makes a step if it is time. A step that fails is made again the next time. */
  occasion(): void {
    if (performance.now() - this.#steppedAt < STEP_EVERY_MS) return;
    this.#steppedAt = performance.now();
    this.step().catch(() => {});
  }

  /** Looks at the next records. */
  async step(): Promise<void> {
    const { connection, keys } = this.#parts;
    const answer = await connection.call({
      send: (client) =>
        client.callBuffer("scan", [this.#cursor, "MATCH", keys.recordPattern, "COUNT", KEYS_PER_STEP]),
      bytes: 0,
      patienceMs: 0,
    });
    const [cursor, found] = toList(answer);
    const records = new Map<string, string[]>();
    for (const key of toList(found)) {
      const [queue, rest] = keys.readRecordKey(toText(key)) ?? [];
      if (queue === undefined || rest === undefined) continue;
      const rests = records.get(queue) ?? [];
      records.set(queue, rests);
      rests.push(rest);
    }
    this.#cursor = toText(cursor); // one queue that cannot be mended must not keep the others from it
    await Promise.allSettled([...records].map(([queue, rests]) => this.#restore(queue, rests)));
  }

  async #restore(queue: string, rests: readonly string[]): Promise<void> {
    const { keys, log, runner } = this.#parts;
    for (let from = 0; from < rests.length; from += RECORDS_PER_SCRIPT) {
      const some = rests.slice(from, from + RECORDS_PER_SCRIPT);
      const [restored] = await runner.run(RECONCILE, keys.of(queue).meta, some, "producer");
      const count = toNumber(restored);
      if (count > 0) log.trouble("tasks that were in no index were put back", { queue, count });
    }
  }
}
