import { expected } from "../../task/checks.js";
import { type Codec, defineCodec } from "../../task/codec.js";
import type { Schema } from "../../task/schema.js";

/**
 * A message type of protobufjs, as far as a codec needs it: a reflected `Type` (`root.lookupType("Mail")`) or
 * a static class that `pbjs` has generated (without `--no-verify`, `--no-convert` and the like). Both bring
 * protobufjs along, and the codec uses no other: it never meets messages of a second copy.
 */
export interface ProtobufType<In = never, Message = object> {
  encode(message: In): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
  verify(message: { readonly [key: string]: unknown }): string | null;
  fromObject(object: { readonly [key: string]: unknown }): Message;
}

const METHODS = ["encode", "decode", "verify", "fromObject"] as const;

/**
 * A codec of the messages of one protobufjs type, as the `payload` or `result` of a handler. It takes
 * messages and plain objects of their shape, and refuses what `verify` refuses, text with half of a
 * surrogate pair, and in plain objects integers that are too large for their field. What comes out is always
 * a message, with 64-bit integers as Longs and the defaults of its type. As protobuf does, it drops members
 * that the type has not, and rounds what is in a `float`.
 *
 * The types come from a static class. A reflected type has none:
 * `protobufCodec<Mail>(root.lookupType("Mail"))`.
 * @throws {OptionError} where it is given no such type
 */
export function protobufCodec<In extends object, Message extends In>(
  type: ProtobufType<In, Message>,
): Codec<In, Message>;
export function protobufCodec<Message extends object>(type: ProtobufType): Codec<Message>;
export function protobufCodec(type: ProtobufType<object>): Codec<object> {
  if (!isType(type)) throw expected("type", `a protobufjs type with ${METHODS.join(", ")}`, type);
  return defineCodec<object>({
    name: nameOf(type),
    schema: schemaOf(type),
    encode: (message) => type.encode(message).finish(),
    decode: (bytes) => type.decode(bytes),
  });
}

function schemaOf(type: ProtobufType): Schema<object> {
  return {
    "~standard": {
      version: 1,
      vendor: "millrace",
      validate(value) {
        const problem = type.verify(value as { [key: string]: unknown });
        if (typeof problem === "string") return { issues: [{ message: problem }] };
        const message = type.fromObject(value as { [key: string]: unknown });
        const path = findCut(value, message);
        if (path !== undefined) return { issues: [{ message: CUT, path }] };
        const torn = findTorn(message);
        return torn === undefined ? { value: message } : { issues: [{ message: TORN, path: torn }] };
      },
    },
  };
}

function isType(type: unknown): type is ProtobufType<object> {
  if ((typeof type !== "object" && typeof type !== "function") || type === null) return false;
  return METHODS.every((method) => typeof Reflect.get(type, method) === "function");
}

/** `.shop.Mail` of a reflected type, `Mail` of a class. */
function nameOf(type: ProtobufType): string {
  const { fullName, name } = type as { fullName?: unknown; name?: unknown };
  const found = [fullName, name].find((each) => typeof each === "string" && each !== "") ?? "protobuf";
  return String(found).slice(-128);
}

const CUT = "does not fit into the field";
const TORN = "is no well-formed text: it has half of a surrogate pair, which UTF-8 cannot hold";

/**
 * The way to the first integer that became another one: `verify` asks only whether it is one. A message is
 * what was given, and not looked at. No way is long: `verify` bounds the depth.
 */
function findCut(given: unknown, made: unknown): readonly string[] | undefined {
  if (given === made || given === null || made === null || typeof made === "string") return undefined;
  if (typeof given === "number") return isSame(given, made) ? undefined : [];
  if (typeof given !== "object" || typeof made !== "object" || ArrayBuffer.isView(made)) return undefined;
  for (const key of Object.keys(made)) {
    if (!Object.hasOwn(given, key)) continue;
    const found = findCut(Reflect.get(given, key), Reflect.get(made, key));
    if (found !== undefined) return [key, ...found];
  }
  return undefined;
}

function isSame(given: number, made: unknown): boolean {
  if (typeof made === "number") return made === given || Number.isNaN(given);
  // A Long. The largest one has the same number as the first that does not fit, hence by digits.
  return !Number.isInteger(given) || BigInt(String(made)) === BigInt(given);
}

/** The way to the first text whose bytes nobody could decode; keys of maps are texts. */
function findTorn(made: unknown): readonly string[] | undefined {
  if (typeof made === "string") return made.isWellFormed() ? undefined : [];
  if (typeof made !== "object" || made === null || ArrayBuffer.isView(made)) return undefined;
  if (Array.isArray(made) && typeof made[0] === "number") return undefined;
  for (const key of Object.keys(made)) {
    const found = key.isWellFormed() ? findTorn(Reflect.get(made, key)) : [];
    if (found !== undefined) return [key.toWellFormed(), ...found];
  }
  return undefined;
}
