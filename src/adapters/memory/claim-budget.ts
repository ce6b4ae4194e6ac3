import type { ClaimRequest } from "../../ports/backend.js";
import { byUrgency, type ReadyLines } from "./ready-lines.js";
import type { TaskRecord } from "./task-record.js";

/** A handler that the claimant has, and what it has left for it. */
interface OpenHandler {
  readonly name: string;
  readonly lane: number;
  room: number;
}

/** What is left of the room that a claim came with. */
export class ClaimBudget {
  readonly #slots: number[];
  readonly #handlers: readonly OpenHandler[];
  #permits: number;
  /** What the first task costs for which the permits did not suffice. */
  stoppedAtCost: number | undefined;

  constructor({ slots, handlers, permits }: ClaimRequest) {
    this.#slots = [...slots];
    this.#handlers = handlers.map(({ name, lane, room }) => ({ name, lane, room }));
    this.#permits = permits;
  }

  /** The best task that there is a slot and room for. */
  next(ready: ReadyLines): TaskRecord | undefined {
    let best: TaskRecord | undefined;
    for (const { name, lane, room } of this.#handlers) {
      if (room < 1 || (this.#slots[lane] ?? 0) < 1) continue;
      const head = ready.head(name);
      if (head !== undefined && (best === undefined || byUrgency(head, best) < 0)) best = head;
    }
    return best;
  }

  /** @returns false where the permits do not suffice: the claim ends then, and they are saved up for it */
  take({ handler, cost }: TaskRecord): boolean {
    if (cost > this.#permits) {
      this.stoppedAtCost = cost;
      return false;
    }
    const open = this.#handlers.find(({ name }) => name === handler);
    if (open !== undefined) {
      this.#permits -= cost;
      open.room--;
      this.#slots[open.lane] = (this.#slots[open.lane] ?? 0) - 1;
    }
    return true;
  }
}
