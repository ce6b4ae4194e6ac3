import { assert } from "../../errors.js";

/** A power of two: so many items are fetched from memory together. */
const FETCHED_TOGETHER = 8;

/** What holds its own place in a collection, so that it is found there without a table of places. */
export interface Ticketed {
  /** Written by the collection that it is in. */
  ticket: number;
}

/**
 * Entries in order, appended once and taken from the front: a cursor that walks through memory. What is
 * removed from the middle leaves a gap, so that the others keep their tickets; the ticket of an entry is its
 * place, counted from `firstTicket`.
 *
 * Memory follows the size. What the cursor has passed is cut off when it is half of all; when there are more
 * gaps than entries, these move together and get new tickets. Both cost O(1) for each entry that left.
 *
 * Invariant: the place under the cursor is no gap, unless the run is empty.
 */
export class SortedRun<T extends Ticketed> {
  /** Both are given before anything is appended, by whom it belongs to: the number is for that alone. */
  firstTicket = 0;
  number = 0;
  readonly #look: ((item: T) => void) | undefined;
  #primaries: Float64Array;
  #secondaries: Float64Array;
  #items: (T | undefined)[];
  /** How many places have been cut off. */
  #cut = 0;
  #cursor = 0;
  #end = 0;
  #size = 0;

  /**
   * @param length how many entries will be appended
   * @param look as that of a `SequenceHeap`
   */
  constructor(length: number, look?: (item: T) => void) {
    this.#look = look;
    this.#primaries = new Float64Array(length);
    this.#secondaries = new Float64Array(length);
    this.#items = new Array<T | undefined>(length).fill(undefined);
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

  /** Adds an entry that comes after all others. Nothing may have left yet. */
  append(item: T, primary: number, secondary: number): void {
    const index = this.#end++;
    this.#primaries[index] = primary;
    this.#secondaries[index] = secondary;
    this.#items[index] = item;
    item.ticket = this.firstTicket + index;
    this.#size += 1;
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
    if (this.#end - this.#cursor > 2 * this.#size) this.#closeGaps();
    return false;
  }

  #indexOf(ticket: number): number {
    return ticket - this.firstTicket - this.#cut;
  }

  #takeFirst(): void {
    const items = this.#items;
    items[this.#cursor] = undefined;
    this.#size -= 1;
    do this.#cursor += 1;
    while (this.#cursor < this.#end && items[this.#cursor] === undefined);
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
    const end = Math.min(this.#cursor + FETCHED_TOGETHER, this.#end);
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
    this.#end -= this.#cursor;
    this.#cursor = 0;
  }

  #closeGaps(): void {
    const closed = new SortedRun<T>(this.#size);
    closed.firstTicket = this.firstTicket;
    for (let index = this.#cursor; index < this.#end; index += 1) {
      const item = this.#items[index];
      if (item === undefined) continue;
      closed.append(item, this.#primaries[index] as number, this.#secondaries[index] as number);
    }
    this.#primaries = closed.#primaries;
    this.#secondaries = closed.#secondaries;
    this.#items = closed.#items;
    this.#cut = 0;
    this.#cursor = 0;
    this.#end = closed.#end;
  }
}
