import { SubscriptionLimitError } from "../../errors.js";
import type { Overflow, Subscription } from "../../task/subscription.js";
import type { TaskResult } from "../../task/task-result.js";
import { RingBuffer } from "../collections/ring-buffer.js";
import type { Channel } from "./channel.js";

/** Calls of `next` that may wait at one subscription. */
export const MAX_READERS = 1_000;

type Step = IteratorResult<TaskResult, undefined>;

const END: Step = Object.freeze({ done: true, value: undefined });

/** What rings for a subscription that has blocked for too long without being read: it lets go then. */
export interface BlockAlarm {
  alarmTicket: number;
  ring(): void;
}

export interface ResultSubscriptionParts {
  readonly name: string;
  readonly overflow: Overflow;
  readonly blockTimeoutMs: number;
  readonly maxBytes: number;
  readonly channel: Channel<TaskResult>;
  /** Whether a result is meant for this subscription; undefined for all. It never throws. */
  readonly admits: ((result: TaskResult) => boolean) | undefined;
  /** Told when it begins to block, when it ends that, and of each delivery between. */
  readonly onBlock: (subscription: ResultSubscription, alarm: BlockAlarm) => void;
  readonly onClose: (subscription: ResultSubscription) => void;
}

/**
 * The reading side of a channel. Readers wait only while the channel is empty, so a result that finds one
 * waiting goes straight through. Users hold it, and see nothing on it but what a `Subscription` has.
 */
export class ResultSubscription implements Subscription {
  readonly #parts: ResultSubscriptionParts;
  readonly #channel: Channel<TaskResult>;
  readonly #admits: ((result: TaskResult) => boolean) | undefined;
  readonly #readers = new RingBuffer<(step: Step) => void>();
  readonly #enlist = (resolve: (step: Step) => void) => this.#readers.push(resolve);
  readonly #alarm: BlockAlarm = { alarmTicket: -1, ring: () => this.#lift() };
  #blocking = false;
  #closed = false;

  constructor(parts: ResultSubscriptionParts) {
    this.#parts = parts;
    this.#channel = parts.channel;
    this.#admits = parts.admits;
    this.#followBlock(false); // it may have been filled by a replay
  }

  get name(): string {
    return this.#parts.name;
  }

  get overflow(): Overflow {
    return this.#parts.overflow;
  }

  get blockTimeoutMs(): number {
    return this.#parts.blockTimeoutMs;
  }

  get maxBytes(): number {
    return this.#parts.maxBytes;
  }

  get published(): number {
    return this.#channel.tally.published;
  }

  get delivered(): number {
    return this.#channel.tally.delivered;
  }

  get dropped(): number {
    return this.#channel.tally.dropped;
  }

  get buffered(): number {
    return this.#channel.size;
  }

  get blocking(): boolean {
    return this.#blocking;
  }

  /** @param bytes of the result; 0 where no subscription bounds them */
  publish(result: TaskResult, bytes: number): void {
    if (this.#closed || this.#admits?.(result) === false) return;
    if (this.#closed) return; // by its filter
    if (this.#readers.size > 0) {
      if (this.#channel.pass(result, bytes)) this.#readers.shift()?.({ done: false, value: result });
    } else {
      this.#channel.offer(result, bytes);
      this.#followBlock(false);
    }
  }

  next(): Promise<Step> {
    const value = this.#channel.take();
    if (value !== undefined) {
      this.#followBlock(true);
      return Promise.resolve({ done: false, value });
    }
    if (this.#closed) return Promise.resolve(END);
    if (this.#readers.size < MAX_READERS) return new Promise(this.#enlist);
    const message = `${MAX_READERS} calls of next() wait at the subscription ${this.name} already`;
    return Promise.reject(new SubscriptionLimitError(message, MAX_READERS));
  }

  return(): Promise<Step> {
    this.close();
    this.#channel.clear();
    return Promise.resolve(END);
  }

  async throw(error?: unknown): Promise<Step> {
    await this.return();
    throw error;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.unblock();
    this.#parts.onClose(this);
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift())
      reader(END);
  }

  /** Never blocks again. */
  unblock(): void {
    this.#channel.unblock();
    this.#followBlock(false);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #lift(): void {
    this.#channel.lift();
    this.#followBlock(false);
  }

  #followBlock(delivered: boolean): void {
    const { blocking } = this.#channel;
    if (blocking === this.#blocking && !(blocking && delivered)) return;
    this.#blocking = blocking;
    this.#parts.onBlock(this, this.#alarm);
  }
}
