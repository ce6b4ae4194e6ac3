import { OptionError } from "../../../errors.js";
import type { ReplayAnswer, ReplayRequest } from "../../../ports/backend-inspector.js";
import * as check from "../../../task/checks.js";
import { durableId, queueOf } from "./durable-id.js";

/** Which dead letters: give `ids`, or `filter`. */
export interface DeadLetterSelection {
  /** At most 1,000. */
  ids?: readonly string[] | undefined;
  filter?: DeadLetterFilter | undefined;
}

/** Dead letters of one queue that have all of this in common. */
export interface DeadLetterFilter {
  queue: string;
  handler?: string | undefined;
  /** `error`, `timeout`, `deadline` or `crash-loop`. */
  reason?: string | undefined;
}

/** What came of dead letters that were to be put back to work. What is none, or not there, is not in it. */
export type ReplayReport = Omit<ReplayAnswer, "more">;

const MAX_IDS = 1_000;

const FILTER: check.Checks<DeadLetterFilter> = {
  queue: check.queueName,
  handler: check.name,
  reason: check.text(128),
};

const CHECKS: check.Checks<DeadLetterSelection> = {
  ids: (value, path) => {
    if (!Array.isArray(value) || value.length > MAX_IDS)
      throw check.expected(path, `an array of at most ${MAX_IDS} ids`, value);
    return value.map((id, index) => durableId(id, `${path}[${index}]`));
  },
  filter: (value, path) => {
    const { queue, ...rest } = check.readOptions<DeadLetterFilter>(path, value, FILTER);
    if (queue === undefined) throw check.expected(`${path}.queue`, "the name of a queue", queue);
    return { queue, ...rest };
  },
};

/**
 * What the store is to be asked, a request for each queue.
 * @throws {OptionError}
 */
export function toReplayRequests(selection: unknown): ReplayRequest[] {
  const { ids, filter } = check.readOptions<DeadLetterSelection>("", selection, CHECKS);
  if ((ids === undefined) === (filter === undefined)) {
    const found = ids === undefined ? "neither" : "both";
    throw new OptionError("ids", `Expected \`ids\` or \`filter\`, found ${found}`);
  }
  if (filter !== undefined) {
    const { queue, handler, reason } = filter;
    return [{ queue, ids: undefined, handler, reason }];
  }
  const byQueue = new Map<string, string[]>();
  for (const id of ids ?? []) byQueue.set(queueOf(id), [...(byQueue.get(queueOf(id)) ?? []), id]);
  return [...byQueue].map(([queue, own]) => ({ queue, ids: own, handler: undefined, reason: undefined }));
}
