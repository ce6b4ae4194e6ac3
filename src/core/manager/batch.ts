import type { Lane } from "./lane.js";

/** Attempts that run one after another in one slot. It is given back when the last of them is over. */
export class Batch {
  readonly #lane: Lane;
  #remaining = 0;

  constructor(lane: Lane) {
    this.#lane = lane;
  }

  /** One more attempt. Where all before it are over already, the slot is taken anew. */
  join(): void {
    if (this.#remaining === 0) this.#lane.take();
    this.#remaining++;
  }

  leave(): void {
    this.#remaining--;
    if (this.#remaining === 0) this.#lane.giveBack();
  }
}
