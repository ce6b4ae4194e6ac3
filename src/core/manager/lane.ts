import type { Executor } from "../../ports/executor.js";
import type { LaneGate } from "../queue/group.js";

/** The lanes of a manager: the event loop always, threads where a handler runs in them. */
export interface Lanes {
  readonly inline: Lane;
  readonly threads: Lane | undefined;
}

/** By their index. */
export function listLanes({ inline, threads }: Lanes): readonly Lane[] {
  return threads === undefined ? [inline] : [inline, threads];
}

/**
 * The slots of one executor. An attempt that was given up goes on without a slot, so that its neighbours do
 * not suffer, but only `maxAbandoned` may do so at a time: each one more holds a slot back until it ends.
 */
export class Lane implements LaneGate {
  readonly index: number;
  readonly executor: Executor;
  concurrency: number;
  /** Slots in use: a batch of attempts shares one. */
  running = 0;
  /** How often one was taken. */
  taken = 0;
  /** Attempts that were given up and go on all the same. */
  abandoned = 0;
  /** Its pool makes no further slot as yet, and all that it has are in use. */
  full = false;
  readonly #maxAbandoned: number | undefined;

  constructor(index: number, executor: Executor, concurrency: number, maxAbandoned: number | undefined) {
    this.index = index;
    this.executor = executor;
    this.concurrency = concurrency;
    this.#maxAbandoned = maxAbandoned;
  }

  get maxAbandoned(): number {
    return this.#maxAbandoned ?? this.concurrency;
  }

  /** Slots that abandoned attempts hold back. */
  get held(): number {
    return Math.max(0, this.abandoned - this.maxAbandoned);
  }

  get free(): number {
    return Math.max(0, this.concurrency - this.running - this.held);
  }

  get open(): boolean {
    return !this.full && this.concurrency - this.running - this.held > 0;
  }

  /** Its pool is asked again whether it makes one more slot. */
  reconsider(): void {
    this.full = false;
  }

  take(): void {
    this.running++;
    this.taken++;
  }

  giveBack(): void {
    this.running--;
    this.full = false;
  }
}
