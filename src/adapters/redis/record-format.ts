import type { ClaimedTask, NewTask } from "../../ports/backend.js";
import type { StoredPlace, StoredTask } from "../../ports/backend-inspector.js";
import type { StoredOutcome } from "../../task/stored-outcome.js";
import { toNumber } from "./answer-values.js";
import type { PackedTexts } from "./pack-texts.js";

/**
 * A record is one string of Redis: a head, which changes and has a fixed length, so that it is written in
 * place; what does not change; and the payload, or after the end of the task, its outcome. Numbers are
 * unsigned and big-endian, but for the priority, which has a sign, and the cost, a double. The same is said
 * to scripts by `HEAD` and `FIXED`, in the words of Lua's `struct`. Where that would be too slow, `ack.ts`,
 * `claim.ts` and `enqueue.ts` take parts of a record by their places: who changes the table changes them too.
 *
 * | at | bytes |                                                                                     |
 * | -- | ----- | ----------------------------------------------------------------------------------- |
 * |  0 |     1 | place: `r` ready, `d` delayed, `b` delayed and keeps its sequence, `l` leased,      |
 * |    |       | `x` dead, `f` finished                                                              |
 * |  1 |     1 | how its last lease was settled: `a` ack, `n` nack, `x` dead letter, `-` not yet     |
 * |  2 |     1 | `x` where there may be something beside it, in a hash; else `-`                     |
 * |  3 |     7 | token of its last claim, 0 before the first                                         |
 * | 10 |     6 | sequence                                                                            |
 * | 16 |     2 | deliveries in a row without a report                                                |
 * | 18 |     4 | attempts that counted                                                               |
 * | 22 |     6 | since when it is ready                                                              |
 * | 28 |     6 | length of its last lease                                                            |
 * | 34 |     6 | until when its outcome is kept                                                      |
 * | 40 |     6 | when it was put back from the dead letters, or 0                                    |
 * | 46 |     6 | when it was enqueued                                                                |
 * | 52 |     6 | until when it holds its idempotency key at least                                    |
 * | 58 |     4 | priority                                                                            |
 * | 62 |     2 | weight                                                                              |
 * | 64 |     8 | cost                                                                                |
 * | 72 |     3 | `maxDeliveries`                                                                     |
 * | 75 |  12   | lengths: 1 handler, 2 idempotency key, 1 mark, 4 envelope, 4 payload                |
 * | 87 |       | these five, one after another                                                       |
 *
 * An outcome is its state (`c` completed, `f` failed, `k` cancelled); `1` if the attempt was charged; reason,
 * error, error of a cancellation, with lengths of 1, 4 and 4 bytes before them; `1` and the value, or `0`.
 */
export const HEAD_BYTES = 58;

/** What of a head a claim changes: as far as the length of the lease. */
export const LEASED_BYTES = 34;

/** Without any of what has a length of its own. */
export const SMALLEST_BYTES = 87;

/**
 * What of a new record the script does not write itself: all behind the head.
 * @param mark says of which call it is, for when that is made again
 */
export function addBody(packed: PackedTexts, task: NewTask, mark: string): void {
  const { payload, envelope, handler, idempotency } = task;
  const key = idempotency?.key ?? "";
  const keyBytes = Buffer.byteLength(key);
  const envelopeBytes = Buffer.byteLength(envelope);
  const handlerBytes = Buffer.byteLength(handler);
  const texts = handlerBytes + keyBytes + mark.length + envelopeBytes;
  packed.addBytes(SMALLEST_BYTES - HEAD_BYTES + texts + payload.length, (body, from) => {
    let at = body.writeInt32BE(task.priority, from);
    at = body.writeUInt16BE(task.weight, at);
    at = body.writeDoubleBE(task.cost, at);
    at = body.writeUIntBE(task.maxDeliveries, at, 3);
    at = body.writeUInt8(handlerBytes, at);
    at = body.writeUInt16BE(keyBytes, at);
    at = body.writeUInt8(mark.length, at);
    at = body.writeUInt32BE(envelopeBytes, at);
    at = body.writeUInt32BE(payload.length, at);
    at += body.write(handler + key + mark + envelope, at);
    body.set(payload, at);
  });
}

/** The score of a task that is ready: exact, since both are integers, and the weight is at most 1,000. */
export function toScore({ priority, weight }: NewTask): number {
  return priority * 1_001 + 1_000 - weight;
}

/** The same bytes, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * A task that was claimed.
 * @param parts the beginning of its record, with what the claim has changed, and the rest of its id; and the
 *   record as it was before
 * @param waitedUntil when it was claimed
 * @param claimedAt when that was answered
 */
export function toClaimedTask(
  queue: string,
  [head, record]: readonly [head: Buffer, record: Buffer],
  waitedUntil: number,
  claimedAt: number,
): ClaimedTask {
  const { handler, envelopeAt, payloadAt } = toParts(record);
  return {
    id: `${queue}:${head.toString("utf8", LEASED_BYTES)}`,
    token: readToken(head),
    handler,
    deliveries: head.readUInt16BE(16),
    waitMs: Math.max(0, waitedUntil - head.readUIntBE(22, 6)),
    payload: record.subarray(payloadAt),
    envelope: record.toString("utf8", envelopeAt, payloadAt),
    priority: record.readInt32BE(58),
    weight: record.readUInt16BE(62),
    cost: record.readDoubleBE(64),
    attempts: record.readUInt32BE(18),
    enqueuedAt: record.readUIntBE(46, 6),
    replayedAt: record.readUIntBE(40, 6) || undefined,
    claimedAt,
  };
}

/** A task as it is looked at: `until` is the score of its place; `beside`, names and values of the hash. */
export function toStoredTask(
  id: string,
  until: string,
  record: Buffer,
  beside: readonly unknown[],
): StoredTask {
  const place = PLACES[record.toString("latin1", 0, 1)] ?? "finished";
  const { handler, envelopeAt, payloadAt } = toParts(record);
  const more = toMap(beside);
  const payload = record.subarray(payloadAt);
  const end = toEnd(place === "finished" ? payload : place === "dead" ? more.get("o") : undefined);
  return {
    id,
    handler,
    place,
    until: until === "" ? undefined : toNumber(until),
    attempts: record.readUInt32BE(18),
    deliveries: record.readUInt16BE(16),
    token: readToken(record),
    priority: record.readInt32BE(58),
    weight: record.readUInt16BE(62),
    envelope: record.toString("utf8", envelopeAt, payloadAt),
    payload: place === "finished" ? undefined : payload,
    enqueuedAt: record.readUIntBE(46, 6),
    progress: more.get("pr"),
    error: more.get("er")?.toString() ?? end.failure,
    outcome: end.outcome,
  };
}

const PLACES: Readonly<Record<string, StoredPlace>> = {
  __proto__: null as never,
  r: "ready",
  d: "delayed",
  b: "delayed",
  l: "leased",
  x: "dead",
  f: "finished",
};

const STATES: Readonly<Record<string, StoredOutcome["state"]>> = {
  __proto__: null as never,
  c: "completed",
  f: "failed",
  k: "cancelled",
};

function toParts(record: Buffer) {
  const handlerEnd = SMALLEST_BYTES + record.readUInt8(75);
  const envelopeAt = handlerEnd + record.readUInt16BE(76) + record.readUInt8(78);
  const payloadAt = envelopeAt + record.readUInt32BE(79);
  return { handler: record.toString("utf8", SMALLEST_BYTES, handlerEnd), envelopeAt, payloadAt };
}

function readToken(record: Buffer): number {
  return record.readUInt8(3) * 2 ** 48 + record.readUIntBE(4, 6);
}

/** The outcome of a task as its record has it; a store that cancels one writes another error. */
export function toOutcomeBytes({ state, reason = "", error = "", charged, value }: StoredOutcome): Buffer {
  if (state === "completed" && charged && value === undefined) return COMPLETED;
  const reasonBytes = Buffer.byteLength(reason);
  const errorBytes = Buffer.byteLength(error);
  const valueAt = 11 + reasonBytes + errorBytes;
  const bytes = Buffer.allocUnsafe(valueAt + 1 + (value?.length ?? 0));
  bytes.write(LETTERS[state] + (charged ? "1" : "0"), 0, "latin1");
  bytes.writeUInt8(reasonBytes, 2);
  bytes.write(reason, 3);
  bytes.writeUInt32BE(errorBytes, 3 + reasonBytes);
  bytes.write(error, 7 + reasonBytes);
  bytes.writeUInt32BE(0, valueAt - 4);
  bytes.write(value === undefined ? "0" : "1", valueAt, "latin1");
  if (value !== undefined) bytes.set(value, valueAt + 1);
  return bytes;
}

const LETTERS = { completed: "c", failed: "f", cancelled: "k" } as const;
const COMPLETED = Buffer.from("c1\0\0\0\0\0\0\0\0\x000", "latin1");

/** How a task ended, and why its last attempt failed. */
interface StoredEnd {
  readonly outcome?: StoredOutcome;
  readonly failure?: string | undefined;
}

function toEnd(bytes: Buffer | undefined): StoredEnd {
  const state = STATES[bytes?.toString("latin1", 0, 1) ?? ""];
  if (bytes === undefined || state === undefined) return {};
  const reasonEnd = 3 + bytes.readUInt8(2);
  const failureEnd = reasonEnd + 4 + bytes.readUInt32BE(reasonEnd);
  const valueAt = failureEnd + 4 + bytes.readUInt32BE(failureEnd);
  const failure = bytes.toString("utf8", reasonEnd + 4, failureEnd) || undefined;
  const cancellation = bytes.toString("utf8", failureEnd + 4, valueAt) || undefined;
  const hasValue = bytes.toString("latin1", valueAt, valueAt + 1) === "1";
  const outcome = {
    state,
    charged: bytes.toString("latin1", 1, 2) === "1",
    reason: bytes.toString("utf8", 3, reasonEnd) || undefined,
    value: hasValue ? bytes.subarray(valueAt + 1) : undefined,
    error: failure ?? cancellation,
  };
  return { outcome, failure };
}

function toMap(flat: readonly unknown[]): ReadonlyMap<string, Buffer> {
  const values = new Map<string, Buffer>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const value = flat[at + 1];
    if (Buffer.isBuffer(value)) values.set(String(flat[at]), value);
  }
  return values;
}
