import { describe, expect, test } from "vitest";
import { KeptLeases } from "../../../../src/adapters/redis/renewal/kept-leases.js";
import { LeaseTable, MAX_ID_BYTES, MAX_LEASES } from "../../../../src/adapters/redis/renewal/lease-table.js";

const lease = (id: string, token = 1) => ({ id, token });
const FAR = Number.MAX_VALUE;

/** The leases that a thread finds, by their places. */
function idsOf(table: LeaseTable): readonly (string | undefined)[] {
  return Array.from({ length: table.used }, (_, place) => table.read(place)?.id);
}

describe("LeaseTable", () => {
  test("gives a lease to another thread as it was put in", () => {
    const table = new LeaseTable(0);
    table.take(2, lease("q:ä€😀", 2 ** 53 - 1), 1_234.5);
    const there = new LeaseTable(0, table.shared);
    expect(there.used).toBe(3);
    expect(there.read(2)).toEqual({ id: "q:ä€😀", token: 2 ** 53 - 1, tenure: 1, dueAt: 1_234.5 });
    expect([there.read(0), there.tenureOf(0)]).toEqual([undefined, undefined]);
  });

  test("has a lease renewed for ever, as one that needs the main thread", () => {
    const table = new LeaseTable(1_000);
    table.take(3, lease("q:a"), 0);
    expect([table.wants(3, 1e12), table.needOf(3)]).toEqual([true, "core"]);
  });

  test("has one that is limited renewed until then", () => {
    const table = new LeaseTable(1_000);
    table.take(0, lease("q:a"), 0);
    table.limit(0, 6_000, "core");
    expect([5_000, 6_000, 6_200].map((now) => table.wants(0, now))).toEqual([true, true, false]);
    table.limit(0, Number.POSITIVE_INFINITY, "core");
    expect(table.wants(0, FAR)).toBe(true);
  });

  test("tells another thread whom a lease needs, and nothing of that to the next in its place", () => {
    const table = new LeaseTable(0);
    const there = new LeaseTable(0, table.shared);
    table.take(1, lease("q:a"), 0);
    for (const need of ["nobody", 0, 4_095, "core", 7] as const) {
      table.limit(1, FAR, need);
      expect(there.needOf(1)).toBe(need);
    }
    table.letGo(1);
    table.take(1, lease("q:b"), 0);
    expect(there.needOf(1)).toBe("core");
  });

  test("has no lease where it was let go of, and tells the next one in its place from it", () => {
    const table = new LeaseTable(0);
    table.take(0, lease("q:a"), 0);
    const tenure = table.tenureOf(0);
    table.letGo(0);
    expect([table.read(0), table.tenureOf(0), table.wants(0, 0)]).toEqual([undefined, undefined, false]);
    table.take(0, lease("q:b"), 0);
    expect(table.tenureOf(0)).not.toBe(tenure);
    expect(table.read(0)?.id).toBe("q:b");
  });

  test("goes on when the number of a tenure has become too large for its word", () => {
    const table = new LeaseTable(0);
    Atomics.store(table.shared.words, 1, 2 ** 31 - 1);
    table.take(0, lease("q:a"), 0);
    expect(table.read(0)).toMatchObject({ id: "q:a", tenure: -(2 ** 31) });
  });

  test("takes no lease whose id it cannot hold whole", () => {
    const table = new LeaseTable(0);
    const longest = "€".repeat(Math.floor(MAX_ID_BYTES / 3));
    expect([table.take(0, lease(`${longest}€`), 0), table.take(0, lease(longest), 0)]).toEqual([false, true]);
    expect(table.read(0)?.id).toBe(longest);
  });
});

describe("KeptLeases", () => {
  test("give places back, and let only the holder of a lease speak for it", () => {
    const table = new LeaseTable(0);
    const kept = new KeptLeases(table);
    kept.keep([lease("q:a"), lease("q:b")], 5);
    expect([table.read(0), table.read(1)]).toMatchObject([{ id: "q:a", dueAt: 5 }, { id: "q:b" }]);
    kept.release(lease("q:a", 2)); // of another claim
    expect(kept.size).toBe(2);
    kept.release(lease("q:a"));
    expect(idsOf(table)).toEqual([undefined, "q:b"]);
    kept.keep([lease("q:c")], 6);
    expect(idsOf(table)).toEqual(["q:c", "q:b"]);
  });

  test("take a new lease of the same task in place of the old one", () => {
    const table = new LeaseTable(0);
    const kept = new KeptLeases(table);
    kept.keep([lease("q:a", 1)], 0);
    kept.keep([lease("q:a", 2)], 0);
    kept.release(lease("q:a", 1));
    expect(idsOf(table)).toEqual(["q:a"]);
    expect(table.read(0)?.token).toBe(2);
  });

  test("leave out one whose id is too long, and keep those beside it", () => {
    const table = new LeaseTable(0);
    const kept = new KeptLeases(table);
    kept.keep([lease("q:a"), lease("x".repeat(MAX_ID_BYTES + 1)), lease("q:b")], 0);
    expect(idsOf(table)).toEqual(["q:a", "q:b"]);
  });

  test("hold no more than there are places for, and go on when some are free", () => {
    const table = new LeaseTable(0);
    const kept = new KeptLeases(table);
    const all = Array.from({ length: MAX_LEASES + 10 }, (_, index) => lease(`q:${index}`));
    kept.keep(all, 0);
    expect(kept.size).toBe(MAX_LEASES);
    kept.release(lease("q:7"));
    kept.keep([lease("q:x"), lease("q:y")], 0);
    expect([kept.size, table.read(7)?.id]).toEqual([MAX_LEASES, "q:x"]);
    for (const one of [...all, lease("q:x")]) kept.release(one);
    expect(kept.size).toBe(0);
    expect(idsOf(table).some((id) => id !== undefined)).toBe(false);
  });
});
