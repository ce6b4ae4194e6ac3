import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SequenceHeap } from "../../../src/core/collections/sequence-heap.js";
import { InvariantError } from "../../../src/errors.js";
import { seededRandom } from "../../../src/testing/seeded-random.js";
import { bytes, collectGarbage } from "./collect-garbage.js";
import { type Entry, FEW_IN_HEAP, Scene, steps } from "./sequence-heap-model.js";

/** Bytes of arrays that the process takes and gives back for itself meanwhile; far below what is looked for. */
const NOISE = 10_000;

function enter(heap: SequenceHeap<Entry>, primary: number, secondary: number): Entry {
  const entry = { ticket: -1, primary, secondary };
  heap.push(entry, primary, secondary);
  return entry;
}

/** A function of its own: a frame that goes on would keep the last item. */
function fillWithWatched(heap: SequenceHeap<Entry>, count: number): WeakRef<Entry>[] {
  return Array.from({ length: count }, (_, index) => new WeakRef(enter(heap, index % 10, index)));
}

function removeEach(heap: SequenceHeap<Entry>, watched: WeakRef<Entry>[]): void {
  for (const ref of watched) heap.remove(ref.deref() as Entry);
}

describe("SequenceHeap", () => {
  test("Q2: does what a sorted array does, checked after each of 100,000 steps, with runs of a dozen entries", () => {
    const property = fc.property(steps, (each) => {
      const scene = new Scene();
      for (const step of each) step(scene);
      scene.drain();
    });
    fc.assert(property, { numRuns: 500 });
    expect(Scene.steps).toBeGreaterThan(100_000);
    expect(Scene.mostRuns).toBeGreaterThan(20);
  });

  test("Q1: keeps its order with a million entries, of which some left or moved meanwhile", () => {
    const random = seededRandom(11);
    const heap = new SequenceHeap<Entry>();
    const entries = Array.from({ length: 1_000_000 }, (_, sequence) =>
      enter(heap, Math.floor(random.next() * 50_000), sequence),
    );
    const left = new Set(entries);
    for (const entry of entries) {
      const fate = random.next();
      if (fate < 0.2) {
        heap.remove(entry);
        left.delete(entry);
      } else if (fate < 0.3) {
        entry.primary = Math.floor(random.next() * 50_000);
        heap.update(entry, entry.primary, entry.secondary);
      }
    }
    const expected = [...left].sort((a, b) => a.primary - b.primary || a.secondary - b.secondary);
    expect(heap.size).toBe(expected.length);
    for (const entry of expected)
      if (heap.pop() !== entry) expect.fail(`${entry.secondary} left out of order`);
    expect(heap.pop()).toBeUndefined();
  });

  test("has few runs while some entries stay for ever and traffic passes them by", () => {
    const random = seededRandom(5);
    const heap = new SequenceHeap<Entry>(undefined, FEW_IN_HEAP);
    let most = 0;
    for (let round = 0; round < 50_000; round += 1) {
      // One of ten comes to stay, and every so often one of these goes.
      enter(heap, random.next() < 0.1 && heap.size < 200 ? 1_000_000 - random.next() : round, round);
      enter(heap, round + 50 * random.next(), round);
      heap.pop();
      heap.pop();
      for (; heap.size > 250; ) heap.pop();
      most = Math.max(most, heap.size);
      if (heap.runs > (2 * most) / FEW_IN_HEAP + 1) expect.fail(`${heap.runs} runs of ${heap.size} entries`);
    }
    expect(most).toBeLessThan(300);
  });

  test("touches no run while all fit its heap", () => {
    const heap = new SequenceHeap<Entry>(undefined, FEW_IN_HEAP);
    for (let round = 0; round < 1_000; round += 1) {
      enter(heap, round % 7, round);
      if (heap.size === FEW_IN_HEAP) heap.pop();
      expect(heap.runs).toBe(0);
    }
  });

  test("tells that it is empty", () => {
    const heap = new SequenceHeap<Entry>(undefined, FEW_IN_HEAP);
    expect([heap.size, heap.runs, heap.peek(), heap.pop()]).toEqual([0, 0, undefined, undefined]);
    for (let round = 0; round < 40; round += 1) enter(heap, -round, 0);
    while (heap.size > 0) heap.pop();
    expect([heap.size, heap.runs, heap.peek(), heap.pop()]).toEqual([0, 0, undefined, undefined]);
  });

  test("Q6: refuses NaN as a key, and stays as it was", () => {
    const heap = new SequenceHeap<Entry>(undefined, FEW_IN_HEAP);
    const entries = Array.from({ length: 20 }, (_, index) => enter(heap, index, 0));
    for (const [primary, secondary] of [
      [Number.NaN, 0],
      [0, Number.NaN],
    ] as const) {
      expect(() => enter(heap, primary, secondary)).toThrow(InvariantError);
      for (const entry of entries)
        expect(() => heap.update(entry, primary, secondary)).toThrow(InvariantError);
    }
    for (const entry of entries) expect(heap.pop()).toBe(entry);
    expect(heap.size).toBe(0);
  });

  test("refuses an item that has left, or never came, and stays as it was", () => {
    const heap = new SequenceHeap<Entry>(undefined, FEW_IN_HEAP);
    const entries = Array.from({ length: 40 }, (_, index) => enter(heap, index, 0));
    const stranger: Entry = { ticket: -1, primary: 0, secondary: 0 };
    const gone = [heap.pop(), heap.pop(), entries[20], entries[39]] as Entry[];
    for (const entry of gone.slice(2)) heap.remove(entry);
    const strangers = [0, 15, 16, 17, 1_000, 0.5, Number.NaN].map((ticket) => ({ ...stranger, ticket }));
    for (const entry of [...gone, stranger, ...strangers]) {
      expect(() => heap.remove(entry)).toThrow(InvariantError);
      expect(() => heap.update(entry, 0, 0)).toThrow(InvariantError);
    }
    expect(heap.size).toBe(36);
    for (const entry of entries) if (!gone.includes(entry)) expect(heap.pop()).toBe(entry);
  });

  test.each([
    ["popped", false],
    ["removed in random order", true],
  ])("gives the memory of a burst back when all but some are %s", async (_, removed) => {
    const random = seededRandom(7);
    const before = await bytes();
    const heap = new SequenceHeap<Entry>();
    const burst = 300_000;
    let entries = Array.from({ length: burst }, (_, index) => enter(heap, random.next(), index));
    expect((await bytes()).inArrays - before.inArrays).toBeGreaterThan(burst * 15);
    entries.sort((a, b) => ((a.secondary * 7_919) % burst) - ((b.secondary * 7_919) % burst));
    for (const entry of removed ? entries.slice(500) : []) heap.remove(entry);
    while (heap.size > 500) heap.pop();
    entries = [];
    const after = await bytes();
    // The room of the heap, four places at most for each entry, and some hundred bytes for each run that is left.
    expect(after.inArrays - before.inArrays).toBeLessThan(250_000);
    expect(after.onHeap - before.onHeap).toBeLessThan(1_000_000);
    // Also keeps the heap itself from being collected before it was measured.
    expect(heap.size).toBe(500);
    while (heap.size > 0) heap.pop();
    expect((await bytes()).inArrays - before.inArrays).toBeLessThan(NOISE);
  });

  test("looks at items that leave soon, and at none that has left or is not there yet", () => {
    const waiting = new Set<Entry>();
    let looks = 0;
    const look = (entry: Entry) => {
      looks += 1;
      expect(waiting.has(entry)).toBe(true);
    };
    const heap = new SequenceHeap<Entry>(look, 128);
    const random = seededRandom(5);
    for (let index = 0; index < 2_000; index += 1) waiting.add(enter(heap, random.next(), index));
    for (const entry of [...waiting].slice(0, 500)) {
      waiting.delete(entry);
      heap.remove(entry);
    }
    for (let left = heap.pop(); left !== undefined; left = heap.pop()) waiting.delete(left);
    expect(waiting.size).toBe(0);
    expect(looks).toBeGreaterThan(1_000);
  });

  test("forgets the items that have left", async () => {
    const heap = new SequenceHeap<Entry>(undefined, FEW_IN_HEAP);
    const items = fillWithWatched(heap, 100);
    removeEach(heap, items.slice(0, 30));
    for (let index = 0; index < 30; index += 1) heap.pop();
    await collectGarbage();
    expect(items.filter((item) => item.deref() !== undefined)).toHaveLength(40);
    while (heap.size > 0) heap.pop();
    await collectGarbage();
    expect(items.every((item) => item.deref() === undefined)).toBe(true);
  });
});
