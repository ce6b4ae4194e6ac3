import type { DropTally } from "../../task/manager-stats.js";

/** Names may come from data: only so many are told apart. */
const MAX_NAMES = 100;

/** Stands for all others. */
const OTHER = "_OTHER";

/** What subscriptions have dropped, by name. It outlives them, so that no number ever goes back. */
export class DropTallies {
  readonly #byName = new Map<string, DropTally>();

  /** @param given what the subscription was named, if it was */
  of(given: string | undefined): DropTally {
    const isApart = given !== undefined && (this.#byName.has(given) || this.#byName.size < MAX_NAMES);
    const subscription = isApart ? given : OTHER;
    let tally = this.#byName.get(subscription);
    if (tally === undefined) {
      tally = { subscription, dropped: 0 };
      this.#byName.set(subscription, tally);
    }
    return tally;
  }

  [Symbol.iterator](): IterableIterator<DropTally> {
    return this.#byName.values();
  }
}
