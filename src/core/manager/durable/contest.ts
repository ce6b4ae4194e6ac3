/**
 * Something that tasks of this process and durable ones both want. Each kind gets half of it; an odd one goes
 * to each by turns, to the tasks of this process first. A turn lasts for a round of claims, however many
 * queues are looked at in it: so neither kind starves, and a turn that nobody could use is over soon.
 */
export class Contest {
  #durable = false;
  #contested = false;

  /** How many of `count` durable tasks may have in this round. */
  share(count: number): number {
    if (count % 2 === 0) return count / 2;
    this.#contested = true;
    return this.#durable ? (count + 1) / 2 : (count - 1) / 2;
  }

  nextRound(): void {
    if (this.#contested) this.#durable = !this.#durable;
    this.#contested = false;
  }
}
