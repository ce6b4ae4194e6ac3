import type { Clock } from "../../ports/clock.js";
import type { AsyncContextCarrier } from "../../ports/context-carrier.js";
import { RingBuffer } from "../collections/ring-buffer.js";

/** More than so many do not wait; they are dropped, with a count. */
const MAX_WAITING = 100_000;

/** After so many deliveries in one turn of the event loop, the loop gets its turn. */
const DELIVERIES_PER_TURN = 1_000;

/** The same by time. */
const MAX_TURN_MS = 10;

export interface OutboxParts {
  readonly clock: Clock;
  /** What enters the async context in which the manager was made. */
  readonly carrier: Pick<AsyncContextCarrier, "enter">;
}

/**
 * What is to be told to users' code, in order, but outside the call in which it came up: in a microtask after
 * it, in the async context in which the manager was made. What comes in while something is being delivered
 * waits for the next turn of the event loop, and what is delivered in one turn is bounded, in all microtasks
 * of that turn together: code that answers each delivery by what causes another, at once or after an `await`,
 * keeps neither the loop nor the manager from their work. What that code is too slow for is dropped, the
 * newest first, and counted.
 */
export class Outbox<T> {
  readonly #parts: OutboxParts;
  readonly #deliver: (one: T) => void;
  readonly #onDrop: ((count: number) => void) | undefined;
  readonly #line = new RingBuffer<T>();
  readonly #deliverSoon = () => {
    this.#awake = false;
    this.#deliverSome();
  };
  #awake = false;
  #delivering = false;
  #pushed = 0;
  #dropped = 0;
  #holds = 0;
  /** In this turn of the event loop. */
  #deliveries = 0;
  #turnStartedAt = 0;
  #yielded = false;

  /**
   * @param deliver must not throw
   * @param onDrop told how many will not be delivered; must not throw
   */
  constructor(parts: OutboxParts, deliver: (one: T) => void, onDrop?: (count: number) => void) {
    this.#parts = parts;
    this.#deliver = deliver;
    this.#onDrop = onDrop;
  }

  /** What waits to be delivered. */
  get size(): number {
    return this.#line.size;
  }

  /** What was not delivered, and will not be. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Delivers nothing until the hold is disposed. */
  hold(): Disposable {
    this.#holds++;
    return {
      [Symbol.dispose]: () => {
        this.#holds--;
        if (this.#line.size > 0) this.#wake();
      },
    };
  }

  /** Drops what still waits. */
  close(): void {
    const left = this.#line.size;
    this.#line.clear();
    if (left > 0) this.#drop(left);
  }

  push(one: T): void {
    if (this.#line.size >= MAX_WAITING) {
      this.#drop(1);
      return;
    }
    this.#line.push(one);
    this.#pushed++;
    this.#wake();
  }

  #drop(count: number): void {
    this.#dropped += count;
    this.#onDrop?.(count);
  }

  #wake(): void {
    if (this.#holds > 0 || this.#awake || this.#delivering || this.#yielded) return;
    this.#awake = true;
    queueMicrotask(this.#deliverSoon);
  }

  /** Resolves when all that has been pushed before this call is delivered, or when the time has come. */
  async settled(until = Number.POSITIVE_INFINITY): Promise<void> {
    const { clock } = this.#parts;
    const upTo = this.#pushed;
    while (this.#pushed - this.#line.size < upTo && clock.now() < until)
      await new Promise<void>((resolve) => clock.setImmediate(resolve));
  }

  #deliverSome(): void {
    if (this.#yielded || this.#holds > 0) return;
    this.#beginTurn();
    this.#delivering = true;
    for (let left = this.#line.size; left > 0 && this.#line.size > 0 && !this.#yielded; left--) {
      this.#parts.carrier.enter(undefined, this.#deliver, this.#line.shift() as T);
      this.#countTurn();
    }
    this.#delivering = false;
    if (this.#line.size > 0) this.#yielded = true;
  }

  #beginTurn(): void {
    if (this.#deliveries > 0) return;
    const { clock } = this.#parts;
    this.#turnStartedAt = clock.now();
    clock.setImmediate(() => this.#newTurn());
  }

  #countTurn(): void {
    this.#deliveries++;
    const lastedMs = this.#parts.clock.now() - this.#turnStartedAt;
    this.#yielded = this.#deliveries >= DELIVERIES_PER_TURN || lastedMs >= MAX_TURN_MS;
  }

  #newTurn(): void {
    this.#deliveries = 0;
    if (!this.#yielded) return;
    this.#yielded = false;
    this.#deliverSome();
  }
}
