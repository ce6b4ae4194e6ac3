import { OTHER } from "../../task/group-tally.js";
import type { DropTally } from "../../task/manager-stats.js";

/** Names may come from data: only so many are told apart. */
const MAX_NAMES = 100;

/** What subscriptions have dropped, by name. It outlives them, so that no number ever goes back. */
export class DropTallies {
  readonly #other: DropTally = { subscription: OTHER, dropped: 0 };
  readonly #byName = new Map([[OTHER, this.#other]]);

  /** @param given what the subscription was named, if it was */
  of(given: string | undefined): DropTally {
    if (given === undefined) return this.#other;
    const known = this.#byName.get(given);
    if (known !== undefined) return known;
    if (this.#byName.size > MAX_NAMES) return this.#other;
    const tally = { subscription: given, dropped: 0 };
    this.#byName.set(given, tally);
    return tally;
  }

  [Symbol.iterator](): IterableIterator<DropTally> {
    return this.#byName.values();
  }
}
