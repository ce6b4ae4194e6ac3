import { describe, expect, test } from "vitest";
import { GuardedRenewer } from "../../../src/core/durable/guarded-renewer.js";
import type { LeaseRenewal, RenewalListener, RenewalOptions } from "../../../src/ports/lease-renewal.js";
import { ManualClock } from "../../../src/testing/index.js";

const lease = { id: "q:a", token: 1 };

/** A renewal behind its guard, and what came of it. */
function guarded(renewal: Partial<LeaseRenewal>) {
  const clock = new ManualClock();
  const told: string[] = [];
  let inner: RenewalListener | undefined;
  const open = ({ listener }: RenewalOptions) => {
    inner = listener;
    return renewal as LeaseRenewal;
  };
  const listener: RenewalListener = {
    renewed: ({ id }, sentAgoMs) => told.push(`renewed ${id} ${sentAgoMs}`),
    refused: ({ id }) => told.push(`refused ${id}`),
    failed: (error) => told.push(`failed ${(error as Error).message}`),
  };
  const options: RenewalOptions = { leaseMs: 30_000, maxBlockedMs: 120_000, listener };
  const opened = new GuardedRenewer({ open }, clock).open(options) as LeaseRenewal;
  return { clock, inner: inner as RenewalListener, opened, told };
}

function throwing(): never {
  throw new Error("it throws");
}

describe("GuardedRenewer", () => {
  test("hands calls and answers on", async () => {
    const calls: string[] = [];
    const { inner, opened, told } = guarded({
      active: true,
      keep: (leases, dueInMs) => calls.push(`keep ${leases.length} ${dueInMs}`),
      limit: ({ id }, forMs, need) => calls.push(`limit ${id} ${forMs} ${need}`),
      release: ({ id }) => calls.push(`release ${id}`),
      catchUp: () => calls.push("catchUp"),
      close: async () => void calls.push("close"),
    });
    expect(opened.active).toBe(true);
    opened.keep([lease], 5);
    opened.limit(lease, 6, "nobody");
    opened.release(lease);
    opened.catchUp();
    inner.renewed(lease, 7, undefined);
    inner.refused(lease);
    await opened.close();
    expect(calls).toEqual(["keep 1 5", "limit q:a 6 nobody", "release q:a", "catchUp", "close"]);
    expect(told).toEqual(["renewed q:a 7", "refused q:a"]);
  });

  test("counts what throws as failures of renewal, and lets the caller go on", async () => {
    const all = { keep: throwing, limit: throwing, release: throwing, catchUp: throwing, close: throwing };
    const { opened, told } = guarded(Object.defineProperty(all, "active", { get: throwing }));
    expect(opened.active).toBe(false);
    opened.keep([lease], 5);
    opened.limit(lease, 6, "nobody");
    opened.release(lease);
    opened.catchUp();
    await opened.close();
    expect(told).toEqual(Array.from({ length: 6 }, () => "failed it throws"));
  });

  test("has no renewal where it cannot be opened", () => {
    const told: unknown[] = [];
    const listener = { renewed: () => {}, refused: () => {}, failed: (error: unknown) => told.push(error) };
    const renewer = new GuardedRenewer({ open: throwing }, new ManualClock());
    expect(renewer.open({ leaseMs: 1_000, maxBlockedMs: 1_000, listener })).toBeUndefined();
    expect(told).toHaveLength(1);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("trusts no renewal of %d ms ago", (sentAgoMs) => {
    const { inner, told } = guarded({});
    inner.renewed(lease, sentAgoMs, undefined);
    expect(told).toEqual([]);
  });

  test("waits a second for an end that does not come, and not for one that fails", async () => {
    const { clock, opened } = guarded({ close: () => new Promise(() => {}) });
    const closed = opened.close();
    await clock.advance(1_000);
    await closed;
    await guarded({ close: () => Promise.reject(new Error("it fails")) }).opened.close();
  });
});
