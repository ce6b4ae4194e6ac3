import type { Backend } from "../../../ports/backend.js";

/** What a store is to keep of dead letters, where a rule is about that; else its own defaults serve. */
export interface StoreLimits {
  readonly deadLetters?:
    | {
        /** At most so many in each queue. */
        readonly maxEntries?: number | undefined;
        /** At most so long, in milliseconds. */
        readonly ttlMs?: number | undefined;
      }
    | undefined;
}

/** A store of which nothing is known to anybody yet. */
export interface StoreSubject {
  /** Makes a client of this store. The suite closes it. */
  connect(): Backend | Promise<Backend>;
  /** Lets so much of the store's time pass, or a little more: by waiting, where its clock cannot be moved. */
  advanceTime(ms: number): void | Promise<void>;
  /** Called when the case is over and its clients are closed. */
  close?(): void | Promise<void>;
}

/** A backend as a conformance suite looks at it. */
export interface BackendSubject {
  /** Makes an empty store: a new prefix will do. Stores of different cases may be used at the same time. */
  open(limits: StoreLimits): StoreSubject | Promise<StoreSubject>;
  /**
   * How long a lease is that is to expire, in milliseconds. Where `advanceTime` waits, a short one, of which
   * a few calls, and what is waited too long, take less than a fifth.
   */
  readonly leaseMs: number;
  /** Whether `advanceTime` takes no time, so that rules about minutes can be looked at. Default false. */
  readonly leaps?: boolean | undefined;
  /** How long the suite waits for a signal that must come, in milliseconds. Default 10,000. */
  readonly patienceMs?: number | undefined;
}
