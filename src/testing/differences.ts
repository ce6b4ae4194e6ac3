import { inspect, isDeepStrictEqual } from "node:util";

const MAX_DEPTH = 10;
const MAX_TOLD = 5;

/**
 * Where two values differ, one line for each place, five at most: `payload.to: expected 'a', found 'b'`.
 * Empty where they are deeply equal.
 */
export function differences(expected: unknown, found: unknown, path: string): string[] {
  const all: string[] = [];
  compare(expected, found, path, all, 0);
  const more = all.length - MAX_TOLD;
  return more > 0 ? [...all.slice(0, MAX_TOLD), `and ${more} more`] : all;
}

/** A value on one line where that is short; what is very long or deep is cut off. */
export function show(value: unknown): string {
  const limits = { depth: 5, maxArrayLength: 20, maxStringLength: 500 };
  return inspect(value, { ...limits, breakLength: 100, compact: 3, customInspect: false });
}

function compare(expected: unknown, found: unknown, path: string, lines: string[], depth: number): void {
  if (isDeepStrictEqual(expected, found)) return;
  if (depth === MAX_DEPTH || !isContainer(expected) || !isContainer(found) || !isAlike(expected, found)) {
    lines.push(`${path}: expected ${show(expected)}, found ${show(found)}`);
    return;
  }
  const before = lines.length;
  for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const place = Array.isArray(expected) ? `${path}[${key}]` : `${path}${toStep(key)}`;
    if (!Object.hasOwn(found, key)) lines.push(`${place}: missing, expected ${show(expected[key])}`);
    else if (!Object.hasOwn(expected, key)) lines.push(`${place}: not expected, found ${show(found[key])}`);
    else compare(expected[key], found[key], place, lines, depth + 1);
  }
  // They differ in what has no name: the entries of a Map, a symbol.
  if (lines.length === before) lines.push(`${path}: expected ${show(expected)}, found ${show(found)}`);
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isAlike(expected: object, found: object): boolean {
  return Object.getPrototypeOf(expected) === Object.getPrototypeOf(found);
}

function toStep(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
