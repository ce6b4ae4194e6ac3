/** Something of which there is only so much: places of a queue or a handler, slots of a lane, permits. */
export interface Contested {
  /** How many have ever been taken, by anyone. */
  readonly starts: number;
}

/** So long something that is free is kept for whose turn it is. */
export const TURN_MS = 50;

/** Nobody is kept from anything for more than so many times as long as it was kept for him in vain. */
const MAX_RESTS = 16;

/** A look at all that may be claimed. */
export interface Round {
  readonly number: number;
  readonly at: number;
}

/**
 * What one kind has made of its turns. After one in vain it has none for as long as that one took, after the
 * next for twice as long, and so on: whatever keeps a kind from its turns, waiting for it costs the other no
 * more than a small part of its time.
 */
class Turns {
  #rests = 1;
  #barredUntil = Number.NEGATIVE_INFINITY;

  isBarred(now: number): boolean {
    return now < this.#barredUntil;
  }

  wereUsed(): void {
    this.#rests = 1;
    this.#barredUntil = Number.NEGATIVE_INFINITY;
  }

  wereInVain(forMs: number, now: number): void {
    this.#barredUntil = now + this.#rests * Math.min(forMs, TURN_MS);
    this.#rests = Math.min(MAX_RESTS, this.#rests * 2);
  }
}

/**
 * Something that tasks of this process and durable ones both want. Each kind gets half of what is free; an
 * odd one goes to each by turns, to the tasks of this process first. A turn is over when it has been used, or
 * was not for `TURN_MS`; that of the durable ones also when a claim with it was in vain.
 */
export class Contest {
  readonly #local = new Turns();
  readonly #durable = new Turns();
  #isDurable = false;
  /** Since when whose turn it is could have used it. */
  #freeSince: number | undefined = undefined;
  /** The round in which durable tasks were claimed with their turn. */
  #claimedIn: Round | undefined = undefined;
  /** How many starts there were when the turn of the others began, and at the last look. */
  #since = 0;
  #seen = 0;

  /**
   * How many of `free` durable tasks may have.
   * @param starts how many have ever been taken, by anyone
   */
  share(free: number, starts: number, round: Round): number {
    this.#look(starts, round);
    if (this.#local.isBarred(round.at)) return free;
    if (free % 2 === 0) return free / 2;
    if (this.#isDurable) return (free + 1) / 2;
    this.#freeSince ??= round.at;
    return (free - 1) / 2;
  }

  /** When the turn is over even if it is not used. */
  get lapsesAt(): number {
    return this.#freeSince === undefined ? Number.POSITIVE_INFINITY : this.#freeSince + TURN_MS;
  }

  /**
   * Whether the next one is kept for a durable task: no longer so in the round in which it was claimed for.
   * @param isFree whether a task of this process could have it now
   */
  keeps(isFree: boolean, starts: number, round: Round): boolean {
    this.#look(starts, round);
    if (!this.#isDurable || this.#claimedIn !== undefined) return false;
    if (isFree) this.#freeSince ??= round.at;
    else this.#freeSince = undefined;
    return true;
  }

  /** A claim is made with what there is. */
  claimed(starts: number, round: Round): void {
    this.#look(starts, round);
    if (!this.#isDurable) return;
    this.#claimedIn = round;
    this.#freeSince = undefined;
  }

  /** A durable task has taken one. */
  took(starts: number): void {
    this.#durable.wereUsed();
    this.#giveToLocal(starts);
  }

  /** A claim has been answered when the next round begins. */
  #look(starts: number, round: Round): void {
    if (this.#claimedIn !== undefined && this.#claimedIn.number !== round.number) {
      this.#durable.wereInVain(round.at - this.#claimedIn.at, round.at);
      this.#giveToLocal(starts);
    }
    if (this.#isDurable) {
      if (round.at < this.lapsesAt) return;
      this.#durable.wereInVain(TURN_MS, round.at);
      this.#giveToLocal(starts);
      return;
    }
    if (starts !== this.#seen) {
      this.#seen = starts;
      this.#freeSince = undefined;
      this.#local.wereUsed();
    }
    if (round.at >= this.lapsesAt) {
      this.#local.wereInVain(TURN_MS, round.at);
      this.#giveToDurable();
    } else if (starts > this.#since && !this.#durable.isBarred(round.at)) {
      this.#giveToDurable();
    }
  }

  #giveToLocal(starts: number): void {
    this.#isDurable = false;
    this.#claimedIn = undefined;
    this.#freeSince = undefined;
    this.#since = starts;
    this.#seen = starts;
  }

  #giveToDurable(): void {
    this.#isDurable = true;
    this.#freeSince = undefined;
  }
}

/** The contests of a manager, and the rounds of claims in which they are decided. */
export class Contests {
  readonly #contests = new WeakMap<Contested, Contest>();
  #round: Round = { number: 0, at: Number.NEGATIVE_INFINITY };
  #firstLapseAt = Number.POSITIVE_INFINITY;

  /** When the first turn is over that this round has left to somebody. */
  get firstLapseAt(): number {
    return this.#firstLapseAt;
  }

  nextRound(now: number): void {
    this.#round = { number: this.#round.number + 1, at: now };
    this.#firstLapseAt = Number.POSITIVE_INFINITY;
  }

  /** When whose turn it is has it no longer, even if it is not used. */
  lapsesAt(contested: Contested): number {
    return this.#of(contested).lapsesAt;
  }

  /** How many of `free` durable tasks may have. */
  share(contested: Contested, free: number): number {
    const contest = this.#of(contested);
    const count = contest.share(free, contested.starts, this.#round);
    this.#note(contest);
    return count;
  }

  /** Whether the next one is kept for a durable task. */
  keeps(contested: Contested, isFree: boolean): boolean {
    const contest = this.#of(contested);
    const isKept = contest.keeps(isFree, contested.starts, this.#round);
    this.#note(contest);
    return isKept;
  }

  claimed(contested: Contested): void {
    this.#of(contested).claimed(contested.starts, this.#round);
  }

  took(contested: Contested): void {
    this.#of(contested).took(contested.starts);
  }

  #note({ lapsesAt }: Contest): void {
    this.#firstLapseAt = Math.min(this.#firstLapseAt, lapsesAt);
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
