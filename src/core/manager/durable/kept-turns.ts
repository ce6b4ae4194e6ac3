import type { ClaimNeed } from "../../durable/claimer.js";
import { Gate } from "../../queue/gate.js";
import type { HandlerGate } from "../../queue/handler-gate.js";
import { type QueueGroup, TaskQueue } from "../../queue/task-queue.js";
import type { Lane } from "../lane.js";
import { type Contests, TURN_MS } from "./contest.js";
import { KeptRoom, type KeptRoomParts } from "./kept-room.js";

export interface KeptTurnsParts extends KeptRoomParts {
  /** What this process can run, and the index of the lane for it. */
  readonly handlers: readonly { readonly name: string; readonly lane: number }[];
  readonly contests: Contests;
}

type PlacesGate = TaskQueue | HandlerGate<QueueGroup>;

type Scarce = Lane | PlacesGate;

/**
 * What a round of claims could not have is kept for the next one, where it is the turn of a durable task: the
 * next place of a queue or a handler, and the next slot of a lane. Without that, a task of this process takes
 * each one that becomes free while a claim for something else is under way, and that may be always.
 */
export class KeptTurns {
  readonly #parts: KeptTurnsParts;
  readonly #freeSince = new Map<Scarce, number>();
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

  /** It has been kept for too long. */
  giveUp(): void {
    for (const scarce of this.#freeSince.keys()) this.#parts.contests.wasInVain(scarce);
    this.#freeSince.clear();
    this.letGo();
  }

  /**
   * A round is over; what was kept until then has been let go.
   * @returns whether some of that is not kept any longer, so that others may have it
   */
  keep(needs: readonly Pick<ClaimNeed, "queue" | "oneOf">[], now: number): boolean {
    const kept = this.#wanted(needs).filter((scarce) => this.#isKept(scarce, now));
    const isFreed = this.#scarce.some((scarce) => !kept.includes(scarce));
    this.#scarce = kept;
    for (const known of this.#freeSince.keys()) if (!kept.includes(known)) this.#freeSince.delete(known);
    if (kept.length === 0) return isFreed;
    if (this.#freeSince.size > 0) this.#until = now + TURN_MS;
    this.#kept = new KeptRoom(this.#parts, now);
    for (const scarce of kept) {
      if (scarce instanceof Gate) this.#kept.keepPlaces(scarce, 1);
      else this.#kept.keepSlots(this.#parts.lanes.map((lane) => (lane === scarce ? 1 : 0)));
    }
    return isFreed;
  }

  /** What both kinds want. */
  #wanted(needs: readonly Pick<ClaimNeed, "queue" | "oneOf">[]): Scarce[] {
    const { handlers, lanes, queues } = this.#parts;
    const isAny = needs.some(({ oneOf }) => oneOf === undefined);
    const names = new Set(needs.flatMap(({ oneOf = [] }) => oneOf));
    const wanted = isAny ? handlers : handlers.filter(({ name }) => names.has(name));
    const isWanted = (lane: Lane) => wanted.some((handler) => handler.lane === lane.index);
    const gates: (PlacesGate | undefined)[] = [
      ...needs.map(({ queue }) => queues.known(queue)),
      ...wanted.map(({ name }) => queues.handler(name)),
    ];
    return [
      ...lanes.filter((lane) => isWanted(lane) && queues.hasEligible(lane)),
      ...gates.filter((gate) => gate?.hasPlaces === true && gate.waiting > 0),
    ].filter((scarce) => scarce !== undefined);
  }

  #isKept(scarce: Scarce, now: number): boolean {
    const { contests } = this.#parts;
    if (!contests.isForDurable(scarce)) return false;
    if (scarce.free === 0 || (scarce instanceof Gate && this.#lacksPermits(scarce, now))) {
      this.#freeSince.delete(scarce);
      return true;
    }
    if (!(scarce instanceof Gate)) return false; // for want of something else, so others may have it
    const since = this.#freeSince.get(scarce) ?? now;
    this.#freeSince.set(scarce, since);
    if (now - since < TURN_MS) return true;
    contests.wasInVain(scarce);
    return false;
  }

  /** Then nobody could use it. */
  #lacksPermits(gate: PlacesGate, now: number): boolean {
    const { limiter } = this.#parts;
    const own = gate instanceof TaskQueue ? limiter.queues : limiter.handlers;
    return limiter.sharedWaitMs(1, now) > 0 || own.waitMs(gate.name, 1, now) > 0;
  }
}
