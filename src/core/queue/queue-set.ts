import { assert } from "../../errors.js";
import type { Task } from "../../task/task.js";
import { IndexedHeap } from "../collections/indexed-heap.js";
import { bestGroup, groupOf, hasEligible } from "./best-group.js";
import { type Closure, FULL, LIMITED } from "./gate.js";
import { Group, type GroupOwner, type LaneGate } from "./group.js";
import { HandlerGate } from "./handler-gate.js";
import { type QueueGroup, type QueueShape, TaskQueue } from "./task-queue.js";
import { Turns } from "./turns.js";

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
  readonly #turns: Turns;
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
    this.#turns = new Turns(options.lanes, options.strict);
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

  /** Undefined where it is not known at this moment. */
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
    const group = this.#enter(task.queue, task.handler, lane);
    this.#size++;
    group.push(task);
  }

  /** The group whose head is next among the open lanes, or undefined when nothing is eligible. */
  next(): QueueGroup | undefined {
    let chosen: TaskQueue | undefined;
    for (const lane of this.#lanes) {
      const queue = lane.open ? this.#nextQueue(lane) : undefined;
      if (queue !== undefined && (chosen === undefined || this.#turns.goesBefore(queue, chosen)))
        chosen = queue;
    }
    if (chosen !== undefined) return bestGroup(chosen);
    this.#forgetCaughtUp();
    return undefined;
  }

  /** Whether anything waits that could start in this lane now. */
  hasEligible(lane: LaneGate): boolean {
    return this.#nextQueue(lane) !== undefined;
  }

  /** Takes the head of a group for a start; its queue has had a turn. */
  take(group: QueueGroup): Task {
    group.queue.joinAt(this.#virtualTime);
    this.#virtualTime = group.queue.pass;
    return this.takeOneMore(group);
  }

  /**
   * The same out of turn: its queue pays for it with later turns, and virtual time stands still, so that the
   * others are owed what they would have had meanwhile.
   */
  takeOneMore(group: QueueGroup): Task {
    const task = group.shift();
    assert(task !== undefined, "only a group with a head can be taken from");
    this.#size--;
    group.queue.countTurn();
    this.#countStart(group);
    this.#forgetCaughtUp();
    return task;
  }

  /** Counts a start of a task that has not waited here, and charges its queue for the turn. */
  join(queueName: string, handlerName: string, lane: LaneGate): QueueGroup {
    const group = this.#enter(queueName, handlerName, lane);
    group.queue.joinAt(this.#virtualTime);
    group.queue.countTurnElsewhere();
    this.#countStart(group);
    return group;
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
    for (const lane of this.#lanes) lane.reconsider();
    if (gate instanceof TaskQueue) {
      for (const group of gate.groups) this.#welcome(group);
      this.#retireIfForgettable(gate);
    } else {
      for (const lane of this.#lanes) this.#bringIn(gate, lane);
    }
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

  /** One more waits in the group, which is made when there is none. */
  #enter(queueName: string, handlerName: string | undefined, lane: LaneGate): QueueGroup {
    const queue = this.queue(queueName);
    const handler = handlerName === undefined ? undefined : this.#handlers.get(handlerName);
    queue.waiting++;
    if (handler !== undefined) handler.waiting++;
    return groupOf(queue, lane, handler) ?? this.#newGroup(queue, lane, handler);
  }

  #countStart({ queue, handler }: QueueGroup): void {
    queue.began();
    handler?.began();
    for (const lane of this.#lanes) this.#turns.place(queue, lane);
    this.#passTurnOn(queue);
  }

  #newGroup(queue: TaskQueue, lane: LaneGate, handler: HandlerGate<QueueGroup> | undefined): QueueGroup {
    const group = new Group(queue, lane, handler, this);
    queue.groups.push(group);
    return group;
  }

  /**
   * Sees to it that an eligible group's queue is among the turns of its lane, or that the group is parked
   * where only its handler holds it back.
   */
  #welcome(group: QueueGroup): void {
    const { queue, lane } = group;
    this.#parkIfHeld(group);
    if (!group.eligible || this.#turns.has(queue, lane)) return;
    queue.joinAt(this.#virtualTime);
    for (const other of this.#lanes) this.#turns.place(queue, other);
    this.#turns.add(queue, lane);
  }

  #nextQueue(lane: LaneGate): TaskQueue | undefined {
    for (let queue = this.#turns.first(lane); queue !== undefined; queue = this.#turns.first(lane)) {
      if (hasEligible(queue, lane)) return queue;
      this.#turns.remove(queue, lane);
      for (const group of queue.groups) if (group.lane === lane) this.#leave(group);
    }
    return undefined;
  }

  /** A group's queue has left the turns: it waits for its handler, or another of that handler can come. */
  #leave(group: QueueGroup): void {
    this.#parkIfHeld(group);
    if (group.handler?.open) this.#bringIn(group.handler, group.lane);
  }

  #parkIfHeld(group: QueueGroup): void {
    const { queue, handler } = group;
    if (handler === undefined || handler.open || group.size === 0 || !queue.open) return;
    this.#park(group, handler);
  }

  #park(group: QueueGroup, handler: HandlerGate<QueueGroup>): void {
    handler.park(group, this.#turns.primary(group.queue), this.#turns.secondary(group.queue));
  }

  /**
   * Brings in the parked group whose turn comes first. The next one follows when the queue of that one has
   * had a turn, or has left the turns: so they come in the order of their turns, and no sooner.
   */
  #bringIn(handler: HandlerGate<QueueGroup>, lane: LaneGate): void {
    for (let group = handler.unpark(lane); group !== undefined; group = handler.unpark(lane)) {
      if (!group.eligible) continue; // it is empty, or its queue is closed and will welcome it
      this.#welcome(group);
      return;
    }
  }

  /**
   * A queue has had its turn: its groups that are parked move with its pass, and others of its handlers can
   * come, whichever of its groups the turn went to.
   */
  #passTurnOn(queue: TaskQueue): void {
    for (const group of queue.groups) {
      const { handler, lane } = group;
      if (handler?.isParked(group)) this.#park(group, handler);
      if (handler?.open) this.#bringIn(handler, lane);
    }
  }

  /** A queue that nobody needs is dropped, but not before others have had the turns that it took early. */
  #retireIfForgettable(queue: TaskQueue): void {
    // A gate or an attempt may still hold a queue that was forgotten and made anew since.
    if (!queue.forgettable || this.#queues.get(queue.name) !== queue) return;
    if (queue.idleTicket === -1) queue.idleTicket = this.#idle.push(queue, queue.pass, queue.index);
    else this.#idle.update(queue.idleTicket, queue.pass, queue.index);
    this.#forgetCaughtUp();
  }

  /** Where nobody competes for turns, none is owed; else virtual time would stand still for those paused. */
  #forgetCaughtUp(): void {
    while (
      this.#idle.size > 0 &&
      (this.#size === 0 || this.#turns.empty || this.#idle.topPrimary <= this.#virtualTime)
    ) {
      const queue = this.#idle.pop();
      assert(queue !== undefined, "a heap with a size has a head");
      queue.idleTicket = -1;
      if (queue.forgettable) this.#forget(queue);
    }
  }

  #forget(queue: TaskQueue): void {
    this.#queues.delete(queue.name);
    for (const lane of this.#lanes) this.#turns.remove(queue, lane);
    for (const group of queue.groups) {
      group.handler?.forget(group);
      this.#leave(group);
    }
  }
}
