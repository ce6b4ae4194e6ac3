import { MAX_JSON_DEPTH } from "./json-bytes.js";
import type { Schema, SchemaIssue } from "./schema.js";

/** What JSON can hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/**
 * What `T` has to fit so that JSON can hold it: where it cannot, there is a text instead of a type, which the
 * compiler shows.
 */
export type JsonShape<T> = (string | number | boolean | object | null) & JsonMembers<T>;

type JsonMembers<T> = {
  [K in keyof T]: K extends symbol ? NotJson<"a symbol as a key"> : Json<T[K], AbsentIn<T>>;
};

/** A member may be undefined, which leaves it out; an element may not. */
type AbsentIn<T> = T extends readonly unknown[] ? never : undefined;

type Json<T, Absent = never> = 0 extends 1 & T
  ? never // nothing else is refused by `any`
  : unknown extends T
    ? NotJson<"unknown">
    : [JsonValue] extends [T]
      ? JsonValue | Json<Exclude<T, JsonValue>, Absent>
      : T extends string | number | boolean | null | Absent
        ? T
        : T extends Refused
          ? NotJson<NameOf<T>>
          : JsonMembers<T>;

type NotJson<What extends string> = `JSON cannot hold ${What}`;

type Callable = (...args: never) => unknown;
type Collection = ReadonlyMap<never, unknown> | ReadonlySet<unknown> | ArrayBufferView;
type Refused = undefined | bigint | symbol | Callable | Date | Collection;

type NameOf<T> = T extends undefined
  ? "undefined"
  : T extends bigint
    ? "a bigint"
    : T extends symbol
      ? "a symbol"
      : T extends Callable
        ? "a function"
        : T extends Date
          ? "a Date"
          : "a Map, a Set or a buffer";

/**
 * So many values are looked at: one that refers to its parts many times over can hold more than memory can.
 */
const MAX_VALUES = 10_000_000;

/**
 * A schema for payloads and results that are plain JSON, without a library: the compiler checks `T`, and at
 * run time a walk refuses what JSON cannot hold, with its path: bigints, functions, symbols, NaN and
 * infinities, Dates, Maps and all other instances of classes, undefined in an array or as the whole, keys
 * `__proto__`, cycles, and nesting deeper than 1,000. It does not check that the value has the shape of
 * `T`; what comes out is the value itself, not a copy.
 */
export function json<T extends JsonShape<T>>(): Schema<T, T> {
  return JSON_SCHEMA as Schema<T, T>;
}

const JSON_SCHEMA: Schema = Object.freeze({
  "~standard": Object.freeze({
    version: 1,
    vendor: "millrace",
    validate(value: unknown) {
      const finding = new JsonWalk().look(value, 0);
      if (finding === undefined) return { value };
      return {
        issues: [{ message: finding.message, path: finding.steps.reverse() }] satisfies SchemaIssue[],
      };
    },
  }),
});

/** What is wrong, and the way to it, last step first: paths cost nothing while all is well. */
interface Finding {
  readonly message: string;
  readonly steps: PropertyKey[];
}

class JsonWalk {
  #values = 0;

  look(value: unknown, depth: number): Finding | undefined {
    if (++this.#values > MAX_VALUES) return found(`more than ${MAX_VALUES} values`);
    switch (typeof value) {
      case "string":
      case "boolean":
        return undefined;
      case "number":
        return Number.isFinite(value) ? undefined : found(`JSON cannot hold ${value}`);
      case "object":
        return value === null ? undefined : this.#lookInto(value, depth + 1);
      default:
        return found(`JSON cannot hold ${NAMES[typeof value]}`);
    }
  }

  #lookInto(value: object, depth: number): Finding | undefined {
    if (depth > MAX_JSON_DEPTH) return found(`nested deeper than ${MAX_JSON_DEPTH} levels, or cyclic`);
    if (Array.isArray(value)) return this.#lookAtElements(value, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#lookAtMembers(value, depth);
    return found(`JSON cannot hold ${nameOfInstance(value)}`);
  }

  #lookAtElements(elements: readonly unknown[], depth: number): Finding | undefined {
    for (let index = 0; index < elements.length; index++) {
      const finding = this.look(elements[index], depth);
      if (finding !== undefined) return within(finding, index);
    }
    return undefined;
  }

  #lookAtMembers(value: object, depth: number): Finding | undefined {
    for (const key of Object.keys(value)) {
      if (key === "__proto__") return within(found("a key that would set a prototype"), key);
      const member: unknown = (value as Record<string, unknown>)[key];
      if (member === undefined) continue; // left out, as JSON does
      const finding = this.look(member, depth);
      if (finding !== undefined) return within(finding, key);
    }
    return undefined;
  }
}

function found(message: string): Finding {
  return { message, steps: [] };
}

function within(finding: Finding, step: PropertyKey): Finding {
  finding.steps.push(step);
  return finding;
}

const NAMES: Readonly<Record<string, string>> = {
  undefined: "undefined",
  bigint: "a bigint",
  function: "a function",
  symbol: "a symbol",
};

/** `a Date`; what an instance says of itself is not asked. */
function nameOfInstance(value: object): string {
  if (value instanceof Date) return "a Date";
  if (value instanceof Map) return "a Map";
  if (value instanceof Set) return "a Set";
  return "an instance of a class";
}
