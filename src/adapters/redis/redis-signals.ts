import type { Redis } from "ioredis";
import type { BackendSignals, SignalListener } from "../../ports/backend-signals.js";
import { ClientKeeper } from "./client-keeper.js";
import { READY_CALLS } from "./redis-connection.js";
import { type RedisLog, troubleFields } from "./redis-log.js";
import type { StoreKeys } from "./store-keys.js";

/** How often a connection that hears nothing is asked whether it is there, in milliseconds. */
const ASK_EVERY_MS = 15_000;

export interface SignalParts {
  readonly create: () => Redis;
  readonly keys: StoreKeys;
  readonly commandTimeoutMs: number;
  readonly log: RedisLog;
}

type Signal = (listener: SignalListener) => void;

/**
 * Hears what scripts publish, on a connection of its own that is opened by the first listener. Whenever it
 * begins to hear a queue, that is said to have something: signals may have been missed. It keeps no process
 * alive.
 */
export class RedisSignals implements BackendSignals {
  readonly #parts: SignalParts;
  /** By channel. */
  readonly #listeners = new Map<
    string,
    { readonly queue: string; readonly listeners: Set<SignalListener> }
  >();
  readonly #keeper: ClientKeeper;
  #askTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: SignalParts) {
    this.#parts = parts;
    this.#keeper = new ClientKeeper({
      readyWithinMs: READY_CALLS * parts.commandTimeoutMs,
      create: parts.create,
      ready: (client) => this.#begin(client),
      lost: () => {},
      failed: (error, client) => this.#complain(error, client),
    });
  }

  listen(queues: readonly string[], listener: SignalListener): () => void {
    if (this.#closed) return () => {};
    // Of its own for each call: the same listener may be given twice.
    const heard: SignalListener = {
      wake: (queue) => listener.wake(queue),
      cancelAsked: (id) => listener.cancelAsked(id),
      finished: listener.finished && ((id) => listener.finished?.(id)),
      storeLost: (queue) => listener.storeLost(queue),
    };
    const fresh: string[] = [];
    for (const queue of new Set(queues)) {
      const { ends, signals } = this.#parts.keys.of(queue);
      const channels = heard.finished === undefined ? [signals] : [signals, ends];
      for (const channel of channels) if (this.#add(queue, channel, heard)) fresh.push(channel);
    }
    this.#subscribe(fresh);
    return () => this.#leave(heard);
  }

  /** Whether it is the first one of this channel. */
  #add(queue: string, channel: string, heard: SignalListener): boolean {
    const known = this.#listeners.get(channel);
    if (known === undefined) this.#listeners.set(channel, { queue, listeners: new Set([heard]) });
    else known.listeners.add(heard);
    return known === undefined;
  }

  /** What a queue says is not what this store has said before. */
  storeLost(queue: string): void {
    this.#tell(this.#parts.keys.of(queue).signals, (listener) => listener.storeLost(queue));
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    clearInterval(this.#askTimer);
    this.#keeper.close();
  }

  #leave(heard: SignalListener): void {
    const empty: string[] = [];
    for (const [channel, { listeners }] of this.#listeners) {
      if (!listeners.delete(heard) || listeners.size > 0) continue;
      this.#listeners.delete(channel);
      empty.push(channel);
    }
    if (empty.length > 0) this.#keeper.ready?.unsubscribe(...empty).catch(ignore);
  }

  #subscribe(channels: readonly string[]): void {
    if (channels.length === 0) return;
    const client = this.#keeper.ready;
    if (client === undefined) this.#keeper.open();
    else this.#hearFrom(client, channels);
  }

  #begin(client: Redis): void {
    client.on("message", (channel: string, text: string) => this.#hear(channel, text));
    clearInterval(this.#askTimer);
    this.#askTimer = setInterval(() => this.#ask(client, client.ping()), ASK_EVERY_MS);
    this.#askTimer.unref();
    const channels = [...this.#listeners.keys()];
    if (channels.length > 0) this.#hearFrom(client, channels);
  }

  /** What was said before has been missed: so there may be something in each of these queues. */
  #hearFrom(client: Redis, channels: readonly string[]): void {
    this.#ask(client, client.subscribe(...channels), () => {
      for (const channel of channels) {
        const queue = this.#listeners.get(channel)?.queue;
        if (queue !== undefined && channel === this.#parts.keys.of(queue).signals)
          this.#tell(channel, (listener) => listener.wake(queue));
      }
    });
  }

  /** A client that does not answer is replaced. */
  #ask(client: Redis, answer: Promise<unknown>, then: () => void = ignore): void {
    const timer = setTimeout(() => {
      if (client === this.#keeper.ready) this.#keeper.replace();
    }, this.#parts.commandTimeoutMs);
    timer.unref();
    answer.then(then, (error: unknown) => this.#complain(error, client)).finally(() => clearTimeout(timer));
  }

  #complain(error: unknown, client: Redis): void {
    if (this.#closed) return;
    this.#parts.log.trouble("signals of Redis are not heard", troubleFields(error, client));
  }

  #hear(channel: string, text: string): void {
    const known = this.#listeners.get(channel);
    if (known === undefined) return;
    const { queue } = known;
    if (channel === this.#parts.keys.of(queue).ends) {
      for (const id of toIds(queue, text)) this.#tell(channel, (listener) => listener.finished?.(id));
    } else if (text === "w") {
      this.#tell(channel, (listener) => listener.wake(queue));
    } else if (text[0] === "c") {
      for (const id of toIds(queue, text.slice(1)))
        this.#tell(channel, (listener) => listener.cancelAsked(id));
    }
  }

  #tell(channel: string, signal: Signal): void {
    for (const listener of [...(this.#listeners.get(channel)?.listeners ?? [])]) {
      try {
        signal(listener);
      } catch {
        // Who throws here has missed a signal, as anybody may.
      }
    }
  }
}

function toIds(queue: string, rests: string): string[] {
  return rests.split(" ").map((rest) => `${queue}:${rest}`);
}

function ignore(): void {}
