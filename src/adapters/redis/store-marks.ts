import type { StoreMark } from "./answers.js";

/** Marks of so many queues are remembered. */
const MAX_QUEUES = 10_000;

/**
 * Notices that a store has forgotten what it had. Each queue has a random epoch, set at its first use, and a
 * sequence that only grows: an answer with another epoch, or a lower sequence than one that was there before
 * the question, comes from another store, or from an older state of it.
 */
export class StoreMarks {
  readonly #marks = new Map<string, StoreMark>();

  /** To be taken before a question is sent. */
  of(queue: string): StoreMark | undefined {
    return this.#marks.get(queue);
  }

  /**
   * @param before what was known when the question was sent
   * @returns whether the store has forgotten something that nobody has noticed yet
   */
  note(queue: string, before: StoreMark | undefined, found: StoreMark): boolean {
    const known = this.#marks.get(queue);
    const isLost = contradicts(before, found) && contradicts(known, found);
    // Answers to calls of one time may be seen in another order than that in which they were given.
    const isOlder = known !== undefined && known.epoch === found.epoch && known.sequence > found.sequence;
    if (isLost || !isOlder) {
      if (known === undefined && this.#marks.size >= MAX_QUEUES) this.#marks.clear();
      this.#marks.set(queue, found);
    }
    return isLost;
  }
}

function contradicts(before: StoreMark | undefined, found: StoreMark): boolean {
  return before !== undefined && (before.epoch !== found.epoch || before.sequence > found.sequence);
}
