import { findNotJson } from "./json-walk.js";
import type { Schema } from "./schema.js";

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
      const { issue } = findNotJson(value);
      return issue === undefined ? { value } : { issues: [issue] };
    },
  }),
});
