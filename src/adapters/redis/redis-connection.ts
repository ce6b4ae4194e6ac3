import type { Redis } from "ioredis";
import { StoreUnreachableError } from "../../store-errors.js";
import { ClientKeeper } from "./client-keeper.js";
import { failureRule, toStoreError } from "./redis-failures.js";
import { addressFields, type RedisLog, troubleFields } from "./redis-log.js";

/** So many calls may be without an answer at a time. */
const MAX_CALLS = 10_000;

/** What these calls hold may have so many bytes, but for one that is larger by itself. */
const MAX_BYTES = 64 * 1_024 * 1_024;

/** So many calls in a row that a ready client leaves without an answer make it suspect. */
const MAX_SILENT_CALLS = 2;

/** Settings of a server are looked at again after so long: somebody may have changed them. */
const CHECK_EVERY_MS = 30_000;

/** A connection is ready within so many times what a call waits, or it is given up. */
export const READY_CALLS = 2;

export interface ConnectionParts {
  readonly create: () => Redis;
  readonly commandTimeoutMs: number;
  readonly log: RedisLog;
  /** Looks at a server that was not looked at for a while; gives what makes it useless. */
  readonly check: (client: Redis) => Promise<Error | undefined>;
}

/** One call: what it sends, about how many bytes these are, and how long it waits for a connection. */
export interface RedisCall {
  readonly send: (client: Redis) => Promise<unknown>;
  readonly bytes: number;
  readonly patienceMs: number;
}

/**
 * One connection to Redis, over as many clients as it takes: one that no longer answers, or that has come to
 * its end, is replaced by a new one. It is opened by the first call. Every call settles, within
 * `commandTimeoutMs`, and what it rejects with is an error of ours. Between calls it keeps no process alive.
 */
export class RedisConnection {
  readonly #parts: ConnectionParts;
  readonly #keeper: ClientKeeper;
  readonly #waiting = new Set<() => void>();
  #lastError: Error | undefined;
  #silentCalls = 0;
  #calls = 0;
  #bytes = 0;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #refusal: Error | undefined;
  #closed = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#keeper = new ClientKeeper({
      readyWithinMs: READY_CALLS * parts.commandTimeoutMs,
      create: parts.create,
      ready: (client) => this.#begin(client),
      lost: () => {},
      failed: (error, client) => this.#hear(error, client),
    });
  }

  async call({ send, bytes, patienceMs }: RedisCall): Promise<unknown> {
    if (this.#closed) throw new StoreUnreachableError("This Redis backend was closed");
    const isTooMuch = this.#calls >= MAX_CALLS || (this.#bytes > 0 && this.#bytes + bytes > MAX_BYTES);
    if (isTooMuch) throw new StoreUnreachableError("Too many calls wait for Redis", this.#cause());
    this.#calls++;
    this.#bytes += bytes;
    const { commandTimeoutMs } = this.#parts;
    const until = performance.now() + commandTimeoutMs;
    try {
      const client = await this.#ready(Math.min(patienceMs, commandTimeoutMs));
      if (this.#refusal !== undefined) throw this.#refusal;
      if (performance.now() - this.#checkedAt > CHECK_EVERY_MS) this.#check(client);
      const answer = await this.#answered(client, send(client), until - performance.now());
      this.#silentCalls = 0;
      return answer;
    } catch (error) {
      throw this.#note(error);
    } finally {
      this.#calls--;
      this.#bytes -= bytes;
    }
  }

  close(): void {
    this.#closed = true;
    this.#keeper.close();
    for (const go of [...this.#waiting]) go();
  }

  /** A client that takes commands, as soon as there is one. */
  #ready(patienceMs: number): Promise<Redis> | Redis {
    const client = this.#keeper.ready;
    if (client !== undefined) return client;
    this.#keeper.open();
    if (this.#isRefused()) throw this.#unreachable();
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        const found = this.#keeper.ready;
        if (found === undefined) reject(this.#unreachable());
        else resolve(found);
      };
      const timer = setTimeout(settle, patienceMs);
      this.#waiting.add(settle);
    });
  }

  #answered(client: Redis, answer: Promise<unknown>, leftMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const giveUp = () => {
        if (isSettled) return;
        this.#suspect(client);
        const text = `Redis did not answer within ${this.#parts.commandTimeoutMs} ms`;
        reject(new StoreUnreachableError(text, this.#cause()));
      };
      // Where this thread was blocked, timers come first: what has arrived meanwhile is to be read before.
      const timer = setTimeout(() => setImmediate(giveUp), Math.max(0, leftMs));
      const settle = () => {
        isSettled = true;
        clearTimeout(timer);
      };
      answer.finally(settle).then(resolve, reject);
    });
  }

  /** It may be half-open, or the server be stopped: nobody can tell from here. */
  #suspect(client: Redis): void {
    this.#silentCalls++;
    if (client !== this.#keeper.ready || this.#silentCalls < MAX_SILENT_CALLS) return;
    this.#silentCalls = 0;
    const fields = addressFields(client);
    this.#parts.log.trouble("Redis does not answer: the connection is replaced", fields);
    this.#keeper.replace();
  }

  #begin(client: Redis): void {
    this.#lastError = undefined;
    this.#silentCalls = 0;
    for (const go of [...this.#waiting]) go();
    this.#check(client);
  }

  #check(client: Redis): void {
    this.#checkedAt = performance.now();
    void this.#parts.check(client).then((refusal) => {
      this.#refusal = refusal;
    });
  }

  #hear(error: unknown, client: Redis): void {
    const known = error instanceof Error ? error : new Error(String(error));
    this.#lastError = known;
    this.#parts.log.trouble("the connection to Redis is in trouble", troubleFields(known, client));
    if (this.#isRefused()) for (const go of [...this.#waiting]) go();
  }

  /** What a call met, as an error of ours; some of it says that this connection is of no use. */
  #note(error: unknown): Error {
    if (failureRule(error).reconnects) this.#keeper.ready?.disconnect(true);
    return toStoreError(error);
  }

  #unreachable(): Error {
    if (this.#closed) return new StoreUnreachableError("This Redis backend was closed");
    if (this.#isRefused()) return toStoreError(this.#lastError);
    return new StoreUnreachableError("Redis cannot be reached", this.#cause());
  }

  /** A wrong password does not become right by waiting; whether it has, is tried from time to time. */
  #isRefused(): boolean {
    return this.#lastError !== undefined && failureRule(this.#lastError).kind === "refused";
  }

  #cause(): ErrorOptions | undefined {
    return this.#lastError === undefined ? undefined : { cause: this.#lastError };
  }
}
