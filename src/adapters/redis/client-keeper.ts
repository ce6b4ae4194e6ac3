import type { Redis } from "ioredis";

/** In milliseconds. Each attempt to reconnect waits twice as long as the one before, less a random part. */
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;

export interface KeeperParts {
  /** A client that does not take commands within so long of its beginning is given up, in milliseconds. */
  readonly readyWithinMs: number;
  /** Makes a client that is not connected yet, and does not reconnect. */
  readonly create: () => Redis;
  /** A client takes commands from now on. */
  readonly ready: (client: Redis) => void;
  /** The client that was ready is so no more. */
  readonly lost: () => void;
  readonly failed: (error: unknown, client: Redis) => void;
}

/**
 * Keeps a connection: one client after another, each for one connection alone, since a client that is nursed
 * can end up in a state that it does not leave. Neither the connection nor the wait for the next one keeps
 * the process alive.
 */
export class ClientKeeper {
  readonly #parts: KeeperParts;
  #client: Redis | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  /** Since the last client that became ready. */
  #attempts = 0;
  #closed = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** The client that takes commands, where there is one. */
  get ready(): Redis | undefined {
    return this.#client?.status === "ready" ? this.#client : undefined;
  }

  /** Begins to connect, where that has not begun. */
  open(): void {
    if (this.#closed || this.#client !== undefined || this.#timer !== undefined) return;
    const client = this.#parts.create();
    this.#client = client;
    client.on("error", (error: unknown) => {
      if (client === this.#client) this.#parts.failed(error, client);
    });
    client.on("ready", () => {
      if (client !== this.#client) return;
      clearTimeout(this.#watch);
      client.stream.unref();
      this.#attempts = 0;
      this.#parts.ready(client);
    });
    client.on("end", () => {
      if (client === this.#client) this.#openLater();
    });
    client.connect().catch(() => {}); // heard as an error
    this.#watchOver(client);
  }

  /** Turns to another client at once: this one does not answer. */
  replace(): void {
    this.#drop();
    this.open();
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  /** Where the greeting of a server does not arrive, nobody else ever says so. */
  #watchOver(client: Redis): void {
    const { failed, readyWithinMs } = this.#parts;
    const giveUp = () => {
      if (client !== this.#client || client.status === "ready") return;
      failed(new Error(`The connection was not ready within ${readyWithinMs} ms`), client);
      this.#drop();
      this.#openLater();
    };
    // Where this thread was blocked, timers come first: what has arrived meanwhile is to be read before.
    this.#watch = setTimeout(() => setImmediate(giveUp), readyWithinMs);
    this.#watch.unref();
  }

  #openLater(): void {
    clearTimeout(this.#watch);
    this.#client = undefined;
    this.#parts.lost();
    const longest = Math.min(FIRST_DELAY_MS * 2 ** Math.min(this.#attempts++, 10), MAX_DELAY_MS);
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.open();
      },
      longest * (0.5 + Math.random() / 2),
    );
    this.#timer.unref();
  }

  #drop(): void {
    clearTimeout(this.#watch);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const client = this.#client;
    this.#client = undefined;
    client?.disconnect();
    // A socket that is half-open would be waited for.
    client?.stream?.destroy();
  }
}
