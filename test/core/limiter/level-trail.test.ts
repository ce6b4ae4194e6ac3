import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LevelTrail } from "../../../src/core/limiter/level-trail.js";

describe("LevelTrail", () => {
  it("tells the highest level since an instant, the levels of that instant left out", () => {
    const trail = new LevelTrail();
    expect(trail.peakSince(0)).toBe(0);
    trail.note(1, 5);
    trail.note(2, 3);
    trail.note(2, 2);
    trail.note(4, 4);
    expect([0, 1, 2, 3, 4].map((at) => trail.peakSince(at))).toEqual([5, 4, 4, 4, 0]);
  });

  it("agrees with a list of all levels, as far back as it remembers", () => {
    const notes = fc.array(fc.tuple(fc.nat(3), fc.nat(20)), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(notes, (given) => {
        const trail = new LevelTrail();
        const all: { at: number; level: number }[] = [];
        let now = 0;
        for (const [after, level] of given) {
          now += after;
          // Within an instant nothing comes: each level is below the one before.
          const before = all.findLast(({ at }) => at === now)?.level ?? Number.POSITIVE_INFINITY;
          const noted = Math.min(level, before);
          trail.note(now, noted);
          all.push({ at: now, level: noted });
        }
        for (let from = 0; from <= now; from++) {
          const levels = all.filter(({ at }) => at > from).map((one) => one.level);
          expect(trail.peakSince(from)).toBe(Math.max(0, ...levels));
        }
      }),
    );
  });

  it("keeps a bounded number of levels, and says where it knows nothing", () => {
    const trail = new LevelTrail();
    for (let at = 1; at <= 1_000; at++) trail.note(at, 2_000 - at);
    expect(trail.peakSince(1)).toBe(Number.POSITIVE_INFINITY);
    expect(trail.peakSince(990)).toBe(1_009);
  });

  it("is raised by what came back, up to the burst, and forgets when the rate changes", () => {
    const trail = new LevelTrail();
    trail.note(1, 5);
    trail.note(2, 3);
    trail.raise(3, 7);
    expect([trail.peakSince(0), trail.peakSince(1)]).toEqual([7, 6]);
    trail.forget(3);
    expect([trail.peakSince(2), trail.peakSince(3)]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });
});
