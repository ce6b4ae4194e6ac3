import { type Check, expected } from "./checks.js";

/** Small facts about a task that hooks, logs and lists show. Frozen, without a prototype. */
export type TaskMetadata = Readonly<Record<string, string | number | boolean>>;

/** At most so many keys. */
const MAX_KEYS = 64;

/** At most so many UTF-8 bytes of keys and values. */
const MAX_BYTES = 16 * 1_024;

/** Metadata of a task that was given none. */
export const NO_METADATA: TaskMetadata = Object.freeze(Object.create(null) as TaskMetadata);

/** Copies metadata into a frozen object without a prototype, so that no key of it can mean anything else. */
export const metadataCheck: Check<TaskMetadata> = (value, path) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw expected(path, "an object of strings, finite numbers and booleans", value);
  }
  const keys = Object.keys(value);
  if (keys.length > MAX_KEYS) throw expected(path, `at most ${MAX_KEYS} keys`, keys.length);
  const copy = Object.create(null) as Record<string, string | number | boolean>;
  let bytes = 0;
  for (const key of keys) {
    const found: unknown = (value as Record<string, unknown>)[key];
    const scalar = typeof found === "string" || typeof found === "boolean" || Number.isFinite(found);
    if (!scalar) throw expected(`${path}.${key}`, "a string, a finite number or a boolean", found);
    bytes += Buffer.byteLength(key) + (typeof found === "string" ? Buffer.byteLength(found) : 8);
    if (bytes > MAX_BYTES) throw expected(path, `at most ${MAX_BYTES} bytes of keys and values`, bytes);
    copy[key] = found as string | number | boolean;
  }
  return Object.freeze(copy);
};
