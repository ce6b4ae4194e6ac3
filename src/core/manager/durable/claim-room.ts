import type { ClaimableHandler } from "../../../ports/backend.js";
import type { Clock } from "../../../ports/clock.js";
import type { ClaimNeed, Reservation } from "../../durable/claim-host.js";
import type { HeldLease } from "../../durable/held-lease.js";
import type { Limiter } from "../../limiter/limiter.js";
import type { TokenBucket } from "../../limiter/token-bucket.js";
import { type Gate, LIMITED } from "../../queue/gate.js";
import type { QueueSet } from "../../queue/queue-set.js";
import type { TaskQueue } from "../../queue/task-queue.js";
import type { Alarm, Alarms } from "../alarms.js";
import type { Lane } from "../lane.js";
import { type Contested, Contests } from "./contest.js";
import { KeptRoom } from "./kept-room.js";
import { KeptTurns } from "./kept-turns.js";
import type { RunnableHandler } from "./runnable-handlers.js";

/** An instant that is reckoned in two ways may differ by so much: nobody is to look again as soon as that. */
const ROUNDING_MS = 0.001;

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
  /** Whether a task of this process lacks nothing but permits that all share. */
  readonly isLimited: () => boolean;
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
  isExact = false;
  readonly #parts: ClaimRoomParts;
  readonly #contests = new Contests();
  readonly #keptTurns: KeptTurns;
  /** The present round: when it is, what may be claimed, and whether there is a slot for any of it. */
  #now = 0;
  #needs: readonly ClaimNeed[] = [];
  #hasSlots = false;
  /** What the round has made a claim for, and which handlers it left out. */
  #claimed: { readonly need: ClaimNeed; readonly leftOut: readonly string[] } | undefined = undefined;
  /** What the last task of a handler cost that was claimed: the next one is taken to cost as much. */
  readonly #costs = new Map<string, number>();
  #ringsAt = Number.POSITIVE_INFINITY;

  constructor(parts: ClaimRoomParts) {
    this.#parts = parts;
    this.#keptTurns = new KeptTurns({
      ...{ ...parts, contests: this.#contests },
      costOf: (handler) => this.#costOf(handler),
    });
    for (const { name, cost } of parts.handlers) this.#costs.set(name, cost);
  }

  /** Permits may have become available, or a turn is over that nobody has used. */
  ring(): void {
    this.#ringsAt = Number.POSITIVE_INFINITY;
    if (this.#keptTurns.until <= this.#parts.clock.now()) this.#keptTurns.letGo();
    else this.#lookAgain(this.#keptTurns.until);
    this.#parts.onRoom();
  }

  beginRound(needs: readonly ClaimNeed[]): void {
    const { clock, isOpen, lanes } = this.#parts;
    this.#keptTurns.letGo();
    this.#now = clock.now();
    this.#contests.nextRound(this.#now);
    this.#needs = needs;
    this.#hasSlots = isOpen() && lanes.some(({ open }) => open);
    this.#claimed = undefined;
  }

  endRound(): void {
    const claimed = this.#claimed;
    const needs = this.#needs.map((need) =>
      need === claimed?.need ? { ...need, oneOf: claimed.leftOut } : need,
    );
    if (this.#keptTurns.keep(needs, this.#now)) this.#parts.onRoom();
    this.#lookAgain(this.#contests.firstLapseAt);
  }

  /** A claimed task starts: it is about to take its places, its slot and its permits. */
  starts({ queue, task: { cost, handler } }: HeldLease, lane: Lane): void {
    const { clock, limiter, queues } = this.#parts;
    const now = clock.now();
    for (const place of [lane, queues.queue(queue), queues.handler(handler)])
      if (place !== undefined) this.#contests.takes(place, now);
    for (const bucket of [limiter.shared, limiter.queues.bucket(queue), limiter.handlers.bucket(handler)])
      if (bucket !== undefined) this.#contests.takes(bucket, now, Math.min(cost, bucket.burst));
  }

  reserve(need: ClaimNeed): Reservation | undefined {
    if (!this.#hasSlots) return undefined;
    const now = this.#now;
    const queue = this.#parts.queues.queue(need.queue);
    if (!queue.admits) return undefined;
    const permits = this.#permits(need, now);
    if (permits === 0) return undefined;
    const rooms = this.#roomOf(need, now);
    const most = Math.min(this.#shareOfPermits(need, now), this.#shareOfQueue(queue, need, now));
    const slots = this.#slots(rooms.handlers, most);
    const { handlers, leftOut } = withSlots(rooms, slots);
    if (handlers.length === 0) return undefined;
    const wanted = slots.reduce((sum, count) => sum + count, 0);
    const taken = Math.min(permits, Math.max(wanted, need.cost));
    const kept = new KeptRoom(this.#parts, now);
    kept.keepSlots(slots);
    kept.keepQueue(queue, Math.min(wanted, queue.free), taken);
    for (const { name, room } of handlers) kept.keepHandler(name, Math.min(room, wanted), this.#costOf(name));
    this.#noteClaim(need, queue, { handlers, leftOut }, slots);
    return {
      handlers,
      slots,
      leftOut,
      permits: permits === Number.POSITIVE_INFINITY ? permits : taken,
      readyAt: (names) => kept.renewPermits((at) => this.#readyAt(need, names, at)),
      release: () => {
        this.#keptTurns.letGo(); // or what has been claimed would find no room for it
        kept.release();
        this.#parts.onRoom();
      },
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
      if (gate?.admits === false) return false;
    return limiter.queueWaitMs(queue, cost, now) === 0 && limiter.handlers.waitMs(handler, cost, now) === 0;
  }

  #costOf(handler: string): number {
    return this.#costs.get(handler) ?? 1;
  }

  #roomOf({ leadMs, oneOf }: ClaimNeed, now: number): Rooms {
    const rooms: Rooms = { handlers: [], leftOut: [] };
    for (const { name, lane } of this.#parts.handlers) {
      if (oneOf?.includes(name) === false) continue;
      const room = this.#parts.lanes[lane]?.open === true ? this.#handlerRoom(name, leadMs, now) : 0;
      if (room > 0) rooms.handlers.push({ name, lane, room });
      else rooms.leftOut.push(name);
    }
    return rooms;
  }

  /** How many tasks of a handler its own limits allow; where only permits are missing, it looks again. */
  #handlerRoom(name: string, leadMs: number, now: number): number {
    const { limiter, queues } = this.#parts;
    const gate = queues.handler(name);
    if (gate?.free === 0) return 0;
    const cost = this.#costOf(name);
    const mayLead = limiter.handlers.losesBy(name, leadMs, cost);
    if (this.#isTooEarly(limiter.handlers.waitMs(name, cost, now), mayLead ? leadMs : 0, now)) return 0;
    const affordable = toStarts(limiter.handlers.available(name, now), cost);
    return gate === undefined ? affordable : this.#shareOf(gate, limiter.handlers.bucket(name), affordable);
  }

  /** How many starts of a queue or a handler durable tasks may have, if there are permits for so many. */
  #shareOf(gate: Gate, bucket: TokenBucket | undefined, affordable: number): number {
    if (gate.waiting === 0) return Math.min(gate.free, affordable);
    const places = gate.hasPlaces ? this.#contests.share(gate, gate.free) : gate.free;
    if (bucket === undefined) return Math.min(places, affordable);
    return Math.min(places, this.#contests.share(bucket, affordable, gate.isClosedBy(LIMITED)));
  }

  #shareOfQueue(queue: TaskQueue, { cost }: ClaimNeed, now: number): number {
    const { queues } = this.#parts.limiter;
    return this.#shareOf(queue, queues.bucket(queue.name), toStarts(queues.available(queue.name, now), cost));
  }

  #shareOfPermits({ cost }: ClaimNeed, now: number): number {
    const { isLimited, lanes, limiter, queues } = this.#parts;
    const starts = toStarts(limiter.available(now), cost);
    const isContested = starts < Number.POSITIVE_INFINITY && lanes.some((lane) => queues.hasEligible(lane));
    return isContested ? this.#contests.share(limiter.shared, starts, isLimited()) : starts;
  }

  /** What this claim is made with, durable tasks have had their turn at, unless other queues want it, too. */
  #noteClaim(need: ClaimNeed, queue: TaskQueue, rooms: Rooms, slots: readonly number[]): void {
    const { lanes, limiter, queues } = this.#parts;
    this.#claimed = { need, leftOut: rooms.leftOut };
    const others = this.#needs.filter((other) => other !== need);
    const leftOut = new Set(others.flatMap(({ oneOf = [] }) => oneOf));
    const note = (all: readonly (Contested | undefined)[], isLast: boolean) => {
      for (const one of all) if (one !== undefined) this.#contests.claimed(one, isLast);
    };
    note([queue, limiter.queues.bucket(queue.name)], true);
    for (const { name } of rooms.handlers)
      note([queues.handler(name), limiter.handlers.bucket(name)], !leftOut.has(name));
    note([limiter.shared, ...lanes.filter(({ index }) => slots[index] !== 0)], others.length === 0);
  }

  /** 0 where there are too few; then it is looked again when there are enough. */
  #permits({ cost, leadMs, queue }: ClaimNeed, now: number): number {
    const { limiter } = this.#parts;
    const mayLead = limiter.shared.losesBy(leadMs, cost) || limiter.queues.losesBy(queue, leadMs, cost);
    if (this.#isTooEarly(limiter.queueWaitMs(queue, cost, now), mayLead ? leadMs : 0, now)) return 0;
    const available = Math.min(limiter.available(now), limiter.queues.available(queue, now));
    return Math.max(cost, Math.floor(available)); // what costs more than a burst takes the whole burst
  }

  /** Whether permits are too far away for a claim; then it is looked again in time. */
  #isTooEarly(waitMs: number, leadMs: number, now: number): boolean {
    if (waitMs <= leadMs + ROUNDING_MS) return false;
    this.#lookAgain(now + waitMs - leadMs, leadMs > 0);
    return true;
  }

  #readyAt({ cost, queue }: ClaimNeed, names: readonly string[], now: number): number {
    const { limiter } = this.#parts;
    const waits = names.map((name) => limiter.handlers.waitMs(name, this.#costOf(name), now));
    return now + Math.max(limiter.queueWaitMs(queue, cost, now), ...waits);
  }

  /** One alarm for all that time alone brings: it rings for the first of it. */
  #lookAgain(at: number, isExact = false): void {
    if (at >= this.#ringsAt) return;
    this.#ringsAt = at;
    this.isExact = isExact;
    this.#parts.alarms.set(this, at);
  }

  /** Free slots by lane, as far as there may be so many starts. */
  #slots(handlers: readonly ClaimableHandler[], most: number): number[] {
    const { lanes, queues } = this.#parts;
    let left = most;
    return lanes.map((lane) => {
      const room = handlers.reduce((sum, one) => (one.lane === lane.index ? sum + one.room : sum), 0);
      if (!lane.open || room === 0) return 0;
      const free = queues.hasEligible(lane) ? this.#contests.share(lane, lane.free) : lane.free;
      const count = Math.min(left, free, room);
      left -= count;
      return count;
    });
  }
}

/** What costs more than a burst takes the whole burst. */
function toStarts(permits: number, cost: number): number {
  return Math.max(1, Math.floor(permits / cost));
}

/** A lane whose free slots are all left to tasks of this process has none for its handlers. */
function withSlots({ handlers, leftOut }: Rooms, slots: readonly number[]): Rooms {
  const hasSlot = ({ lane }: ClaimableHandler) => (slots[lane] ?? 0) > 0;
  if (handlers.every(hasSlot)) return { handlers, leftOut };
  const without = handlers.filter((handler) => !hasSlot(handler)).map(({ name }) => name);
  return { handlers: handlers.filter(hasSlot), leftOut: [...leftOut, ...without] };
}
