import { type Check, type Checks, callback, expected, readOptions } from "./checks.js";
import { type Schema, type SchemaResult, schemaCheck } from "./schema.js";

/**
 * A schema that also says how its values become bytes, for what JSON cannot hold or holds badly. A handler is
 * given one as its `payload` or `result`, as any other schema; durable tasks are then stored as what `encode`
 * makes of them, and not as JSON. `defineCodec` makes one, `protobufCodec` of `millrace/protobuf` another.
 *
 * It takes an `In`, and so gives what it takes: what comes out of it is encoded, too.
 */
export interface Codec<In = unknown, Out extends In = In> extends Schema<In, Out> {
  readonly "~codec": CodecPart<In>;
}

/** What a codec has that other schemas have not. */
export interface CodecPart<T = unknown> {
  /** What errors call it, at most 128 characters. */
  readonly name: string;
  /** What it throws refuses the value. The bytes are copied: it may give the same buffer again. */
  readonly encode: (value: T) => Uint8Array;
  /**
   * Undoes `encode`. What it throws refuses the bytes, which may be anything: they come from a store. They
   * are a copy, which it may keep.
   */
  readonly decode: (bytes: Uint8Array) => T;
}

/** What a codec of your own is made of. */
export interface CodecOptions<In, Out extends In = In> extends CodecPart<In> {
  /** Which values are right. It is asked before each `encode` and after each `decode`. Default: all. */
  readonly schema?: Schema<In, Out> | undefined;
}

const MAX_NAME = 128;
const CHECKS: Checks<CodecOptions<unknown>> = {
  name: (value, path) => {
    if (typeof value === "string" && value.length > 0 && value.length <= MAX_NAME) return value;
    throw expected(path, `1 to ${MAX_NAME} characters`, value);
  },
  encode: callback<CodecPart["encode"]>(),
  decode: callback<CodecPart["decode"]>(),
  schema: schemaCheck,
};
const REQUIRED = ["name", "encode", "decode"] as const;

/**
 * Makes a codec: `defineCodec({ name: "msgpack", schema: Mail, encode: pack, decode: unpack })`.
 * @throws {OptionError}
 */
export function defineCodec<In, Out extends In = In>(options: CodecOptions<In, Out>): Codec<In, Out> {
  const { schema, ...part } = readOptions<CodecOptions<unknown>>("", options, CHECKS);
  for (const name of REQUIRED) if (part[name] === undefined) throw expected(name, "given", undefined);
  const validate = schema === undefined ? accept : schema["~standard"].validate.bind(schema["~standard"]);
  const standard = Object.freeze({ version: 1, vendor: "millrace", validate });
  const codec: Codec = { "~standard": standard, "~codec": Object.freeze(part as CodecPart) };
  return Object.freeze(codec) as Codec<In, Out>;
}

function accept(value: unknown): SchemaResult<unknown> {
  return { value };
}

/** A schema as an option, which may be a codec; then it is a whole one. */
export const codecOrSchemaCheck: Check<Schema> = (value, path) => {
  const schema = schemaCheck(value, path);
  const part = (schema as Partial<Codec>)["~codec"];
  if (part === undefined) return schema;
  const isWhole =
    typeof part === "object" &&
    part !== null &&
    typeof part.name === "string" &&
    typeof part.encode === "function" &&
    typeof part.decode === "function";
  if (!isWhole) throw expected(`${path}["~codec"]`, "an object with name, encode and decode", part);
  return schema;
};

/** How the values of a schema become bytes, where it says that itself. */
export function codecOf(schema: Schema | undefined): CodecPart | undefined {
  return (schema as Partial<Codec> | undefined)?.["~codec"];
}
