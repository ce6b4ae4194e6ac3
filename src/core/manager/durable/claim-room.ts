import type { ClaimableHandler } from "../../../ports/backend.js";
import type { Clock } from "../../../ports/clock.js";
import type { ClaimNeed, Reservation } from "../../durable/claimer.js";
import type { Limiter } from "../../limiter/limiter.js";
import type { QueueSet } from "../../queue/queue-set.js";
import type { Alarm, Alarms } from "../alarms.js";
import type { Lane } from "../lane.js";

export interface ClaimRoomParts {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly limiter: Limiter;
  readonly queues: QueueSet;
  /** By their index. */
  readonly lanes: readonly Lane[];
  /** What this process can run, and where. */
  readonly handlers: readonly { readonly name: string; readonly lane: number }[];
  /** Whether anything may start at present. */
  readonly isOpen: () => boolean;
  /** There may be room again. */
  readonly onRoom: () => void;
}

/**
 * Says what may be claimed, and keeps it free while a claim is under way: slots, and permits of the shared
 * limit. Where tasks of this process wait as well, the two kinds take turns at the slots.
 */
export class ClaimRoom implements Alarm {
  alarmTicket = -1;
  readonly #parts: ClaimRoomParts;
  /** By lane: whether the last slot that was wanted by both kinds went to a task of this process. */
  readonly #turns: boolean[];

  constructor(parts: ClaimRoomParts) {
    this.#parts = parts;
    this.#turns = parts.lanes.map(() => false);
  }

  /** Permits may have become available. */
  ring(): void {
    this.#parts.onRoom();
  }

  reserve(need: ClaimNeed): Reservation | undefined {
    const { clock, isOpen, queues } = this.#parts;
    const queue = queues.queue(need.queue);
    const now = clock.now();
    if (!isOpen() || !queue.open) return undefined;
    const [handlers, leftOut] = this.#roomOf(now);
    if (need.oneOf !== undefined && !handlers.some(({ name }) => need.oneOf?.includes(name)))
      return undefined;
    const permits = this.#permits(need, now);
    if (permits === 0 || handlers.length === 0) return undefined;
    const slots = this.#slots(handlers, queue.maxConcurrency - queue.running);
    const wanted = slots.reduce((sum, count) => sum + count, 0);
    if (wanted === 0) return undefined;
    return this.#keep(slots, handlers, leftOut, permits, Math.min(permits, Math.max(wanted, need.cost)));
  }

  /** The handlers that may run more, and the names of those that may not. */
  #roomOf(now: number): [ClaimableHandler[], string[]] {
    const { handlers, limiter, queues } = this.#parts;
    const roomy: ClaimableHandler[] = [];
    const leftOut: string[] = [];
    for (const { name, lane } of handlers) {
      const gate = queues.handler(name);
      const free = gate === undefined ? Number.POSITIVE_INFINITY : gate.maxConcurrency - gate.running;
      const room = Math.min(free, Math.floor(limiter.handlers.available(name, now)));
      if (room > 0 && this.#parts.lanes[lane]?.open === true) roomy.push({ name, lane, room });
      else leftOut.push(name);
    }
    return [roomy, leftOut];
  }

  /** 0 where there are too few; then it is looked again when there are enough. */
  #permits({ queue, cost }: ClaimNeed, now: number): number {
    const { alarms, limiter } = this.#parts;
    const waitMs = Math.max(limiter.sharedWaitMs(cost, now), limiter.queues.waitMs(queue, cost, now));
    if (waitMs > 0) {
      alarms.set(this, now + waitMs);
      return 0;
    }
    const available = Math.min(limiter.available(now), limiter.queues.available(queue, now));
    return Math.max(cost, Math.floor(available)); // what costs more than a burst takes the whole burst
  }

  /** Free slots by lane: half of them where tasks of this process wait for them too. */
  #slots(handlers: readonly ClaimableHandler[], most: number): number[] {
    const { lanes, queues } = this.#parts;
    let left = most;
    return lanes.map((lane) => {
      if (!lane.open || !handlers.some((handler) => handler.lane === lane.index)) return 0;
      const count = Math.min(left, queues.hasEligible(lane) ? this.#half(lane) : lane.free);
      left -= count;
      return count;
    });
  }

  #half({ free, index }: Lane): number {
    const carry = this.#turns[index] ? 1 : 0;
    this.#turns[index] = (free + carry) % 2 === 1;
    return Math.floor((free + carry) / 2);
  }

  #keep(
    slots: readonly number[],
    handlers: readonly ClaimableHandler[],
    leftOut: readonly string[],
    permits: number,
    taken: number,
  ): Reservation {
    const { clock, lanes, limiter } = this.#parts;
    const takenAt = clock.now();
    for (const lane of lanes) lane.running += slots[lane.index] ?? 0;
    limiter.reserve(taken, takenAt);
    const release = () => {
      for (const lane of lanes) lane.running -= slots[lane.index] ?? 0;
      limiter.unreserve(taken, takenAt, clock.now());
    };
    return {
      handlers,
      slots,
      permits: permits === Number.POSITIVE_INFINITY ? permits : taken,
      leftOut,
      release,
    };
  }
}
