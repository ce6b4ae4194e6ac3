import { AsyncResource } from "node:async_hooks";
import type { AttemptFollower, RunnableAttempt } from "../../ports/executor.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import type { Outcome } from "../../task/outcome.js";
import type { HandlerCall } from "../../task/work.js";

/** Where an attempt is on its way through the threads. */
export interface AttemptPlace {
  /** The attempt should end. */
  abort(handed: HandedAttempt, reason: Error): void;
  announceStop(reason: Error): void;
  /** Ends it by force, where it will not end by itself. */
  kill(handed: HandedAttempt): void;
  hasBegun(handed: HandedAttempt): boolean;
}

/** One attempt in the hands of the executor, from `run` until it is over. */
export class HandedAttempt implements AttemptFollower {
  readonly attempt: RunnableAttempt;
  readonly handler: HandlerDefinition;
  readonly payload: unknown;
  /** Asked for at once: when it comes to a thread, another context is active. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Where it is traced: what its handler enqueues is enqueued in its context. */
  readonly #scope: AsyncResource | undefined;
  /** In line for a thread, or in one. */
  place: AttemptPlace;
  /** Its place in its batch, once it is in one. */
  index = -1;
  /** It stood in line for longer than the call that brought it here. */
  waited = false;
  /** The manager has been told of its end. */
  over = false;
  readonly #forget: (handed: HandedAttempt) => void;
  #left = false;
  #stopReason: Error | undefined;

  constructor(attempt: RunnableAttempt, place: AttemptPlace, forget: (handed: HandedAttempt) => void) {
    const { handler, payload } = attempt.work as HandlerCall;
    this.attempt = attempt;
    this.handler = handler;
    this.payload = payload;
    this.headers = attempt.headers;
    this.#scope = this.headers && new AsyncResource("MillraceAttempt", { requireManualDestroy: true });
    this.place = place;
    this.#forget = forget;
  }

  /** Its thread has nothing more to do with it; what it returned may still be checked. */
  get left(): boolean {
    return this.#left;
  }

  /** Why it will be aborted soon; undefined while no stop is under way. */
  get stopReason(): Error | undefined {
    return this.#stopReason;
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    if (this.attempt.watched) this.attempt.placed(undefined);
  }

  aborted(reason: Error): void {
    if (!this.over) this.place.abort(this, reason);
  }

  stopping(reason: Error): void {
    this.#stopReason = reason;
    if (!this.over) this.place.announceStop(reason);
  }

  /** Calls back in the context of the attempt, where it is traced. */
  inContext<R>(callback: () => R): R {
    return this.#scope === undefined ? callback() : this.#scope.runInAsyncScope(callback);
  }

  end(outcome: Outcome, runMs?: number): void {
    if (this.over) return;
    this.#endHere();
    this.attempt.ended(outcome, runMs);
  }

  fail(thrown: unknown, runMs?: number): void {
    this.end({ returned: false, thrown }, runMs);
  }

  /** It has not begun, and will not. */
  handBack(): void {
    if (this.over) return;
    this.#endHere();
    this.attempt.handBack();
  }

  #endHere(): void {
    this.over = true;
    this.leave();
    this.#forget(this);
  }
}
