import { MillraceError } from "../errors.js";

/** An error about one of the many that a call was given: one of Millrace tells which it was. */
export function inEntry(error: unknown, index: number): unknown {
  if (error instanceof MillraceError && Object.isExtensible(error)) error.entry = index;
  return error;
}
