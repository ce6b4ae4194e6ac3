import { assert } from "../../errors.js";
import { assertOrdered, copyInto } from "./keys.js";
import { type Entries, sortEntries } from "./sort-entries.js";

const NO_SLOT = -1;
const FEWEST_SLOTS = 8;
/** The upper part of a heap, up to this position, is mostly found in the processor's cache. */
const CACHED_POSITIONS = 16_384;
const NO_KEYS = new Float64Array(0);
const NO_INDEX = new Int32Array(0);

/**
 * A binary min-heap whose entries can be reached while they wait: `push` gives a ticket, and by it an item
 * is removed or moved in O(log n). Ordered by `primary`, then `secondary`, then `tieBreak`; both keys may be
 * any number but NaN. Of two items that tie in all three, either may leave first.
 *
 * An item sits in a slot and stays there; what moves is its position in the heap. The ticket is the slot.
 * - By position, counted from 1, so that p has its children at 2p and 2p + 1: `primaryAt` and `slotAt`.
 * - By slot: `items`, `secondaryOf`, and the way back, `positionOf`, which is above 0 for live slots. A free
 *   slot holds `~next` there, the next free slot or `NO_SLOT`, so that no further array is needed.
 *
 * Only what most comparisons need lies by position. A big heap is as fast as its cache misses are few: with
 * both keys side by side, a million entries of random keys took a third longer.
 *
 * Invariants: no entry comes before its parent; `positionOf[slotAt[p]] === p` for 1 <= p <= size; the free
 * slots below `capacity` are exactly those on the free list; `size <= capacity`.
 *
 * Memory follows the size both ways. Shrinking meets live slots at or above the new capacity (strays), and
 * tickets cannot be renamed: so the arrays by position are cut at once, those by slot when the last stray
 * has left. A slot that a stray leaves is not given out again, or there might always be one.
 */
export class IndexedHeap<T> {
  readonly #tieBreak: ((a: T, b: T) => number) | undefined;
  readonly #fewestSlots: number;
  #size = 0;
  #capacity = 0;
  #primaryAt = NO_KEYS;
  #slotAt = NO_INDEX;
  #positionOf = NO_INDEX;
  #secondaryOf = NO_KEYS;
  #items: (T | undefined)[] = [];
  #free = NO_SLOT;
  #strays = 0;

  /**
   * Allocates nothing: an empty heap costs as much as the object.
   * @param tieBreak called only when both keys are equal; negative when `a` comes first. It must neither
   *   throw nor touch the heap, which is between two states while it is called.
   * @param fewestSlots what it never shrinks below, once it holds something: a power of two
   */
  constructor(tieBreak?: (a: T, b: T) => number, fewestSlots = FEWEST_SLOTS) {
    this.#tieBreak = tieBreak;
    this.#fewestSlots = fewestSlots;
  }

  get size(): number {
    return this.#size;
  }

  /** The primary key of the first item, Infinity when there is none. */
  get topPrimary(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#primaryAt[1] as number);
  }

  /** The secondary key of the first item; there must be one. */
  get topSecondary(): number {
    return this.#secondaryOf[this.#slotAt[1] as number] as number;
  }

  /** The first item, which stays. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#slotAt[1] as number];
  }

  /**
   * Adds an item in O(log n), on average O(1) when keys arrive in random order.
   * @returns the ticket that names the item until it leaves; afterwards it may name another
   * @throws {InvariantError} when a key is NaN
   */
  push(item: T, primary: number, secondary: number): number {
    assertOrdered(primary, secondary);
    if (this.#size === this.#capacity) this.#resize(Math.max(this.#fewestSlots, this.#capacity * 2));
    const slot = this.#free;
    this.#free = ~(this.#positionOf[slot] as number);
    this.#items[slot] = item;
    this.#secondaryOf[slot] = secondary;
    this.#size += 1;
    this.#rise(this.#size, slot, primary);
    return slot;
  }

  /** Takes the first item out. */
  pop(): T | undefined {
    return this.#size === 0 ? undefined : this.#takeOut(1);
  }

  /** The item of this ticket, which stays; undefined for a ticket that names nothing. */
  get(ticket: number): T | undefined {
    return this.#items[ticket];
  }

  /** Whether the ticket names an item. False for anything that never was a ticket. */
  has(ticket: number): boolean {
    return (this.#positionOf[ticket] ?? 0) > 0;
  }

  /**
   * Takes the item of this ticket out.
   * @throws {InvariantError} when the ticket names nothing
   */
  remove(ticket: number): T {
    assert(this.has(ticket), "remove takes a ticket that names an item of this heap");
    return this.#takeOut(this.#positionOf[ticket] as number);
  }

  /**
   * Gives the item of this ticket other keys. The ticket stays valid.
   * @throws {InvariantError} when the ticket names nothing or a key is NaN
   */
  update(ticket: number, primary: number, secondary: number): void {
    assert(this.has(ticket), "update takes a ticket that names an item of this heap");
    assertOrdered(primary, secondary);
    const position = this.#positionOf[ticket] as number;
    const before = this.#primaryAt[position] as number;
    const earlier =
      primary < before || (primary === before && secondary < (this.#secondaryOf[ticket] as number));
    this.#secondaryOf[ticket] = secondary;
    if (earlier) this.#rise(position, ticket, primary);
    else this.#sink(position, ticket, primary);
  }

  /** The items in no particular order. The heap must not change meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let position = 1; position <= this.#size; position += 1) {
      yield this.#items[this.#slotAt[position] as number] as T;
    }
  }

  /**
   * Takes all items out, in O(n), and keeps no more room than it has at least. All tickets are void.
   * @returns them in order; of two that tie in both keys, either may come first
   */
  drain(): Entries<T> {
    const entries = sortEntries(
      this.#size,
      this.#positionOf,
      this.#primaryAt,
      this.#secondaryOf,
      this.#items,
    );
    this.#size = 0;
    this.#positionOf.fill(NO_SLOT);
    this.#items.fill(undefined);
    if (this.#capacity > this.#fewestSlots) this.#resize(this.#fewestSlots);
    else this.#threadFreeSlots();
    this.#cutSlots();
    return entries;
  }

  #takeOut(position: number): T {
    const slot = this.#slotAt[position] as number;
    const item = this.#items[slot] as T;
    const last = this.#size;
    this.#size = last - 1;
    if (position !== last)
      this.#sink(position, this.#slotAt[last] as number, this.#primaryAt[last] as number);
    this.#release(slot);
    return item;
  }

  #release(slot: number): void {
    this.#items[slot] = undefined;
    if (slot < this.#capacity) {
      this.#positionOf[slot] = ~this.#free;
      this.#free = slot;
    } else {
      this.#positionOf[slot] = ~NO_SLOT;
      this.#strays -= 1;
      if (this.#strays === 0) this.#cutSlots();
    }
    if (this.#size * 4 <= this.#capacity && this.#capacity > this.#fewestSlots)
      this.#resize(this.#capacity / 2);
  }

  /** Puts an entry where `hole` is or above, moving down those that it comes before. */
  #rise(hole: number, slot: number, primary: number): void {
    const primaryAt = this.#primaryAt;
    const slotAt = this.#slotAt;
    const positionOf = this.#positionOf;
    let position = hole;
    while (position > 1) {
      const parent = position >> 1;
      const parentPrimary = primaryAt[parent] as number;
      if (parentPrimary < primary) break;
      const parentSlot = slotAt[parent] as number;
      if (parentPrimary === primary && !this.#winsTie(slot, parentSlot)) break;
      primaryAt[position] = parentPrimary;
      slotAt[position] = parentSlot;
      positionOf[parentSlot] = position;
      position = parent;
    }
    primaryAt[position] = primary;
    slotAt[position] = slot;
    positionOf[slot] = position;
  }

  /**
   * Fills a hole with an entry that may belong below it, or above. Bottom-up (Wegener, 1993): the hole sinks
   * to a leaf along the smaller children, one comparison a level instead of two, and the entry rises from
   * there. It mostly came from a leaf, so it rarely rises far.
   *
   * Which child is smaller cannot be foretold. Where the keys are in the cache, a wrong guess of the
   * processor costs more than reading them, so the first loop adds the outcome of the comparison instead of
   * branching on it. Below that the guess is what hides the memory's latency, so the second loop branches.
   */
  #sink(hole: number, slot: number, primary: number): void {
    const primaryAt = this.#primaryAt;
    const slotAt = this.#slotAt;
    const positionOf = this.#positionOf;
    const size = this.#size;
    const cached = Math.min(size, CACHED_POSITIONS);
    let position = hole;
    let child = 2 * position;
    while (child < cached) {
      const left = primaryAt[child] as number;
      const right = primaryAt[child + 1] as number;
      if (right !== left) child += +(right < left);
      else if (this.#winsTie(slotAt[child + 1] as number, slotAt[child] as number)) child += 1;
      const childSlot = slotAt[child] as number;
      primaryAt[position] = primaryAt[child] as number;
      slotAt[position] = childSlot;
      positionOf[childSlot] = position;
      position = child;
      child = 2 * position;
    }
    while (child <= size) {
      if (child < size) {
        const left = primaryAt[child] as number;
        const right = primaryAt[child + 1] as number;
        if (right < left) child += 1;
        else if (right === left && this.#winsTie(slotAt[child + 1] as number, slotAt[child] as number))
          child += 1;
      }
      const childSlot = slotAt[child] as number;
      primaryAt[position] = primaryAt[child] as number;
      slotAt[position] = childSlot;
      positionOf[childSlot] = position;
      position = child;
      child = 2 * position;
    }
    this.#rise(position, slot, primary);
  }

  /** Of two entries whose primary keys are equal, whether the first comes before the other. */
  #winsTie(slot: number, other: number): boolean {
    const secondary = this.#secondaryOf[slot] as number;
    const otherSecondary = this.#secondaryOf[other] as number;
    if (secondary !== otherSecondary) return secondary < otherSecondary;
    const tieBreak = this.#tieBreak;
    return tieBreak !== undefined && tieBreak(this.#items[slot] as T, this.#items[other] as T) < 0;
  }

  /** Makes room for `capacity` entries, which are at least as many as there are. */
  #resize(capacity: number): void {
    this.#primaryAt = copyInto(new Float64Array(capacity + 1), this.#primaryAt);
    this.#slotAt = copyInto(new Int32Array(capacity + 1), this.#slotAt);
    if (this.#positionOf.length < capacity) {
      this.#positionOf = copyInto(new Int32Array(capacity), this.#positionOf);
      this.#secondaryOf = copyInto(new Float64Array(capacity), this.#secondaryOf);
    }
    this.#capacity = capacity;
    this.#threadFreeSlots();
    if (this.#strays === 0) this.#cutSlots();
  }

  /** Lowest first, so that the live slots gather below a capacity that may yet shrink. */
  #threadFreeSlots(): void {
    const positionOf = this.#positionOf;
    let free = NO_SLOT;
    let live = 0;
    for (let slot = this.#capacity - 1; slot >= 0; slot -= 1) {
      if ((positionOf[slot] as number) > 0) {
        live += 1;
      } else {
        positionOf[slot] = ~free;
        free = slot;
      }
    }
    this.#free = free;
    this.#strays = this.#size - live;
  }

  #cutSlots(): void {
    if (this.#positionOf.length === this.#capacity) return;
    this.#positionOf = this.#positionOf.slice(0, this.#capacity);
    this.#secondaryOf = this.#secondaryOf.slice(0, this.#capacity);
    this.#items = this.#items.slice(0, this.#capacity);
  }
}
