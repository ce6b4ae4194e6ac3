import { IndexedHeap } from "../collections/indexed-heap.js";
import { Gate } from "./gate.js";

/** A group as far as parking goes. */
interface Parkable {
  readonly lane: object;
}

/**
 * What the tasks of one handler have in common, over all queues. While it is closed, groups of its tasks are
 * parked here, by whose turn would come first; when it opens, they are brought in one by one as there is room
 * for them, so that a handler whose tasks wait in a thousand queues costs a start no more than another.
 */
export class HandlerGate<G extends Parkable = Parkable> extends Gate {
  /** By lane: what may not start in one must not stand before what may in another. */
  readonly #parked = new Map<object, IndexedHeap<G>>();
  readonly #tickets = new Map<G, number>();

  /** The groups that are parked, in no particular order. */
  get parked(): readonly G[] {
    return [...this.#tickets.keys()];
  }

  isParked(group: G): boolean {
    return this.#tickets.has(group);
  }

  /** Parks a group, or moves one that is parked. */
  park(group: G, primary: number, secondary: number): void {
    const parked = this.#parkedIn(group.lane);
    const ticket = this.#tickets.get(group);
    if (ticket === undefined) this.#tickets.set(group, parked.push(group, primary, secondary));
    else parked.update(ticket, primary, secondary);
  }

  /** Takes out the group of a lane whose turn comes first. */
  unpark(lane: object): G | undefined {
    const group = this.#parked.get(lane)?.pop();
    if (group !== undefined) this.#tickets.delete(group);
    return group;
  }

  /** The queue of this group is no more. */
  forget(group: G): void {
    const ticket = this.#tickets.get(group);
    if (ticket === undefined) return;
    this.#parkedIn(group.lane).remove(ticket);
    this.#tickets.delete(group);
  }

  #parkedIn(lane: object): IndexedHeap<G> {
    let parked = this.#parked.get(lane);
    if (parked === undefined) {
      parked = new IndexedHeap<G>();
      this.#parked.set(lane, parked);
    }
    return parked;
  }
}
