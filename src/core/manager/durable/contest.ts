/** Something of which there is only so much: places of a queue or a handler, slots of a lane, permits. */
export interface Contested {
  /** How much of it has ever been taken by starts. */
  readonly taken: number;
  /** So much of it one task may take; 1 where that is not said. */
  readonly burst?: number;
}

/** So long something that is free is kept for whose turn it is. */
export const TURN_MS = 50;

/** Nobody is kept from anything for more than so many times as long as it was kept for him in vain. */
const MAX_RESTS = 16;

/** Where nobody has looked for so long, nobody was kept from anything, and nothing is owed. */
const OWED_MS = 1_000;

/** A look at all that may be claimed. */
export interface Round {
  readonly number: number;
  readonly at: number;
}

/**
 * What one kind has made of its turns. After one that was used it has none for as long as that was waited
 * for; so a store that takes its time costs the others half of theirs at most. After one in vain the same,
 * after the next for twice as long, and so on: whatever keeps a kind from its turns, waiting for it costs the
 * other no more than a small part of its time.
 */
class Turns {
  #rests = 1;
  #barredUntil = Number.NEGATIVE_INFINITY;

  isBarred(now: number): boolean {
    return now < this.#barredUntil;
  }

  /** @param afterMs so long they were waited for */
  wereUsed(afterMs: number, now: number): void {
    this.#rests = 1;
    const restMs = Math.min(afterMs, 2 * TURN_MS); // until the claim, and for it
    this.#barredUntil = Math.max(now + restMs, Math.min(this.#barredUntil, now + TURN_MS));
  }

  /** It takes what it can get again. */
  isBack(): void {
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
 * odd one goes to whoever has had less, and to the tasks of this process where that is the same. A turn is
 * over when it has been used, or was not for `TURN_MS`; that of the durable ones also when a claim with it
 * was in vain. Then none is owed what it could not take.
 */
export class Contest {
  readonly #local = new Turns();
  readonly #durable = new Turns();
  #isDurable = false;
  /** Since when whose turn it is could have used it. */
  #freeSince: number | undefined = undefined;
  /** All that there is, a task of this process has saved up. */
  #isSaved = false;
  /** The round in which durable tasks were claimed with their turn. */
  #claimedIn: Round | undefined = undefined;
  /** Since when something is kept for durable tasks that others could have. */
  #keptSince: number | undefined = undefined;
  /** By how much the tasks of this process have had more, and at most by what one task may take. */
  #lead = 0;
  /** How much has been taken that is accounted for, and when that was last looked at. */
  #seen: number;
  #seenAt: number | undefined = undefined;

  /** @param taken how much of it has been taken until now */
  constructor(taken: number) {
    this.#seen = taken;
  }

  /**
   * How many of `free` durable tasks may have.
   * @param isSavedFor whether a task of this process waits for more of it than there is
   */
  share(free: number, isSavedFor: boolean, contested: Contested, round: Round): number {
    this.#look(contested, round);
    if (this.#local.isBarred(round.at)) return free;
    if (!this.#isDurable) {
      this.#isSaved ||= isSavedFor;
      this.#freeSince = isSavedFor ? undefined : (this.#freeSince ?? round.at);
      if (this.#isSaved) return 0;
    }
    if (free % 2 === 0) return free / 2;
    return this.#isDurable ? (free + 1) / 2 : (free - 1) / 2;
  }

  /** Whether a durable task may have the next one. */
  isDurables(contested: Contested, round: Round): boolean {
    this.#look(contested, round);
    return this.#isDurable || this.#local.isBarred(round.at);
  }

  /** When the turn is over even if it is not used. */
  get lapsesAt(): number {
    return this.#freeSince === undefined ? Number.POSITIVE_INFINITY : this.#freeSince + TURN_MS;
  }

  /**
   * Whether the next one is kept for a durable task: no longer so in the round in which it was claimed for.
   * @param isFree whether one could have it now
   */
  keeps(isFree: boolean, contested: Contested, round: Round): boolean {
    this.#look(contested, round);
    if (!this.#isDurable || this.#claimedIn !== undefined) return false;
    if (isFree) this.#keptSince ??= round.at;
    this.#freeSince = isFree ? (this.#freeSince ?? round.at) : undefined;
    return true;
  }

  /**
   * A claim is made with what there is.
   * @param isLast whether nothing else may be claimed with it: then the turn is over when that is answered
   */
  claimed(isLast: boolean, contested: Contested, round: Round): void {
    this.#look(contested, round);
    if (!this.#isDurable) return;
    this.#keptSince ??= round.at;
    if (isLast) this.#claimedIn = round;
    this.#freeSince = undefined;
  }

  /** A durable task is about to take so much. */
  takes(amount: number, contested: Contested, now: number): void {
    this.#count(contested);
    this.#seen += amount;
    this.#lead = Math.max(-(contested.burst ?? 1), this.#lead - amount);
    this.#durable.wereUsed(now - (this.#keptSince ?? now), now);
    this.#begin(this.#lead > 0);
  }

  /** A claim has been answered when the next round begins. */
  #look(contested: Contested, round: Round): void {
    this.#count(contested);
    if (round.at - (this.#seenAt ?? round.at) > OWED_MS) this.#lead = 0;
    this.#seenAt = round.at;
    const claimedAt = this.#claimedIn?.number === round.number ? undefined : this.#claimedIn?.at;
    const hasLapsed = round.at >= this.lapsesAt;
    if (this.#isDurable && (claimedAt !== undefined || hasLapsed)) {
      this.#durable.wereInVain(round.at - (claimedAt ?? round.at - TURN_MS), round.at);
      this.#lead = 0;
      this.#begin(false);
    } else if (!this.#isDurable && hasLapsed) {
      this.#local.wereInVain(TURN_MS, round.at);
      this.#lead = 0;
      this.#begin(true);
    } else if (!this.#isDurable && this.#lead > 0 && !this.#durable.isBarred(round.at)) {
      this.#begin(true);
    }
  }

  /** What has been taken beyond what was seen, or said by `takes`, tasks of this process have. */
  #count({ burst = 1, taken }: Contested): void {
    const byLocal = taken - this.#seen;
    if (byLocal <= 0) return;
    this.#seen = taken;
    this.#lead = Math.min(burst, Math.max(-burst, this.#lead) + byLocal);
    this.#local.isBack();
    if (this.#isDurable) return;
    this.#freeSince = undefined;
    this.#isSaved = false;
  }

  #begin(isDurable: boolean): void {
    this.#isDurable = isDurable;
    this.#isSaved = false;
    this.#claimedIn = undefined;
    this.#keptSince = undefined;
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
  share(contested: Contested, free: number, isSavedFor = false): number {
    const contest = this.#of(contested);
    const count = contest.share(free, isSavedFor, contested, this.#round);
    this.#note(contest);
    return count;
  }

  /** Whether a durable task may have the next one. */
  isDurables(contested: Contested): boolean {
    return this.#of(contested).isDurables(contested, this.#round);
  }

  /** Whether the next one is kept for a durable task. */
  keeps(contested: Contested, isFree: boolean): boolean {
    const contest = this.#of(contested);
    const isKept = contest.keeps(isFree, contested, this.#round);
    this.#note(contest);
    return isKept;
  }

  claimed(contested: Contested, isLast: boolean): void {
    this.#of(contested).claimed(isLast, contested, this.#round);
  }

  takes(contested: Contested, now: number, amount = 1): void {
    this.#of(contested).takes(amount, contested, now);
  }

  #note({ lapsesAt }: Contest): void {
    this.#firstLapseAt = Math.min(this.#firstLapseAt, lapsesAt);
  }

  #of(contested: Contested): Contest {
    let contest = this.#contests.get(contested);
    if (contest === undefined) {
      contest = new Contest(contested.taken);
      this.#contests.set(contested, contest);
    }
    return contest;
  }
}
