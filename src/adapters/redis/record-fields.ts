import type { NewTask } from "../../ports/backend.js";
import type { StoredPlace, StoredTask } from "../../ports/backend-inspector.js";
import type { StoredOutcome } from "../../task/stored-outcome.js";

/** What the arguments of a script are made of. */
export type ScriptValue = string | number | Buffer;

/**
 * Redis keeps a hash in one compact piece as long as none of its values is longer than that (by its setting
 * `hash-max-listpack-value`); else each of its fields becomes several allocations.
 */
const PIECE_BYTES = 64;

/** What is longer is kept in one piece: in the compact form, every look-up goes through all of it. */
const MAX_CUT_BYTES = 1_024;

/** Used where the record does not say. */
const DEFAULT_MAX_DELIVERIES = 10;

/** Payload pieces are named by their numbers, those of the envelope by this and their numbers. */
const ENVELOPE = "e";

/**
 * The fields of a new record that the script does not set itself, as names and values. What has its default
 * is left out.
 */
export function toFields({
  payload,
  envelope,
  priority,
  weight,
  cost,
  maxDeliveries,
}: NewTask): ScriptValue[] {
  const fields: ScriptValue[] = [];
  if (priority !== 0) fields.push("o", priority);
  if (weight !== 1) fields.push("w", weight);
  if (cost !== 1) fields.push("c", cost);
  if (maxDeliveries !== DEFAULT_MAX_DELIVERIES) fields.push("m", maxDeliveries);
  for (const [index, piece] of toPieces(Buffer.from(envelope)).entries())
    fields.push(`${ENVELOPE}${index}`, piece);
  const pieces = toPieces(asBuffer(payload));
  if (pieces.length > 0) fields.push("l", pieces.length);
  for (const [index, piece] of pieces.entries()) fields.push(index, piece);
  return fields;
}

/** The score of a task that is ready: exact, since both are integers, and the weight is at most 1,000. */
export function toScore({ priority, weight }: NewTask): number {
  return priority * 1_001 + 1_000 - weight;
}

/** The same bytes, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function toPieces(bytes: Buffer): readonly Buffer[] {
  if (bytes.length === 0) return [];
  if (bytes.length > MAX_CUT_BYTES) return [bytes];
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) pieces.push(bytes.subarray(at, at + PIECE_BYTES));
  return pieces;
}

/** What a script gave of a record: names and values by turns. */
export class RecordFields {
  readonly #values = new Map<string, Buffer>();

  constructor(flat: readonly unknown[]) {
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const value = flat[at + 1];
      if (Buffer.isBuffer(value)) this.#values.set(String(flat[at]), value);
    }
  }

  toStoredTask(id: string, until: number | undefined): StoredTask {
    const place = PLACES[this.#text("p") ?? ""] ?? "finished";
    return {
      ...{ id, place, until },
      handler: this.#text("h") ?? "",
      attempts: this.#number("a", 0),
      deliveries: this.#number("d", 0),
      token: this.#number("t", 0),
      priority: this.#number("o", 0),
      weight: this.#number("w", 1),
      envelope: this.#joined(ENVELOPE).toString(),
      payload: place === "finished" ? undefined : this.#joined(""),
      enqueuedAt: this.#number("n", 0),
      progress: this.#values.get("pr"),
      error: this.#text("er") ?? this.#text("oe"),
      outcome: this.#outcome(),
    };
  }

  #outcome(): StoredOutcome | undefined {
    const state = this.#text("os");
    if (state !== "completed" && state !== "failed" && state !== "cancelled") return undefined;
    return {
      state,
      reason: this.#text("or"),
      value: this.#values.get("ov"),
      error: this.#text("oe") ?? this.#text("oq"),
      charged: this.#text("oc") === "1",
    };
  }

  #joined(name: string): Buffer {
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = this.#values.get(`${name}${pieces.length}`);
      if (piece === undefined) break;
      pieces.push(piece);
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  }

  #text(name: string): string | undefined {
    return this.#values.get(name)?.toString();
  }

  #number(name: string, otherwise: number): number {
    const value = Number(this.#text(name) ?? otherwise);
    return Number.isFinite(value) ? value : otherwise;
  }
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
