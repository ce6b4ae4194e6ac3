import { readAhead, type Task } from "../../task/task.js";
import { RingBuffer } from "../collections/ring-buffer.js";
import { SequenceHeap } from "../collections/sequence-heap.js";

/** Below this size the line is not worth giving up for its gaps. */
const GIVE_UP_FROM = 64;

/**
 * Waiting tasks by priority, weight, arrival. Most come in that order, and line up. Only a task that goes
 * before the last in line is put into a heap, and the next to start is the first of the one or the first of
 * the other.
 *
 * The ticket of a task in the heap is the heap's, from 0 up; of one in line it is the complement of its
 * position there, below 0. A task that leaves the line from its middle leaves a gap, so that the others keep
 * their tickets; a line of more gaps than tasks is given up, and its tasks go to the heap. Nothing goes back
 * from there, so each task is moved once at most.
 *
 * Invariants: the tasks in line are in order and not after `#lastOrder`, `#lastSequence`; neither the first
 * place of the line nor all of its places are gaps.
 */
export class TaskLine {
  readonly #heap = new SequenceHeap<Task>(prefetch);
  readonly #line = new RingBuffer<Task | undefined>();
  #gaps = 0;
  #lastOrder = 0;
  #lastSequence = 0;
  /** The first of the heap or the first in line; looked at far more often than it changes. */
  #head: Task | undefined = undefined;

  get size(): number {
    return this.#heap.size + this.#line.size - this.#gaps;
  }

  /** The task that is next. */
  get head(): Task | undefined {
    return this.#head;
  }

  push(task: Task): void {
    this.#enter(task);
    if (this.#head === undefined || goesBefore(task, this.#head)) this.#head = task;
  }

  /** Takes the head out. */
  shift(): Task | undefined {
    const head = this.#head;
    if (head === undefined) return undefined;
    if (head.ticket >= 0) this.#heap.pop();
    else this.#leaveLine(head);
    this.#head = this.#next();
    return head;
  }

  remove(task: Task): void {
    if (task.ticket >= 0) this.#heap.remove(task);
    else this.#leaveLine(task);
    if (task === this.#head) this.#head = this.#next();
  }

  /** The order of the task has changed. */
  reorder(task: Task): void {
    if (task.ticket >= 0) {
      this.#heap.update(task, task.order, task.sequence);
    } else {
      this.#leaveLine(task);
      this.#enter(task);
    }
    this.#head = this.#next();
  }

  #enter(task: Task): void {
    if (this.#belongsLast(task)) {
      this.#lastOrder = task.order;
      this.#lastSequence = task.sequence;
      task.ticket = ~this.#line.push(task);
    } else {
      this.#heap.push(task, task.order, task.sequence);
    }
  }

  #next(): Task | undefined {
    const first = this.#line.peek();
    const top = this.#heap.peek();
    if (first === undefined) return top;
    return top === undefined || goesBefore(first, top) ? first : top;
  }

  #belongsLast({ order, sequence }: Task): boolean {
    if (this.#line.size === 0 || order > this.#lastOrder) return true;
    return order === this.#lastOrder && sequence > this.#lastSequence;
  }

  #leaveLine(task: Task): void {
    if (this.#line.peek() === task) {
      this.#line.shift();
    } else {
      this.#line.replace(~task.ticket, undefined);
      this.#gaps++;
    }
    this.#closeGaps();
  }

  #closeGaps(): void {
    if (this.#gaps === 0) return;
    while (this.#line.size > 0 && this.#line.peek() === undefined) {
      this.#line.shift();
      this.#gaps--;
    }
    if (this.#line.size >= GIVE_UP_FROM && this.#gaps * 2 > this.#line.size) this.#giveUp();
  }

  #giveUp(): void {
    for (const task of this.#line) if (task !== undefined) this.#heap.push(task, task.order, task.sequence);
    this.#line.clear();
    this.#gaps = 0;
  }
}

/** What nobody uses, the compiler leaves out; so what was read is noted here. Nothing depends on it. */
let noted = false;

/**
 * Reads what the start and the end of a task will read beside it, shortly before: where a million wait, the
 * processor would have to wait for each of these. It never throws.
 */
function prefetch({ captured, sink }: Task): void {
  noted = noted !== (typeof captured === "object" && sink?.[readAhead]() !== false);
}

function goesBefore(one: Task, other: Task): boolean {
  return one.order !== other.order ? one.order < other.order : one.sequence < other.sequence;
}
