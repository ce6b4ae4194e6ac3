/** Something of which there is only so much: places of a queue or a handler, slots of a lane, permits. */
export interface Contested {
  /** How many have ever been taken, by anyone. */
  readonly starts: number;
}

/** So long something that is free is kept for whose turn it is. */
export const TURN_MS = 50;

/** What was kept for durable tasks in vain is kept again after so many starts of the others at most. */
const MAX_PATIENCE = 4;

/** A look at all that may be claimed. */
export interface Round {
  readonly number: number;
  readonly at: number;
}

/**
 * Something that tasks of this process and durable ones both want. Each kind gets half of what is free; an
 * odd one goes to each by turns, to the tasks of this process first. A turn is over when it has been used, or
 * was not for `TURN_MS`; that of the durable ones also when a claim with it was in vain. After each of these
 * in a row they wait for twice as many starts of the others: where the store has nothing for it, what is kept
 * for claims must not slow those down.
 */
export class Contest {
  #durable = false;
  /** Since when tasks of this process could have used their turn. */
  #leftAt: number | undefined = undefined;
  /** The number of the round in which durable tasks were claimed with their turn. */
  #claimedIn: number | undefined = undefined;
  #patience = 1;
  /** How many starts there were when the turn of the others began, and at the last look. */
  #since = 0;
  #seen = 0;

  /**
   * How many of `free` durable tasks may have.
   * @param starts how many have ever been taken, by anyone
   */
  share(free: number, starts: number, round: Round): number {
    this.#look(starts, round);
    if (free % 2 === 0) return free / 2;
    if (this.#durable) return (free + 1) / 2;
    this.#leftAt ??= round.at;
    return (free - 1) / 2;
  }

  /** When the turn of the tasks of this process is over even if they do not use it. */
  get lapsesAt(): number {
    return this.#leftAt === undefined ? Number.POSITIVE_INFINITY : this.#leftAt + TURN_MS;
  }

  /** Whether the next one is for a durable task: no longer so in the round in which it was claimed for. */
  isForDurable(starts: number, round: Round): boolean {
    this.#look(starts, round);
    return this.#durable && this.#claimedIn === undefined;
  }

  /** A claim is made with what there is. */
  claimed(starts: number, round: Round): void {
    this.#look(starts, round);
    if (this.#durable) this.#claimedIn = round.number;
  }

  /** A durable task has taken one. */
  took(starts: number): void {
    this.#patience = 1;
    this.#giveTurn(starts);
  }

  /** The turn of the durable ones was in vain. */
  wasInVain(starts: number): void {
    this.#patience = Math.min(MAX_PATIENCE, this.#patience * 2);
    this.#giveTurn(starts);
  }

  /** A claim has been answered when the next round begins. */
  #look(starts: number, round: Round): void {
    if (this.#claimedIn !== undefined && this.#claimedIn !== round.number) this.wasInVain(starts);
    if (starts !== this.#seen) this.#leftAt = undefined;
    this.#seen = starts;
    if (starts - this.#since >= this.#patience || round.at >= this.lapsesAt) {
      this.#durable = true;
      this.#leftAt = undefined;
    }
  }

  #giveTurn(starts: number): void {
    this.#durable = false;
    this.#claimedIn = undefined;
    this.#since = starts;
  }
}

/** The contests of a manager, and the rounds of claims in which they are decided. */
export class Contests {
  readonly #contests = new WeakMap<Contested, Contest>();
  #round: Round = { number: 0, at: Number.NEGATIVE_INFINITY };
  #lapsesAt = Number.POSITIVE_INFINITY;

  /** When the first turn is over that this round has left to tasks of this process. */
  get lapsesAt(): number {
    return this.#lapsesAt;
  }

  nextRound(now: number): void {
    this.#round = { number: this.#round.number + 1, at: now };
    this.#lapsesAt = Number.POSITIVE_INFINITY;
  }

  /** How many of `free` durable tasks may have. */
  share(contested: Contested, free: number): number {
    const contest = this.#of(contested);
    const count = contest.share(free, contested.starts, this.#round);
    this.#lapsesAt = Math.min(this.#lapsesAt, contest.lapsesAt);
    return count;
  }

  isForDurable(contested: Contested): boolean {
    return this.#of(contested).isForDurable(contested.starts, this.#round);
  }

  claimed(contested: Contested): void {
    this.#of(contested).claimed(contested.starts, this.#round);
  }

  took(contested: Contested): void {
    this.#of(contested).took(contested.starts);
  }

  wasInVain(contested: Contested): void {
    this.#of(contested).wasInVain(contested.starts);
  }

  #of(contested: Contested): Contest {
    let contest = this.#contests.get(contested);
    if (contest === undefined) {
      contest = new Contest();
      this.#contests.set(contested, contest);
    }
    return contest;
  }
}
