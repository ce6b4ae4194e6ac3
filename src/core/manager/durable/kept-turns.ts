import type { ClaimNeed } from "../../durable/claim-host.js";
import { PAUSED } from "../../queue/gate.js";
import type { HandlerGate } from "../../queue/handler-gate.js";
import { type QueueGroup, TaskQueue } from "../../queue/task-queue.js";
import type { Lane } from "../lane.js";
import { type Contested, type Contests, TURN_MS } from "./contest.js";
import { KeptRoom, type KeptRoomParts } from "./kept-room.js";

export interface KeptTurnsParts extends KeptRoomParts {
  /** What this process can run, and the index of the lane for it. */
  readonly handlers: readonly { readonly name: string; readonly lane: number }[];
  readonly contests: Contests;
  /** What the next task of a handler is taken to cost. */
  readonly costOf: (handler: string) => number;
}

type OwnGate = TaskQueue | HandlerGate<QueueGroup>;

/** What both kinds want, and how the next one of it is kept. */
interface Scarce {
  readonly contested: Contested;
  /** Whether one could have it now. */
  readonly isFree: boolean;
  readonly keep: (room: KeptRoom) => void;
}

/**
 * What a round of claims could not have is kept for the next one, where it is the turn of a durable task: the
 * next place of a queue or a handler, the next slot of a lane, and permits. Without that, a task of this
 * process takes each one that becomes free while a claim for something else is under way, and that may be
 * always; and one that costs little takes each permit before there are enough for one that costs more.
 */
export class KeptTurns {
  readonly #parts: KeptTurnsParts;
  /** What was kept since the last round, and the room of it, until that is let go. */
  #scarce: readonly Contested[] = [];
  #kept: KeptRoom | undefined = undefined;
  #until = Number.POSITIVE_INFINITY;

  constructor(parts: KeptTurnsParts) {
    this.#parts = parts;
  }

  /** From when on it is to be let go, even if no round begins; Infinity where nothing is kept. */
  get until(): number {
    return this.#until;
  }

  letGo(): void {
    this.#kept?.release();
    this.#kept = undefined;
    this.#until = Number.POSITIVE_INFINITY;
  }

  /**
   * A round is over; what was kept until then has been let go.
   * @returns whether some of that is not kept any longer, so that others may have it
   */
  keep(needs: readonly ClaimNeed[], now: number): boolean {
    const { contests } = this.#parts;
    const kept = this.#listWanted(needs, now).filter(({ contested, isFree }) =>
      contests.keeps(contested, isFree),
    );
    const scarce = kept.map(({ contested }) => contested);
    const isFreed = this.#scarce.some((one) => !scarce.includes(one));
    this.#scarce = scarce;
    this.#until = Math.min(...scarce.map((one) => contests.lapsesAt(one)));
    if (kept.length === 0) return isFreed;
    this.#kept = new KeptRoom(this.#parts, now);
    for (const { keep } of kept) keep(this.#kept);
    return isFreed;
  }

  /**
   * What durable tasks could have next by all other turns. Of those whose queue is at its turn for them, and
   * whose handler is not, nothing is kept: nobody would have it, the others neither.
   */
  #listWanted(all: readonly ClaimNeed[], now: number): readonly Scarce[] {
    const { contests, costOf, handlers, lanes, limiter, queues } = this.#parts;
    const needs = all.filter(({ queue }) => this.#mayOpen(queue));
    if (needs.length === 0) return [];
    const shared = this.#listSharedPermits(needs, now);
    if (!this.#areDurables(shared)) return [];
    const ofOthers = lanes.map((lane) => this.#isScarce(lane) && !contests.isDurables(lane));
    const runnable = handlers
      .filter(({ lane }) => !ofOthers[lane])
      .map((handler) => ({
        ...handler,
        scarce: this.#listOf(queues.handler(handler.name), costOf(handler.name), now),
      }))
      .filter(({ scarce }) => this.#areDurables(scarce));
    const names = new Set(runnable.map(({ name }) => name));
    const open = needs
      .map((need) => ({ ...need, scarce: this.#listOf(queues.known(need.queue), need.cost, now) }))
      .filter(({ scarce }) => this.#areDurables(scarce))
      .filter(({ oneOf }) => (oneOf === undefined ? names.size > 0 : oneOf.some((name) => names.has(name))));
    const soon = open.filter(({ cost, queue }) => limiter.queueWaitMs(queue, cost, now) < TURN_MS);
    const isAny = soon.some(({ oneOf }) => oneOf === undefined);
    const soonNames = new Set(soon.flatMap(({ oneOf = [] }) => oneOf));
    const wanted = isAny ? runnable : runnable.filter(({ name }) => soonNames.has(name));
    return [
      ...this.#listSlots(wanted.filter(({ name }) => this.#mayStart(name, now))),
      ...shared,
      ...[...open, ...wanted].flatMap(({ scarce }) => scarce),
    ];
  }

  /** Whether it is the turn of durable tasks at all of these. */
  #areDurables(scarce: readonly Scarce[]): boolean {
    return scarce.every(({ contested }) => this.#parts.contests.isDurables(contested));
  }

  /** Those that are free are so for want of something else, and others may have them. */
  #listSlots(wanted: KeptTurnsParts["handlers"]): readonly Scarce[] {
    const { lanes } = this.#parts;
    const isWanted = (index: number) => wanted.some((handler) => handler.lane === index);
    return lanes
      .filter((lane) => isWanted(lane.index) && this.#isScarce(lane))
      .map((lane) => {
        const slots = lanes.map((one) => (one === lane ? 1 : 0));
        return { contested: lane, isFree: false, keep: (room) => room.keepSlots(slots) };
      });
  }

  #isScarce(lane: Lane): boolean {
    return lane.free === 0 && this.#parts.queues.hasEligible(lane);
  }

  #listSharedPermits(needs: readonly ClaimNeed[], now: number): readonly Scarce[] {
    const { lanes, limiter, queues } = this.#parts;
    const isLacking = needs.some(({ cost }) => limiter.sharedWaitMs(cost, now) > 0);
    if (!isLacking || !lanes.some((lane) => queues.hasEligible(lane))) return [];
    return [{ contested: limiter.shared, isFree: false, keep: (room) => room.keepShared() }];
  }

  /** Places and permits of a queue or a handler. Permits that are saved up are free for nobody. */
  #listOf(gate: OwnGate | undefined, cost: number, now: number): readonly Scarce[] {
    if (gate === undefined || gate.waiting === 0) return [];
    const { limiter } = this.#parts;
    const limits = gate instanceof TaskQueue ? limiter.queues : limiter.handlers;
    const bucket = limits.bucket(gate.name);
    const isAffordable = limiter.sharedWaitMs(cost, now) === 0 && limits.waitMs(gate.name, cost, now) === 0;
    const isFree = gate.free > 0 && isAffordable;
    const scarce: Scarce[] = [];
    if (gate.hasPlaces) scarce.push({ contested: gate, isFree, keep: (room) => room.keepPlaces(gate, 1) });
    if (bucket !== undefined)
      scarce.push({ contested: bucket, isFree, keep: (room) => room.keepClosed(gate) });
    return scarce;
  }

  /** Whether a queue may be claimed from when what both kinds want of it is kept. */
  #mayOpen(name: string): boolean {
    const queue = this.#parts.queues.known(name);
    if (queue?.isClosedBy(PAUSED)) return false;
    // Where durable tasks alone have its places, the next one needs nothing that others have.
    return queue === undefined || queue.free > 0 || queue.waiting > 0;
  }

  /** The same of a handler, and soon. */
  #mayStart(name: string, now: number): boolean {
    const { costOf, limiter, queues } = this.#parts;
    if (limiter.handlers.waitMs(name, costOf(name), now) >= TURN_MS) return false;
    const gate = queues.handler(name);
    return gate === undefined || gate.free > 0 || gate.waiting > 0;
  }
}
