import type { RenewedLease } from "../../../ports/lease-renewal.js";
import { type LeaseWords, MAX_LEASES } from "./lease-words.js";
import type { KeepMessage } from "./messages.js";

interface KeptLease extends RenewedLease {
  readonly place: number;
  readonly tenure: number;
  renewAt: number;
}

/** What the main thread knows of the leases that are renewed for it: their places among the shared words. */
export class KeptLeases {
  readonly #words: LeaseWords;
  readonly #kept = new Map<string, KeptLease>();
  readonly #free: number[] = [];
  #used = 0;

  constructor(words: LeaseWords) {
    this.#words = words;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Those for which there is a place: the others are left to whoever holds them. */
  keep(leases: readonly RenewedLease[], renewAt: number): KeepMessage {
    const taken: KeptLease[] = [];
    for (const { id, token } of leases) {
      const before = this.#kept.get(id);
      if (before !== undefined) this.#letGo(before);
      const place = this.#free.pop() ?? this.#used;
      if (place >= MAX_LEASES) break;
      if (place === this.#used) this.#used++;
      const lease = { id, token, place, tenure: this.#words.take(place), renewAt };
      this.#kept.set(id, lease);
      taken.push(lease);
    }
    return toMessage(taken, renewAt);
  }

  limit({ id, token }: RenewedLease, until: number, isFree: boolean): void {
    const lease = this.#kept.get(id);
    if (lease?.token === token) this.#words.limit(lease.place, until, isFree);
  }

  renewed({ id, token }: RenewedLease, renewAt: number): void {
    const lease = this.#kept.get(id);
    if (lease?.token === token) lease.renewAt = renewAt;
  }

  release({ id, token }: RenewedLease): void {
    const lease = this.#kept.get(id);
    if (lease?.token === token) this.#letGo(lease);
  }

  /** All of them, for a thread that knows none. */
  toMessage(): KeepMessage {
    const all = [...this.#kept.values()];
    return toMessage(
      all,
      all.reduce((first, { renewAt }) => Math.min(first, renewAt), Number.POSITIVE_INFINITY),
    );
  }

  #letGo(lease: KeptLease): void {
    this.#kept.delete(lease.id);
    this.#words.letGo(lease.place);
    this.#free.push(lease.place);
  }
}

function toMessage(leases: readonly KeptLease[], renewAt: number): KeepMessage {
  return {
    ids: leases.map(({ id }) => id),
    tokens: leases.map(({ token }) => token),
    places: leases.map(({ place }) => place),
    tenures: leases.map(({ tenure }) => tenure),
    renewAt,
  };
}
