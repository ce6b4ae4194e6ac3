import type { ClaimNeed } from "../../durable/claimer.js";
import { Gate, PAUSED } from "../../queue/gate.js";
import type { HandlerGate } from "../../queue/handler-gate.js";
import { type QueueGroup, TaskQueue } from "../../queue/task-queue.js";
import type { Lane } from "../lane.js";
import { type Contests, TURN_MS } from "./contest.js";
import { KeptRoom, type KeptRoomParts } from "./kept-room.js";

export interface KeptTurnsParts extends KeptRoomParts {
  /** What this process can run, and the index of the lane for it. */
  readonly handlers: readonly { readonly name: string; readonly lane: number }[];
  readonly contests: Contests;
  /** What the next task of a handler is taken to cost. */
  readonly costOf: (handler: string) => number;
}

type ScarceGate = TaskQueue | HandlerGate<QueueGroup>;

type Scarce = Lane | ScarceGate;

/**
 * What a round of claims could not have is kept for the next one, where it is the turn of a durable task: the
 * next place or permit of a queue or a handler, and the next slot of a lane. Without that, a task of this
 * process takes each one that becomes free while a claim for something else is under way, and that may be
 * always.
 */
export class KeptTurns {
  readonly #parts: KeptTurnsParts;
  /** What was kept since the last round, and the room of it, until that is let go. */
  #scarce: readonly Scarce[] = [];
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
    const soon = needs.filter((need) => this.#opensSoon(need, now));
    const kept = this.#wanted(soon).filter((scarce) => this.#isKept(scarce, soon, now));
    const isFreed = this.#scarce.some((scarce) => !kept.includes(scarce));
    this.#scarce = kept;
    this.#until = Math.min(...kept.map((scarce) => this.#parts.contests.lapsesAt(scarce)));
    if (kept.length === 0) return isFreed;
    this.#kept = new KeptRoom(this.#parts, now);
    for (const scarce of kept) {
      if (!(scarce instanceof Gate)) this.#kept.keepSlots(this.#oneOf(scarce));
      else if (this.#isLimited(scarce)) this.#kept.keepClosed(scarce);
      else this.#kept.keepPlaces(scarce, 1);
    }
    return isFreed;
  }

  /** What both kinds want. */
  #wanted(needs: readonly ClaimNeed[]): Scarce[] {
    const { handlers, lanes, queues } = this.#parts;
    const isAny = needs.some(({ oneOf }) => oneOf === undefined);
    const names = new Set(needs.flatMap(({ oneOf = [] }) => oneOf));
    const wanted = isAny ? handlers : handlers.filter(({ name }) => names.has(name));
    const isWanted = (lane: Lane) => wanted.some((handler) => handler.lane === lane.index);
    const gates: (ScarceGate | undefined)[] = [
      ...needs.map(({ queue }) => queues.known(queue)),
      ...wanted.map(({ name }) => queues.handler(name)),
    ];
    return [
      ...lanes.filter((lane) => isWanted(lane) && queues.hasEligible(lane)),
      ...gates.filter((gate) => gate !== undefined && gate.waiting > 0 && this.#isScarce(gate)),
    ].filter((scarce) => scarce !== undefined);
  }

  /** Whether a queue may be claimed from within a turn, as far as can be told. */
  #opensSoon({ cost, queue: name }: ClaimNeed, now: number): boolean {
    const { limiter, queues } = this.#parts;
    const queue = queues.known(name);
    if (queue?.isClosedBy(PAUSED)) return false;
    // Where durable tasks alone have its places, the next one needs nothing that others have.
    if (queue?.free === 0 && queue.waiting === 0) return false;
    return Math.max(limiter.sharedWaitMs(cost, now), limiter.queues.waitMs(name, cost, now)) < TURN_MS;
  }

  #isKept(scarce: Scarce, needs: readonly ClaimNeed[], now: number): boolean {
    const { contests } = this.#parts;
    const isFree = scarce.free > 0;
    if (scarce instanceof Gate)
      return contests.keeps(scarce, isFree && !this.#lacksPermits(scarce, needs, now));
    return !isFree && contests.keeps(scarce, isFree); // what is free is so for want of something else
  }

  /** Whether there is only so much of it. */
  #isScarce(gate: ScarceGate): boolean {
    return gate.hasPlaces || this.#isLimited(gate);
  }

  #isLimited(gate: ScarceGate): boolean {
    return this.#limitsOf(gate).get(gate.name) !== undefined;
  }

  /** Then they are saved up, and no time is lost. */
  #lacksPermits(gate: ScarceGate, needs: readonly ClaimNeed[], now: number): boolean {
    const { costOf, limiter } = this.#parts;
    const need = needs.find(({ queue }) => queue === gate.name);
    const cost = gate instanceof TaskQueue ? (need?.cost ?? 1) : costOf(gate.name);
    return Math.max(limiter.sharedWaitMs(cost, now), this.#limitsOf(gate).waitMs(gate.name, cost, now)) > 0;
  }

  #limitsOf(gate: ScarceGate) {
    const { limiter } = this.#parts;
    return gate instanceof TaskQueue ? limiter.queues : limiter.handlers;
  }

  #oneOf(kept: Lane): number[] {
    return this.#parts.lanes.map((lane) => (lane === kept ? 1 : 0));
  }
}
