import { assert, NotAcceptingError } from "../../errors.js";
import { findCause } from "../../task/causes.js";
import type { Phase } from "../../task/manager-stats.js";

const ORDER: readonly Phase[] = ["ready", "running", "draining", "aborting", "stopped"];

/** Where a manager is in its life; see `Phase`. */
export class Lifecycle {
  #phase: Phase = "ready";
  #started = false;
  #lastStartAt = Number.POSITIVE_INFINITY;
  #endAt = Number.POSITIVE_INFINITY;
  /** What calls were refused with. */
  readonly #refusals = new WeakSet();

  get phase(): Phase {
    return this.#phase;
  }

  get accepting(): boolean {
    return this.#phase === "ready" || this.#phase === "running";
  }

  /** Whether it has ever been running: a stop that comes before does not begin to start tasks. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether attempts may be started at all. */
  get starting(): boolean {
    return this.#started && (this.#phase === "running" || this.#phase === "draining");
  }

  /** No attempt that is due after this instant will be started. */
  get lastStartAt(): number {
    return this.#lastStartAt;
  }

  /** The end of a stop: whatever still runs at this instant is given up, whatever its own `killAfterMs`. */
  get endAt(): number {
    return this.#endAt;
  }

  /** Limits that are not given stay; an end that was set is only ever brought forward. */
  advance(to: Phase, lastStartAt = this.#lastStartAt, endAt = this.#endAt): void {
    assert(
      ORDER.indexOf(to) >= ORDER.indexOf(this.#phase),
      `a manager that is ${this.#phase} is not ${to} again`,
    );
    this.#phase = to;
    if (to === "running") this.#started = true;
    this.#lastStartAt = lastStartAt;
    this.#endAt = Math.min(this.#endAt, endAt);
  }

  /** @throws {NotAcceptingError} */
  refuseUnlessAccepting(): void {
    if (this.accepting) return;
    const state = this.#phase === "stopped" ? "has stopped" : "is stopping";
    throw this.toRefusal(`This task manager ${state} and accepts no tasks`);
  }

  /** An error by which a call is refused for the stop, and that `hasRefused` knows again. */
  toRefusal(message: string): NotAcceptingError {
    const refusal = new NotAcceptingError(message);
    this.#refusals.add(refusal);
    return refusal;
  }

  /**
   * Whether this manager, and not another, has refused a call with what was thrown or with a cause in its
   * chain. Whatever was thrown, this does not throw.
   */
  hasRefused(thrown: unknown): boolean {
    return findCause(thrown, (link): link is Error => this.#refusals.has(link)) !== undefined;
  }
}
