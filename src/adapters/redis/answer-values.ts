import { StoreUnreachableError } from "../../store-errors.js";

/** A server is not trusted: an answer of another shape than scripts give is an error, and never a value. */
export function toText(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString();
  if (typeof value === "string") return value;
  return strange();
}

export function toNumber(value: unknown): number {
  const number = typeof value === "number" ? value : Number(toText(value));
  return Number.isFinite(number) ? number : strange();
}

export function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : strange();
}

/** Reads what may be too short, or of another form than records have. */
export function readSoundly<R>(read: () => R): R {
  try {
    return read();
  } catch {
    return strange();
  }
}

/** What no script of ours says. */
export function strange(): never {
  throw new StoreUnreachableError("Redis answered with what no script of Millrace says");
}
