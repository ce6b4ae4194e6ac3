import { assert } from "../../errors.js";

const FEWEST_CELLS = 8;
/** A power of two, as many as the cells may be at most; so a position fits 31 bits. */
const POSITIONS = 2 ** 30;

/**
 * A first-in, first-out line on an array whose length is a power of two, so that positions wrap by a mask.
 * It grows and shrinks with what it holds, and refers to nothing that has left. An item keeps its position
 * until `retain` or `clear`.
 */
export class RingBuffer<T> {
  readonly #fewestCells: number;
  #cells: (T | undefined)[] = [];
  /** The position of the first item. */
  #first: number;
  #size = 0;

  /**
   * @param fewestCells what it never shrinks below, once it holds something: a power of two
   * @param firstPosition where positions begin, for who wants to see them wrap
   */
  constructor(fewestCells = FEWEST_CELLS, firstPosition = 0) {
    this.#fewestCells = fewestCells;
    this.#first = firstPosition;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Adds an item behind all others, in O(1) on average.
   * @returns its position, by which it can be replaced until it leaves; afterwards it may name another
   */
  push(item: T): number {
    if (this.#size === this.#cells.length) this.#resize(Math.max(this.#fewestCells, this.#size * 2));
    const position = (this.#first + this.#size) & (POSITIONS - 1);
    this.#cells[position & (this.#cells.length - 1)] = item;
    this.#size++;
    return position;
  }

  /**
   * Puts another item in the place of one.
   * @throws {InvariantError} when no item has this position
   */
  replace(position: number, item: T): void {
    const index = (position - this.#first) & (POSITIONS - 1);
    assert(index < this.#size, "replace takes the position of an item of this line");
    this.#cells[this.#cellOf(index)] = item;
  }

  /** The item that came first, which stays. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#cells[this.#cellOf(0)];
  }

  /** Takes the item out that came first. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const cell = this.#cellOf(0);
    const item = this.#cells[cell];
    this.#cells[cell] = undefined;
    this.#first = (this.#first + 1) & (POSITIONS - 1);
    this.#size--;
    this.#shrink();
    return item;
  }

  /** Drops all items for which `keep` is false, in O(n); the others keep their order. */
  retain(keep: (item: T) => boolean): void {
    const before = this.#size;
    let kept = 0;
    for (let index = 0; index < before; index++) {
      const item = this.#cells[this.#cellOf(index)] as T;
      if (keep(item)) this.#cells[this.#cellOf(kept++)] = item;
    }
    for (let index = kept; index < before; index++) this.#cells[this.#cellOf(index)] = undefined;
    this.#size = kept;
    this.#shrink();
  }

  clear(): void {
    this.#cells = [];
    this.#first = 0;
    this.#size = 0;
  }

  /** From first to last. The line must not change meanwhile. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let index = 0; index < this.#size; index++) yield this.#cells[this.#cellOf(index)] as T;
  }

  #cellOf(index: number): number {
    return (this.#first + index) & (this.#cells.length - 1);
  }

  /** Gives memory back when a quarter is used, down to what the size needs. */
  #shrink(): void {
    let capacity = this.#cells.length;
    while (capacity > this.#fewestCells && this.#size * 4 <= capacity) capacity /= 2;
    if (capacity !== this.#cells.length) this.#resize(capacity);
  }

  #resize(capacity: number): void {
    const cells = new Array<T | undefined>(capacity).fill(undefined);
    for (let index = 0; index < this.#size; index++) {
      const position = this.#first + index;
      cells[position & (capacity - 1)] = this.#cells[position & (this.#cells.length - 1)];
    }
    this.#cells = cells;
  }
}
