import { countJsonBytes } from "../../task/json-bytes.js";
import type { Task } from "../../task/task.js";
import { RingBuffer } from "../collections/ring-buffer.js";

/** A place for the value of one finished task, taken before the value is measured. */
export interface KeptValue {
  readonly task: Task;
  value: unknown;
  bytes: number;
  /** `reserved` until the value is there; `gone` where it is not, or no more. */
  state: "reserved" | "kept" | "gone";
}

/**
 * What finished tasks returned, in the order of their end, within a bound on their bytes: those that ended
 * first are let go first. Measuring a value may run code of users (a getter), which may end further tasks or
 * change the bounds; so the place is taken first, and looked at again when the bytes are known.
 */
export class KeptValues {
  readonly #places = new RingBuffer<KeptValue>();
  #bytes = 0;
  #letGo = 0;

  /** Tasks whose results can be replayed. */
  get size(): number {
    return this.#places.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many were let go for their bytes, while their tasks were retained. */
  get letGo(): number {
    return this.#letGo;
  }

  reserve(task: Task): KeptValue {
    const place: KeptValue = { task, value: undefined, bytes: 0, state: "reserved" };
    this.#places.push(place);
    return place;
  }

  /** @param maxBytes asked for when the value has been measured */
  fill(place: KeptValue, value: unknown, maxBytes: () => number): void {
    if (isGone(place)) return; // nothing is retained
    const bytes = countJsonBytes(value, maxBytes());
    if (isGone(place)) return; // by what the measuring has run
    if (bytes > maxBytes()) {
      this.#letGo++;
      place.state = "gone";
      return;
    }
    place.state = "kept";
    place.value = value;
    place.bytes = bytes;
    this.#bytes += bytes;
    this.shrinkTo(maxBytes());
  }

  shrinkTo(maxBytes: number): void {
    while (this.#bytes > maxBytes) {
      if (this.#shift() === "kept") this.#letGo++;
    }
  }

  /** The task that ended first of all that are retained is no more. */
  forget(number: number): void {
    if (this.#places.peek()?.task.number === number) this.#shift();
  }

  clear(): void {
    while (this.#places.size > 0) this.#shift();
  }

  /** Those that are there, in the order of their tasks' end. */
  kept(): KeptValue[] {
    return [...this.#places].filter(({ state }) => state === "kept");
  }

  #shift(): KeptValue["state"] | undefined {
    const place = this.#places.shift();
    if (place === undefined) return undefined;
    const { state } = place;
    this.#bytes -= place.bytes;
    place.bytes = 0;
    place.value = undefined;
    place.state = "gone";
    return state;
  }
}

function isGone({ state }: KeptValue): boolean {
  return state === "gone";
}
