import type { Baggage, BaggageEntry } from "@opentelemetry/api";
import type { OtelApi } from "./otel-api.js";

/** What W3C wants to be passed on at least: no more is. */
const MAX_HEADER_LENGTH = 8_192;

/** Options name no more keys than that. */
const MAX_MEMBERS = 64;

/** Keys of the baggage that may travel. */
export type BaggageKeys = Pick<ReadonlySet<string>, "has">;

/** The part of a baggage that may travel; undefined where there is nothing of it. */
export function chooseBaggage(
  api: OtelApi,
  baggage: Baggage | undefined,
  keys: ReadonlySet<string>,
): Baggage | undefined {
  if (baggage === undefined || keys.size === 0) return undefined;
  const chosen: [string, BaggageEntry][] = [];
  for (const key of keys) {
    const entry = baggage.getEntry(key);
    if (entry !== undefined) chosen.push([key, entry]);
  }
  return createBaggage(api, chosen);
}

/**
 * `baggage` of W3C, without properties. A member that has no room any more, or is no well-formed text, is
 * left out. Undefined where nothing is left.
 */
export function toBaggageHeader(baggage: Baggage): string | undefined {
  let header = "";
  for (const [key, { value }] of baggage.getAllEntries().slice(0, MAX_MEMBERS)) {
    const member = toMember(key, value);
    if (member === undefined || header.length + member.length >= MAX_HEADER_LENGTH) continue;
    header += header === "" ? member : `,${member}`;
  }
  return header === "" ? undefined : header;
}

/** Reads those members of a `baggage` header whose keys may travel; undefined for garbage. */
export function fromBaggageHeader(api: OtelApi, text: unknown, keys: BaggageKeys): Baggage | undefined {
  if (typeof text !== "string" || text.length > MAX_HEADER_LENGTH) return undefined;
  const chosen: [string, BaggageEntry][] = [];
  for (const member of text.split(",")) {
    const [key, value] = fromMember(member) ?? [];
    if (key !== undefined && value !== undefined && keys.has(key)) chosen.push([key, { value }]);
  }
  return createBaggage(api, chosen);
}

/** Built entry by entry: as an object, keys such as `__proto__` would be lost. */
function createBaggage(api: OtelApi, entries: readonly [string, BaggageEntry][]): Baggage | undefined {
  if (entries.length === 0) return undefined;
  return entries.reduce(
    (baggage, [key, entry]) => baggage.setEntry(key, entry),
    api.propagation.createBaggage(),
  );
}

function toMember(key: string, value: unknown): string | undefined {
  if (typeof value !== "string" || value.length > MAX_HEADER_LENGTH) return undefined;
  try {
    return `${encodeKey(key)}=${encodeURIComponent(value)}`;
  } catch {
    return undefined; // half of a surrogate pair
  }
}

/** A key is a token of HTTP, in which round brackets have no place. */
function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll("(", "%28").replaceAll(")", "%29");
}

function fromMember(member: string): readonly [key: string, value: string] | undefined {
  const [pair = ""] = member.split(";", 1); // properties come after it
  const equals = pair.indexOf("=");
  if (equals === -1) return undefined;
  try {
    return [
      decodeURIComponent(pair.slice(0, equals).trim()),
      decodeURIComponent(pair.slice(equals + 1).trim()),
    ];
  } catch {
    return undefined;
  }
}
