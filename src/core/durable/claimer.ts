import type { Backend, ClaimAnswer, ClaimRequest } from "../../ports/backend.js";
import type { Clock } from "../../ports/clock.js";
import type { Random } from "../../ports/random.js";
import type { ClaimHost, ClaimNeed, Reservation } from "./claim-host.js";
import { EarliestTimer } from "./earliest-timer.js";
import type { LeaseTerms } from "./lease-terms.js";
import { type ClaimedQueue, type QueueTurn, QueueTurns } from "./queue-turns.js";
import { RetryDelay } from "./retry-delay.js";

/** An answer, and when it was asked for. */
interface Asked {
  readonly answer: ClaimAnswer | undefined;
  readonly askedAt: number;
}

interface NeedOf extends ClaimNeed {
  readonly turn: QueueTurn;
}

export interface ClaimerParts {
  readonly backend: Pick<Backend, "claim">;
  readonly clock: Clock;
  readonly random: Random;
  readonly terms: LeaseTerms;
  readonly queues: readonly ClaimedQueue[];
  readonly strict: boolean;
  /** How long a queue is left alone of which nothing has been heard, at least, in milliseconds. */
  readonly pollMs: number;
  /** A name for this process and a counter make the id of a request. */
  readonly requestPrefix: string;
  readonly host: ClaimHost;
}

/** So long room is kept for a claim: a slow store must not hold others up. */
const RESERVED_MS = 50;

/** How much the last answer counts for how long the next one is taken to need. */
const SMOOTHING = 1 / 4;

/** By so much an answer may come later than the last ones, and no permit is lost by that, in milliseconds. */
const LATER_MS = 0.25;

/**
 * Idle queues are asked one after another with so much time between them, where there are many: what a
 * process asks for nothing does not grow with each of them.
 */
const BETWEEN_POLLS_MS = 10;

/** By so much of itself the time until the next poll is longer or shorter, at most. */
const MAX_JITTER = 0.25;

/** A store that is back is noticed within this time, however long it was away. */
const MAX_RETRY_MS = 1_000;

/**
 * Claims tasks as there is room for them, one claim at a time. A queue is asked when it may have something:
 * after a wake-up, when something of it falls due, while claims bring something, and every `pollMs`. So an
 * idle process costs next to nothing, and a lost wake-up no more than a poll. More than a few hundred queues
 * are asked more seldom, but each within a lease: the lease that a dead process has left is known then before
 * it expires, and reclaimed when it does.
 *
 * A claim that fails is made again with the same request, so that leases which it may have been given are not
 * left to expire; and given up when they may be about to.
 */
export class Claimer {
  readonly #parts: ClaimerParts;
  readonly #pollMs: number;
  readonly #turns: QueueTurns;
  readonly #retry: RetryDelay;
  readonly #timer: EarliestTimer;
  #started = false;
  #soon = false;
  #requests = 0;
  #lastAnswerAt: number | undefined;
  #endPause: (() => void) | undefined;
  /** Since when the store has been asked for what it has not answered; undefined while it is not asked. */
  #askedAt: number | undefined;
  #reclaimed = 0;
  /** How long answers take of late, in milliseconds; undefined before the first. */
  #answersIn: number | undefined = undefined;

  constructor(parts: ClaimerParts) {
    this.#parts = parts;
    const { clock, queues, random, strict, terms } = parts;
    const { leaseMs, renewEveryMs } = terms;
    const seldom = Math.min(queues.length * BETWEEN_POLLS_MS, leaseMs / (1 + MAX_JITTER));
    this.#pollMs = Math.max(parts.pollMs, seldom);
    this.#timer = new EarliestTimer(clock, () => this.claim());
    this.#turns = new QueueTurns(queues, strict, clock.now());
    this.#retry = new RetryDelay(random, Math.min(100, leaseMs / 20), Math.min(MAX_RETRY_MS, renewEveryMs));
  }

  /** A claim is under way. */
  get busy(): boolean {
    return this.#askedAt !== undefined;
  }

  /** When the store last answered a claim, monotonic; undefined before the first answer. */
  get lastAnswerAt(): number | undefined {
    return this.#lastAnswerAt;
  }

  /** Leases of any holder that had expired, and were given back by claims from here. */
  get reclaimed(): number {
    return this.#reclaimed;
  }

  /** For how long a claim has been wanted that is not answered; 0 where none is, or there is no room. */
  overdueMs(now: number): number {
    if (this.#askedAt !== undefined) return now - this.#askedAt;
    return Math.max(0, now - this.#timer.at);
  }

  start(): void {
    this.#started = true;
    this.claim();
  }

  /** Claims nothing more. What a claim that is under way brings is still told. */
  stop(): void {
    this.#started = false;
    this.#timer.clear();
    this.#parts.host.beginRound([]);
    this.#parts.host.endRound();
    this.#endPause?.();
  }

  /** The queue may have something. */
  wake(queue: string): void {
    this.#turns.wake(queue);
    this.claim();
  }

  /**
   * The same in the next turn of the event loop: slots that become free one by one in this turn are then
   * claimed for together.
   */
  claimSoon(): void {
    const { clock } = this.#parts;
    if (!this.#started || this.busy || this.#soon || !this.#turns.hasCandidate(clock.now())) return;
    this.#soon = true;
    clock.setImmediate(() => {
      this.#soon = false;
      this.claim();
    });
  }

  /** Claims at once where that is about to be done. */
  claimNow(): void {
    if (this.#soon) this.claim();
  }

  /** Claims what there is room for, unless a claim is under way. */
  claim(): void {
    if (!this.#started || this.busy) return;
    const { clock, host } = this.#parts;
    const now = clock.now();
    const leadMs = (this.#answersIn ?? 0) + LATER_MS;
    const needs = this.#turns.candidates(now).map((turn) => toNeed(turn, leadMs, now));
    host.beginRound(needs);
    if (!needs.some((need) => this.#claimFor(need))) this.#timer.set(this.#turns.nextDueAt(now));
    host.endRound();
  }

  #claimFor(need: NeedOf): boolean {
    const { host, requestPrefix, terms } = this.#parts;
    const reservation = host.reserve(need);
    if (reservation === undefined) return false;
    const { handlers, slots, permits } = reservation;
    const requestId = `${requestPrefix}${++this.#requests}`;
    const request = { requestId, queue: need.queue, leaseMs: terms.leaseMs, handlers, slots, permits };
    void this.#send(need.turn, request, reservation, need.oneOf !== undefined);
    return true;
  }

  async #send(
    turn: QueueTurn,
    request: ClaimRequest,
    reservation: Reservation,
    isForLeftOut: boolean,
  ): Promise<void> {
    const { clock, host } = this.#parts;
    const sentAt = clock.now();
    this.#turns.asked(turn, sentAt);
    this.#askedAt = sentAt;
    let reserved = true;
    const release = () => {
      if (reserved) reservation.release();
      reserved = false;
    };
    const kept = clock.setTimeout(release, RESERVED_MS);
    const { answer, askedAt } = await this.#ask(request, sentAt, release);
    if (answer !== undefined) {
      this.#noteDuration(clock.now() - sentAt);
      reserved ||= answer.tasks.length > 0;
      await this.#awaitPermits(answer, reservation);
    }
    kept.cancel();
    this.#askedAt = undefined;
    release();
    const otherDueAt = isForLeftOut ? turn.dueAt : Number.POSITIVE_INFINITY;
    if (answer !== undefined) this.#note(turn, answer, reservation.leftOut, otherDueAt);
    host.claimed(request.queue, answer, sentAt, askedAt);
    this.claim();
  }

  /** Asks again and again; undefined when what it may have been given is not worth having any more. */
  async #ask(request: ClaimRequest, sentAt: number, release: () => void): Promise<Asked> {
    const { backend, clock, host, terms } = this.#parts;
    for (;;) {
      const askedAt = clock.now();
      try {
        const answer = await backend.claim(request);
        this.#retry.succeeded();
        this.#lastAnswerAt = clock.now();
        const { tookMs = Number.POSITIVE_INFINITY } = answer;
        return { answer, askedAt: Math.max(askedAt, this.#lastAnswerAt - tookMs) };
      } catch (error) {
        release();
        host.failed(error);
      }
      await this.#pause(this.#retry.next());
      if (!this.#started || clock.now() - sentAt > terms.leaseMs / 2) return { answer: undefined, askedAt };
    }
  }

  #noteDuration(durationMs: number): void {
    const latest = Math.min(durationMs, RESERVED_MS); // no claim is made further ahead
    const before = this.#answersIn ?? latest;
    this.#answersIn = before + SMOOTHING * (latest - before);
  }

  /** What has been claimed waits for its permits, if that is not long: others want to claim, too. */
  async #awaitPermits({ tasks }: ClaimAnswer, reservation: Reservation): Promise<void> {
    if (tasks.length === 0) return;
    const readyAt = reservation.readyAt(tasks.map(({ handler }) => handler));
    const waitMs = readyAt - this.#parts.clock.now();
    if (waitMs > 0 && waitMs <= RESERVED_MS) await this.#pause(waitMs, true);
  }

  #pause(delayMs: number, isExact = false): Promise<void> {
    if (!this.#started) return Promise.resolve();
    return new Promise((resolve) => {
      const goOn = () => {
        timer.cancel();
        this.#endPause = undefined;
        resolve();
      };
      const timer = this.#parts.clock.setTimeout(goOn, delayMs, isExact);
      this.#endPause = goOn;
    });
  }

  /**
   * When the queue is to be asked next.
   * @param otherDueAt when it is, for those handlers that it has not been asked for now
   */
  #note(turn: QueueTurn, answer: ClaimAnswer, leftOut: readonly string[], otherDueAt: number): void {
    const { clock, random } = this.#parts;
    const { tasks, stoppedAtCost, nextDueMs, crashed, reclaimed } = answer;
    this.#reclaimed += reclaimed;
    this.#turns.took(turn, tasks.length);
    turn.cost = stoppedAtCost ?? 1;
    turn.leftOut = leftOut;
    const brought = tasks.length > 0 || crashed.length > 0 || reclaimed > 0 || stoppedAtCost !== undefined;
    if (turn.woken || brought) {
      turn.becomeDue(); // also where it was asked for those alone who had been left out
      return;
    }
    const jitter = MAX_JITTER * (2 * random.next() - 1); // not all processes at once
    const pollInMs = this.#pollMs * (1 + jitter);
    const dueInMs = Math.min(pollInMs, nextDueMs ?? pollInMs);
    const dueAt = clock.now() + dueInMs;
    if (dueAt >= otherDueAt) return;
    turn.dueAt = dueAt;
    turn.isPoll = dueInMs === pollInMs;
  }
}

function toNeed(turn: QueueTurn, leadMs: number, now: number): NeedOf {
  const { name: queue, cost, dueAt, leftOut } = turn;
  return { turn, queue, cost, leadMs, oneOf: dueAt <= now ? undefined : leftOut };
}
