import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import TinyQueue from "tinyqueue";
import type { BenchCase } from "../bench-case.js";
import { SequenceHeap } from "../millrace.js";
import { seededPriorities } from "../seeded-random.js";

const ENTRIES = 1_000_000;

interface Entry {
  readonly priority: number;
  readonly sequence: number;
  /** Where Millrace's heap writes the place, by which an entry can be removed or moved while it waits. */
  ticket: number;
}

/** All contestants order by priority, then by arrival, so all must give the entries out in one and the same order. */
function rate(push: (entry: Entry) => void, pop: () => Entry | undefined): number {
  const entries = Array.from(seededPriorities(ENTRIES), toEntry);
  const order = new Int32Array(ENTRIES);
  const startedAt = performance.now();
  for (const entry of entries) push(entry);
  for (let index = 0; index < ENTRIES; index += 1) order[index] = pop()?.sequence ?? -1;
  const elapsedMs = performance.now() - startedAt;
  assertSorted(order, entries);
  return (ENTRIES / elapsedMs) * 1_000;
}

/** An item with the keys to order it by, as Millrace's heap is given them. */
type Keyed = Omit<Entry, "ticket"> & { readonly item: Entry };

function toEntry(priority: number, sequence: number): Entry {
  return { priority, sequence, ticket: -1 };
}

function compare(a: Omit<Entry, "ticket">, b: Omit<Entry, "ticket">): number {
  return a.priority - b.priority || a.sequence - b.sequence;
}

function assertSorted(order: Int32Array, entries: readonly Entry[]): void {
  let lastPriority = Number.NEGATIVE_INFINITY;
  let lastSequence = -1;
  for (const sequence of order) {
    const entry = entries[sequence];
    assert(entry !== undefined, "an entry was lost");
    const { priority } = entry;
    const inOrder = lastPriority < priority || (lastPriority === priority && lastSequence < sequence);
    assert(inOrder, "an entry came out of order, or twice");
    lastPriority = priority;
    lastSequence = sequence;
  }
}

async function millrace(): Promise<number> {
  const heap = new SequenceHeap<Entry>();
  return rate(
    (entry) => heap.push(entry, entry.priority, entry.sequence),
    () => heap.pop(),
  );
}

/** Given what Millrace's heap is given: an item and the two numbers to order it by. */
async function tinyqueue(): Promise<number> {
  const queue = new TinyQueue<Keyed>([], compare);
  return rate(
    (item) => queue.push({ item, priority: item.priority, sequence: item.sequence }),
    () => queue.pop()?.item,
  );
}

/** The kindest case for it: the items hold their keys themselves, so nothing is made for a push. */
async function tinyqueueOfItems(): Promise<number> {
  const queue = new TinyQueue<Entry>([], compare);
  return rate(
    (item) => queue.push(item),
    () => queue.pop(),
  );
}

export const heap: BenchCase = {
  name: "heap",
  what: "push 1,000,000 items with random priorities into the structure that tasks wait in, then pop them all",
  unit: "push+pop/s",
  better: "higher",
  rounds: 7,
  contestants: [
    { name: "millrace", run: millrace },
    { name: "tinyqueue", run: tinyqueue },
    { name: "tinyqueue@items", run: tinyqueueOfItems },
  ],
  goals: [
    { of: "millrace", to: "tinyqueue", floor: 3, aim: 4 },
    { of: "millrace", to: "tinyqueue@items" },
  ],
};
