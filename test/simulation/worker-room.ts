import type { ClaimNeed, Reservation } from "../../src/core/durable/claim-host.js";
import type { ClaimableHandler } from "../../src/ports/backend.js";

const UNLIMITED = Number.POSITIVE_INFINITY;
/** After so long a permit comes back. */
const PERMIT_MS = 40;

/** What a worker of the simulator may run at once. */
export interface RoomShape {
  readonly slots: number;
  /** So many starts within `PERMIT_MS`; Infinity where nothing limits that. */
  readonly permits: number;
  readonly handlers: readonly string[];
  /** How many of the last handler's tasks may run; Infinity where nothing limits that. */
  readonly lastHandlerRoom: number;
}

export interface WorkerRoomParts {
  readonly shape: RoomShape;
  readonly now: () => number;
  readonly after: (delayMs: number, happen: () => void) => unknown;
  /** There may be room again. */
  readonly onRoom: () => void;
}

/** Slots, permits and the room of one handler: what the manager's own books say, in their simplest form. */
export class WorkerRoom {
  readonly #parts: WorkerRoomParts;
  readonly #running = new Map<string, number>();
  #permits: number;
  #used = 0;
  #freeSince: number;

  constructor(parts: WorkerRoomParts) {
    this.#parts = parts;
    this.#permits = parts.shape.permits;
    this.#freeSince = parts.now();
  }

  /** For how long there has been room for a task of this handler; 0 where something limits it. */
  freeFor(handler: string): number {
    const { handlers, permits, slots, lastHandlerRoom } = this.#parts.shape;
    const isLimited = permits !== UNLIMITED || (lastHandlerRoom !== UNLIMITED && handler === handlers.at(-1));
    const isFree = !isLimited && handlers.includes(handler) && this.#used < slots;
    return isFree ? this.#parts.now() - this.#freeSince : 0;
  }

  reserve({ cost, oneOf }: ClaimNeed): Reservation | undefined {
    const { permits: allPermits, slots } = this.#parts.shape;
    const free = slots - this.#used;
    const permits = this.#permits;
    const [handlers, leftOut] = this.#handlers();
    if (free <= 0 || handlers.length === 0 || permits < Math.min(cost, allPermits)) return undefined;
    if (oneOf !== undefined && !handlers.some(({ name }) => oneOf.includes(name))) return undefined;
    // What costs more than there can ever be takes all that there is.
    const most = permits === allPermits ? Math.max(permits, cost) : permits;
    this.#used += free;
    if (permits !== UNLIMITED) this.#permits = 0;
    const release = () => {
      this.#used -= free;
      if (permits !== UNLIMITED) this.#permits += permits;
    };
    return { handlers, leftOut, slots: [free], permits: most, readyAt: () => 0, release };
  }

  /** @returns whether there was room */
  take(handler: string, cost: number): boolean {
    const { permits, slots } = this.#parts.shape;
    if (this.#used >= slots || this.#permits < Math.min(cost, permits) || this.#roomOf(handler) <= 0)
      return false;
    this.#used++;
    this.#running.set(handler, (this.#running.get(handler) ?? 0) + 1);
    if (permits !== UNLIMITED) this.#usePermits(Math.min(cost, this.#permits));
    return true;
  }

  leave(handler: string): void {
    if (this.#used === this.#parts.shape.slots) this.#freeSince = this.#parts.now();
    this.#used--;
    this.#running.set(handler, (this.#running.get(handler) ?? 0) - 1);
    this.#parts.onRoom();
  }

  #handlers(): readonly [ClaimableHandler[], string[]] {
    const roomy: ClaimableHandler[] = [];
    const leftOut: string[] = [];
    for (const name of this.#parts.shape.handlers) {
      const room = this.#roomOf(name);
      if (room > 0) roomy.push({ name, lane: 0, room });
      else leftOut.push(name);
    }
    return [roomy, leftOut];
  }

  #roomOf(handler: string): number {
    const { handlers, lastHandlerRoom } = this.#parts.shape;
    return handler === handlers.at(-1) ? lastHandlerRoom - (this.#running.get(handler) ?? 0) : UNLIMITED;
  }

  #usePermits(used: number): void {
    this.#permits -= used;
    this.#parts.after(PERMIT_MS, () => {
      this.#permits += used;
      this.#parts.onRoom();
    });
  }
}
