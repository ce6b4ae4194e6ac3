import { Gate } from "./gate.js";
import type { Group } from "./group.js";

/** What is configured for one named queue, as far as waiting is concerned. */
export interface QueueShape {
  /** Turns among queues. */
  readonly share: number;
  readonly maxConcurrency: number;
}

export const DEFAULT_SHAPE: QueueShape = Object.freeze({
  share: 1,
  maxConcurrency: Number.POSITIVE_INFINITY,
});

/** One named queue: its groups, what holds it closed, and its place in the turns of the queue set. */
export class TaskQueue extends Gate {
  readonly shape: QueueShape;
  /** Named in the options: never forgotten. */
  readonly configured: boolean;
  /** Order of creation, which breaks ties between queues. */
  readonly index: number;
  readonly groups: Group<TaskQueue>[] = [];
  /** Its tickets in the heaps of the lanes, by lane; -1 where it is in none. */
  readonly tickets: number[];
  idleTicket = -1;
  /** Virtual time from which its turns are counted, and how many it has had since. */
  #joinedAt = 0;
  #turns = 0;
  /** A turn has been counted that no task had which waits here. */
  #owes = false;

  constructor(name: string, index: number, lanes: number, shape?: QueueShape) {
    super(name, shape?.maxConcurrency);
    this.index = index;
    this.configured = shape !== undefined;
    this.shape = shape ?? DEFAULT_SHAPE;
    this.tickets = new Array<number>(lanes).fill(-1);
  }

  /**
   * Virtual time of its next turn (stride scheduling). It is counted, not summed up: fractions such as 1/9
   * would drift, and queues that are due at the same time would not come in the same order each time.
   */
  get pass(): number {
    return this.#joinedAt + this.#turns / this.shape.share;
  }

  /** Turns from before that time are not owed to it. */
  joinAt(virtualTime: number): void {
    if (this.pass >= virtualTime) return;
    this.#joinedAt = virtualTime;
    this.#turns = 0;
  }

  /** A task that waited here has had its turn. */
  countTurn(): void {
    this.#turns++;
    this.#owes = false;
  }

  /**
   * A task has started that has not waited here. Between two turns one of these counts, or those that wait
   * would never have any where as many come from elsewhere as there are turns.
   */
  countTurnElsewhere(): void {
    if (!this.#owes) this.#turns++;
    this.#owes = true;
  }

  /** Nothing would be lost if this queue were made anew at its next use, but for its place in the turns. */
  get forgettable(): boolean {
    return !this.configured && this.waiting === 0 && this.running === 0 && this.open;
  }
}

/** A group of a named queue. */
export type QueueGroup = Group<TaskQueue>;
