import type { Overflow } from "../../../src/task/subscription.js";

export interface Held {
  readonly id: number;
  readonly bytes: number;
}

/** What a channel is to do, on plain arrays: written from what is promised, not from the code. */
export class ChannelModel {
  held: Held[] = [];
  readonly delivered: number[] = [];
  readonly dropped: number[] = [];
  published = 0;
  blocking = false;
  #lifted = false;
  #mayBlock: boolean;
  #most = 0;
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #dropsNewest: boolean;

  constructor(capacity: number, maxBytes: number, overflow: Overflow) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
    this.#dropsNewest = overflow === "drop-newest";
    this.#mayBlock = overflow === "block";
  }

  get bytes(): number {
    return this.held.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  offer(one: Held, running: number): void {
    this.published++;
    if (one.bytes > this.#maxBytes) {
      this.dropped.push(one.id);
      return;
    }
    const arrived = [...this.held, one];
    if (this.#mayBlock && !this.#lifted) {
      this.held = this.blocking ? this.#last(arrived, this.#most) : arrived;
      if (!this.blocking && this.#isFull()) this.#block(running);
      return;
    }
    if (!this.#isWithin(arrived) && this.#dropsNewest) {
      this.dropped.push(one.id);
      return;
    }
    let kept = arrived;
    while (!this.#isWithin(kept)) kept = this.#last(kept, kept.length - 1);
    this.held = kept;
  }

  take(running: number): number | undefined {
    const [first, ...rest] = this.held;
    if (first === undefined) return undefined;
    this.held = rest;
    this.delivered.push(first.id);
    if (this.blocking && !this.#isFull()) this.blocking = false;
    if (this.#lifted) {
      this.#lifted = false;
      if (this.#isFull()) this.#block(running);
    }
    return first.id;
  }

  lift(): void {
    if (!this.blocking) return;
    this.blocking = false;
    this.#lifted = true;
    while (!this.#isWithin(this.held)) this.held = this.#last(this.held, this.held.length - 1);
  }

  unblock(): void {
    this.#mayBlock = false;
    this.blocking = false;
    this.#lifted = false;
  }

  clear(): void {
    this.held = this.#last(this.held, 0);
    this.blocking = false;
    this.#lifted = false;
  }

  #block(running: number): void {
    this.blocking = true;
    this.#most = this.held.length + running;
  }

  #isFull(): boolean {
    return this.held.length >= this.#capacity || this.bytes >= this.#maxBytes;
  }

  #isWithin(held: readonly Held[]): boolean {
    const bytes = held.reduce((sum, one) => sum + one.bytes, 0);
    return held.length <= this.#capacity && bytes <= this.#maxBytes;
  }

  /** Drops from the front until so many are left. */
  #last(held: readonly Held[], most: number): Held[] {
    const surplus = Math.max(0, held.length - most);
    this.dropped.push(...held.slice(0, surplus).map(({ id }) => id));
    return held.slice(surplus);
  }
}
