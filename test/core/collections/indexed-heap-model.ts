import fc from "fast-check";
import { expect } from "vitest";
import { IndexedHeap } from "../../../src/core/collections/indexed-heap.js";
import type { Entries } from "../../../src/core/collections/sort-entries.js";

/** What the tests put into heaps; `sequence` breaks ties. */
export interface Entry {
  readonly sequence: number;
}

export function bySequence(one: Entry, other: Entry): number {
  return one.sequence - other.sequence;
}

interface Waiting {
  readonly entry: Entry;
  primary: number;
  secondary: number;
}

type Heap = IndexedHeap<Entry>;

/** A heap under test with what made it, so that an equal one can be made and taken apart. */
export interface Subject {
  readonly heap: Heap;
  readonly history: ((heap: Heap) => void)[];
}

/** What the heap should hold, by ticket; the simplest thing that can be right. */
export interface Model {
  readonly waiting: Map<number, Waiting>;
  readonly everGiven: Set<number>;
  pushes: number;
}

export function newSubject(): Subject {
  return { heap: new IndexedHeap<Entry>(bySequence), history: [] };
}

export function newModel(): Model {
  return { waiting: new Map(), everGiven: new Set(), pushes: 0 };
}

function inOrder(model: Model): Waiting[] {
  const compare = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0);
  return [...model.waiting.values()].sort(
    (a, b) =>
      compare(a.primary, b.primary) || compare(a.secondary, b.secondary) || bySequence(a.entry, b.entry),
  );
}

function act(subject: Subject, action: (heap: Heap) => void): void {
  subject.history.push(action);
  action(subject.heap);
}

/** A heap is a function of its history: what holds for the copy, which is used up, holds for the subject. */
function copyOf(subject: Subject): Heap {
  const copy = new IndexedHeap<Entry>(bySequence);
  for (const action of subject.history) action(copy);
  return copy;
}

/** `expect` costs too much to be called some ten million times. */
function same(actual: unknown, expected: unknown, what: string): void {
  if (!Object.is(actual, expected)) expect.fail(`${what}: expected ${expected}, got ${actual}`);
}

/** Everything that can be seen of the heap equals the model. */
function check(model: Model, subject: Subject): void {
  const { heap } = subject;
  const ordered = inOrder(model);
  same(heap.size, ordered.length, "size");
  same(heap.peek(), ordered[0]?.entry, "peek");
  same(heap.topPrimary === (ordered[0]?.primary ?? Number.POSITIVE_INFINITY), true, "topPrimary");
  for (const ticket of model.everGiven) same(heap.has(ticket), model.waiting.has(ticket), `has(${ticket})`);
  const seen = new Set(heap);
  same(seen.size, ordered.length, "iterated items");
  for (const { entry } of ordered) same(seen.has(entry), true, `iteration meets ${entry.sequence}`);
  checkHeapProperty(ordered, copyOf(subject));
  checkIndexMap(model, ordered, copyOf(subject));
}

/** Every item leaves in order, so no item lay above one that comes before it. */
function checkHeapProperty(ordered: readonly Waiting[], copy: Heap): void {
  for (const { entry } of ordered) same(copy.pop(), entry, "pop of a copy");
  same(copy.pop(), undefined, "pop of an emptied copy");
}

/** Every ticket finds its own item, and what is left stays in order. */
function checkIndexMap(model: Model, ordered: readonly Waiting[], copy: Heap): void {
  const left = new Set(ordered);
  for (const [ticket, waiting] of model.waiting) {
    same(copy.remove(ticket), waiting.entry, `remove(${ticket}) of a copy`);
    left.delete(waiting);
    const [first] = left;
    same(copy.peek(), first?.entry, `peek of a copy after remove(${ticket})`);
  }
}

abstract class Step implements fc.Command<Model, Subject> {
  static taken = 0;
  check(): boolean {
    return true;
  }
  run(model: Model, subject: Subject): void {
    Step.taken += 1;
    this.apply(model, subject);
    check(model, subject);
  }
  abstract apply(model: Model, subject: Subject): void;
  abstract toString(): string;
}

class Push extends Step {
  readonly primary: number;
  readonly secondary: number;
  constructor(primary: number, secondary: number) {
    super();
    this.primary = primary;
    this.secondary = secondary;
  }
  apply(model: Model, subject: Subject): void {
    const { primary, secondary } = this;
    const entry = { sequence: model.pushes++ };
    let ticket = -1;
    act(subject, (heap) => {
      ticket = heap.push(entry, primary, secondary);
    });
    same(Number.isInteger(ticket) && ticket >= 0, true, "ticket is an index");
    same(model.waiting.has(ticket), false, "ticket is in use already");
    // Small numbers: a free ticket is used again before a new one is made.
    same(ticket < 4 * Math.max(8, model.everGiven.size + 1), true, "ticket is small");
    model.everGiven.add(ticket);
    model.waiting.set(ticket, { entry, primary, secondary });
  }
  toString(): string {
    return `push(${this.primary}, ${this.secondary})`;
  }
}

class Pop extends Step {
  apply(model: Model, subject: Subject): void {
    const [first] = inOrder(model);
    let popped: Entry | undefined;
    act(subject, (heap) => {
      popped = heap.pop();
    });
    same(popped, first?.entry, "pop");
    for (const [ticket, waiting] of model.waiting) if (waiting === first) model.waiting.delete(ticket);
  }
  toString(): string {
    return "pop()";
  }
}

abstract class StepOnTicket extends Step {
  readonly choice: number;
  constructor(choice: number) {
    super();
    this.choice = choice;
  }
  apply(model: Model, subject: Subject): void {
    const tickets = [...model.everGiven];
    const ticket = tickets[this.choice % tickets.length] ?? this.choice;
    const waiting = model.waiting.get(ticket);
    if (waiting !== undefined) this.applyTo(ticket, waiting, model, subject);
    else this.refused(ticket, subject.heap);
  }
  abstract applyTo(ticket: number, waiting: Waiting, model: Model, subject: Subject): void;
  abstract refused(ticket: number, heap: Heap): void;
}

class Remove extends StepOnTicket {
  applyTo(ticket: number, waiting: Waiting, model: Model, subject: Subject): void {
    let removed: Entry | undefined;
    act(subject, (heap) => {
      removed = heap.remove(ticket);
    });
    same(removed, waiting.entry, "remove");
    model.waiting.delete(ticket);
  }
  refused(ticket: number, heap: Heap): void {
    expect(() => heap.remove(ticket)).toThrow("names an item");
  }
  toString(): string {
    return `remove(#${this.choice})`;
  }
}

class Update extends StepOnTicket {
  readonly primary: number;
  readonly secondary: number;
  constructor(choice: number, primary: number, secondary: number) {
    super(choice);
    this.primary = primary;
    this.secondary = secondary;
  }
  applyTo(ticket: number, waiting: Waiting, _model: Model, subject: Subject): void {
    const { primary, secondary } = this;
    act(subject, (heap) => heap.update(ticket, primary, secondary));
    Object.assign(waiting, { primary, secondary });
  }
  refused(ticket: number, heap: Heap): void {
    expect(() => heap.update(ticket, this.primary, this.secondary)).toThrow("names an item");
  }
  toString(): string {
    return `update(#${this.choice}, ${this.primary}, ${this.secondary})`;
  }
}

class Drain extends Step {
  apply(model: Model, subject: Subject): void {
    let drained: Entries<Entry> | undefined;
    act(subject, (heap) => {
      drained = heap.drain();
    });
    const waiting = new Map([...model.waiting.values()].map((each) => [each.entry, each]));
    const ordered = inOrder(model);
    same(drained?.items.length, ordered.length, "drained items");
    for (const [index, { primary, secondary }] of ordered.entries()) {
      // Of two that tie, either may come first; but each with the keys that it waited with.
      same(drained?.primaries[index] === primary, true, `primary ${index}`);
      same(drained?.secondaries[index] === secondary, true, `secondary ${index}`);
      const item = waiting.get(drained?.items[index] as Entry);
      same(item?.primary === primary && item.secondary === secondary, true, `item ${index}`);
      waiting.delete(drained?.items[index] as Entry);
    }
    model.waiting.clear();
  }
  toString(): string {
    return "drain()";
  }
}

/** How many steps were taken since this file was loaded. */
export function stepsTaken(): number {
  return Step.taken;
}

/** Few different keys, so that ties are frequent; and the ends of what a number can be. */
const key = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.double({ noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(-0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53) },
);
const choice = fc.nat(1_000);
const push = fc.tuple(key, key).map((keys) => new Push(...keys));
const update = fc.tuple(choice, key, key).map((values) => new Update(...values));
const remove = choice.map((value) => new Remove(value));

/** Sequences that mostly grow, mostly shrink, or hover: each capacity is crossed both ways. */
export const heapCommands = fc.commands(
  [push, push, push, update, fc.constant(new Pop()), remove, push, fc.constant(new Pop()), remove],
  { maxCommands: 90, size: "max" },
);
export const heapCommandsWithDrain = fc.commands([push, push, remove, update, fc.constant(new Drain())], {
  maxCommands: 40,
  size: "max",
});
