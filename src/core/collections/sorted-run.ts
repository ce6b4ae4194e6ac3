import { assert } from "../../errors.js";
import { type Entries, entriesOf } from "./sort-entries.js";

/** A power of two: so many items are fetched from memory together. */
const FETCHED_TOGETHER = 8;

/** What holds its own place in a collection, so that it is found there without a table of places. */
export interface Ticketed {
  /** Written by the collection that it is in. */
  ticket: number;
}

/**
 * Entries in order, taken from the front: a cursor that walks through memory. What is removed from the middle
 * leaves a gap, so that the others keep their tickets; the ticket of an entry is its place, counted from
 * `firstTicket`.
 *
 * Memory follows the size. What the cursor has passed is cut off when it is half of all; when there are more
 * gaps than entries, these move together and get new tickets. Both cost O(1) for each entry that left.
 *
 * Invariant: the place under the cursor is no gap, unless the run is empty.
 */
export class SortedRun<T extends Ticketed> {
  readonly #look: ((item: T) => void) | undefined;
  #number = 0;
  #firstTicket = 0;
  #primaries: Float64Array;
  #secondaries: Float64Array;
  #items: (T | undefined)[];
  /** How many places have been cut off. */
  #cut = 0;
  #cursor = 0;
  #size: number;

  /**
   * @param entries in order, and this run's alone from now on
   * @param look as that of a `SequenceHeap`
   */
  constructor({ primaries, secondaries, items }: Entries<T>, look?: (item: T) => void) {
    this.#look = look;
    this.#primaries = primaries;
    this.#secondaries = secondaries;
    this.#items = items;
    this.#size = items.length;
  }

  /** What it is known by to whom it belongs. */
  get number(): number {
    return this.#number;
  }

  get size(): number {
    return this.#size;
  }

  /** The primary key of the first entry; there must be one. */
  get primary(): number {
    return this.#primaries[this.#cursor] as number;
  }

  /** The secondary key of the first entry; there must be one. */
  get secondary(): number {
    return this.#secondaries[this.#cursor] as number;
  }

  /** The first item, which stays. */
  peek(): T | undefined {
    return this.#items[this.#cursor];
  }

  /** The item of this ticket, which stays; undefined for a ticket that names nothing. */
  get(ticket: number): T | undefined {
    return this.#items[this.#indexOf(ticket)];
  }

  /** Writes the tickets of its items, which have none until then. */
  enter(number: number, firstTicket: number): void {
    this.#number = number;
    this.#firstTicket = firstTicket;
    this.#writeTickets();
  }

  /** Takes the first item out. */
  shift(): T | undefined {
    const item = this.#items[this.#cursor];
    if (item !== undefined) this.#takeFirst();
    return item;
  }

  /**
   * Takes the item of this ticket out, which must name one.
   * @returns whether it was the first
   */
  remove(ticket: number): boolean {
    const index = this.#indexOf(ticket);
    if (index === this.#cursor) {
      this.#takeFirst();
      return true;
    }
    this.#items[index] = undefined;
    this.#size -= 1;
    if (this.#items.length - this.#cursor > 2 * this.#size) this.#closeGaps();
    return false;
  }

  /** Takes all items out, and puts them with the others, in order. */
  mergeInto(others: Entries<T>): Entries<T> {
    const merged = entriesOf<T>(this.#size + others.items.length);
    let other = 0;
    for (let index = 0; index < merged.items.length; index += 1) {
      if (this.#goesBefore(others, other)) {
        copyEntry(this.#entries(), this.#cursor, merged, index);
        this.#takeFirst();
      } else {
        copyEntry(others, other, merged, index);
        other += 1;
      }
    }
    return merged;
  }

  /** Whether its first entry comes before the entry of that index, where either may be missing. */
  #goesBefore({ primaries, secondaries }: Entries<T>, index: number): boolean {
    if (this.#size === 0 || index === primaries.length) return this.#size > 0;
    const other = primaries[index] as number;
    return this.primary !== other ? this.primary < other : this.secondary < (secondaries[index] as number);
  }

  #entries(): Entries<T> {
    return { primaries: this.#primaries, secondaries: this.#secondaries, items: this.#items };
  }

  #writeTickets(): void {
    for (let index = 0; index < this.#items.length; index += 1) {
      const item = this.#items[index];
      if (item !== undefined) item.ticket = this.#firstTicket + index;
    }
  }

  #indexOf(ticket: number): number {
    return ticket - this.#firstTicket - this.#cut;
  }

  #takeFirst(): void {
    const items = this.#items;
    items[this.#cursor] = undefined;
    this.#size -= 1;
    do this.#cursor += 1;
    while (this.#cursor < items.length && items[this.#cursor] === undefined);
    if (this.#cursor % FETCHED_TOGETHER === 0) this.#fetch();
    if (2 * this.#cursor >= items.length) this.#cutOff();
  }

  /**
   * Keys are read in the order of memory, but items lie anywhere, and who takes one has to wait for it. To
   * look at several takes hardly longer than to look at one, since the processor fetches them side by side;
   * then at what they refer to.
   */
  #fetch(): void {
    const items = this.#items;
    const look = this.#look;
    const end = Math.min(this.#cursor + FETCHED_TOGETHER, items.length);
    for (let index = this.#cursor; index < end; index += 1) {
      const item = items[index];
      if (item !== undefined) assert(this.#indexOf(item.ticket) === index, "an item keeps its ticket");
    }
    if (look === undefined) return;
    for (let index = this.#cursor; index < end; index += 1) {
      const item = items[index];
      if (item !== undefined) look(item);
    }
  }

  #cutOff(): void {
    this.#primaries = this.#primaries.slice(this.#cursor);
    this.#secondaries = this.#secondaries.slice(this.#cursor);
    this.#items = this.#items.slice(this.#cursor);
    this.#cut += this.#cursor;
    this.#cursor = 0;
  }

  #closeGaps(): void {
    const { primaries, secondaries, items } = this.mergeInto(entriesOf<T>(0));
    this.#primaries = primaries;
    this.#secondaries = secondaries;
    this.#items = items;
    this.#size = items.length;
    this.#cut = 0;
    this.#cursor = 0;
    this.#writeTickets();
  }
}

function copyEntry<T>(from: Entries<T>, index: number, to: Entries<T>, place: number): void {
  to.primaries[place] = from.primaries[index] as number;
  to.secondaries[place] = from.secondaries[index] as number;
  to.items[place] = from.items[index];
}
