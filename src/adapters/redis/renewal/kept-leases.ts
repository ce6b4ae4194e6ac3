import { TransitMap } from "../../../core/collections/transit-map.js";
import type { LeaseNeed, RenewedLease } from "../../../ports/lease-renewal.js";
import { type LeaseTable, MAX_LEASES } from "./lease-table.js";

interface KeptLease extends RenewedLease {
  readonly place: number;
}

/** What the main thread knows of the leases that are renewed for it: their places in the table. */
export class KeptLeases {
  readonly #table: LeaseTable;
  readonly #kept = new TransitMap<string, KeptLease>();
  readonly #free: number[] = [];
  #used = 0;

  constructor(table: LeaseTable) {
    this.#table = table;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Those for which there is a place: the others are left to whoever holds them. */
  keep(leases: readonly RenewedLease[], dueAt: number): void {
    for (const lease of leases) {
      const before = this.#kept.get(lease.id);
      if (before !== undefined) this.#letGo(before);
      const place = this.#free.at(-1) ?? this.#used;
      if (place >= MAX_LEASES) return;
      if (!this.#table.take(place, lease, dueAt)) continue;
      if (place === this.#used) this.#used++;
      else this.#free.pop();
      this.#kept.set(lease.id, { id: lease.id, token: lease.token, place });
    }
  }

  limit({ id, token }: RenewedLease, until: number, need: LeaseNeed): void {
    const lease = this.#kept.get(id);
    if (lease?.token === token) this.#table.limit(lease.place, until, need);
  }

  release({ id, token }: RenewedLease): void {
    const lease = this.#kept.get(id);
    if (lease?.token === token) this.#letGo(lease);
  }

  #letGo(lease: KeptLease): void {
    this.#kept.delete(lease.id);
    this.#table.letGo(lease.place);
    this.#free.push(lease.place);
    if (this.#kept.size > 0) return;
    this.#free.length = 0;
    this.#used = 0;
    this.#table.clear();
  }
}
