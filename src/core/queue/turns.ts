import { assert } from "../../errors.js";
import { IndexedHeap } from "../collections/indexed-heap.js";
import type { LaneGate } from "./group.js";
import type { TaskQueue } from "./task-queue.js";

/**
 * Whose turn it is: for each lane a heap of the queues that may have something for it, by pass, or in strict
 * mode by share first.
 */
export class Turns {
  readonly #lanes: readonly IndexedHeap<TaskQueue>[];
  readonly #strict: boolean;

  constructor(lanes: readonly LaneGate[], strict: boolean) {
    this.#lanes = lanes.map(() => new IndexedHeap<TaskQueue>());
    this.#strict = strict;
  }

  /** Whether no queue takes turns. */
  get empty(): boolean {
    return this.#lanes.every(({ size }) => size === 0);
  }

  first(lane: LaneGate): TaskQueue | undefined {
    return this.#of(lane).peek();
  }

  has(queue: TaskQueue, lane: LaneGate): boolean {
    return ticketOf(queue, lane) !== -1;
  }

  add(queue: TaskQueue, lane: LaneGate): void {
    queue.tickets[lane.index] = this.#of(lane).push(queue, this.primary(queue), this.secondary(queue));
  }

  remove(queue: TaskQueue, lane: LaneGate): void {
    const ticket = ticketOf(queue, lane);
    if (ticket !== -1) this.#of(lane).remove(ticket);
    queue.tickets[lane.index] = -1;
  }

  /** Puts a queue whose pass has moved where it belongs. */
  place(queue: TaskQueue, lane: LaneGate): void {
    const ticket = ticketOf(queue, lane);
    if (ticket !== -1) this.#of(lane).update(ticket, this.primary(queue), this.secondary(queue));
  }

  primary(queue: TaskQueue): number {
    return this.#strict ? -queue.shape.share : queue.pass;
  }

  secondary(queue: TaskQueue): number {
    return this.#strict ? queue.pass : queue.index;
  }

  goesBefore(one: TaskQueue, other: TaskQueue): boolean {
    const first = this.primary(one) - this.primary(other);
    return first !== 0 ? first < 0 : this.secondary(one) < this.secondary(other);
  }

  #of(lane: LaneGate): IndexedHeap<TaskQueue> {
    const turns = this.#lanes[lane.index];
    assert(turns !== undefined, "each lane has its heap of turns");
    return turns;
  }
}

function ticketOf(queue: TaskQueue, lane: LaneGate): number {
  return queue.tickets[lane.index] ?? -1;
}
