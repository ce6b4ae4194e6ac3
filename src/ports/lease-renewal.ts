import type { StoredError } from "../task/stored-outcome.js";

/**
 * Renews leases from elsewhere than the thread in which the core runs, so that code which blocks that one
 * costs no lease.
 */
export interface BackendRenewer {
  /** @returns undefined where leases can be renewed by calls alone; it has said why to who reads that */
  open(options: RenewalOptions): LeaseRenewal | undefined;
}

/** How leases are to be renewed, and who is told of it. */
export interface RenewalOptions {
  /** Each renewal lets a lease live so long; it is made every third of that. */
  readonly leaseMs: number;
  /** So long the core, or a worker, may be silent before leases which need it are left to expire. */
  readonly maxBlockedMs: number;
  /** Shared memory in which workers count the turns of their event loops; undefined where none do. */
  readonly pulses?: Int32Array | undefined;
  readonly listener: RenewalListener;
}

/** What tells one lease from all others. */
export interface RenewedLease {
  readonly id: string;
  readonly token: number;
}

/**
 * Who must not be silent for too long, or the lease is left to expire: the core; nobody; or the worker that
 * counts its turns in the word of `pulses` that has this number.
 */
export type LeaseNeed = "core" | "nobody" | number;

/** Is told what the store answers, between calls or within `catchUp`; perhaps of leases that were let go. */
export interface RenewalListener {
  /**
   * The store has it live on.
   * @param sentAgoMs how long ago the request was sent that did so
   * @param cancel the reason of whoever wants its task to be cancelled
   */
  renewed(lease: RenewedLease, sentAgoMs: number, cancel: StoredError | undefined): void;
  /** It was not held any more. */
  refused(lease: RenewedLease): void;
  /** A renewal has failed, or what renews has; it is made again. */
  failed(error: unknown): void;
}

/**
 * Leases that are renewed elsewhere. Each call is cheap, and none waits or throws: what it says holds though
 * the caller is blocked from then on. Whoever is told of no renewal in time makes it himself.
 */
export interface LeaseRenewal {
  /** False while what renews is not there. */
  readonly active: boolean;
  /**
   * From now on renews these, as leases that need the core, each until it is released.
   * @param dueInMs when the next renewal of them is due
   */
  keep(leases: readonly RenewedLease[], dueInMs: number): void;
  /** Renews it no longer than `forMs` from now, and while whom it needs shows life. */
  limit(lease: RenewedLease, forMs: number, need: LeaseNeed): void;
  /** Renews it no more; a renewal that is under way may still come. */
  release(lease: RenewedLease): void;
  /** Tells at once what has been answered and not been told yet. */
  catchUp(): void;
  /** Renews nothing more. Resolves when nothing of it is left. */
  close(): Promise<void>;
}
