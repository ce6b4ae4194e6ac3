import { type Check, expected } from "./checks.js";

/**
 * What says which values are right, and may turn them into others: any schema by the Standard Schema
 * specification, version 1 (https://standardschema.dev), such as those of zod, valibot and arktype, or
 * `json<T>()`. It takes an `In` and gives an `Out`.
 */
export interface Schema<In = unknown, Out = In> {
  readonly "~standard": {
    readonly version: 1;
    /** The name of the library that made it. */
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>;
    /** For the compiler only; there is nothing here at run time. */
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** What a schema says of a value: the value that comes out, or what is wrong with it. */
export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One thing that is wrong with a value, in the words of the schema. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type InputOf<S extends Schema> = NonNullable<S["~standard"]["types"]>["input"];

/** What a schema gives: what the handler is called with. */
export type OutputOf<S extends Schema> = NonNullable<S["~standard"]["types"]>["output"];

/** What came of running a schema: the value that came out of it, or its refusal. */
export type Verdict =
  | { readonly value: unknown; readonly refusal?: undefined }
  | { readonly refusal: Refusal };

/** Why a value was refused. */
export interface Refusal {
  /** What the schema said is wrong; read with care, since it is made by foreign code. */
  readonly issues: readonly unknown[];
  /** What a schema that failed instead of answering threw. */
  readonly cause?: unknown;
}

/**
 * Runs a schema. It never throws, and a promise from it never rejects: a schema that throws, rejects or
 * answers with something else than the specification says has refused the value.
 */
export function runSchema(schema: Schema, value: unknown): Verdict | Promise<Verdict> {
  try {
    const result: unknown = schema["~standard"].validate(value);
    return isThenable(result) ? awaitVerdict(result) : toVerdict(result);
  } catch (cause) {
    return refuseFailed(cause);
  }
}

async function awaitVerdict(result: PromiseLike<unknown>): Promise<Verdict> {
  try {
    return toVerdict(await result);
  } catch (cause) {
    return refuseFailed(cause);
  }
}

/** A schema as an option: an object or a function with the part that the specification asks for. */
export const schemaCheck: Check<Schema> = (value, path) => {
  if (!isSchema(value))
    throw expected(path, "a schema (Standard Schema, version 1), such as json<T>()", value);
  return value;
};

function isSchema(value: unknown): value is Schema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  try {
    const { version, validate } = (value as Schema)["~standard"];
    return version === 1 && typeof validate === "function";
  } catch {
    return false;
  }
}

/** Only a promise may be waited for: the value that comes out of a schema may well have a member `then`. */
function isThenable(result: unknown): result is PromiseLike<unknown> {
  if (typeof result !== "object" || result === null) return false;
  return typeof (result as { then?: unknown }).then === "function";
}

function toVerdict(result: unknown): Verdict {
  if (typeof result !== "object" || result === null) return refuseAnswer(result);
  const { issues, value } = result as { issues?: unknown; value?: unknown };
  if (!issues) return "value" in result ? { value } : refuseAnswer(result);
  return Array.isArray(issues) ? { refusal: { issues } } : refuseAnswer(result);
}

function refuseAnswer(answer: unknown): Verdict {
  return refuseFailed(
    new TypeError("The schema answered with neither a value nor issues", { cause: answer }),
  );
}

function refuseFailed(cause: unknown): Verdict {
  return { refusal: { issues: [{ message: "the schema failed instead of answering" }], cause } };
}
