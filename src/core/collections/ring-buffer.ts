const FEWEST_CELLS = 8;

/**
 * A first-in, first-out line on an array whose length is a power of two, so that positions wrap by a mask.
 * It grows and shrinks with what it holds, and refers to nothing that has left.
 */
export class RingBuffer<T> {
  readonly #fewestCells: number;
  #cells: (T | undefined)[] = [];
  #first = 0;
  #size = 0;

  /** @param fewestCells what it never shrinks below, once it holds something: a power of two */
  constructor(fewestCells = FEWEST_CELLS) {
    this.#fewestCells = fewestCells;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds an item behind all others, in O(1) on average. */
  push(item: T): void {
    if (this.#size === this.#cells.length) this.#resize(Math.max(this.#fewestCells, this.#size * 2));
    this.#cells[this.#cellOf(this.#size)] = item;
    this.#size++;
  }

  /** The item that came first, which stays. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#cells[this.#first];
  }

  /** Takes the item out that came first. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#cells[this.#first];
    this.#cells[this.#first] = undefined;
    this.#first = this.#cellOf(1);
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
    for (let index = 0; index < this.#size; index++) cells[index] = this.#cells[this.#cellOf(index)];
    this.#cells = cells;
    this.#first = 0;
  }
}
