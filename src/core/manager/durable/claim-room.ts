import type { ClaimableHandler } from "../../../ports/backend.js";
import type { Clock } from "../../../ports/clock.js";
import type { ClaimNeed, Reservation } from "../../durable/claimer.js";
import type { HeldLease } from "../../durable/held-lease.js";
import type { Limiter } from "../../limiter/limiter.js";
import { type Gate, LIMITED } from "../../queue/gate.js";
import type { QueueSet } from "../../queue/queue-set.js";
import type { Alarm, Alarms } from "../alarms.js";
import type { Lane } from "../lane.js";
import { Contest } from "./contest.js";
import { KeptRoom } from "./kept-room.js";

/** A handler of this process. */
export interface RunnableHandler {
  readonly name: string;
  /** Index of the lane in which it runs. */
  readonly lane: number;
  /** What its tasks cost where they do not say. */
  readonly cost: number;
}

export interface ClaimRoomParts {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly limiter: Limiter;
  readonly queues: QueueSet;
  /** By their index. */
  readonly lanes: readonly Lane[];
  /** What this process can run, and where. */
  readonly handlers: readonly RunnableHandler[];
  /** Whether anything may start at present. */
  readonly isOpen: () => boolean;
  /** There may be room again. */
  readonly onRoom: () => void;
}

/** Handlers that may run more, and the names of those that may not. */
interface Rooms {
  readonly handlers: ClaimableHandler[];
  readonly leftOut: string[];
}

/**
 * Says what may be claimed, and keeps it free while a claim is under way: slots, and permits of each limit
 * that applies. Where tasks of this process wait as well, the two kinds take turns.
 */
export class ClaimRoom implements Alarm {
  alarmTicket = -1;
  readonly #parts: ClaimRoomParts;
  /** By lane. */
  readonly #lanes: readonly Contest[];
  readonly #handlers = new Map<string, Contest>();
  /** What the last task of a handler cost that was claimed: the next one is taken to cost as much. */
  readonly #costs = new Map<string, number>();
  #ringsAt = Number.POSITIVE_INFINITY;

  constructor(parts: ClaimRoomParts) {
    this.#parts = parts;
    this.#lanes = parts.lanes.map(() => new Contest());
    for (const { name, cost } of parts.handlers) {
      this.#handlers.set(name, new Contest());
      this.#costs.set(name, cost);
    }
  }

  /** Permits may have become available. */
  ring(): void {
    this.#ringsAt = Number.POSITIVE_INFINITY;
    this.#parts.onRoom();
  }

  /** A look at all queues begins. */
  nextRound(): void {
    for (const contest of this.#lanes) contest.nextRound();
    for (const contest of this.#handlers.values()) contest.nextRound();
  }

  reserve(need: ClaimNeed): Reservation | undefined {
    const { clock, isOpen, queues } = this.#parts;
    const queue = queues.queue(need.queue);
    const now = clock.now();
    if (!isOpen() || !queue.isOpenWithout(LIMITED)) return undefined;
    const permits = this.#permits(need, now);
    if (permits === 0) return undefined;
    const rooms = this.#roomOf(now, need.oneOf);
    const slots = this.#slots(rooms.handlers, Math.min(queue.free, Math.floor(permits / need.cost)));
    const { handlers, leftOut } = withSlots(rooms, slots);
    if (handlers.length === 0) return undefined;
    const wanted = slots.reduce((sum, count) => sum + count, 0);
    const taken = Math.min(permits, Math.max(wanted, need.cost));
    const kept = new KeptRoom(this.#parts, now);
    kept.keepSlots(slots);
    kept.keepQueue(queue, Math.min(wanted, queue.free), taken);
    for (const { name, room } of handlers) kept.keepHandler(name, Math.min(room, wanted), this.#costOf(name));
    return {
      handlers,
      slots,
      leftOut,
      permits: permits === Number.POSITIVE_INFINITY ? permits : taken,
      release: () => kept.release(),
    };
  }

  /** Whether a claimed task may start now in this lane. */
  admits({ queue, task: { cost, handler } }: HeldLease, lane: Lane): boolean {
    const { clock, isOpen, limiter, queues } = this.#parts;
    const now = clock.now();
    this.#costs.set(handler, cost);
    if (!isOpen() || !lane.open) return false;
    // What lacks permits for a task of this process may have enough for this one: they are asked for below.
    for (const gate of [queues.queue(queue), queues.handler(handler)])
      if (gate?.isOpenWithout(LIMITED) === false) return false;
    if (limiter.sharedWaitMs(cost, now) > 0 || limiter.queues.waitMs(queue, cost, now) > 0) return false;
    return limiter.handlers.waitMs(handler, cost, now) === 0;
  }

  #costOf(handler: string): number {
    return this.#costs.get(handler) ?? 1;
  }

  #roomOf(now: number, oneOf: readonly string[] | undefined): Rooms {
    const rooms: Rooms = { handlers: [], leftOut: [] };
    for (const { name, lane } of this.#parts.handlers) {
      if (oneOf?.includes(name) === false) continue;
      const room = this.#parts.lanes[lane]?.open === true ? this.#handlerRoom(name, now) : 0;
      if (room > 0) rooms.handlers.push({ name, lane, room });
      else rooms.leftOut.push(name);
    }
    return rooms;
  }

  /** How many tasks of a handler its own limits allow; where only permits are missing, it looks again. */
  #handlerRoom(name: string, now: number): number {
    const { limiter, queues } = this.#parts;
    const gate = queues.handler(name);
    const free = gate?.free ?? Number.POSITIVE_INFINITY;
    if (free === 0) return 0;
    const cost = this.#costOf(name);
    const waitMs = limiter.handlers.waitMs(name, cost, now);
    if (waitMs > 0) {
      this.#lookAgain(now + waitMs);
      return 0;
    }
    // What costs more than a burst takes the whole burst.
    const affordable = Math.max(1, Math.floor(limiter.handlers.available(name, now) / cost));
    const room = Math.min(free, affordable);
    return room < Number.POSITIVE_INFINITY && isWanted(gate) ? this.#share(name, room) : room;
  }

  #share(name: string, room: number): number {
    return this.#handlers.get(name)?.share(room) ?? room;
  }

  /** 0 where there are too few; then it is looked again when there are enough. */
  #permits({ queue, cost }: ClaimNeed, now: number): number {
    const { limiter } = this.#parts;
    const waitMs = Math.max(limiter.sharedWaitMs(cost, now), limiter.queues.waitMs(queue, cost, now));
    if (waitMs > 0) {
      this.#lookAgain(now + waitMs);
      return 0;
    }
    const available = Math.min(limiter.available(now), limiter.queues.available(queue, now));
    return Math.max(cost, Math.floor(available)); // what costs more than a burst takes the whole burst
  }

  /** One alarm for all that time alone brings: it rings for the first of it. */
  #lookAgain(at: number): void {
    if (at >= this.#ringsAt) return;
    this.#ringsAt = at;
    this.#parts.alarms.set(this, at);
  }

  /** Free slots by lane, as far as there may be so many starts. */
  #slots(handlers: readonly ClaimableHandler[], most: number): number[] {
    const { lanes, queues } = this.#parts;
    let left = most;
    return lanes.map((lane) => {
      if (!lane.open || !handlers.some((handler) => handler.lane === lane.index)) return 0;
      const free = Math.min(left, lane.free);
      const count = queues.hasEligible(lane) ? (this.#lanes[lane.index]?.share(free) ?? free) : free;
      left -= count;
      return count;
    });
  }
}

/** Whether tasks of this process may want it, too. */
function isWanted(gate: Gate | undefined): boolean {
  return gate !== undefined && gate.waiting > 0;
}

/** A lane whose free slots are all left to tasks of this process has none for its handlers. */
function withSlots({ handlers, leftOut }: Rooms, slots: readonly number[]): Rooms {
  const hasSlot = ({ lane }: ClaimableHandler) => (slots[lane] ?? 0) > 0;
  if (handlers.every(hasSlot)) return { handlers, leftOut };
  const without = handlers.filter((handler) => !hasSlot(handler)).map(({ name }) => name);
  return { handlers: handlers.filter(hasSlot), leftOut: [...leftOut, ...without] };
}
