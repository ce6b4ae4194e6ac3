import type { BackoffRule } from "./backoff.js";
import * as check from "./checks.js";
import { backoffRuleCheck } from "./durable-task-options.js";
import { metadataCheck, type TaskMetadata } from "./metadata.js";
import { SETTINGS_CHECKS, TASK_TEXT_CHECKS } from "./task-options.js";

/** A store may hold tasks that a later version has written: they are left to those who can read them. */
export const TASK_ENVELOPE_VERSION = 1;

/** In UTF-16 units: about twice what all fields can take. */
const MAX_LENGTH = 524_288;

/** Of trace context and baggage: at most so many headers, and so many UTF-8 bytes of all of them. */
const MAX_HEADERS = 64;
const MAX_HEADER_BYTES = 32_768;

/**
 * What only processes read of a durable task; to the store it is a text. What is undefined is said by the
 * handler's definition, the queue's or the manager's, in the process that runs the task.
 */
export interface TaskEnvelope {
  readonly timeoutMs?: number | false | undefined;
  readonly maxAttempts?: number | undefined;
  readonly killAfterMs?: number | undefined;
  /** A rule alone: a function of a process is nothing to another one. */
  readonly backoff?: BackoffRule | undefined;
  /** The end of its whole life, in milliseconds since the epoch. */
  readonly deadlineAt?: number | undefined;
  /** How long that may be, from its acceptance by the store; the earlier end counts. */
  readonly ttlMs?: number | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly metadata?: TaskMetadata | undefined;
  readonly correlationId?: string | undefined;
  /** What context carriers gave along. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How long its outcome is kept. */
  readonly resultTtlMs?: number | undefined;
  /** Whether its last failure leaves a dead letter. */
  readonly deadLetter?: boolean | undefined;
}

/** The envelope that a text holds, or why it cannot be read. */
export type ReadTaskEnvelope =
  | { readonly envelope: TaskEnvelope; readonly problem?: undefined }
  /** Another version has written it, which may mean something else by each field. */
  | { readonly problem: "version"; readonly version: number }
  | { readonly problem: "malformed"; readonly message: string };

/** Headers of carriers, which are foreign code: what does not pass is better left out than kept. */
export const headersCheck: check.Check<Readonly<Record<string, string>>> = (value, path) => {
  if (!check.isPlainObject(value)) throw check.expected(path, "an object of strings", value);
  const entries = Object.entries(value);
  if (entries.length > MAX_HEADERS) throw check.expected(path, `at most ${MAX_HEADERS} keys`, entries.length);
  const headers = Object.create(null) as Record<string, string>;
  let bytes = 0;
  for (const [key, text] of entries) {
    if (typeof text !== "string") throw check.expected(`${path}.${key.slice(0, 128)}`, "a string", text);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
    if (bytes > MAX_HEADER_BYTES) throw check.expected(path, `at most ${MAX_HEADER_BYTES} bytes`, bytes);
    headers[key] = text;
  }
  return Object.freeze(headers);
};

const CHECKS: check.Checks<TaskEnvelope> = {
  ...SETTINGS_CHECKS,
  ...TASK_TEXT_CHECKS,
  backoff: backoffRuleCheck,
  deadlineAt: check.instant,
  ttlMs: check.duration(0),
  metadata: metadataCheck,
  headers: headersCheck,
  resultTtlMs: check.duration(0),
  deadLetter: check.flag,
};

/**
 * The envelope as JSON text.
 * @throws {OptionError} where a reader would refuse it
 */
export function toTaskEnvelope(envelope: TaskEnvelope): string {
  const checked = check.readOptions<TaskEnvelope>("envelope", envelope, CHECKS);
  return JSON.stringify({ v: TASK_ENVELOPE_VERSION, ...checked });
}

/** What most tasks have: nothing that they say themselves. */
const PLAIN = JSON.stringify({ v: TASK_ENVELOPE_VERSION });
const NOTHING: ReadTaskEnvelope = Object.freeze({ envelope: Object.freeze({}) });

/**
 * Reads what a process has written, or anything else that is in the store: each field is checked, and what
 * is not known to this version counts for nothing. It never throws.
 */
export function readTaskEnvelope(text: string): ReadTaskEnvelope {
  if (text === PLAIN) return NOTHING;
  if (typeof text !== "string" || text.length > MAX_LENGTH)
    return malformed("it is no text, or a too long one");
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    return malformed("it is not JSON");
  }
  if (!check.isPlainObject(kept)) return malformed("it is no object");
  const { v } = kept;
  if (typeof v !== "number" || !Number.isInteger(v)) return malformed("it has no version");
  if (v !== TASK_ENVELOPE_VERSION) return { problem: "version", version: v };
  try {
    return { envelope: check.readOptions("envelope", readableFields(kept), CHECKS) };
  } catch (error) {
    return malformed(error instanceof Error ? error.message : "a field cannot be read");
  }
}

function knownFields(kept: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(kept).filter(([key]) => Object.hasOwn(CHECKS, key)));
}

/** Headers are no part of the task: those that are not as they should be are left out. */
function readableFields(kept: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { headers, ...fields } = knownFields(kept);
  try {
    return headers === undefined ? fields : { ...fields, headers: headersCheck(headers, "headers") };
  } catch {
    return fields;
  }
}

function malformed(message: string): ReadTaskEnvelope {
  return { problem: "malformed", message };
}
