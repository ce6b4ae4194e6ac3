import fc from "fast-check";
import { expect } from "vitest";
import { SequenceHeap } from "../../../src/core/collections/sequence-heap.js";

/** So few in the heap that a dozen entries make a run. */
export const FEW_IN_HEAP = 8;

export interface Entry {
  ticket: number;
  primary: number;
  secondary: number;
}

/** Of equal entries either may leave first; so what is compared are keys. */
function compare(one: Entry, other: Entry): number {
  const byKey = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0);
  return byKey(one.primary, other.primary) || byKey(one.secondary, other.secondary);
}

/** `expect` costs too much to be called some ten million times. */
function check(holds: boolean, what: string): void {
  if (!holds) expect.fail(what);
}

/** A heap, and beside it all that waits there in an array: the simplest thing that can be right. */
export class Scene {
  static steps = 0;
  /** The most runs that any heap has had. */
  static mostRuns = 0;
  readonly heap = new SequenceHeap<Entry>(undefined, FEW_IN_HEAP);
  readonly waiting: Entry[] = [];
  #mostWaiting = 0;

  push(primary: number, secondary: number): void {
    const entry = { ticket: -1, primary, secondary };
    this.heap.push(entry, primary, secondary);
    this.waiting.push(entry);
    this.#check();
  }

  pop(): void {
    const first = this.#first();
    const popped = this.heap.pop();
    check((popped === undefined) === (first === undefined), "pop of an item where there is one");
    if (popped !== undefined && first !== undefined) {
      check(compare(popped, first) === 0, `pop of ${first.primary}, ${first.secondary}`);
      this.#forget(popped);
    }
    this.#check();
  }

  remove(choice: number): void {
    const entry = this.#choose(choice);
    if (entry === undefined) return;
    this.heap.remove(entry);
    this.#forget(entry);
    this.#check();
  }

  update(choice: number, primary: number, secondary: number): void {
    const entry = this.#choose(choice);
    if (entry === undefined) return;
    this.heap.update(entry, primary, secondary);
    Object.assign(entry, { primary, secondary });
    this.#check();
  }

  /** Every ticket is its entry's alone, and what is left leaves in order. */
  drain(): void {
    expect(new Set(this.waiting.map(({ ticket }) => ticket)).size).toBe(this.waiting.length);
    while (this.waiting.length > 0) this.pop();
    this.pop();
    expect(this.heap.runs).toBe(0);
  }

  #check(): void {
    const { heap, waiting } = this;
    Scene.steps += 1;
    Scene.mostRuns = Math.max(Scene.mostRuns, heap.runs);
    this.#mostWaiting = Math.max(this.#mostWaiting, waiting.length);
    check(heap.size === waiting.length, `size ${heap.size} of ${waiting.length}`);
    check(heap.runs <= (2 * this.#mostWaiting) / FEW_IN_HEAP + 1, `${heap.runs} runs`);
    const first = this.#first();
    const peeked = heap.peek();
    check(peeked === first || (!!peeked && !!first && compare(peeked, first) === 0), "peek");
  }

  #first(): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.waiting) if (first === undefined || compare(entry, first) < 0) first = entry;
    return first;
  }

  #choose(choice: number): Entry | undefined {
    return this.waiting[choice % this.waiting.length];
  }

  #forget(entry: Entry): void {
    const index = this.waiting.indexOf(entry);
    check(index >= 0, "an item left that was not there");
    this.waiting.splice(index, 1);
  }
}

/** Few different keys, so that ties are frequent; and the ends of what a number can be. */
const key = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 3, arbitrary: fc.integer({ min: -1_000, max: 1_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(-0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53) },
);
const choice = fc.nat(10_000);
const keys = fc.array(fc.tuple(key, key), { minLength: 1, maxLength: 30, size: "max" });

type Step = (scene: Scene) => void;

const push = keys.map(
  (each): Step =>
    (scene) => {
      for (const [primary, secondary] of each) scene.push(primary, secondary);
    },
);
const pop = fc.nat(20).map(
  (times): Step =>
    (scene) => {
      for (let time = 0; time < times; time += 1) scene.pop();
    },
);
/** From all over the place, or one beside the other. */
const remove = fc.tuple(choice, fc.constantFrom(0, 1, 7), fc.nat(20)).map(([at, stride, times]): Step => {
  return (scene) => {
    for (let time = 0; time < times; time += 1) scene.remove(at + time * stride);
  };
});
const update = fc.tuple(choice, keys).map(([at, each]): Step => {
  return (scene) => {
    for (const [index, [primary, secondary]] of each.entries())
      scene.update(at + 7 * index, primary, secondary);
  };
});

/** As arrays that mostly grow, mostly shrink, or hover. */
export const steps = fc.oneof(
  fc.array(fc.oneof(push, push, pop, remove, update), { maxLength: 40, size: "max" }),
  fc.array(fc.oneof(push, push, remove, remove, remove), { maxLength: 40, size: "max" }),
  fc.array(fc.oneof(push, pop, pop), { maxLength: 40, size: "max" }),
);
