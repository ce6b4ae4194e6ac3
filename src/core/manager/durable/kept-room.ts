import type { Limiter } from "../../limiter/limiter.js";
import type { TokenBucket } from "../../limiter/token-bucket.js";
import { FULL, KEPT } from "../../queue/gate.js";
import type { HandlerGate } from "../../queue/handler-gate.js";
import type { QueueSet } from "../../queue/queue-set.js";
import type { QueueGroup, TaskQueue } from "../../queue/task-queue.js";
import type { Lane } from "../lane.js";

export interface KeptRoomParts {
  readonly limiter: Limiter;
  readonly queues: QueueSet;
  readonly lanes: readonly Lane[];
  readonly clock: { now(): number };
}

/** What is kept free for one claim, until it has been answered. */
export class KeptRoom {
  readonly #parts: KeptRoomParts;
  /** Undoes what is kept of slots, places and gates. */
  readonly #undo: (() => void)[] = [];
  readonly #permits: { readonly bucket: TokenBucket; readonly count: number }[] = [];
  #takenAt: number;
  #hasPermits = true;

  constructor(parts: KeptRoomParts, now: number) {
    this.#parts = parts;
    this.#takenAt = now;
  }

  /** @param slots by lane */
  keepSlots(slots: readonly number[]): void {
    const { lanes } = this.#parts;
    for (const lane of lanes) lane.running += slots[lane.index] ?? 0;
    this.#undo.push(() => {
      for (const lane of lanes) lane.running -= slots[lane.index] ?? 0;
    });
  }

  /** Room in a queue, and permits of its own limit and of the shared one. */
  keepQueue(queue: TaskQueue, count: number, permits: number): void {
    const { queues, shared } = this.#parts.limiter;
    this.keepPlaces(queue, count);
    this.#keepPermits(shared, permits);
    this.#keepPermits(queues.bucket(queue.name), permits);
  }

  /** All that there is of the permits that all share. */
  keepShared(): void {
    const { shared } = this.#parts.limiter;
    const permits = shared.available(this.#takenAt);
    if (permits < Number.POSITIVE_INFINITY) this.#keepPermits(shared, permits);
  }

  /** Room for tasks of a handler, as far as it has limits of its own. */
  keepHandler(name: string, count: number, cost: number): void {
    const { limiter, queues } = this.#parts;
    const gate = queues.handler(name);
    if (gate !== undefined) this.keepPlaces(gate, count);
    this.#keepPermits(limiter.handlers.bucket(name), count * cost);
  }

  /** Looks at permits as if none were kept, at what the others have taken meanwhile; then keeps them anew. */
  renewPermits<T>(look: (now: number) => T): T {
    const now = this.#parts.clock.now();
    this.#giveBack(now);
    const seen = look(now);
    for (const { bucket, count } of this.#permits) bucket.reserve(count, now);
    this.#takenAt = now;
    this.#hasPermits = true;
    return seen;
  }

  release(): void {
    this.#giveBack(this.#parts.clock.now());
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** Whatever it has next, room or permits, no task of this process has it. */
  keepClosed(gate: TaskQueue | HandlerGate<QueueGroup>): void {
    gate.close(KEPT);
    this.#undo.push(() => this.#parts.queues.open(gate, KEPT));
  }

  keepPlaces(gate: TaskQueue | HandlerGate<QueueGroup>, count: number): void {
    if (!gate.hasPlaces) return;
    gate.keep(count);
    this.#undo.push(() => {
      if (gate.letGo(count)) this.#parts.queues.open(gate, FULL);
    });
  }

  #keepPermits(bucket: TokenBucket | undefined, permits: number): void {
    if (bucket === undefined) return;
    bucket.reserve(permits, this.#takenAt);
    this.#permits.push({ bucket, count: permits });
  }

  #giveBack(now: number): void {
    if (this.#hasPermits)
      for (const { bucket, count } of this.#permits) bucket.giveBack(count, this.#takenAt, now);
    this.#hasPermits = false;
  }
}
