import { RingBuffer } from "../../core/collections/ring-buffer.js";
import type { CrashedTask, Lease } from "../../ports/backend.js";

/** What a claim came to, so that the same claim can be answered again. */
export interface ClaimRecord {
  readonly requestId: string;
  readonly leases: readonly Lease[];
  readonly stoppedAtCost: number | undefined;
  readonly crashed: readonly CrashedTask[];
  readonly reclaimed: number;
  /** Elapsed time until which it may be made again. */
  readonly knownUntil: number;
}

/** So many at once are more than any process makes within a lease that must poll. */
const MAX_CLAIMS = 10_000;

/** The claims of late, by request id. */
export class RecentClaims {
  readonly #claims = new Map<string, ClaimRecord>();
  readonly #inOrder = new RingBuffer<ClaimRecord>();

  find(requestId: string): ClaimRecord | undefined {
    return this.#claims.get(requestId);
  }

  add(claim: ClaimRecord): void {
    this.#claims.set(claim.requestId, claim);
    this.#inOrder.push(claim);
    if (this.#inOrder.size > MAX_CLAIMS) this.#forgetOldest();
  }

  /** Forgets those whose time is over, as far as `steps` go. */
  sweep(elapsed: number, steps: number): void {
    for (let left = steps; left > 0; left--) {
      const oldest = this.#inOrder.peek();
      if (oldest === undefined || oldest.knownUntil > elapsed) return;
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const oldest = this.#inOrder.shift();
    if (oldest !== undefined) this.#claims.delete(oldest.requestId);
  }
}
