import { IndexedHeap } from "../../src/core/collections/indexed-heap.js";
import { assert } from "../../src/errors.js";
import type { Chance } from "./chance.js";

/** Something that is to happen at an instant of virtual time. */
export interface Appointment {
  readonly happen: () => void;
  /** Whether code under test may be called, so that promises have to settle before the next one. */
  readonly wakes: boolean;
  ticket: number;
}

/** Virtual time, and what is to happen in it. Of what falls on one instant chance says which goes first. */
export class Timeline {
  readonly #chance: Chance;
  readonly #coming = new IndexedHeap<Appointment>();
  #now = 0;
  #steps = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  get now(): number {
    return this.#now;
  }

  get steps(): number {
    return this.#steps;
  }

  /** Infinity where nothing is to come. */
  get nextAt(): number {
    return this.#coming.topPrimary;
  }

  after(delayMs: number, happen: () => void, wakes = true): Appointment {
    assert(delayMs >= 0, "time does not go back");
    const appointment: Appointment = { happen, wakes, ticket: -1 };
    appointment.ticket = this.#coming.push(appointment, this.#now + delayMs, this.#chance.next());
    return appointment;
  }

  cancel(appointment: Appointment): void {
    if (appointment.ticket === -1) return;
    this.#coming.remove(appointment.ticket);
    appointment.ticket = -1;
  }

  /** Goes to what comes next, and lets it happen. */
  step(): Appointment | undefined {
    const at = this.#coming.topPrimary;
    const appointment = this.#coming.pop();
    if (appointment === undefined) return undefined;
    this.#steps++;
    this.#now = at;
    appointment.ticket = -1;
    appointment.happen();
    return appointment;
  }
}

/** Resolves when no promise can go on: ticks come after all microtasks, those that these start included. */
export function quiet(): Promise<void> {
  return new Promise(inNextTick);
}

function inNextTick(resolve: () => void): void {
  process.nextTick(resolve);
}
