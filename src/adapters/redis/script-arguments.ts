import type {
  Ack,
  Cancellation,
  ClaimRequest,
  DeadLetter,
  Extension,
  Nack,
  NewTask,
} from "../../ports/backend.js";
import type { Part } from "./by-queue.js";
import { PackedTexts, type ScriptValue } from "./pack-texts.js";
import { addBody, asBuffer, toOutcomeBytes, toScore } from "./record-format.js";

// What scripts are told, after what all are told; each in the order in which its head names it.

/** About how much of each new task travels beside its payload and envelope, in bytes. */
const TASK_BYTES = 120;

/**
 * @param own what is told of all tasks
 * @param mark of the call
 * @param before how many of its tasks are in other scripts before this
 * @param bytes that payloads and envelopes have
 */
export function packNewTasks(
  own: readonly ScriptValue[],
  parts: readonly Part<NewTask>[],
  mark: string,
  before: number,
  bytes: number,
): Buffer {
  const packed = new PackedTexts(bytes + TASK_BYTES * (parts.length + own.length));
  for (const value of own) packed.add(value);
  let number = before;
  for (const { rest, one } of parts) {
    const { deadlineAt = "", delayMs, handler, idempotency, runAt, ttlMs: lifeMs = "" } = one;
    const isSpecial = delayMs !== 0 || runAt !== undefined || idempotency !== undefined;
    packed.add(rest);
    packed.add(handler);
    packed.add(toScore(one));
    packed.add(isSpecial ? "1" : "");
    addBody(packed, one, `${mark}${number++}`);
    if (!isSpecial) continue;
    const { key = "", ttlMs = 0, onDuplicate = "", onFailure = "" } = idempotency ?? {};
    for (const value of [delayMs, runAt ?? 0, lifeMs, deadlineAt]) packed.add(value);
    for (const value of [key, toWhole(ttlMs), onDuplicate, onFailure]) packed.add(value);
  }
  return packed.finish();
}

export function claimArguments({ handlers, permits, slots }: ClaimRequest): ScriptValue[] {
  const args: ScriptValue[] = [slots.length, handlers.length, ...slots];
  for (const { name, lane, room } of handlers) args.push(name, lane + 1, orNoLimit(room));
  return [orNoLimit(permits), ...args];
}

export function extendArguments(parts: readonly Part<Extension>[]): ScriptValue[] {
  return parts.flatMap(({ rest, one: { token, leaseMs, progress } }) => [
    ...[rest, token, toWhole(leaseMs)],
    ...(progress === undefined ? ["0", ""] : ["1", asBuffer(progress)]),
  ]);
}

export function ackArguments(parts: readonly Part<Ack>[]): ScriptValue[] {
  const args: ScriptValue[] = [];
  let token: number | undefined;
  let ttlMs: number | undefined;
  let outcome: Buffer | undefined;
  for (const { rest, one } of parts) {
    const bytes = toOutcomeBytes(one.outcome);
    args.push(rest, one.token === token ? "" : one.token);
    args.push(one.resultTtlMs === ttlMs ? "" : toWhole(one.resultTtlMs), bytes === outcome ? "" : bytes);
    token = one.token;
    ttlMs = one.resultTtlMs;
    outcome = bytes;
  }
  return args;
}

export function nackArguments(parts: readonly Part<Nack>[]): ScriptValue[] {
  return parts.flatMap(({ rest, one: { token, kind, delayMs, error } }) => [
    ...[rest, token, kind, delayMs, error ?? ""],
  ]);
}

export function deadLetterArguments(parts: readonly Part<DeadLetter>[]): ScriptValue[] {
  return parts.flatMap(({ rest, one: { token, reason, error, charged, resultTtlMs } }) => [
    ...[rest, token, toWhole(resultTtlMs), reason, error, charged ? "1" : "0"],
  ]);
}

export function cancelArguments(parts: readonly Part<Cancellation>[]): ScriptValue[] {
  return parts.flatMap(({ rest, one: { error, resultTtlMs } }) => [rest, error, toWhole(resultTtlMs)]);
}

/** An instant that is so far away, in ms, still has room in a record. */
const LONGEST_MS = 2 ** 47;

/** Redis takes whole milliseconds where something expires by itself. */
export function toWhole(ms: number): number {
  return Math.min(Math.ceil(ms), LONGEST_MS);
}

function orNoLimit(limit: number): number {
  return limit === Number.POSITIVE_INFINITY ? -1 : limit;
}
