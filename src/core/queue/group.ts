import type { Task, WaitingPlace } from "../../task/task.js";
import type { Gate } from "./gate.js";
import type { HandlerGate } from "./handler-gate.js";
import { TaskLine } from "./task-line.js";

/** What the queue set has to know of a lane: whether one more attempt may start in it. */
export interface LaneGate {
  readonly open: boolean;
  readonly index: number;
  /** What has become eligible may have waited for longer than what the lane was closed for. */
  reconsider(): void;
}

/**
 * The smallest thing that opens and closes for the dispatcher: the waiting tasks of one queue that start in
 * one lane and have one handler, or none. Its order is priority, weight, arrival.
 */
export class Group<Q extends Gate> implements WaitingPlace {
  readonly queue: Q;
  readonly lane: LaneGate;
  /** Of the handler; undefined for plain functions. */
  readonly handler: HandlerGate<Group<Q>> | undefined;
  readonly #tasks = new TaskLine();
  readonly #owner: GroupOwner<Q>;

  constructor(queue: Q, lane: LaneGate, handler: HandlerGate<Group<Q>> | undefined, owner: GroupOwner<Q>) {
    this.queue = queue;
    this.lane = lane;
    this.handler = handler;
    this.#owner = owner;
  }

  get size(): number {
    return this.#tasks.size;
  }

  get head(): Task | undefined {
    return this.#tasks.head;
  }

  /** Whether its head may start, as far as queue and handler are concerned. */
  get eligible(): boolean {
    return this.#tasks.size > 0 && this.queue.open && this.handler?.open !== false;
  }

  push(task: Task): void {
    task.place = this;
    this.#tasks.push(task);
    if (this.head === task) this.#owner.headMayHaveChanged(this);
  }

  /** Takes the head out. */
  shift(): Task | undefined {
    const task = this.#tasks.shift();
    if (task !== undefined) task.place = undefined;
    return task;
  }

  remove(task: Task): void {
    this.#tasks.remove(task);
    task.place = undefined;
    this.#owner.removed(this);
  }

  reorder(task: Task): void {
    this.#tasks.reorder(task);
    this.#owner.headMayHaveChanged(this);
  }
}

/** Who is told of changes that did not come from itself. */
export interface GroupOwner<Q extends Gate> {
  headMayHaveChanged(group: Group<Q>): void;
  removed(group: Group<Q>): void;
}
