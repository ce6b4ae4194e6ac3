import { assert } from "../../errors.js";
import type { Task } from "../../task/task.js";
import { IndexedHeap } from "../collections/indexed-heap.js";
import { type Closure, FULL, LIMITED } from "./gate.js";
import { Group, type GroupOwner, type LaneGate } from "./group.js";
import { HandlerGate } from "./handler-gate.js";
import { type QueueGroup, type QueueShape, TaskQueue } from "./task-queue.js";

export interface QueueSetOptions {
  readonly lanes: readonly LaneGate[];
  readonly shapes: ReadonlyMap<string, QueueShape>;
  /** Handlers by name, with how many of each may run at once. */
  readonly handlers?: ReadonlyMap<string, number> | undefined;
  /** Drain queues of a higher share first, instead of giving each its share of the turns. */
  readonly strict: boolean;
}

/**
 * All that is ready to start, and whose turn it is.
 *
 * Queues take turns by stride scheduling (Waldspurger and Weihl, 1995): each start moves its queue's `pass`
 * on by 1 / share, and the eligible queue with the lowest pass is next. A queue that had nothing eligible
 * resumes at the present virtual time: neither does it owe, nor is it owed, the turns that it could not take.
 *
 * Each lane has a heap of queues that may have something for it. A queue is put there when it may have become
 * eligible, and taken out only when it is met at the top and is not: so closing costs O(1) and is paid for
 * once.
 */
export class QueueSet implements GroupOwner<TaskQueue> {
  readonly #lanes: readonly LaneGate[];
  readonly #turns: readonly IndexedHeap<TaskQueue>[];
  readonly #strict: boolean;
  readonly #shapes: ReadonlyMap<string, QueueShape>;
  readonly #queues = new Map<string, TaskQueue>();
  readonly #handlers = new Map<string, HandlerGate<QueueGroup>>();
  /** Empty queues that are not configured, by pass: kept until the others have caught up with them. */
  readonly #idle = new IndexedHeap<TaskQueue>();
  #virtualTime = 0;
  #size = 0;
  #sequence = 0;
  #created = 0;

  constructor(options: QueueSetOptions) {
    this.#lanes = options.lanes;
    this.#turns = options.lanes.map(() => new IndexedHeap<TaskQueue>());
    this.#strict = options.strict;
    this.#shapes = options.shapes;
    for (const name of options.shapes.keys()) this.queue(name);
    for (const [name, maxConcurrency] of options.handlers ?? []) {
      this.#handlers.set(name, new HandlerGate(name, maxConcurrency));
    }
  }

  /** Tasks that wait here. */
  get size(): number {
    return this.#size;
  }

  /** Queues that are known at this moment. */
  queues(): IterableIterator<TaskQueue> {
    return this.#queues.values();
  }

  handlers(): IterableIterator<HandlerGate<QueueGroup>> {
    return this.#handlers.values();
  }

  handler(name: string): HandlerGate<QueueGroup> | undefined {
    return this.#handlers.get(name);
  }

  /** The queue of that name, when it is known at this moment. */
  known(name: string): TaskQueue | undefined {
    return this.#queues.get(name);
  }

  /** The queue of that name, made when it is not known. */
  queue(name: string): TaskQueue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new TaskQueue(name, this.#created++, this.#lanes.length, this.#shapes.get(name));
      queue.joinAt(this.#virtualTime);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Lets a task wait for its turn. One without a sequence gets the next one. */
  push(task: Task, lane: LaneGate): void {
    if (task.sequence === 0) task.sequence = ++this.#sequence;
    const queue = this.queue(task.queue);
    const handler = task.handler === undefined ? undefined : this.#handlers.get(task.handler);
    const group = groupOf(queue, lane, handler) ?? this.#newGroup(queue, lane, handler);
    queue.waiting++;
    if (handler !== undefined) handler.waiting++;
    this.#size++;
    group.push(task);
  }

  /** The group whose head is next among the open lanes, or undefined when nothing is eligible. */
  next(): QueueGroup | undefined {
    let chosen: TaskQueue | undefined;
    for (const lane of this.#lanes) {
      const queue = lane.open ? this.#nextQueue(lane) : undefined;
      if (queue !== undefined && (chosen === undefined || this.#goesBefore(queue, chosen))) chosen = queue;
    }
    if (chosen !== undefined) return bestGroup(chosen);
    this.#forgetCaughtUp();
    return undefined;
  }

  /** Takes the head of a group for a start and charges its queue for the turn. */
  take(group: QueueGroup): Task {
    const { queue, handler } = group;
    const task = group.shift();
    assert(task !== undefined, "only a group with a head can be taken from");
    this.#size--;
    queue.began();
    handler?.began();
    queue.joinAt(this.#virtualTime);
    this.#virtualTime = queue.pass;
    queue.countTurn();
    for (const lane of this.#lanes) this.#place(queue, lane);
    this.#forgetCaughtUp();
    return task;
  }

  /** An attempt of this group no longer counts as running. */
  ended({ queue, handler }: QueueGroup): void {
    assert(queue.running > 0, "only a queue with running tasks can see one end");
    if (handler?.ended()) this.open(handler, FULL);
    if (queue.ended()) this.open(queue, FULL);
    this.#retireIfForgettable(queue);
  }

  open(gate: TaskQueue | HandlerGate<QueueGroup>, closure: Closure): void {
    gate.reopen(closure);
    if (!gate.open) return;
    for (const group of gate.groups) this.#welcome(group);
    if (gate instanceof TaskQueue) this.#retireIfForgettable(gate);
  }

  headMayHaveChanged(group: QueueGroup): void {
    this.#openForNewHead(group);
    this.#welcome(group);
  }

  removed(group: QueueGroup): void {
    const { queue, handler } = group;
    this.#size--;
    queue.waiting--;
    if (handler !== undefined) handler.waiting--;
    this.#openForNewHead(group);
    this.#retireIfForgettable(queue);
    this.#forgetCaughtUp();
  }

  /** The permit that queue or handler waited for was counted for the head that it had. */
  #openForNewHead({ queue, handler }: QueueGroup): void {
    if (queue.isClosedBy(LIMITED)) this.open(queue, LIMITED);
    if (handler?.isClosedBy(LIMITED)) this.open(handler, LIMITED);
  }

  #newGroup(queue: TaskQueue, lane: LaneGate, handler: HandlerGate<QueueGroup> | undefined): QueueGroup {
    const group = new Group(queue, lane, handler, this);
    queue.groups.push(group);
    handler?.groups.add(group);
    return group;
  }

  /** Sees to it that an eligible group's queue is among the turns of its lane. */
  #welcome(group: QueueGroup): void {
    const { queue, lane } = group;
    if (!group.eligible || queue.tickets[lane.index] !== -1) return;
    queue.joinAt(this.#virtualTime);
    for (const other of this.#lanes) this.#place(queue, other);
    const turns = this.#turnsOf(lane);
    queue.tickets[lane.index] = turns.push(queue, this.#primary(queue), this.#secondary(queue));
  }

  #nextQueue(lane: LaneGate): TaskQueue | undefined {
    const turns = this.#turnsOf(lane);
    for (let queue = turns.peek(); queue !== undefined; queue = turns.peek()) {
      if (hasEligible(queue, lane)) return queue;
      turns.pop();
      queue.tickets[lane.index] = -1;
    }
    return undefined;
  }

  /** Puts a queue whose pass has moved where it belongs among the turns of a lane. */
  #place(queue: TaskQueue, lane: LaneGate): void {
    const ticket = queue.tickets[lane.index] ?? -1;
    if (ticket !== -1) this.#turnsOf(lane).update(ticket, this.#primary(queue), this.#secondary(queue));
  }

  #turnsOf(lane: LaneGate): IndexedHeap<TaskQueue> {
    const turns = this.#turns[lane.index];
    assert(turns !== undefined, "each lane has its heap of turns");
    return turns;
  }

  #primary(queue: TaskQueue): number {
    return this.#strict ? -queue.shape.share : queue.pass;
  }

  #secondary(queue: TaskQueue): number {
    return this.#strict ? queue.pass : queue.index;
  }

  #goesBefore(one: TaskQueue, other: TaskQueue): boolean {
    const first = this.#primary(one) - this.#primary(other);
    return first !== 0 ? first < 0 : this.#secondary(one) < this.#secondary(other);
  }

  /**
   * A queue that nobody needs is dropped, but not before the others have had the turns that it took early.
   */
  #retireIfForgettable(queue: TaskQueue): void {
    // A gate or an attempt may still hold a queue that was forgotten and made anew since.
    if (!queue.forgettable || this.#queues.get(queue.name) !== queue) return;
    if (queue.idleTicket === -1) queue.idleTicket = this.#idle.push(queue, queue.pass, queue.index);
    else this.#idle.update(queue.idleTicket, queue.pass, queue.index);
    this.#forgetCaughtUp();
  }

  /** Where nobody competes for turns, none is owed; else virtual time would stand still for those paused. */
  #forgetCaughtUp(): void {
    while (this.#idle.size > 0 && (this.#unrivalled || this.#idle.topPrimary <= this.#virtualTime)) {
      const queue = this.#idle.pop();
      assert(queue !== undefined, "a heap with a size has a head");
      queue.idleTicket = -1;
      if (queue.forgettable) this.#forget(queue);
    }
  }

  get #unrivalled(): boolean {
    if (this.#size === 0) return true;
    for (const turns of this.#turns) if (turns.size > 0) return false;
    return true;
  }

  #forget(queue: TaskQueue): void {
    for (const lane of this.#lanes) {
      const ticket = queue.tickets[lane.index] ?? -1;
      if (ticket !== -1) this.#turnsOf(lane).remove(ticket);
    }
    for (const group of queue.groups) group.handler?.groups.delete(group);
    this.#queues.delete(queue.name);
  }
}

function groupOf(
  queue: TaskQueue,
  lane: LaneGate,
  handler: HandlerGate<QueueGroup> | undefined,
): QueueGroup | undefined {
  for (const group of queue.groups) if (group.lane === lane && group.handler === handler) return group;
  return undefined;
}

function hasEligible(queue: TaskQueue, lane: LaneGate): boolean {
  for (const group of queue.groups) if (group.lane === lane && group.eligible) return true;
  return false;
}

function bestGroup(queue: TaskQueue): QueueGroup | undefined {
  let best: QueueGroup | undefined;
  for (const group of queue.groups) {
    if (group.lane.open && group.eligible && (best === undefined || goesFirst(group, best))) best = group;
  }
  return best;
}

function goesFirst(group: QueueGroup, other: QueueGroup): boolean {
  const [one, two] = [group.head, other.head];
  if (one === undefined || two === undefined) return one !== undefined;
  return one.order !== two.order ? one.order < two.order : one.sequence < two.sequence;
}
