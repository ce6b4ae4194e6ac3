import { DuplicateTaskError, OptionError } from "../../errors.js";
import type { Task } from "../../task/task.js";
import { TransitMap } from "../collections/transit-map.js";

/**
 * Tasks per page: small enough that one long-lived task pins little (2 kB at most), large enough that with a
 * million tasks, whose pages are met in random order, all but the cell itself is found in the processor's
 * cache.
 */
const PAGE_SIZE = 256;

interface Page {
  readonly tasks: (Task | undefined)[];
  used: number;
}

/**
 * Every task that this manager knows: live ones, and finished ones while they are retained.
 *
 * Made-up ids are a prefix and a number, so tasks are kept in pages by number: that costs 9 bytes a task
 * where a Map by text would cost the text and an entry. Ids that users gave, and those of durable tasks, are
 * in a Map beside it.
 */
export class Registry {
  readonly #prefix: string;
  readonly #pages = new Map<number, Page>();
  readonly #named = new TransitMap<string, Task>();
  #size = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Refuses an id that a user gives.
   * @throws {DuplicateTaskError} when a task of that id is known
   * @throws {OptionError} when it looks like one that this manager makes up
   */
  refuseTaken(id: string): void {
    if (this.#named.has(id)) throw new DuplicateTaskError(id);
    if (!id.startsWith(this.#prefix)) return;
    throw new OptionError(
      "id",
      `Expected \`id\` not to begin with "${this.#prefix}", as made-up ids here do`,
    );
  }

  add(task: Task): void {
    const key = Math.floor(task.number / PAGE_SIZE);
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = { tasks: new Array<Task | undefined>(PAGE_SIZE).fill(undefined), used: 0 };
      this.#pages.set(key, page);
    }
    page.tasks[task.number % PAGE_SIZE] = task;
    page.used++;
    this.#size++;
    const own = task.details?.id;
    if (own !== undefined) this.#named.set(own, task);
  }

  /** By its number, so that a task of long ago, which has left the processor's cache, is not read. */
  delete(number: number): void {
    const key = Math.floor(number / PAGE_SIZE);
    const page = this.#pages.get(key);
    const task = page?.tasks[number % PAGE_SIZE];
    if (page === undefined || task === undefined) return;
    page.tasks[number % PAGE_SIZE] = undefined;
    page.used--;
    this.#size--;
    if (page.used === 0) this.#pages.delete(key);
    const own = this.#named.size === 0 ? undefined : task.details?.id;
    // A durable task may have come back under its id, as another task.
    if (own !== undefined && this.#named.get(own) === task) this.#named.delete(own);
  }

  /** The task of that number; undefined when it is not known here. */
  at(number: number): Task | undefined {
    return this.#pages.get(Math.floor(number / PAGE_SIZE))?.tasks[number % PAGE_SIZE];
  }

  get(id: string): Task | undefined {
    const named = this.#named.get(id);
    if (named !== undefined || !id.startsWith(this.#prefix)) return named;
    const number = Number(id.slice(this.#prefix.length));
    const task = this.at(number);
    return task?.id === id ? task : undefined;
  }

  /** All of them, in order of acceptance; tasks may come and go meanwhile. */
  [Symbol.iterator](): Generator<Task, void, undefined> {
    return this.upTo(Number.POSITIVE_INFINITY);
  }

  /** Those that were accepted up to this number. Pages are made in order, so the others all come later. */
  *upTo(number: number): Generator<Task, void, undefined> {
    for (const page of this.#pages.values()) {
      for (const task of page.tasks) {
        if (task === undefined) continue;
        if (task.number > number) return;
        yield task;
      }
    }
  }
}
