import { assert } from "../../errors.js";
import { type OwnErrors, ownErrors } from "./own-errors.js";

/** Keys of so many queues are remembered. */
const MAX_QUEUES = 10_000;

/** The names that a queue has in Redis. Scripts make those of its other keys out of that of `meta`. */
export interface QueueKeys {
  readonly queue: string;
  /** The key `meta`, with what it is like all others of the queue. */
  readonly meta: string;
  /** The channel for those who run its tasks. */
  readonly signals: string;
  /** The channel on which it is told what has ended; hardly anybody hears it. */
  readonly ends: string;
  readonly errors: OwnErrors;
}

/**
 * Names the keys of queues. All of one queue have the hash tag `{prefix:queue}`, so that a cluster keeps them
 * in one place, and a user of Redis can be confined to them.
 */
export class StoreKeys {
  readonly #prefix: string;
  readonly #queues = new Map<string, QueueKeys>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** What the keys of all records match, as Redis reads patterns. */
  get recordPattern(): string {
    return `{${this.#prefix}:*}:t:*`;
  }

  /** The queue of a record, and what follows it in the id; undefined for a key that is none. */
  readRecordKey(key: string): readonly [queue: string, rest: string] | undefined {
    const start = `{${this.#prefix}:`;
    const end = key.indexOf("}:t:");
    if (!key.startsWith(start) || end < start.length) return undefined;
    const queue = key.slice(start.length, end);
    return queue === "" || queue.includes(":") ? undefined : [queue, key.slice(end + 4)];
  }

  of(queue: string): QueueKeys {
    const known = this.#queues.get(queue);
    if (known !== undefined) return known;
    assert(!/[{}]/.test(queue), "the name of a queue has no braces");
    const start = `{${this.#prefix}:${queue}}:`;
    const channels = { signals: `${start}signals`, ends: `${start}ends` };
    const keys = { queue, meta: `${start}meta`, ...channels, errors: ownErrors(queue) };
    if (this.#queues.size >= MAX_QUEUES) this.#queues.clear();
    this.#queues.set(queue, keys);
    return keys;
  }
}

/**
 * The id of a task in two: its queue, and what follows the first colon. What is no id is of the queue without
 * a name, which has no tasks.
 */
export function splitId(id: string): readonly [queue: string, rest: string] {
  const colon = id.indexOf(":");
  if (colon <= 0) return ["", id];
  return [id.slice(0, colon), id.slice(colon + 1)];
}
