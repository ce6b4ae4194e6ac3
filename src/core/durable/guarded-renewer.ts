import type { Clock } from "../../ports/clock.js";
import type {
  BackendRenewer,
  LeaseNeed,
  LeaseRenewal,
  RenewalListener,
  RenewalOptions,
  RenewedLease,
} from "../../ports/lease-renewal.js";

/** So long the end of a renewal is waited for. */
const CLOSE_MS = 1_000;

/**
 * A renewer as its port promises it, whatever it does: where it throws, leases are renewed by calls, and what
 * it tells of times that cannot be is not heard.
 */
export class GuardedRenewer implements BackendRenewer {
  readonly #renewer: BackendRenewer;
  readonly #clock: Clock;

  constructor(renewer: BackendRenewer, clock: Clock) {
    this.#renewer = renewer;
    this.#clock = clock;
  }

  open(options: RenewalOptions): LeaseRenewal | undefined {
    const { failed, refused, renewed } = options.listener;
    const listener: RenewalListener = {
      // One that would come from the future would be trusted for longer than the store has it.
      renewed: (lease, sentAgoMs, cancel) => {
        if (sentAgoMs >= 0 && sentAgoMs < Number.POSITIVE_INFINITY) renewed(lease, sentAgoMs, cancel);
      },
      ...{ failed, refused },
    };
    const guard = new Guard(failed);
    const renewal = guard.try(() => this.#renewer.open({ ...options, listener }));
    return renewal && new GuardedRenewal(renewal, guard, this.#clock);
  }
}

class GuardedRenewal implements LeaseRenewal {
  readonly #renewal: LeaseRenewal;
  readonly #guard: Guard;
  readonly #clock: Clock;

  constructor(renewal: LeaseRenewal, guard: Guard, clock: Clock) {
    this.#renewal = renewal;
    this.#guard = guard;
    this.#clock = clock;
  }

  get active(): boolean {
    return this.#guard.try(() => this.#renewal.active) === true;
  }

  keep(leases: readonly RenewedLease[], dueInMs: number): void {
    this.#guard.try(() => this.#renewal.keep(leases, dueInMs));
  }

  limit(lease: RenewedLease, forMs: number, need: LeaseNeed): void {
    this.#guard.try(() => this.#renewal.limit(lease, forMs, need));
  }

  release(lease: RenewedLease): void {
    this.#guard.try(() => this.#renewal.release(lease));
  }

  catchUp(): void {
    this.#guard.try(() => this.#renewal.catchUp());
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(resolve, CLOSE_MS);
      const end = () => {
        timer.cancel();
        resolve();
      };
      const closed = this.#guard.try(() => this.#renewal.close());
      if (closed === undefined) end();
      else closed.then(end, end);
    });
  }
}

/** Calls what may throw. */
class Guard {
  readonly #failed: (error: unknown) => void;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  try<R>(call: () => R): R | undefined {
    try {
      return call();
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }
}
