import { OptionError } from "../errors.js";
import { nearestName } from "./nearest-name.js";

/** Turns an unknown value into a checked one, or throws an OptionError that names `path`. */
export type Check<T> = (value: unknown, path: string) => T;

/** One check for each option; `undefined` never reaches a check, since it means the default. */
export type Checks<T> = { readonly [K in keyof T]-?: Check<Exclude<T[K], undefined>> };

/** The longest duration that is taken: what a Date can reach. */
export const MAX_DURATION_MS = 8.64e15;

/** Names that users give: queues, ids, handlers. No hash-tag braces, no spaces, no control characters. */
const NAME = /^[A-Za-z0-9_.:-]{1,128}$/;
const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,128}$/;

/**
 * Reads each option once, checks it, and leaves out what is undefined.
 * @throws {OptionError} for a wrong value, and for an unknown name, with the nearest known one
 */
export function readOptions<T extends object>(path: string, input: unknown, checks: Checks<T>): Partial<T> {
  if (input === undefined) return {};
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw expected(path === "" ? "options" : path, `an object with ${enumerate(Object.keys(checks))}`, input);
  }
  const read: Partial<T> = {};
  for (const key of Object.keys(input)) {
    const name = path === "" ? key : `${path}.${key}`;
    if (!Object.hasOwn(checks, key)) throw unknownOption(name, key, Object.keys(checks));
    const value = (input as Record<string, unknown>)[key];
    if (value === undefined) continue;
    const known = key as keyof T;
    read[known] = checks[known](value as never, name) as T[keyof T];
  }
  return read;
}

/** The first names, where there are too many for a message. */
function enumerate(names: readonly string[]): string {
  return names.length <= 4 ? names.join(", ") : `${names.slice(0, 4).join(", ")}, …`;
}

/** The refusal of a value: what was expected, what was found. */
export function expected(path: string, what: string, found: unknown): OptionError {
  return new OptionError(path, `Expected \`${path}\` to be ${what}, found ${describe(found)}`);
}

function unknownOption(path: string, key: string, known: readonly string[]): OptionError {
  const near = nearestName(key, known);
  const hint = near === undefined ? `; known are ${known.join(", ")}` : `; did you mean \`${near}\`?`;
  return new OptionError(path, `Unknown option \`${path}\`${hint}`);
}

/** A value as text for a message: short, safe for whatever was given, and without the password of a URL. */
function describe(value: unknown): string {
  if (typeof value === "string")
    return value.includes("://") ? "a URL" : `${JSON.stringify(value.slice(0, 60))} (string)`;
  if (value === null || value === undefined) return `\`${value}\``;
  if (value instanceof Promise) return "a Promise";
  if (typeof value === "object") return Array.isArray(value) ? "an array" : "an object";
  if (typeof value === "function") return "a function";
  return `\`${String(value)}\` (${typeof value})`;
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  return (value, path) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw expected(path, `an integer ${range}`, value);
    }
    return value + 0;
  };
}

/** A number from `min` up to what a Date can reach, in milliseconds. */
export function duration(min: number): Check<number> {
  return (value, path) => {
    if (typeof value !== "number" || !(value >= min && value <= MAX_DURATION_MS)) {
      throw expected(path, `a number of milliseconds from ${min} to ${MAX_DURATION_MS}`, value);
    }
    return value;
  };
}

/** A positive number; `Infinity` is taken and means no limit. */
export const rate: Check<number> = (value, path) => {
  if (typeof value !== "number" || !(value > 0)) {
    throw expected(path, "a number greater than 0, or Infinity for no limit", value);
  }
  return value;
};

/** A calendar instant: a valid Date or milliseconds since the epoch. Gives milliseconds. */
export const instant: Check<number> = (value, path) => {
  const at = value instanceof Date ? value.getTime() : value;
  if (typeof at !== "number" || !(Math.abs(at) <= MAX_DURATION_MS)) {
    throw expected(path, "a valid Date or milliseconds since the epoch", value);
  }
  return at;
};

export const flag: Check<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw expected(path, "true or false", value);
  return value;
};

export function text(maxLength: number): Check<string> {
  return (value, path) => {
    if (typeof value !== "string" || value.length > maxLength) {
      throw expected(path, `a string of at most ${maxLength} characters`, value);
    }
    return value;
  };
}

/** An id: 1 to 128 of `A-Z a-z 0-9 _ . : -`. */
export const name: Check<string> = (value, path) => {
  if (typeof value !== "string" || !NAME.test(value)) {
    throw expected(path, "1 to 128 characters of A-Z a-z 0-9 _ . : -", value);
  }
  return value;
};

/** The name of a queue: as an id, but without `:`, which separates the queue from the rest in the store. */
export const queueName: Check<string> = (value, path) => {
  if (typeof value !== "string" || !QUEUE_NAME.test(value)) {
    throw expected(path, "1 to 128 characters of A-Z a-z 0-9 _ . -", value);
  }
  return value;
};

export function oneOf<const T extends string>(...values: readonly T[]): Check<T> {
  return (value, path) => {
    if (!values.includes(value as T)) {
      throw expected(path, values.map((one) => JSON.stringify(one)).join(" or "), value);
    }
    return value as T;
  };
}

/** An object that has these methods, such as a port that the user implements. */
export function having<T>(what: string, ...methods: readonly (keyof T & string)[]): Check<T> {
  return (value, path) => {
    const found = value as Record<string, unknown> | null;
    const complete = typeof found === "object" && found !== null;
    if (!complete || methods.some((method) => typeof found[method] !== "function")) {
      throw expected(path, `${what} with ${methods.join(", ")}`, value);
    }
    return value as T;
  };
}

export const abortSignal: Check<AbortSignal> = (value, path) => {
  if (!isAbortSignal(value)) throw expected(path, "an AbortSignal", value);
  return value;
};

/** A real one: what only has the prototype would fail later, when the task is half accepted. */
function isAbortSignal(value: unknown): value is AbortSignal {
  try {
    if (!(value instanceof AbortSignal)) return false;
    Reflect.get(AbortSignal.prototype, "aborted", value);
    return true;
  } catch {
    return false;
  }
}

/** A function; what it takes and gives cannot be seen from outside. */
export function callback<F>(): Check<F> {
  return (value, path) => {
    if (typeof value !== "function") throw expected(path, "a function", value);
    return value as F;
  };
}

/**
 * An object literal of any realm, or the namespace of a module: nothing else shows all of its members.
 */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
