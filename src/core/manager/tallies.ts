import { GroupTally, OTHER, sumTallies, type TaskTally } from "../../task/group-tally.js";

/** Queues that no option names and that are told apart, at most. */
const MAX_UNNAMED_QUEUES = 100;

/**
 * Groups of a queue and a handler, at most; one group holds all others. OpenTelemetry keeps 2,000 series of a
 * metric and adds up wrongly what comes beyond, and each group has three reasons to fail.
 */
const MAX_GROUPS = 600;

/**
 * What has happened to all tasks, by queue and handler. Names of queues may come from data: only those that
 * the options name, and the first so many others, are told apart. Tasks of the rest count under `_OTHER` and
 * their handler, and under `_OTHER` alone when there are too many groups.
 */
export class Tallies {
  readonly #named: ReadonlySet<string>;
  readonly #unnamed = new Set<string>();
  readonly #byHandler = new Map<string | undefined, Map<string, GroupTally>>();
  #groups = 0;
  #rest: GroupTally | undefined;

  /** @param named queues that the options name */
  constructor(named: Iterable<string>) {
    this.#named = new Set(named);
  }

  /** The tally of a queue and a handler, or of plain functions; the same one each time. */
  of(queue: string, handler: string | undefined): GroupTally {
    let byQueue = this.#byHandler.get(handler);
    if (byQueue === undefined) {
      byQueue = new Map();
      this.#byHandler.set(handler, byQueue);
    }
    const known = byQueue.get(queue);
    if (known !== undefined) return known;
    const name = this.#isToldApart(queue) ? queue : OTHER;
    return byQueue.get(name) ?? this.#add(byQueue, name, handler);
  }

  total(): TaskTally {
    return sumTallies(this);
  }

  *[Symbol.iterator](): Generator<GroupTally, void, undefined> {
    for (const byQueue of this.#byHandler.values()) yield* byQueue.values();
    if (this.#rest !== undefined) yield this.#rest;
  }

  #add(byQueue: Map<string, GroupTally>, queue: string, handler: string | undefined): GroupTally {
    if (this.#groups >= MAX_GROUPS) {
      this.#rest ??= new GroupTally(OTHER, OTHER);
      return this.#rest;
    }
    this.#groups++;
    const tally = new GroupTally(queue, handler);
    byQueue.set(queue, tally);
    return tally;
  }

  #isToldApart(queue: string): boolean {
    if (this.#named.has(queue) || this.#unnamed.has(queue)) return true;
    if (this.#unnamed.size >= MAX_UNNAMED_QUEUES) return false;
    this.#unnamed.add(queue);
    return true;
  }
}
