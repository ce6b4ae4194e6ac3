import { classNameOf, isMap, isSet, lengthOfView, tagOf } from "./built-ins.js";
import { checkClone } from "./clone-check.js";
import { isError } from "./error-classes.js";
import type { ContainerNode, Encoded, EnvelopeNode } from "./error-envelope.js";
import { MAX_JSON_DEPTH } from "./json-bytes.js";

/** What stands for a value whose getter or trap threw. */
export const UNREADABLE_TEXT = "[cannot be read]";

/** A bigint of more digits is a text: to turn it into digits, as whoever shows it does, takes too long. */
const LARGEST_BIGINT = 1n << 32_768n;

const NONE: readonly Encoded[] = [];
const sliceOf: (this: ArrayBufferView) => ArrayBufferView = Object.getPrototypeOf(Uint8Array.prototype).slice;

/**
 * Writes the values that errors carry: arrays, records, maps and sets part by part, since an Error or a
 * function may be in them, anything else as structured clone copies it. Nothing here throws.
 */
export class ValueEncoder {
  readonly #nodes: EnvelopeNode[];
  readonly #places: Map<object, number>;
  readonly #refer: (error: Error) => Encoded;
  #most = 0;
  /** What the value takes that was written last, about. */
  bytes = 0;

  /**
   * @param places where each object is among the nodes
   * @param refer gives an Error that is in a value its place
   */
  constructor(nodes: EnvelopeNode[], places: Map<object, number>, refer: (error: Error) => Encoded) {
    this.#nodes = nodes;
    this.#places = places;
    this.#refer = refer;
  }

  /** Gives undefined, and keeps no node of it, where the value takes more than `most` bytes. */
  encode(value: unknown, most: number): { readonly encoded: Encoded } | undefined {
    const kept = this.#nodes.length;
    this.#most = most;
    this.bytes = 0;
    const encoded = this.#encode(value, 0);
    if (this.bytes <= most) return { encoded };
    this.#nodes.length = kept;
    for (const [object, place] of this.#places) if (place >= kept) this.#places.delete(object);
    this.bytes = 0;
    return undefined;
  }

  get #isFull(): boolean {
    return this.bytes > this.#most;
  }

  #encode(value: unknown, depth: number): Encoded {
    switch (typeof value) {
      case "string":
        this.bytes += value.length + 2;
        return this.#isFull ? undefined : value;
      case "function":
        this.bytes += 10;
        return "[function]";
      case "symbol":
        this.bytes += 8;
        return "[symbol]";
      case "bigint":
        return this.#encodeBigint(value);
      case "object":
        this.bytes += 8;
        return value === null || this.#isFull ? null : this.#encodeObject(value, depth + 1);
      default:
        this.bytes += 8;
        return value as number | boolean | undefined;
    }
  }

  #encodeBigint(value: bigint): Encoded {
    if (value > LARGEST_BIGINT || value < -LARGEST_BIGINT) return "[bigint]";
    this.bytes += value.toString(16).length;
    return value;
  }

  #encodeObject(value: object, depth: number): Encoded {
    const place = this.#places.get(value);
    if (place !== undefined) return { at: place };
    if (isError(value)) return this.#refer(value);
    if (depth > MAX_JSON_DEPTH) return "[nested too deep]";
    try {
      if (Array.isArray(value)) return this.#encodeList(value, depth);
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype === Object.prototype || prototype === null) return this.#encodeRecord(value, depth);
      return this.#encodeInstance(value, depth);
    } catch {
      return UNREADABLE_TEXT;
    }
  }

  #encodeInstance(value: object, depth: number): Encoded {
    const tag = tagOf(value);
    if (isMap(value, tag)) return this.#encodeMap(value, depth);
    if (isSet(value, tag)) return this.#encodeSet(value, depth);
    return tag === "Object" ? this.#encodeRecord(value, depth) : this.#copy(value, tag);
  }

  #encodeList(elements: readonly unknown[], depth: number): Encoded {
    const values: Encoded[] = [];
    const at = this.#place(elements, { kind: "list", keys: NONE, values });
    for (let index = 0; index < elements.length && !this.#isFull; index++)
      values.push(this.#readMember(elements, index, depth));
    return { at };
  }

  #encodeRecord(value: object, depth: number): Encoded {
    const keys: Encoded[] = [];
    const values: Encoded[] = [];
    const at = this.#place(value, { kind: "record", keys, values });
    for (const key of Object.keys(value)) {
      this.bytes += key.length + 2;
      if (this.#isFull) break;
      keys.push(key);
      values.push(this.#readMember(value, key, depth));
    }
    return { at };
  }

  #readMember(value: object, key: PropertyKey, depth: number): Encoded {
    let member: unknown;
    try {
      member = Reflect.get(value, key);
    } catch {
      member = UNREADABLE_TEXT;
    }
    return this.#encode(member, depth);
  }

  #encodeMap(map: ReadonlyMap<unknown, unknown>, depth: number): Encoded {
    const keys: Encoded[] = [];
    const values: Encoded[] = [];
    const at = this.#place(map, { kind: "map", keys, values });
    for (const [key, value] of Map.prototype.entries.call(map)) {
      if (this.#isFull) break;
      keys.push(this.#encode(key, depth));
      values.push(this.#encode(value, depth));
    }
    return { at };
  }

  #encodeSet(set: ReadonlySet<unknown>, depth: number): Encoded {
    const values: Encoded[] = [];
    const at = this.#place(set, { kind: "set", keys: NONE, values });
    for (const value of Set.prototype.values.call(set)) {
      if (this.#isFull) break;
      values.push(this.#encode(value, depth));
    }
    return { at };
  }

  #place(value: object, node: ContainerNode | EnvelopeNode): number {
    this.#places.set(value, this.#nodes.length);
    return this.#nodes.push(node) - 1;
  }

  /** A copy, which is known to be cloneable: what only looks so, such as a proxy, ends here. */
  #copy(value: object, tag: string): Encoded {
    const room = this.#most - this.bytes;
    let part = value;
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      this.bytes += lengthOfView(value);
      if (this.#isFull) return undefined;
      part = sliceOf.call(value); // alone it takes what it shows, and not the whole buffer under it
    }
    const { bytes } = checkClone(part, room, "", [], "refused") as { bytes?: number };
    if (bytes === undefined) return `[${classNameOf(value, tag)}]`;
    this.bytes += part === value ? bytes : 0;
    return { at: this.#place(value, { kind: "copy", value: structuredClone(part) }) };
  }
}

/**
 * At most so many UTF-16 units, and never half of a character; the dots say that there was more. Not the
 * character for them: with one such in it, each unit of a text takes two bytes.
 */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = most - 3;
  const last = text.charCodeAt(end - 1);
  return `${text.slice(0, last >= 0xd800 && last < 0xdc00 ? end - 1 : end)}...`;
}
