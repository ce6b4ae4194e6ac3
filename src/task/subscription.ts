import type { TaskResult } from "./task-result.js";

/** What a subscription does with a result for which its buffer has no room. */
export type Overflow = "drop-newest" | "drop-oldest" | "block";

/** Options of a subscription. All are optional; `undefined` means the default. */
export interface SubscribeOptions<R extends TaskResult = TaskResult> {
  /** Label in stats and events: 1 to 128 of `A-Z a-z 0-9 _ . : -`. Default `"subscriber-<n>"`. */
  name?: string | undefined;
  /** Results that wait for the reader, at most: 1 to 1,000,000. Default 1,000. */
  capacity?: number | undefined;
  /**
   * Bytes that wait for the reader, at most. A result counts as the UTF-8 bytes of its value's JSON text; one
   * that is larger by itself, or cannot be measured (a cycle), is dropped whatever `overflow` says. Default:
   * no bound.
   */
  maxBytes?: number | undefined;
  /**
   * When a result does not fit: `"drop-newest"` drops it (default), `"drop-oldest"` drops those that have
   * waited longest. `"block"` starts no attempt in the whole manager while the buffer is full; what runs then
   * goes on, and its results are kept beyond both bounds. Results of tasks that end without running (a
   * thousand cancelled at once) find no room beyond that, and the oldest are dropped.
   */
  overflow?: Overflow | undefined;
  /**
   * With `"block"`: when nothing was read from a full buffer for so long, in milliseconds, tasks start again
   * and the subscription drops the oldest, until its reader takes something. Default 5,000.
   */
  blockTimeoutMs?: number | undefined;
  /**
   * Lets through what it gives true for. One that throws, or gives a promise, lets nothing through and is
   * counted in `stats().observerErrors`.
   */
  filter?: ((result: R) => boolean) | undefined;
  /**
   * Begin with the last results that are retained and that the filter lets through, so many at most, oldest
   * first. Needs the manager's `retention.values`. Default 0.
   */
  replay?: number | undefined;
}

/** What became of results. Each number only grows. */
export interface ResultTally {
  /** Meant for a subscriber: what its filter let through. */
  published: number;
  /** Taken by its reader. */
  delivered: number;
  /** Not kept for want of room, or left behind by a reader that broke off. */
  dropped: number;
}

/**
 * Results of tasks as they end, for one reader or several that share them: each result goes to one of them.
 * At any time `published = delivered + dropped + buffered`.
 *
 * It ends when it is closed or its manager has stopped; what was buffered is still delivered. A loop that is
 * left early ends it too, and drops what was buffered. It does not keep the process alive.
 */
export interface Subscription<R extends TaskResult = TaskResult> extends Disposable, AsyncDisposable {
  readonly name: string;
  readonly published: number;
  readonly delivered: number;
  readonly dropped: number;
  /** Results that wait for the reader. */
  readonly buffered: number;
  /**
   * The next result, as soon as there is one.
   * @throws {SubscriptionLimitError} when 1,000 calls wait already
   */
  next(): Promise<IteratorResult<R, undefined>>;
  /** Ends it and drops what is buffered; a loop that is left early calls this. */
  return(): Promise<IteratorResult<R, undefined>>;
  /** The same, and rejects with the error. */
  throw(error?: unknown): Promise<IteratorResult<R, undefined>>;
  /** Publishes nothing more to it; its reader is given what is buffered, and then the end. */
  close(): void;
  [Symbol.asyncIterator](): Subscription<R>;
}
