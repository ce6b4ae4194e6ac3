/** So many deletions make a new Map worth its while. */
const DELETIONS = 1_024;

/**
 * A Map for what passes through: entries that come and go all the time, with few of them there at once.
 *
 * V8 rebuilds the table of such a Map again and again, and each table leads to the next one. Once one has
 * become old, all that follow it outlive their use, with all that was ever in them, until the whole heap is
 * collected: each entry is then copied twice by the collector, which costs more than what it passes through
 * for. So the Map is replaced from time to time, and its tables with it. An entry pays for that with a
 * quarter of a `set` at most, where there are a thousand.
 */
export class TransitMap<K, V> {
  #map = new Map<K, V>();
  #deletions = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  /** @returns whether it was there */
  delete(key: K): boolean {
    if (!this.#map.delete(key)) return false;
    if (++this.#deletions >= Math.max(DELETIONS, 4 * this.#map.size)) {
      this.#map = new Map(this.#map);
      this.#deletions = 0;
    }
    return true;
  }

  /** In the order of insertion. What is deleted or set meanwhile may be among them, or not. */
  values(): MapIterator<V> {
    return this.#map.values();
  }
}
