import { assert } from "../../errors.js";
import { IndexedHeap } from "./indexed-heap.js";
import { assertOrdered } from "./keys.js";
import { SortedRun, type Ticketed } from "./sorted-run.js";

/** So many entries of a heap stay in the processor's cache, and are sorted in half a millisecond. */
const MOST_IN_HEAP = 8_192;

/**
 * A min-heap that is as fast with a million entries as with ten thousand: a sequence heap (Sanders, "Fast
 * priority queues for cached memory", 2000) of two levels. A binary heap of a million waits for memory at
 * each of its lower levels; here entries are pushed into one that stays in the cache, and that is drained,
 * when it is full, into a sorted run, which is then read in the order of memory. Ordered by `primary`, then
 * `secondary`; of two entries that tie in both, either may leave first.
 *
 * The first of all is the first of the heap or the least of the firsts of the runs, which a small heap of
 * runs finds. An item can be reached while it waits: below `#span` its ticket is the heap's; from there on it
 * names a place in a run, with `#span` places for each. A run's number is its ticket in the heap of runs.
 *
 * With h as the most that the heap holds and n as the most that ever waited at once, there are at most
 * 2n / h + 1 runs, however few entries are left in each: when the heap is drained, the shortest run is merged
 * into the new one, unless it is longer than h / 2. So one is added only where all others are longer than
 * that. And no run is longer than 3h / 2, so that no push moves more entries.
 *
 * Invariant: no run is empty, and each is in the heap of runs under the keys of its first entry.
 */
export class SequenceHeap<T extends Ticketed> {
  readonly #mostInHeap: number;
  readonly #span: number;
  readonly #look: ((item: T) => void) | undefined;
  #heap = new IndexedHeap<T>();
  readonly #runs = new IndexedHeap<SortedRun<T>>();
  #size = 0;

  /**
   * @param look reads what will be read of an item when it has left; called for several that leave soon, and
   *   must not throw
   * @param mostInHeap how many entries are not in runs: a power of two, from 8 up
   */
  constructor(look?: (item: T) => void, mostInHeap = MOST_IN_HEAP) {
    this.#look = look;
    this.#mostInHeap = mostInHeap;
    this.#span = 2 * mostInHeap;
  }

  get size(): number {
    return this.#size;
  }

  /** How many sorted runs there are. */
  get runs(): number {
    return this.#runs.size;
  }

  /** The first item, which stays. */
  peek(): T | undefined {
    return this.#aRunIsFirst() ? this.#runs.peek()?.peek() : this.#heap.peek();
  }

  /**
   * Adds an item, in O(log n) on average and O(h log h) at most. Its ticket is written here until it leaves.
   * @throws {InvariantError} when a key is NaN
   */
  push(item: T, primary: number, secondary: number): void {
    if (this.#heap.size === this.#mostInHeap) this.#drainHeap();
    item.ticket = this.#heap.push(item, primary, secondary);
    this.#size += 1;
  }

  /** Takes the first item out. */
  pop(): T | undefined {
    if (this.#size === 0) return undefined;
    this.#size -= 1;
    if (!this.#aRunIsFirst()) return this.#heap.pop();
    const run = this.#runs.peek() as SortedRun<T>;
    const item = run.shift();
    this.#firstLeft(run);
    return item;
  }

  /**
   * Takes an item out.
   * @throws {InvariantError} when it is not in this heap
   */
  remove(item: T): void {
    const { ticket } = item;
    const run = this.#runOf(ticket);
    assert((run ?? this.#heap).get(ticket) === item, "remove takes an item of this heap");
    if (run === undefined) this.#heap.remove(ticket);
    else if (run.remove(ticket)) this.#firstLeft(run);
    this.#size -= 1;
  }

  /**
   * Gives an item other keys.
   * @throws {InvariantError} when it is not in this heap or a key is NaN
   */
  update(item: T, primary: number, secondary: number): void {
    assertOrdered(primary, secondary);
    if (item.ticket < this.#span) {
      assert(this.#heap.get(item.ticket) === item, "update takes an item of this heap");
      this.#heap.update(item.ticket, primary, secondary);
    } else {
      this.remove(item);
      this.push(item, primary, secondary);
    }
  }

  /** Undefined when it is the heap that has this ticket. */
  #runOf(ticket: number): SortedRun<T> | undefined {
    return ticket < this.#span ? undefined : this.#runs.get(Math.floor(ticket / this.#span) - 1);
  }

  #aRunIsFirst(): boolean {
    return this.#runs.size > 0 && this.#goesBeforeHeap(this.#runs.topPrimary, this.#runs.topSecondary);
  }

  /** Whether an entry that is not in the heap comes before all that are. */
  #goesBeforeHeap(primary: number, secondary: number): boolean {
    const heap = this.#heap;
    if (heap.size === 0) return true;
    const { topPrimary } = heap;
    return primary !== topPrimary ? primary < topPrimary : secondary < heap.topSecondary;
  }

  #firstLeft(run: SortedRun<T>): void {
    if (run.size > 0) {
      this.#runs.update(run.number, run.primary, run.secondary);
    } else {
      this.#runs.remove(run.number);
      if (this.#runs.size === 0) this.#renewHeap();
    }
  }

  /** Into a new run, merged with the shortest of the others where that is short. */
  #drainHeap(): void {
    const rest = this.#takeShortRun();
    const sorted = this.#heap.drain();
    const run = new SortedRun(rest === undefined ? sorted : rest.mergeInto(sorted), this.#look);
    const number = this.#runs.push(run, run.primary, run.secondary);
    run.enter(number, (number + 1) * this.#span);
    if (this.#runs.size === 1) this.#renewHeap(this.#mostInHeap);
  }

  /** While there are runs, the heap is filled again and again, and keeps its room for that. */
  #renewHeap(room?: number): void {
    const { primaries, secondaries, items } = this.#heap.drain();
    this.#heap = new IndexedHeap<T>(undefined, room);
    for (const [index, item] of (items as T[]).entries())
      item.ticket = this.#heap.push(item, primaries[index] as number, secondaries[index] as number);
  }

  #takeShortRun(): SortedRun<T> | undefined {
    let shortest: SortedRun<T> | undefined;
    for (const run of this.#runs) if (shortest === undefined || run.size < shortest.size) shortest = run;
    if (shortest === undefined || shortest.size > this.#mostInHeap / 2) return undefined;
    return this.#runs.remove(shortest.number);
  }
}
