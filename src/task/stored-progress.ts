import { tellIssues, toIssueList } from "./issues.js";
import type { Refusal } from "./schema.js";
import { type ByteLimit, fromBytes, toBytes } from "./stored-value.js";

/** It travels again and again, with what keeps leases alive: nothing of it may be large. */
const LIMIT: ByteLimit = { bytes: 65_536, option: "the most that is kept of progress" };

/**
 * What a handler told of its progress as it is stored: JSON text in UTF-8. In place of what would not come
 * back as it is, or takes more than 64 KiB, there is a text that says so. It never throws.
 */
export function encodeProgress(value: unknown): Uint8Array {
  const stored = toBytes(value, undefined, LIMIT);
  if (stored.refusal === undefined) return stored.made;
  return new TextEncoder().encode(JSON.stringify(inPlaceOf(stored.refusal)));
}

/**
 * What `encodeProgress` was given, or the text in place of it.
 * @param bytes may be anything: it never throws
 */
export function decodeProgress(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  const value = fromBytes(bytes, undefined, LIMIT);
  return value.refusal === undefined ? value.made : inPlaceOf(value.refusal);
}

function inPlaceOf({ issues }: Refusal): string {
  return `[${tellIssues(toIssueList("progress", issues))}]`;
}
