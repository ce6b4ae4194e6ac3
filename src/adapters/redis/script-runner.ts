import type { Redis } from "ioredis";
import { StoreUnreachableError } from "../../store-errors.js";
import { packTexts, type ScriptValue } from "./pack-texts.js";
import type { RedisConnection } from "./redis-connection.js";
import { failureCode } from "./redis-failures.js";
import type { Script } from "./scripts/script.js";

/** How long a call waits for a connection, in milliseconds: whoever enqueues wants to know soon. */
const PRODUCER_PATIENCE_MS = 1_000;

/** Who calls: a producer, who is told soon that Redis is away, or the holder of leases, who waits. */
export type Caller = "producer" | "holder";

/** Runs scripts over one connection. */
export class ScriptRunner {
  readonly #connection: RedisConnection;
  /** Arguments with which all begin; the rest of them travels in one piece. */
  readonly #first: readonly ScriptValue[];

  constructor(connection: RedisConnection, first: readonly ScriptValue[]) {
    this.#connection = connection;
    this.#first = first;
  }

  /**
   * @param args or these as they are packed
   * @param bytes about how much they hold
   * @param onSend told when they leave: there is a connection
   */
  async run(
    script: Script,
    meta: string,
    args: readonly ScriptValue[] | Buffer,
    caller: Caller,
    bytes = 0,
    onSend?: () => void,
  ): Promise<readonly unknown[]> {
    const packed = Buffer.isBuffer(args) ? args : packTexts(args);
    const answer = await this.#connection.call({
      send: (client) => {
        onSend?.();
        return evaluate(client, script, [1, meta, ...this.#first, packed]);
      },
      bytes,
      patienceMs: caller === "producer" ? PRODUCER_PATIENCE_MS : Number.POSITIVE_INFINITY,
    });
    if (!Array.isArray(answer)) throw new StoreUnreachableError(`Redis gave no list for ${script.name}`);
    return answer;
  }
}

/** By the hash; whole where the server has forgotten the script, or never knew it. */
async function evaluate(client: Redis, script: Script, args: ScriptValue[]): Promise<unknown> {
  try {
    return await client.callBuffer("evalsha", [script.sha, ...args]);
  } catch (error) {
    if (failureCode(error) !== "NOSCRIPT") throw error;
    return client.callBuffer("eval", [script.text, ...args]);
  }
}
