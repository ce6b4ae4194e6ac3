import type { ClaimAnswer, ClaimableHandler } from "../../ports/backend.js";

/** What may be claimed from one queue: room that is kept until the claim has been answered. */
export interface Reservation {
  readonly handlers: readonly ClaimableHandler[];
  readonly slots: readonly number[];
  readonly permits: number;
  /** Handlers for which there is no room now. */
  readonly leftOut: readonly string[];
  /**
   * When tasks of these handlers have their permits, monotonic: they were claimed ahead of that, or others
   * have taken some meanwhile. From now on permits are kept for them, even if the room was released before.
   */
  readyAt(handlers: readonly string[]): number;
  /** The room is free again: what has been claimed finds its own, or goes back. */
  release(): void;
}

export interface ClaimHost {
  /** A look at all queues begins, of which these may have something. */
  beginRound(needs: readonly ClaimNeed[]): void;
  /** Keeps room for a claim; undefined where there is none now that would do. */
  reserve(need: ClaimNeed): Reservation | undefined;
  /** It is over: a claim is under way, or there is no room for any. */
  endRound(): void;
  /**
   * What a claim has brought, if anything; the reservation has just been released.
   * @param sentAt when it was first made, monotonic
   * @param askedAt when the store was asked for what it has answered, monotonic; not later than it was
   */
  claimed(queue: string, answer: ClaimAnswer | undefined, sentAt: number, askedAt: number): void;
  /** A claim has failed, and is made again. */
  failed(error: unknown): void;
}

/** What a claim must have room for, to be of use. */
export interface ClaimNeed {
  readonly queue: string;
  /** At least so many permits: what the queue's first task is known to cost. */
  readonly cost: number;
  /** Some of these handlers, and no others; undefined where any will do. */
  readonly oneOf: readonly string[] | undefined;
  /** So long before there are permits it may be made, in milliseconds: its answer takes as long. */
  readonly leadMs: number;
}
