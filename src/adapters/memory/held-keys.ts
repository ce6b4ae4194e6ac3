import { IndexedHeap } from "../../core/collections/indexed-heap.js";
import type { IdempotencyClaim } from "../../ports/backend.js";

/** An idempotency key and the task that holds it. */
export interface HeldKey {
  readonly scope: string;
  /** Of its task. */
  readonly id: string;
  /** Elapsed time. While its task lives, it is held beyond that too. */
  readonly expiresAt: number;
  readonly onFailure: IdempotencyClaim["onFailure"];
  /** Among those whose tasks have ended; below 0 while its task lives. */
  ticket: number;
}

const LIVE = -1;

/** The one owner of idempotency keys. */
export class HeldKeys {
  readonly #held = new Map<string, HeldKey>();
  readonly #ended = new IndexedHeap<HeldKey>();

  get size(): number {
    return this.#held.size;
  }

  find(scope: string, elapsed: number): HeldKey | undefined {
    const held = this.#held.get(scope);
    if (held === undefined || held.ticket === LIVE || held.expiresAt > elapsed) return held;
    this.release(held);
    return undefined;
  }

  /** A task takes a key that nobody holds. */
  take(scope: string, id: string, { onFailure, ttlMs }: IdempotencyClaim, elapsed: number): HeldKey {
    const held: HeldKey = { scope, id, expiresAt: elapsed + ttlMs, onFailure, ticket: LIVE };
    this.#held.set(scope, held);
    return held;
  }

  /** The task of the key has ended, and does not free it by that. */
  ended(held: HeldKey): void {
    if (this.#held.get(held.scope) !== held || held.ticket !== LIVE) return;
    held.ticket = this.#ended.push(held, held.expiresAt, 0);
  }

  /** The other task that holds the key now. */
  otherHolder({ id, scope }: HeldKey, elapsed: number): string | undefined {
    const holder = this.find(scope, elapsed)?.id;
    return holder === id ? undefined : holder;
  }

  /** The task of the key lives again, and holds it: nobody else does. */
  revived(held: HeldKey): void {
    this.#leaveEnded(held);
    this.#held.set(held.scope, held);
  }

  release(held: HeldKey): void {
    this.#leaveEnded(held);
    if (this.#held.get(held.scope) === held) this.#held.delete(held.scope);
  }

  /** Lets go of what has expired, as far as `steps` go. */
  sweep(elapsed: number, steps: number): void {
    for (let left = steps; left > 0 && this.#ended.topPrimary <= elapsed; left--) {
      const held = this.#ended.peek();
      if (held !== undefined) this.release(held);
    }
  }

  #leaveEnded(held: HeldKey): void {
    if (held.ticket !== LIVE) this.#ended.remove(held.ticket);
    held.ticket = LIVE;
  }
}

/** A key is unique within its queue and handler, neither of which can hold a line break. */
export function keyScope(queue: string, handler: string, { key }: IdempotencyClaim): string {
  return `${queue}\n${handler}\n${key}`;
}
