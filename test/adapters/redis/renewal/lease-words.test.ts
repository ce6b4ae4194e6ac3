import { describe, expect, test } from "vitest";
import { KeptLeases } from "../../../../src/adapters/redis/renewal/kept-leases.js";
import { LeaseWords, MAX_LEASES } from "../../../../src/adapters/redis/renewal/lease-words.js";

const lease = (id: string, token = 1) => ({ id, token });
const FAR = Number.MAX_VALUE;

describe("LeaseWords", () => {
  test("have a lease renewed for ever while the main thread lives, and not while it is silent", () => {
    const words = new LeaseWords(1_000);
    const tenure = words.take(3);
    expect(words.wish(3, tenure, 1e12, false)).toBe("renew");
    expect(words.wish(3, tenure, 1_000, true)).toBe("wait");
  });

  test("have one that is free renewed until its limit, whoever is silent", () => {
    const words = new LeaseWords(1_000);
    const tenure = words.take(0);
    words.limit(0, 6_000, true);
    expect([5_000, 6_000, 6_200].map((now) => words.wish(0, tenure, now, true))).toEqual([
      ...["renew", "renew", "wait"],
    ]);
    words.limit(0, 6_000, false);
    expect([true, false].map((isSilent) => words.wish(0, tenure, 2_000, isSilent))).toEqual([
      ...["wait", "renew"],
    ]);
    words.limit(0, Number.POSITIVE_INFINITY, true);
    expect(words.wish(0, tenure, FAR, true)).toBe("renew");
  });

  test("forget a lease that was let go of, and one whose place has another", () => {
    const words = new LeaseWords(0);
    const tenure = words.take(0);
    words.letGo(0);
    expect(words.wish(0, tenure, 0, false)).toBe("forget");
    const next = words.take(0);
    expect([tenure, next].map((one) => words.wish(0, one, 0, false))).toEqual(["forget", "renew"]);
  });

  test("go on when the number of a tenure has become too large for its word", () => {
    const words = new LeaseWords(0);
    Atomics.store(words.words, 0, 2 ** 31 - 1);
    const tenure = words.take(0);
    expect(words.wish(0, tenure, 0, false)).toBe("renew");
  });
});

describe("KeptLeases", () => {
  test("give places back, and let only the holder of a lease speak for it", () => {
    const words = new LeaseWords(0);
    const kept = new KeptLeases(words);
    const first = kept.keep([lease("q:a"), lease("q:b")], 5);
    expect(first).toMatchObject({ ids: ["q:a", "q:b"], places: [0, 1], tokens: [1, 1], renewAt: 5 });
    kept.release(lease("q:a", 2)); // of another claim
    expect(kept.size).toBe(2);
    kept.release(lease("q:a"));
    expect(words.wish(0, first.tenures[0] ?? 0, 0, false)).toBe("forget");
    expect(kept.keep([lease("q:c")], 6)).toMatchObject({ ids: ["q:c"], places: [0] });
  });

  test("take a new lease of the same task in place of the old one", () => {
    const kept = new KeptLeases(new LeaseWords(0));
    kept.keep([lease("q:a", 1)], 0);
    kept.keep([lease("q:a", 2)], 0);
    kept.release(lease("q:a", 1));
    expect(kept.toMessage()).toMatchObject({ ids: ["q:a"], tokens: [2] });
  });

  test("tell a new thread of all, due as soon as the first of them is", () => {
    const kept = new KeptLeases(new LeaseWords(0));
    kept.keep([lease("q:a"), lease("q:b")], 5);
    kept.renewed(lease("q:a"), 15);
    kept.renewed(lease("q:b", 2), 99);
    expect(kept.toMessage()).toMatchObject({ ids: ["q:a", "q:b"], renewAt: 5 });
  });

  test("hold no more than there are places for, and go on when some are free", () => {
    const kept = new KeptLeases(new LeaseWords(0));
    const all = Array.from({ length: MAX_LEASES + 10 }, (_, index) => lease(`q:${index}`));
    expect(kept.keep(all, 0).ids).toHaveLength(MAX_LEASES);
    kept.release(lease("q:7"));
    expect(kept.keep([lease("q:x"), lease("q:y")], 0)).toMatchObject({ ids: ["q:x"], places: [7] });
    for (const one of [...all, lease("q:x")]) kept.release(one);
    expect([kept.size, kept.toMessage().ids]).toEqual([0, []]);
  });
});
