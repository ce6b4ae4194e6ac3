import { OptionError } from "../../errors.js";
import * as check from "../../task/checks.js";
import type { Overflow, SubscribeOptions } from "../../task/subscription.js";
import type { TaskResult } from "../../task/task-result.js";

/** Options of a subscription after the door. */
export interface ResolvedSubscribeOptions {
  /** Undefined where the manager makes one up. */
  readonly name: string | undefined;
  readonly capacity: number;
  /** `Infinity` for no bound. */
  readonly maxBytes: number;
  readonly overflow: Overflow;
  readonly blockTimeoutMs: number;
  readonly filter: ((result: TaskResult) => boolean) | undefined;
  readonly replay: number;
}

const MAX_CAPACITY = 1_000_000;

const CHECKS: check.Checks<SubscribeOptions> = {
  name: check.name,
  capacity: check.integer(1, MAX_CAPACITY),
  maxBytes: check.integer(1),
  overflow: check.oneOf("drop-newest", "drop-oldest", "block"),
  blockTimeoutMs: check.duration(0),
  filter: check.callback(),
  replay: check.integer(0),
};

/** @throws {OptionError} for a wrong value, an unknown name, or options that do not go together */
export function readSubscribeOptions(options: unknown): ResolvedSubscribeOptions {
  const read = check.readOptions<SubscribeOptions>("", options, CHECKS);
  const { overflow = "drop-newest" } = read;
  if (read.blockTimeoutMs !== undefined && overflow !== "block") {
    const found = `found ${JSON.stringify(overflow)}`;
    throw new OptionError(
      "blockTimeoutMs",
      `Expected \`overflow\` to be "block" beside \`blockTimeoutMs\`, ${found}`,
    );
  }
  return Object.freeze({
    name: read.name,
    capacity: read.capacity ?? 1_000,
    maxBytes: read.maxBytes ?? Number.POSITIVE_INFINITY,
    overflow,
    blockTimeoutMs: read.blockTimeoutMs ?? 5_000,
    filter: read.filter,
    replay: read.replay ?? 0,
  });
}
