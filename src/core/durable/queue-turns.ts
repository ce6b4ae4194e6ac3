import { assert } from "../../errors.js";

/** A queue that is claimed from. */
export interface ClaimedQueue {
  readonly name: string;
  /** Turns among queues. */
  readonly share: number;
}

/** One queue, and when it is to be asked. */
export class QueueTurn {
  readonly name: string;
  readonly share: number;
  /** Stride scheduling: how many turns it has had, by its share. */
  pass = 0;
  /** Monotonic. It may have something from then on. */
  dueAt: number;
  /** It had nothing, and nothing is known that falls due: then it is asked since it was not for long. */
  isPoll = false;
  /** What the first one costs that it had and that was not claimed for want of permits. */
  cost = 1;
  /** Handlers that had no room when it was last asked: it may have something for them. */
  leftOut: readonly string[] = [];
  /** It was woken while it was being asked. */
  woken = false;

  constructor({ name, share }: ClaimedQueue, dueAt: number) {
    this.name = name;
    this.share = share;
    this.dueAt = dueAt;
  }

  /** It has something, as far as is known. */
  becomeDue(): void {
    this.dueAt = Number.NEGATIVE_INFINITY;
    this.isPoll = false;
  }
}

/**
 * Which queue is asked next: among those that may have something, the one that has had least by its share,
 * or, where queues are strict, the one of the highest share. Polls have every second turn at most, so that a
 * thousand idle queues do not keep those waiting that have something.
 */
export class QueueTurns {
  readonly #turns: readonly QueueTurn[];
  readonly #strict: boolean;
  #virtualTime = 0;
  /** The last one that was asked was polled. */
  #hasPolled = false;

  constructor(queues: readonly ClaimedQueue[], strict: boolean, now: number) {
    this.#turns = queues.map((queue) => new QueueTurn(queue, now));
    this.#strict = strict;
  }

  /** Whether any may have something. */
  hasCandidate(now: number): boolean {
    for (const turn of this.#turns) if (isCandidate(turn, now)) return true;
    return false;
  }

  /** Those that may have something, in the order in which they are to be asked. */
  candidates(now: number): readonly QueueTurn[] {
    const candidates = this.#turns.filter((turn) => isCandidate(turn, now));
    if (candidates.length < 2) return candidates;
    if (this.#strict) return candidates.sort((a, b) => b.share - a.share);
    const isPolled = ({ dueAt, isPoll }: QueueTurn) => isPoll && dueAt <= now;
    const polls = candidates.filter(isPolled).sort((a, b) => a.dueAt - b.dueAt);
    const others = candidates.filter((turn) => !isPolled(turn)).sort((a, b) => a.pass - b.pass);
    return this.#hasPolled ? [...others, ...polls] : [...polls, ...others];
  }

  /** It is asked. */
  asked(turn: QueueTurn, now: number): void {
    turn.woken = false;
    this.#hasPolled = turn.isPoll && turn.dueAt <= now;
  }

  /** When the next one that has nothing now is to be asked; Infinity where there is none. */
  nextDueAt(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#turns) if (dueAt > now) next = Math.min(next, dueAt);
    return next;
  }

  /** It has had so many turns. One that had nothing for a while is not owed what it could not take. */
  took(turn: QueueTurn, count: number): void {
    assert(count >= 0, "turns are counted up");
    if (count === 0) return;
    turn.pass = Math.max(turn.pass, this.#virtualTime);
    this.#virtualTime = turn.pass;
    turn.pass += count / turn.share;
  }

  wake(queue: string): void {
    const turn = this.#turns.find(({ name }) => name === queue);
    if (turn === undefined) return;
    turn.becomeDue();
    turn.woken = true;
  }
}

function isCandidate({ dueAt, leftOut }: QueueTurn, now: number): boolean {
  return dueAt <= now || leftOut.length > 0;
}
