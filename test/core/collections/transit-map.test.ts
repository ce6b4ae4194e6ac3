import { getHeapSpaceStatistics } from "node:v8";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TransitMap } from "../../../src/core/collections/transit-map.js";
import { collectGarbage } from "./collect-garbage.js";

/** What the collector has given up to copy: it stays until the whole heap is collected. */
function oldBytes(): number {
  const old = getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space");
  return old?.space_used_size ?? 0;
}

describe("TransitMap", () => {
  it("does what a Map does, however much goes through it", () => {
    const key = fc.integer({ min: 0, max: 9 });
    const step = fc.record({ kind: fc.constantFrom("set", "delete"), key, rounds: fc.nat({ max: 1_500 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const transit = new TransitMap<number, number>();
        const model = new Map<number, number>();
        let passed = 10;
        for (const { kind, key, rounds } of steps) {
          if (kind === "set") {
            transit.set(key, rounds);
            model.set(key, rounds);
          } else if (transit.delete(key) !== model.delete(key)) expect.fail("delete said something else");
          for (let round = 0; round < rounds; round++) {
            transit.set(++passed, round);
            if (!transit.delete(passed)) expect.fail("what was set was not there");
          }
          expect([...transit.values()]).toEqual([...model.values()]);
          expect(transit.size).toBe(model.size);
          for (let at = 0; at < 10; at++) {
            expect([transit.has(at), transit.get(at)]).toEqual([model.has(at), model.get(at)]);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it("lets the young collector have what has passed through, which a Map keeps from it", async () => {
    const transit = new TransitMap<number, readonly number[]>();
    transit.set(-1, []);
    await collectGarbage(); // from now on its table is old
    const before = oldBytes();
    for (let batch = 0; batch < 1_000; batch++) {
      for (let at = 0; at < 50; at++) transit.set(batch * 50 + at, new Array(100).fill(batch + 0.5));
      for (let at = 0; at < 50; at++) transit.delete(batch * 50 + at);
    }
    expect(oldBytes() - before).toBeLessThan(10_000_000); // of 50,000,000 that have passed
  });
});
