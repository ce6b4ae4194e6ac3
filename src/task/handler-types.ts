import type { HandlerEntry } from "./handler-definition.js";
import type { Handlers } from "./handler-registry.js";
import type { IdempotencyOptions } from "./idempotency.js";
import type { RateLimitOptions } from "./rate-limit.js";
import type { InputOf, Schema } from "./schema.js";
import type { ThreadModule } from "./thread-module.js";

/** What a task of an entry gives: what comes out of its result schema, or else what it returns. */
type ResultOf<E> = E extends { readonly result: Schema<unknown, infer R> }
  ? R
  : E extends { readonly run: (...args: never) => infer R }
    ? Awaited<R>
    : E extends { readonly module: ThreadModule<never, infer R> }
      ? R
      : unknown;

/** The schemas in `S` of the handlers in `D`: those of none where there are none, and not of any name. */
export type SchemasOf<S, D> = { [K in keyof S & keyof D]: S[K] };

/** The results of the handlers in `D`. */
export type ResultsOf<S, D> = { [K in keyof S & keyof D]: ResultOf<D[K]> };

/**
 * What no value fits. The compiler shows its name. No literal, since two literals make a whole entry
 * `never`.
 */
export type Refusal<Why extends string> = { readonly [K in Why]: never };

type UnknownIn<E, Known, Why extends string> = {
  readonly [K in Exclude<keyof E, keyof Known>]: Refusal<Why>;
};

type BothIn<E> = E extends { readonly run: unknown; readonly module: unknown }
  ? { readonly module: Refusal<"give run or module, not both"> }
  : unknown;

type WrongResultIn<E> = E extends {
  readonly result: Schema<infer Taken, unknown>;
  readonly run: (...args: never) => infer R;
}
  ? [Awaited<R>] extends [Taken]
    ? unknown
    : { readonly run: Refusal<"run does not return what the result schema takes"> }
  : unknown;

type WrongRateLimitIn<E> = E extends { readonly rateLimit: infer Limit extends object }
  ? { readonly rateLimit: UnknownIn<Limit, RateLimitOptions, "unknown option of a rate limit"> }
  : unknown;

type WrongIdempotencyIn<E> = E extends { readonly idempotency: infer Own extends object }
  ? { readonly idempotency: UnknownIn<Own, IdempotencyOptions, "unknown option of idempotency"> }
  : unknown;

/** What entries may not have, though each of them is an entry: it compiles only where this adds nothing. */
export type RefusedEntries<D> = {
  [K in keyof D]: UnknownIn<D[K], HandlerEntry, "unknown handler option"> &
    BothIn<D[K]> &
    WrongResultIn<D[K]> &
    WrongRateLimitIn<D[K]> &
    WrongIdempotencyIn<D[K]>;
};

type PayloadsOf<H> = H extends Handlers<infer S, unknown> ? S : Record<never, never>;

/** The names of the handlers in a registry. */
export type HandlerNames<H> = keyof PayloadsOf<H> & string;

/** What `enqueue` takes for a handler: what its schema takes, before it has turned it into anything else. */
export type PayloadInputOf<H, Name extends HandlerNames<H>> = PayloadsOf<H>[Name] extends infer S extends
  Schema
  ? InputOf<S>
  : never;

/** What a task of a handler gives. */
export type ResultOfHandler<H, Name extends HandlerNames<H>> =
  H extends Handlers<unknown, infer R> ? (Name extends keyof R ? R[Name] : unknown) : never;

type ResultsIn<H> = H extends Handlers<unknown, infer R> ? R : never;

/** The types of several registries joined. */
export type CombinedHandlers<H extends readonly unknown[]> = Handlers<
  Joined<{ [I in keyof H]: PayloadsOf<H[I]> }>,
  Joined<{ [I in keyof H]: ResultsIn<H[I]> }>
>;

type Joined<Parts extends readonly unknown[]> = Parts extends readonly [infer First, ...infer Rest]
  ? Flat<First & Joined<Rest>>
  : Record<never, never>;

/** An intersection as one object type, which is how it is shown in an editor. */
type Flat<T> = { [K in keyof T]: T[K] };

/** Names that are in a registry and in one before it. */
type RepeatedName<H extends readonly unknown[], Seen = never> = H extends readonly [
  infer First,
  ...infer Rest,
]
  ? (HandlerNames<First> & Seen) | RepeatedName<Rest, Seen | HandlerNames<First>>
  : never;

/**
 * The registries themselves, or, where a name is in two of them, a text that says so and does not compile.
 */
export type Distinct<H extends readonly unknown[]> = [RepeatedName<H>] extends [never]
  ? H
  : { [I in keyof H]: `the handler ${RepeatedName<H> & string} is in two of the registries` };
