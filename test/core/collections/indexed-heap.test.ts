import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IndexedHeap } from "../../../src/core/collections/indexed-heap.js";
import { InvariantError } from "../../../src/errors.js";
import { seededRandom } from "../../../src/testing/seeded-random.js";
import { bytes, collectGarbage } from "./collect-garbage.js";
import {
  bySequence,
  type Entry,
  heapCommands,
  heapCommandsWithDrain,
  newModel,
  newSubject,
  stepsTaken,
} from "./indexed-heap-model.js";

/** Bytes of arrays that the process takes and gives back for itself meanwhile; far below what is looked for. */
const NOISE = 10_000;

function popAll<T>(heap: IndexedHeap<T>): T[] {
  const popped: T[] = [];
  while (heap.size > 0) popped.push(heap.pop() as T);
  return popped;
}

/** A function of its own: a frame that goes on would keep the last item. */
function fillWithWatched(
  heap: IndexedHeap<object>,
  count: number,
): { item: WeakRef<object>; ticket: number }[] {
  return Array.from({ length: count }, (_, index) => {
    const item = { index };
    return { item: new WeakRef(item), ticket: heap.push(item, index, 0) };
  });
}

describe("IndexedHeap", () => {
  it("Q2: does what a sorted array does, checked after each of 100,000 commands", () => {
    const run = (
      commands: Iterable<fc.Command<ReturnType<typeof newModel>, ReturnType<typeof newSubject>>>,
    ) => fc.modelRun(() => ({ model: newModel(), real: newSubject() }), commands);
    fc.assert(fc.property(heapCommands, run), { numRuns: 2_600 });
    fc.assert(fc.property(heapCommandsWithDrain, run), { numRuns: 200 });
    expect(stepsTaken()).toBeGreaterThan(100_000);
  });

  it("Q1: keeps its order and its tickets in a heap far beyond the cached part", () => {
    const random = seededRandom(11);
    const heap = new IndexedHeap<Entry>(bySequence);
    const keys = new Map<number, { entry: Entry; primary: number; secondary: number }>();
    const draw = () => ({
      primary: Math.floor(random.next() * 5_000),
      secondary: Math.floor(random.next() * 4),
    });
    for (let sequence = 0; sequence < 60_000; sequence += 1) {
      const entry = { sequence };
      const { primary, secondary } = draw();
      keys.set(heap.push(entry, primary, secondary), { entry, primary, secondary });
    }
    for (const [ticket, waiting] of keys) {
      const fate = random.next();
      if (fate < 0.3) {
        if (heap.remove(ticket) !== waiting.entry) expect.fail(`remove(${ticket}) took another item`);
        keys.delete(ticket);
      } else if (fate < 0.6) {
        Object.assign(waiting, draw());
        heap.update(ticket, waiting.primary, waiting.secondary);
      }
    }
    const expected = [...keys.values()].sort(
      (a, b) => a.primary - b.primary || a.secondary - b.secondary || a.entry.sequence - b.entry.sequence,
    );
    expect(popAll(heap)).toEqual(expected.map(({ entry }) => entry));
  });

  it("Q1: keeps its order at the edge of the cached part, where pushes and pops alternate", () => {
    const random = seededRandom(3);
    const heap = new IndexedHeap<number>();
    const push = (key: number) => heap.push(key, key, 0);
    for (let index = 0; index < 16_390; index += 1) push(random.next());
    let last = 0;
    const pop = () => {
      const key = heap.pop() ?? Number.NaN;
      // Nothing pushed comes before what has left, so what leaves can only grow.
      if (!(key >= last)) expect.fail(`${key} left after ${last}`);
      last = key;
    };
    for (let round = 0; round < 200_000; round += 1) {
      pop();
      push(last + random.next());
    }
    while (heap.size > 0) pop();
  });

  it("Q3: lets equal keys leave in the order of their tie-break, also after removals in the middle", () => {
    const heap = new IndexedHeap<Entry>(bySequence);
    const tickets = Array.from({ length: 1_000 }, (_, sequence) => heap.push({ sequence }, 7, 7));
    for (let index = 0; index < 1_000; index += 3) heap.remove(tickets[index] as number);
    const left = popAll(heap).map(({ sequence }) => sequence);
    expect(left).toEqual(
      Array.from({ length: 1_000 }, (_, index) => index).filter((index) => index % 3 !== 0),
    );
  });

  it("asks the tie-break only when both keys are equal", () => {
    const asked: [string, string][] = [];
    const heap = new IndexedHeap<string>((a, b) => {
      asked.push([a, b]);
      return a < b ? -1 : 1;
    });
    heap.push("b", 1, 1);
    heap.push("other primary", 2, 1);
    heap.push("other secondary", 1, 2);
    expect(asked).toEqual([]);
    heap.push("a", 1, 1);
    expect(popAll(heap)).toEqual(["a", "b", "other secondary", "other primary"]);
    expect(asked.flat().every((item) => item === "a" || item === "b")).toBe(true);
  });

  it("works without a tie-break", () => {
    const heap = new IndexedHeap<string>();
    for (const item of ["x", "y", "z"]) heap.push(item, 0, 0);
    expect(popAll(heap).sort()).toEqual(["x", "y", "z"]);
  });

  it("holds undefined like any other item", () => {
    const heap = new IndexedHeap<undefined>();
    const ticket = heap.push(undefined, 1, 1);
    expect(heap.has(ticket)).toBe(true);
    expect([...heap]).toEqual([undefined]);
    expect(heap.pop()).toBeUndefined();
    expect(heap.size).toBe(0);
  });

  it("tells that it is empty", () => {
    const heap = new IndexedHeap<string>();
    expect(heap.size).toBe(0);
    expect(heap.peek()).toBeUndefined();
    expect(heap.pop()).toBeUndefined();
    expect(heap.topPrimary).toBe(Number.POSITIVE_INFINITY);
    expect([...heap]).toEqual([]);
    expect(heap.has(0)).toBe(false);
  });

  it("refuses a ticket that names nothing, and stays as it was", () => {
    const heap = new IndexedHeap<string>();
    const gone = heap.push("gone", 0, 0);
    heap.push("second", 2, 0);
    heap.push("first", 1, 0);
    heap.pop();
    for (const ticket of [gone, -1, 7, 8, 1_000_000, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(heap.has(ticket)).toBe(false);
      expect(() => heap.remove(ticket)).toThrow(InvariantError);
      expect(() => heap.update(ticket, 0, 0)).toThrow(InvariantError);
    }
    expect(popAll(heap)).toEqual(["first", "second"]);
  });

  it("Q6: refuses NaN as a key, and stays as it was", () => {
    const heap = new IndexedHeap<string>();
    const ticket = heap.push("one", 1, 1);
    heap.push("two", 2, 2);
    for (const [primary, secondary] of [
      [Number.NaN, 0],
      [0, Number.NaN],
    ] as const) {
      expect(() => heap.push("bad", primary, secondary)).toThrow(InvariantError);
      expect(() => heap.update(ticket, primary, secondary)).toThrow(InvariantError);
    }
    expect(popAll(heap)).toEqual(["one", "two"]);
  });

  it("Q6: orders infinities and takes -0 for 0", () => {
    const heap = new IndexedHeap<string>((a, b) => a.localeCompare(b));
    heap.push("e: never", Number.POSITIVE_INFINITY, 0);
    heap.push("c: zero", 0, 0);
    heap.push("b: minus zero", -0, -0);
    heap.push("d: huge", 1e308, 0);
    heap.push("a: before all", Number.NEGATIVE_INFINITY, 0);
    expect(popAll(heap).map((item) => item[0])).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("Q10: needs O(log n) comparisons for each operation", () => {
    let comparisons = 0;
    const heap = new IndexedHeap<Entry>((a, b) => {
      comparisons += 1;
      return a.sequence - b.sequence;
    });
    const count = 2 ** 15;
    const random = seededRandom(5);
    const bound = 2 * Math.log2(count) + 2;
    const within = (operation: () => void) => {
      comparisons = 0;
      operation();
      if (comparisons > bound) expect.fail(`${comparisons} comparisons, with ${heap.size} items`);
    };
    const tickets: number[] = [];
    // All keys are equal, so that the tie-break sees each comparison; falling sequences rise to the top.
    for (let sequence = count; sequence > 0; sequence -= 1)
      within(() => tickets.push(heap.push({ sequence }, 0, 0)));
    while (heap.size > count / 2) {
      const ticket = tickets[Math.floor(random.next() * count)] as number;
      if (heap.has(ticket)) within(() => heap.remove(ticket));
      within(() => heap.pop());
    }
    for (const ticket of tickets) if (heap.has(ticket)) within(() => heap.update(ticket, 1, 0));
  });

  it("reuses tickets, so that they stay as small as the heap was large", () => {
    const heap = new IndexedHeap<number>();
    let highest = 0;
    for (let round = 0; round < 10_000; round += 1) {
      highest = Math.max(highest, heap.push(round, round, 0));
      if (heap.size > 10) heap.pop();
    }
    expect(highest).toBeLessThan(16);
  });

  it("keeps tickets valid while it shrinks around them", () => {
    const heap = new IndexedHeap<number>();
    const tickets = Array.from({ length: 10_000 }, (_, index) => heap.push(index, index, 0));
    // The last ones have the highest tickets, which lie beyond every smaller capacity.
    for (let index = 0; index < 9_990; index += 1) expect(heap.pop()).toBe(index);
    for (let more = 0; more < 100; more += 1) heap.push(-1, -1, 0);
    for (let index = 9_999; index >= 9_990; index -= 1)
      expect(heap.remove(tickets[index] as number)).toBe(index);
    expect(popAll(heap)).toEqual(new Array(100).fill(-1));
  });

  it("allocates nothing before the first push", async () => {
    const before = (await bytes()).inArrays;
    const heaps = Array.from({ length: 1_000 }, () => new IndexedHeap<number>());
    expect((await bytes()).inArrays - before).toBeLessThan(NOISE);
    for (const heap of heaps) heap.push(1, 1, 1);
    const used = (await bytes()).inArrays - before;
    expect(used).toBeGreaterThan(1_000 * 8 * 8);
    expect(used).toBeLessThan(1_000 * 512);
    expect(heaps.every(({ size }) => size === 1)).toBe(true);
  });

  it.each([
    ["the first of the burst", -1],
    ["the last of the burst", 1],
  ])("gives the memory of a burst back, though %s and the daily traffic stay", async (_, direction) => {
    const before = await bytes();
    const heap = new IndexedHeap<number>();
    const burst = 300_000;
    for (let index = 0; index < burst; index += 1) heap.push(index, direction * index, 0);
    expect((await bytes()).inArrays - before.inArrays).toBeGreaterThan(burst * 24);
    while (heap.size > 10) heap.pop();
    // Traffic after the burst must not settle in the high slots that its last items leave one by one.
    for (let round = 0; round < 100; round += 1) {
      heap.push(round, burst + round, 0);
      heap.pop();
    }
    const after = await bytes();
    expect(after.inArrays - before.inArrays).toBeLessThan(NOISE);
    expect(after.onHeap - before.onHeap).toBeLessThan(1_000_000);
    // Also keeps the heap itself from being collected before it was measured.
    expect(heap.size).toBe(10);
  });

  it("does not grow by traffic alone", async () => {
    const heap = new IndexedHeap<number>();
    for (let index = 0; index < 100; index += 1) heap.push(index, index, 0);
    const before = (await bytes()).inArrays;
    for (let round = 0; round < 10_000; round += 1) {
      heap.push(round, round % 17, 0);
      heap.pop();
    }
    expect((await bytes()).inArrays - before).toBeLessThan(NOISE);
    expect(heap.size).toBe(100);
  });

  it("forgets the items that have left", async () => {
    const heap = new IndexedHeap<object>();
    const items = fillWithWatched(heap, 100);
    for (let index = 99; index >= 90; index -= 1) heap.remove(items[index]?.ticket as number);
    for (let index = 0; index < 88; index += 1) heap.pop();
    await collectGarbage();
    expect(items.flatMap(({ item }, index) => (item.deref() === undefined ? [] : [index]))).toEqual([88, 89]);
    heap.drain();
    await collectGarbage();
    expect(items.every(({ item }) => item.deref() === undefined)).toBe(true);
  });

  it("drain voids the tickets and gives the memory back", async () => {
    const before = (await bytes()).inArrays;
    const heap = new IndexedHeap<number>();
    const tickets = Array.from({ length: 10_000 }, (_, index) => heap.push(index, index, 0));
    heap.drain();
    expect(heap.size).toBe(0);
    expect(heap.topPrimary).toBe(Number.POSITIVE_INFINITY);
    expect(tickets.some((ticket) => heap.has(ticket))).toBe(false);
    expect((await bytes()).inArrays - before).toBeLessThan(NOISE);
    expect(heap.push(1, 1, 1)).toBe(0);
    expect(popAll(heap)).toEqual([1]);
  });

  it("drains in order what came in any order, over the whole range of numbers", () => {
    const random = seededRandom(3);
    const heap = new IndexedHeap<number>();
    const magnitudes = [1, 2 ** 20, 2 ** 33, 2 ** 60, 1e300, 1e-310];
    const draw = () => (random.next() - 0.5) * (magnitudes[Math.floor(random.next() * 6)] as number);
    const keys = [Number.NEGATIVE_INFINITY, 0, -0, Number.POSITIVE_INFINITY, Number.MIN_VALUE, 0];
    while (keys.length < 5_000) keys.push(random.next() < 0.2 ? (keys[keys.length - 1] as number) : draw());
    const entries = keys.map((primary) => ({ primary, secondary: Math.round(draw()) }));
    for (const [index, { primary, secondary }] of entries.entries()) heap.push(index, primary, secondary);
    const { items } = heap.drain();
    const byKeys = (one: number, other: number) => {
      const [a, b] = [entries[one], entries[other]] as [(typeof entries)[0], (typeof entries)[0]];
      return a.primary < b.primary ? -1 : a.primary > b.primary ? 1 : a.secondary - b.secondary;
    };
    expect(new Set(items).size).toBe(entries.length);
    for (const [index, item] of items.entries())
      if (index > 0 && byKeys(items[index - 1] as number, item as number) > 0) expect.fail(`at ${index}`);
  });
});
