import type { ValueIssue } from "../errors.js";
import { classNameOf, isArrayBuffer, isDate, isRegExp, tagOf } from "./built-ins.js";
import {
  type CopyNode,
  ENVELOPE_VERSION,
  type Encoded,
  type EnvelopeNode,
  type ErrorEnvelope,
} from "./error-envelope.js";

/**
 * An error envelope as JSON can hold it. What JSON has no word for is a list of one word and its text:
 * `["bigint","12"]`; no other value of an envelope is a list.
 */
export interface JsonEnvelope {
  readonly v: typeof ENVELOPE_VERSION;
  readonly thrown: JsonEncoded;
  readonly nodes: readonly JsonNode[];
}

type JsonEncoded = string | number | boolean | null | { readonly at: number } | readonly string[];
type JsonNode = { readonly [key: string]: unknown };

/** What can be looked at as bytes, by the tag of its class. */
const VIEWS: ReadonlyMap<string, (buffer: ArrayBuffer) => unknown> = new Map<
  string,
  (buffer: ArrayBuffer) => unknown
>([
  ["ArrayBuffer", (buffer) => buffer],
  ["DataView", (buffer) => new DataView(buffer)],
  ["Int8Array", (buffer) => new Int8Array(buffer)],
  ["Uint8Array", (buffer) => new Uint8Array(buffer)],
  ["Uint8ClampedArray", (buffer) => new Uint8ClampedArray(buffer)],
  ["Int16Array", (buffer) => new Int16Array(buffer)],
  ["Uint16Array", (buffer) => new Uint16Array(buffer)],
  ["Int32Array", (buffer) => new Int32Array(buffer)],
  ["Uint32Array", (buffer) => new Uint32Array(buffer)],
  ["Float32Array", (buffer) => new Float32Array(buffer)],
  ["Float64Array", (buffer) => new Float64Array(buffer)],
  ["BigInt64Array", (buffer) => new BigInt64Array(buffer)],
  ["BigUint64Array", (buffer) => new BigUint64Array(buffer)],
]);

const NUMBERS: ReadonlyMap<string, number> = new Map(
  [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value) => [String(value), value]),
);

/** As many digits as a bigint in an envelope can have; more would take long to read. */
const BIGINT = /^-?\d{1,9865}$/;

export function toJsonEnvelope({ thrown, nodes }: ErrorEnvelope): JsonEnvelope {
  return { v: ENVELOPE_VERSION, thrown: toJsonEncoded(thrown), nodes: nodes.map(toJsonNode) };
}

/**
 * The envelope that was kept, as far as it is one: `fromEnvelope` refuses what is not.
 * @throws whatever reading junk throws
 */
export function fromJsonEnvelope(kept: unknown): unknown {
  const { v, thrown, nodes } = kept as { v?: unknown; thrown?: unknown; nodes?: unknown };
  if (!Array.isArray(nodes)) return { v };
  return { v, thrown: fromJsonEncoded(thrown), nodes: nodes.map(fromJsonNode) };
}

function toJsonEncoded(encoded: Encoded): JsonEncoded {
  switch (typeof encoded) {
    case "bigint":
      return ["bigint", String(encoded)];
    case "undefined":
      return ["undefined"];
    case "number":
      if (Object.is(encoded, -0)) return ["number", "-0"];
      return Number.isFinite(encoded) ? encoded : ["number", String(encoded)];
    default:
      return encoded;
  }
}

function fromJsonEncoded(kept: unknown): Encoded {
  if (!Array.isArray(kept)) return kept as Encoded;
  const [word, text] = kept as readonly unknown[];
  if (word === "undefined") return undefined;
  if (word === "bigint" && typeof text === "string" && BIGINT.test(text)) return BigInt(text);
  if (word === "number") return text === "-0" ? -0 : (NUMBERS.get(String(text)) ?? refuse());
  return refuse();
}

function refuse(): never {
  throw new TypeError("malformed");
}

function toJsonNode(node: EnvelopeNode): JsonNode {
  switch (node.kind) {
    case "copy":
      return toJsonCopy(node);
    case "error": {
      const { cause, errors, keys, values, stack, ...rest } = node;
      return {
        ...rest,
        ...(stack === undefined ? undefined : { stack }),
        ...("cause" in node ? { cause: toJsonEncoded(cause) } : undefined),
        ...("errors" in node ? { errors: toJsonEncoded(errors) } : undefined),
        ...{ keys, values: values.map(toJsonEncoded) },
      };
    }
    case "list":
    case "set":
    case "record":
    case "map":
      return { kind: node.kind, keys: node.keys.map(toJsonEncoded), values: node.values.map(toJsonEncoded) };
    case "skip-retry":
    case "cancel-task":
      return { kind: node.kind, value: toJsonEncoded(node.value) };
    default:
      return { ...node };
  }
}

/** Dates, bytes and issues as themselves; what else structured clone copies is told as a text. */
function toJsonCopy({ value }: CopyNode): JsonNode {
  if (Array.isArray(value)) return { kind: "issues", issues: value };
  const copy = value as object;
  const tag = tagOf(copy);
  if (isDate(copy, tag)) return { kind: "date", at: Date.prototype.getTime.call(copy) }; // null for NaN
  if (isArrayBuffer(copy, tag))
    return { kind: "bytes", type: tag, bytes: toBase64(copy, 0, copy.byteLength) };
  if (ArrayBuffer.isView(copy) && VIEWS.has(tag)) {
    const { buffer, byteOffset, byteLength } = copy;
    return { kind: "bytes", type: tag, bytes: toBase64(buffer as ArrayBuffer, byteOffset, byteLength) };
  }
  return { kind: "text", text: isRegExp(copy, tag) ? String(copy) : `[${classNameOf(copy, tag)}]` };
}

function toBase64(buffer: ArrayBuffer, offset: number, length: number): string {
  return Buffer.from(buffer, offset, length).toString("base64");
}

function fromJsonNode(kept: unknown): unknown {
  const node = kept as { [key: string]: unknown };
  switch (node["kind"]) {
    case "date":
      return toCopy(new Date(typeof node["at"] === "number" ? node["at"] : Number.NaN));
    case "bytes":
      return toCopy(fromBase64(node["type"], node["bytes"]));
    case "issues":
      return toCopy((node["issues"] as readonly unknown[]).map(toIssue));
    case "text":
      return toCopy(String(node["text"]));
    case "error":
      return fromJsonError(node);
    case "copy":
      return refuse();
    default:
      return {
        ...node,
        keys: fromJsonList(node["keys"] ?? []),
        values: fromJsonList(node["values"] ?? []),
        value: fromJsonEncoded(node["value"]),
      };
  }
}

function fromJsonError(node: { readonly [key: string]: unknown }): unknown {
  const { cause, errors, values, ...rest } = node;
  return {
    ...rest,
    ...("cause" in node ? { cause: fromJsonEncoded(cause) } : undefined),
    ...("errors" in node ? { errors: fromJsonEncoded(errors) } : undefined),
    values: fromJsonList(values),
  };
}

function fromJsonList(kept: unknown): readonly Encoded[] {
  return Array.isArray(kept) ? kept.map(fromJsonEncoded) : refuse();
}

function toCopy(value: unknown): CopyNode {
  return { kind: "copy", value };
}

function toIssue(kept: unknown): ValueIssue {
  const { message, path } = kept as Partial<ValueIssue>;
  return typeof message === "string" && typeof path === "string" ? { message, path } : refuse();
}

function fromBase64(type: unknown, text: unknown): unknown {
  const view = VIEWS.get(String(type));
  if (view === undefined || typeof text !== "string") return refuse();
  return view(new Uint8Array(Buffer.from(text, "base64")).buffer); // which refuses half an element
}
