/**
 * What follows from the length of a lease. Renewal at a third of it leaves room for two that fail. Trust
 * ends a little before the store's own reckoning does, since clocks run at slightly different speeds, and a
 * handler needs a moment to hear of it.
 */
export interface LeaseTerms {
  readonly leaseMs: number;
  readonly renewEveryMs: number;
  readonly marginMs: number;
}

const MAX_MARGIN_MS = 1_000;

export function toLeaseTerms(leaseMs: number): LeaseTerms {
  return { leaseMs, renewEveryMs: leaseMs / 3, marginMs: Math.min(MAX_MARGIN_MS, leaseMs / 10) };
}
