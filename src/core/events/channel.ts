import type { Overflow, ResultTally } from "../../task/subscription.js";
import { RingBuffer } from "../collections/ring-buffer.js";

/**
 * So many results may come before a reader has its turn: a channel that is filled and emptied that often
 * keeps its cells.
 */
const MANY = 512;

export interface ChannelOptions<T> {
  readonly capacity: number;
  /** `Infinity` for no bound. */
  readonly maxBytes: number;
  readonly overflow: Overflow;
  /** How many more may come after a block has begun: asked when it begins. */
  readonly excess: () => number;
  /** Told of each drop, when it has been counted. */
  readonly onDrop: (result: T) => void;
  /** Counts for all channels together. */
  readonly total: ResultTally;
}

/**
 * The bounded buffer of one subscription, and the rule for what does not fit. It knows neither time nor who
 * reads. Always `published = delivered + dropped + size`.
 *
 * With the rule `block` a channel is
 *
 * - open while it has room for one more;
 * - blocking from when it is full until it has room: it says so, takes `excess` more beyond its bounds, and
 *   drops its oldest after that;
 * - lifted from `lift` until something is taken: it drops its oldest as soon as it is full.
 */
export class Channel<T> {
  readonly tally: ResultTally = createResultTally();
  readonly #results: RingBuffer<T>;
  readonly #sizes: RingBuffer<number> | undefined;
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #excess: () => number;
  readonly #onDrop: (result: T) => void;
  readonly #total: ResultTally;
  #overflow: Overflow;
  #bytes = 0;
  #state: "open" | "blocking" | "lifted" = "open";
  /** What it may hold while it is blocking. */
  #limit = 0;

  /** Keeps the options as fields of its own: each result reads them, and fields have one shape for all. */
  constructor({ capacity, maxBytes, overflow, excess, onDrop, total }: ChannelOptions<T>) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
    this.#overflow = overflow;
    this.#excess = excess;
    this.#onDrop = onDrop;
    this.#total = total;
    this.#results = new RingBuffer(capacity < MANY ? undefined : MANY);
    if (maxBytes !== Number.POSITIVE_INFINITY) this.#sizes = new RingBuffer();
  }

  get size(): number {
    return this.#results.size;
  }

  /** Counted only where `maxBytes` is set. */
  get bytes(): number {
    return this.#bytes;
  }

  get blocking(): boolean {
    return this.#state === "blocking";
  }

  offer(result: T, bytes: number): void {
    this.tally.published++;
    this.#total.published++;
    if (bytes > this.#maxBytes) {
      this.#drop(result);
    } else if (this.#makeRoom(bytes)) {
      this.#push(result, bytes);
    } else {
      this.#drop(result);
    }
  }

  /**
   * The same for one that a reader waits for, which is only while nothing is held: it need not be.
   * @returns false where it is larger than this may hold, and was dropped
   */
  pass(result: T, bytes: number): boolean {
    this.tally.published++;
    this.#total.published++;
    if (bytes > this.#maxBytes) {
      this.#drop(result);
      return false;
    }
    this.#countDelivery();
    return true;
  }

  /** Offers what ended before: nothing that runs brought it about, so it is taken within the bounds. */
  replay(results: readonly T[], sizes: readonly number[]): void {
    if (this.#overflow === "block") this.#state = "lifted";
    for (const [index, result] of results.entries()) this.offer(result, sizes[index] ?? 0);
    this.#reopen();
  }

  /** The result that came first, for the reader; undefined when there is none. */
  take(): T | undefined {
    const result = this.#shift();
    if (result === undefined) return undefined;
    this.#countDelivery();
    return result;
  }

  /** Ends a block until something is taken, and drops what is beyond the bounds. */
  lift(): void {
    if (this.#state !== "blocking") return;
    this.#state = "lifted";
    while (this.#results.size > this.#capacity || this.#bytes > this.#maxBytes) this.#dropOldest();
  }

  /** Blocks no more: `block` is `drop-oldest` from now on. What is held beyond the bounds may be read. */
  unblock(): void {
    if (this.#overflow === "block") this.#overflow = "drop-oldest";
    this.#state = "open";
  }

  /** Drops all that it holds. */
  clear(): void {
    const left = [...this.#results];
    this.#results.clear();
    this.#sizes?.clear();
    this.#bytes = 0;
    this.#state = "open";
    for (const result of left) this.#drop(result);
  }

  /** False when the one that arrives is to be dropped. */
  #makeRoom(bytes: number): boolean {
    if (this.#overflow === "drop-newest") return this.#fits(bytes);
    if (this.#overflow === "drop-oldest" || this.#state === "lifted") {
      while (!this.#fits(bytes)) this.#dropOldest();
    } else if (this.#state === "blocking") {
      while (this.#results.size >= this.#limit) this.#dropOldest();
    }
    return true; // an open channel takes one more, though it may become larger by it than its bound of bytes
  }

  #fits(bytes: number): boolean {
    if (this.#results.size >= this.#capacity) return false;
    return this.#sizes === undefined || this.#bytes + bytes <= this.#maxBytes;
  }

  #push(result: T, bytes: number): void {
    this.#results.push(result);
    if (this.#sizes !== undefined) {
      this.#sizes.push(bytes);
      this.#bytes += bytes;
    }
    if (this.#overflow === "block" && this.#state === "open") this.#reopen();
  }

  #shift(): T | undefined {
    const result = this.#results.shift();
    if (this.#sizes !== undefined) this.#bytes -= this.#sizes.shift() ?? 0;
    return result;
  }

  #countDelivery(): void {
    this.tally.delivered++;
    this.#total.delivered++;
    if (this.#state !== "open") this.#reopen();
  }

  /** Looks anew at whether it must block. A block that goes on keeps what it may hold. */
  #reopen(): void {
    const isFull = this.#results.size >= this.#capacity || this.#bytes >= this.#maxBytes;
    if (this.#overflow !== "block" || !isFull) {
      this.#state = "open";
    } else if (this.#state !== "blocking") {
      this.#state = "blocking";
      this.#limit = this.#results.size + this.#excess();
    }
  }

  #dropOldest(): void {
    const oldest = this.#shift();
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(result: T): void {
    this.tally.dropped++;
    this.#total.dropped++;
    this.#onDrop(result);
  }
}

export function createResultTally(): ResultTally {
  return { published: 0, delivered: 0, dropped: 0 };
}
