import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RingBuffer } from "../../../src/core/collections/ring-buffer.js";
import { InvariantError } from "../../../src/errors.js";
import { bytes, collectGarbage } from "./collect-garbage.js";

type Step =
  | { readonly kind: "push" | "shift"; readonly times: number }
  | { readonly kind: "retain"; readonly keepEach: number }
  | { readonly kind: "clear" };

const times = fc.integer({ min: 1, max: 40 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("push", "shift"), times }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("retain"), keepEach: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" }) },
);

/** A function of its own: a frame that goes on would keep the last item. */
function fillWithWatched(ring: RingBuffer<{ index: number }>, count: number): WeakRef<object>[] {
  return Array.from({ length: count }, (_, index) => {
    const item = { index };
    ring.push(item);
    return new WeakRef(item);
  });
}

function held(items: readonly WeakRef<object>[]): number[] {
  return items.flatMap((item, index) => (item.deref() === undefined ? [] : [index]));
}

/** The last position there is. */
const LAST = 2 ** 30 - 1;

describe("RingBuffer", () => {
  it("does what an array does, whatever the order of its operations", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.constantFrom(0, LAST - 50),
        (steps, first) => {
          const ring = new RingBuffer<number>(undefined, first);
          let model: number[] = [];
          let next = 0;
          for (const { kind, ...rest } of steps as (Step & { times?: number; keepEach?: number })[]) {
            for (let time = 0; time < (rest.times ?? 0); time += 1) {
              if (kind === "push") {
                ring.push(next);
                model.push(next++);
              } else if (ring.shift() !== model.shift()) expect.fail("shift gave another item");
            }
            if (kind === "retain") {
              const asked: number[] = [];
              const keep = (item: number) => item % (rest.keepEach ?? 1) === 0;
              ring.retain((item) => {
                asked.push(item);
                return keep(item);
              });
              expect(asked).toEqual(model);
              model = model.filter(keep);
            } else if (kind === "clear") {
              ring.clear();
              model = [];
            }
            expect(ring.size).toBe(model.length);
            expect(ring.peek()).toBe(model[0]);
            expect([...ring]).toEqual(model);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("tells that it is empty", () => {
    const ring = new RingBuffer<string>();
    ring.retain(() => expect.fail("there is nothing to ask about"));
    expect([ring.size, ring.peek(), ring.shift(), ...ring]).toEqual([0, undefined, undefined]);
  });

  it("holds undefined like any other item", () => {
    const ring = new RingBuffer<undefined>();
    ring.push(undefined);
    ring.push(undefined);
    expect([...ring]).toEqual([undefined, undefined]);
    ring.shift();
    expect(ring.size).toBe(1);
  });

  it("replaces an item by its position, wherever the others have gone", () => {
    const ring = new RingBuffer<string>();
    repeat(5, (index) => ring.push(`early ${index}`));
    const position = ring.push("present");
    repeat(5, () => ring.shift());
    repeat(1_000, (index) => ring.push(`late ${index}`));
    ring.replace(position, "replaced");
    expect(ring.shift()).toBe("replaced");
    expect(ring.peek()).toBe("late 0");
  });

  it("replaces an item by its position when positions have begun anew behind the last", () => {
    const ring = new RingBuffer<number>(undefined, LAST - 20);
    const positions: number[] = [];
    repeat(40, (index) => positions.push(ring.push(index)));
    expect(positions[21]).toBe(0);
    repeat(10, () => ring.shift());
    for (let index = 10; index < 40; index++) ring.replace(positions[index] as number, index + 100);
    repeat(100, (index) => ring.push(index + 1_000)); // it grows meanwhile
    repeat(30, (index) => expect(ring.shift()).toBe(index + 110));
    expect(ring.peek()).toBe(1_000);
  });

  it("refuses a position where nothing is any more", () => {
    const ring = new RingBuffer<string>();
    const position = ring.push("gone");
    ring.shift();
    expect(() => ring.replace(position, "another")).toThrow(InvariantError);
    ring.push("present");
    expect(() => ring.replace(position, "another")).toThrow(InvariantError);
    expect(ring.peek()).toBe("present");
  });

  it("takes a million items in and out in time that grows with their number alone", () => {
    const ring = new RingBuffer<number>();
    let sum = 0;
    for (let index = 0; index < 1_000_000; index += 1) ring.push(index);
    for (let index = 0; index < 1_000_000; index += 1) sum += ring.shift() ?? Number.NaN;
    expect(sum).toBe((999_999 * 1_000_000) / 2);
  });

  it("forgets the items that have left, by shift and by retain", async () => {
    const ring = new RingBuffer<{ index: number }>();
    const items = fillWithWatched(ring, 100);
    for (let index = 0; index < 30; index += 1) ring.shift();
    ring.retain(({ index }) => index % 10 === 0);
    await collectGarbage();
    expect(held(items)).toEqual([30, 40, 50, 60, 70, 80, 90]);
    ring.clear();
    await collectGarbage();
    expect(held(items)).toEqual([]);
  });

  it("forgets the items that retain drops when too few leave for it to shrink", async () => {
    const ring = new RingBuffer<{ index: number }>();
    const items = fillWithWatched(ring, 8);
    ring.retain(({ index }) => index !== 3 && index !== 7);
    ring.shift();
    await collectGarbage();
    expect(held(items)).toEqual([1, 2, 4, 5, 6]);
  });

  it.each([
    ["shift", (ring: RingBuffer<number>) => repeat(499_990, () => ring.shift())],
    ["retain", (ring: RingBuffer<number>) => ring.retain((item) => item < 10)],
    ["clear", (ring: RingBuffer<number>) => ring.clear()],
  ])("gives the memory of a burst back, by %s", async (_, empty) => {
    const before = (await bytes()).onHeap;
    const ring = new RingBuffer<number>();
    repeat(500_000, (index) => ring.push(index));
    expect((await bytes()).onHeap - before).toBeGreaterThan(3_000_000);
    empty(ring);
    expect((await bytes()).onHeap - before).toBeLessThan(1_000_000);
    expect(ring.size).toBeLessThanOrEqual(10);
  });
});

function repeat(count: number, action: (index: number) => void): void {
  for (let index = 0; index < count; index += 1) action(index);
}
