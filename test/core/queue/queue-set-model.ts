import fc from "fast-check";
import { expect } from "vitest";
import { type Closure, LIMITED, PAUSED } from "../../../src/core/queue/gate.js";
import type { LaneGate } from "../../../src/core/queue/group.js";
import { QueueSet } from "../../../src/core/queue/queue-set.js";
import type { QueueGroup, QueueShape } from "../../../src/core/queue/task-queue.js";
import { toOrder } from "../../../src/task/order.js";
import type { Task } from "../../../src/task/task.js";
import { createTask } from "../../support/waiting-task.js";

const NO_LIMIT = Number.POSITIVE_INFINITY;

/** The configured queues; the others have share 1 and no limits. */
export const SHAPES: ReadonlyMap<string, QueueShape> = new Map([
  ["large", { share: 7, maxConcurrency: NO_LIMIT }],
  ["middle", { share: 3, maxConcurrency: NO_LIMIT }],
  ["narrow", { share: 3, maxConcurrency: 2 }],
]);
const NAMES = [...SHAPES.keys(), "a", "b", "c"];

/** The handlers, with how many of each may run; what has none is a plain function. */
const HANDLERS: ReadonlyMap<string, number> = new Map([
  ["free", NO_LIMIT],
  ["single", 1],
  ["pair", 2],
]);
const WORKS = [undefined, ...HANDLERS.keys()];

const shareOf = (name: string) => SHAPES.get(name)?.share ?? 1;
const maxConcurrencyOf = (name: string) => SHAPES.get(name)?.maxConcurrency ?? NO_LIMIT;

class OpenLane implements LaneGate {
  readonly index: number;
  open = true;

  constructor(index: number) {
    this.index = index;
  }

  reconsider(): void {}
}

/** The real thing, with what a manager would hold of it. */
export class Real {
  readonly lanes = [new OpenLane(0), new OpenLane(1)] as const;
  readonly set: QueueSet;
  readonly running: QueueGroup[] = [];

  constructor(strict: boolean) {
    this.set = new QueueSet({ lanes: this.lanes, shapes: SHAPES, handlers: HANDLERS, strict });
  }
}

interface Entry {
  readonly task: Task;
  readonly lane: number;
}

/** What has happened since a queue last became eligible; it has been so at every start since. */
interface Stretch {
  own: number;
  readonly others: Map<string, number>;
}

/** One flat list, and what holds queues and handlers closed: everything is looked for. */
export class Model {
  readonly strict: boolean;
  readonly entries: Entry[] = [];
  readonly laneOpen = [true, true];
  readonly closed = new Map<string, Set<Closure>>();
  readonly running = new Map<string, number>();
  readonly limitedHandlers = new Set<string>();
  readonly runningHandlers = new Map<string, number>();
  /** The most that were taken at a time. */
  atATime = 1;
  readonly #stretches = new Map<string, Stretch>();

  constructor(strict: boolean) {
    this.strict = strict;
  }

  runningOf(name: string): number {
    return this.running.get(name) ?? 0;
  }

  isClosed(name: string): boolean {
    return (this.closed.get(name)?.size ?? 0) > 0 || this.runningOf(name) >= maxConcurrencyOf(name);
  }

  isHandlerClosed(name: string | undefined): boolean {
    if (name === undefined) return false;
    return this.limitedHandlers.has(name) || count(this.runningHandlers, name) >= (HANDLERS.get(name) ?? 0);
  }

  /** The permit that queue and handler waited for was that of another head. */
  unlimit({ queue, handler }: Task): void {
    this.closed.get(queue)?.delete(LIMITED);
    if (handler !== undefined) this.limitedHandlers.delete(handler);
  }

  /** What may start of a queue, the best first. */
  candidates(name: string): Entry[] {
    if (this.isClosed(name)) return [];
    return this.entries
      .filter(({ task, lane }) => task.queue === name && this.laneOpen[lane])
      .filter(({ task }) => !this.isHandlerClosed(task.handler))
      .sort((one, other) => inOrder(one.task, other.task));
  }

  /** Whether nothing of its queue, lane and handler goes before it, whatever is closed. */
  isHead({ task, lane }: Entry): boolean {
    return this.entries
      .filter((other) => other.lane === lane && other.task.queue === task.queue)
      .filter((other) => other.task.handler === task.handler)
      .every((other) => inOrder(task, other.task) <= 0);
  }

  eligible(): string[] {
    return NAMES.filter((name) => this.candidates(name).length > 0);
  }

  remove(task: Task): void {
    const index = this.entries.findIndex((entry) => entry.task === task);
    this.entries.splice(index, 1);
  }

  /** Counts a start, and says which queues were eligible when it was chosen. */
  started({ queue: name, handler }: Task, eligible: readonly string[]): void {
    this.running.set(name, this.runningOf(name) + 1);
    if (handler !== undefined) this.runningHandlers.set(handler, count(this.runningHandlers, handler) + 1);
    for (const each of NAMES) if (!eligible.includes(each)) this.#stretches.delete(each);
    for (const each of eligible) {
      const stretch = this.#stretches.get(each) ?? { own: 0, others: new Map<string, number>() };
      this.#stretches.set(each, stretch);
      if (each === name) stretch.own++;
      else stretch.others.set(name, (stretch.others.get(name) ?? 0) + 1);
    }
  }

  /** Whoever ceases to be eligible between two starts begins a new stretch. */
  interrupt(): void {
    const eligible = this.eligible();
    for (const each of NAMES) if (!eligible.includes(each)) this.#stretches.delete(each);
  }

  /**
   * The bound of fair queueing: while a queue is eligible all along and has had `own` turns, another with r
   * times its share has had at most `r × (own + 1) + 1`; where up to n are taken at a time, `r × (own + n) + n`.
   */
  expectFairness(): void {
    if (this.strict) return;
    for (const [name, { own, others }] of this.#stretches) {
      for (const [other, starts] of others) {
        const bound = (shareOf(other) / shareOf(name)) * (own + this.atATime) + this.atATime;
        expect(starts, `${other} beside ${name}, which had ${own}`).toBeLessThanOrEqual(bound + 1e-6);
      }
    }
  }
}

function count(counts: ReadonlyMap<string, number>, name: string): number {
  return counts.get(name) ?? 0;
}

function inOrder(one: Task, other: Task): number {
  return one.order - other.order || one.sequence - other.sequence;
}

/** Whether a queue has tasks, or is held closed. */
function isNeeded(model: Model, name: string): boolean {
  const waits = model.entries.some(({ task }) => task.queue === name);
  return waits || model.runningOf(name) > 0 || (model.closed.get(name)?.size ?? 0) > 0;
}

/** Only queues that are configured or needed are known. */
function expectForgotten(model: Model, { set }: Real): void {
  for (const { name } of set.queues()) expect(SHAPES.has(name) || isNeeded(model, name), name).toBe(true);
}

/** What holds after every command. One comparison, since it is made a hundred thousand times. */
function expectAgreement(model: Model, real: Real): void {
  const known = [...real.set.queues()].map((queue) => {
    return `${queue.name}: ${queue.waiting} wait, ${queue.running} run, open: ${queue.open}`;
  });
  const names = new Set([...real.set.queues()].map(({ name }) => name));
  const expected = NAMES.filter((name) => names.has(name) || SHAPES.has(name) || isNeeded(model, name));
  const described = expected.map((name) => {
    const waiting = model.entries.filter(({ task }) => task.queue === name).length;
    return `${name}: ${waiting} wait, ${model.runningOf(name)} run, open: ${!model.isClosed(name)}`;
  });
  expect(`${real.set.size} ${known.sort().join("; ")}`).toBe(
    `${model.entries.length} ${described.sort().join("; ")}`,
  );
  expectHandlers(model, real);
  if (model.entries.length === 0) expectForgotten(model, real);
  model.interrupt();
}

/** Handlers agree too, and hold groups of living queues alone. */
function expectHandlers(model: Model, { set }: Real): void {
  const found = [...set.handlers()].map(({ name, waiting, running, open }) => {
    return `${name}: ${waiting} wait, ${running} run, open: ${open}`;
  });
  const expected = [...HANDLERS.keys()].map((name) => {
    const waiting = model.entries.filter(({ task }) => task.handler === name).length;
    const running = count(model.runningHandlers, name);
    return `${name}: ${waiting} wait, ${running} run, open: ${!model.isHandlerClosed(name)}`;
  });
  expect(found.join("; ")).toBe(expected.join("; "));
  for (const { parked } of set.handlers())
    for (const { queue } of parked) expect(set.known(queue.name)).toBe(queue);
}

type Command = fc.Command<Model, Real>;

class Push implements Command {
  readonly queue: string;
  readonly lane: 0 | 1;
  readonly handler: string | undefined;
  readonly priority: number;
  readonly weight: number;

  constructor(queue: string, lane: 0 | 1, handler: string | undefined, priority: number, weight: number) {
    this.queue = queue;
    this.lane = lane;
    this.handler = handler;
    this.priority = priority;
    this.weight = weight;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const task = createTask(this);
    real.set.push(task, real.lanes[this.lane]);
    const entry = { task, lane: this.lane };
    model.entries.push(entry);
    if (model.isHead(entry)) model.unlimit(task);
    expectAgreement(model, real);
  }

  toString(): string {
    return `push(${this.queue}, lane ${this.lane}, ${this.handler}, ${this.priority}, ${this.weight})`;
  }
}

class Take implements Command {
  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const group = real.set.next();
    const eligible = model.eligible();
    if (eligible.length === 0) {
      expect(group).toBeUndefined();
      // Nobody competes for turns: whoever is not needed is forgotten, though others may wait for a resume.
      if (model.laneOpen.every((open) => open)) expectForgotten(model, real);
      return;
    }
    expect(group).toBeDefined();
    if (group === undefined) return;
    const { name } = group.queue;
    expect(eligible).toContain(name);
    if (model.strict) expect(shareOf(name)).toBe(Math.max(...eligible.map(shareOf)));
    const best = model.candidates(name)[0]?.task;
    expect(group.head).toBe(best);
    const task = real.set.take(group);
    expect(task).toBe(best);
    expect(task.place).toBeUndefined();
    model.remove(task);
    model.started(task, eligible);
    real.running.push(group);
    model.expectFairness();
    expectAgreement(model, real);
  }

  toString(): string {
    return "take";
  }
}

/** Takes a group's head, and then more of the same group. */
class TakeSeveral implements Command {
  readonly count: number;

  constructor(count: number) {
    this.count = count;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const group = real.set.next();
    if (group === undefined) return;
    model.atATime = Math.max(model.atATime, this.count);
    for (let taken = 0; taken < this.count && group.eligible; taken++) {
      const eligible = model.eligible();
      const best = model
        .candidates(group.queue.name)
        .find(({ lane, task }) => lane === group.lane.index && task.handler === group.handler?.name);
      const task = taken === 0 ? real.set.take(group) : real.set.takeOneMore(group);
      expect(task).toBe(best?.task);
      model.remove(task);
      model.started(task, eligible);
      real.running.push(group);
      expectAgreement(model, real);
    }
    model.expectFairness();
  }

  toString(): string {
    return `takeSeveral(${this.count})`;
  }
}

class Ended implements Command {
  readonly pick: number;

  constructor(pick: number) {
    this.pick = pick;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const [group] = real.running.splice(this.pick % Math.max(1, real.running.length), 1);
    if (group === undefined) return;
    real.set.ended(group);
    const { queue, handler } = group;
    model.running.set(queue.name, model.runningOf(queue.name) - 1);
    if (handler !== undefined)
      model.runningHandlers.set(handler.name, count(model.runningHandlers, handler.name) - 1);
    expectAgreement(model, real);
  }

  toString(): string {
    return `ended(${this.pick})`;
  }
}

class Remove implements Command {
  readonly pick: number;

  constructor(pick: number) {
    this.pick = pick;
  }

  check(model: Readonly<Model>): boolean {
    return model.entries.length > 0;
  }

  run(model: Model, real: Real): void {
    const entry = model.entries[this.pick % model.entries.length];
    if (entry === undefined) return;
    entry.task.place?.remove(entry.task);
    expect(entry.task.place).toBeUndefined();
    model.remove(entry.task);
    model.unlimit(entry.task);
    expectAgreement(model, real);
  }

  toString(): string {
    return `remove(${this.pick})`;
  }
}

class Reorder implements Command {
  readonly pick: number;
  readonly priority: number;

  constructor(pick: number, priority: number) {
    this.pick = pick;
    this.priority = priority;
  }

  check(model: Readonly<Model>): boolean {
    return model.entries.length > 0;
  }

  run(model: Model, real: Real): void {
    const task = model.entries[this.pick % model.entries.length]?.task;
    if (task === undefined) return;
    task.order = toOrder(this.priority, task.weight);
    task.place?.reorder(task);
    model.unlimit(task);
    expectAgreement(model, real);
  }

  toString(): string {
    return `reorder(${this.pick}, ${this.priority})`;
  }
}

class Close implements Command {
  readonly queue: string;
  readonly closure: Closure;

  constructor(queue: string, closure: Closure) {
    this.queue = queue;
    this.closure = closure;
  }

  check(model: Readonly<Model>): boolean {
    // A limit closes only a queue that has a head.
    return this.closure === PAUSED || model.entries.some(({ task }) => task.queue === this.queue);
  }

  run(model: Model, real: Real): void {
    real.set.queue(this.queue).close(this.closure);
    const closures = model.closed.get(this.queue) ?? new Set();
    model.closed.set(this.queue, closures.add(this.closure));
    expectAgreement(model, real);
  }

  toString(): string {
    return `close(${this.queue}, ${this.closure})`;
  }
}

class Open implements Command {
  readonly queue: string;
  readonly closure: Closure;

  constructor(queue: string, closure: Closure) {
    this.queue = queue;
    this.closure = closure;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const queue = real.set.known(this.queue);
    if (queue !== undefined) real.set.open(queue, this.closure);
    model.closed.get(this.queue)?.delete(this.closure);
    expectAgreement(model, real);
  }

  toString(): string {
    return `open(${this.queue}, ${this.closure})`;
  }
}

/** A handler's own limit, which closes it for what a head of its lacks. */
class LimitHandler implements Command {
  readonly handler: string;

  constructor(handler: string) {
    this.handler = handler;
  }

  check(model: Readonly<Model>): boolean {
    return model.entries.some(({ task }) => task.handler === this.handler);
  }

  run(model: Model, real: Real): void {
    real.set.handler(this.handler)?.close(LIMITED);
    model.limitedHandlers.add(this.handler);
    expectAgreement(model, real);
  }

  toString(): string {
    return `limitHandler(${this.handler})`;
  }
}

class UnlimitHandler implements Command {
  readonly handler: string;

  constructor(handler: string) {
    this.handler = handler;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const gate = real.set.handler(this.handler);
    if (gate !== undefined) real.set.open(gate, LIMITED);
    model.limitedHandlers.delete(this.handler);
    expectAgreement(model, real);
  }

  toString(): string {
    return `unlimitHandler(${this.handler})`;
  }
}

class SwitchLane implements Command {
  readonly lane: 0 | 1;

  constructor(lane: 0 | 1) {
    this.lane = lane;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const open = !real.lanes[this.lane].open;
    real.lanes[this.lane].open = open;
    model.laneOpen[this.lane] = open;
    expectAgreement(model, real);
  }

  toString(): string {
    return `switchLane(${this.lane})`;
  }
}

const name = fc.constantFrom(...NAMES);
const lane = fc.constantFrom(0, 1) as fc.Arbitrary<0 | 1>;
const pick = fc.nat(1_000);
const priority = fc.integer({ min: -2, max: 2 });
const weight = fc.integer({ min: 1, max: 3 });
const closure = fc.constantFrom<Closure>(PAUSED, LIMITED);
const work = fc.constantFrom(...WORKS);
const handler = fc.constantFrom(...HANDLERS.keys());
const push = fc.tuple(name, lane, work, priority, weight).map((input) => new Push(...input));
const take = fc.constant(new Take());

/** Pushes and takes are the most frequent; what closes is opened as often. */
export const queueSetCommands: fc.Arbitrary<Iterable<Command>> = fc.commands(
  [
    ...[push, push, push, take, take, take],
    fc.integer({ min: 1, max: 4 }).map((count) => new TakeSeveral(count)),
    ...[pick.map((at) => new Ended(at)), pick.map((at) => new Ended(at))],
    pick.map((at) => new Remove(at)),
    fc.tuple(pick, priority).map((input) => new Reorder(...input)),
    fc.tuple(name, closure).map((input) => new Close(...input)),
    fc.tuple(name, closure).map((input) => new Open(...input)),
    handler.map((one) => new LimitHandler(one)),
    handler.map((one) => new UnlimitHandler(one)),
    lane.map((index) => new SwitchLane(index)),
  ],
  { maxCommands: 100, size: "max" },
);
