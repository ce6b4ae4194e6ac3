import { shorten } from "./issues.js";

/**
 * What a value is at heart: made by a built-in class, of this realm or another. Neither its prototype nor its
 * tag tells for sure, but the class's own methods throw for what only looks so. Of these functions none does.
 */

const TYPED_ARRAY: object = Object.getPrototypeOf(Uint8Array.prototype);

const bufferBytes = getterOf(ArrayBuffer.prototype, "byteLength");
const sharedBytes = getterOf(SharedArrayBuffer.prototype, "byteLength");
const source = getterOf(RegExp.prototype, "source");
const size = { map: getterOf(Map.prototype, "size"), set: getterOf(Set.prototype, "size") };
const underView = {
  dataView: getterOf(DataView.prototype, "buffer"),
  typedArray: getterOf(TYPED_ARRAY, "buffer"),
};

/** `Date` for a Date, `Object` for an instance of a class that has no tag of its own. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

export function isDate(value: object, tag: string): boolean {
  return (value instanceof Date || tag === "Date") && takes(Date.prototype.getTime, value);
}

export function isRegExp(value: object, tag: string): boolean {
  return (value instanceof RegExp || tag === "RegExp") && takes(source, value);
}

export function isMap(value: object, tag: string): value is ReadonlyMap<unknown, unknown> {
  return (value instanceof Map || tag === "Map") && takes(size.map, value);
}

export function isSet(value: object, tag: string): value is ReadonlySet<unknown> {
  return (value instanceof Set || tag === "Set") && takes(size.set, value);
}

export function isArrayBuffer(value: object, tag: string): value is ArrayBuffer {
  return (value instanceof ArrayBuffer || tag === "ArrayBuffer") && takes(bufferBytes, value);
}

export function isSharedBuffer(value: object, tag: string): value is SharedArrayBuffer {
  return (value instanceof SharedArrayBuffer || tag === "SharedArrayBuffer") && takes(sharedBytes, value);
}

/** What a view is a view of, whatever its own members say. */
export function bufferOf(view: ArrayBufferView): ArrayBuffer | SharedArrayBuffer {
  const getter = takes(underView.typedArray, view) ? underView.typedArray : underView.dataView;
  return getter.call(view) as ArrayBuffer | SharedArrayBuffer;
}

/** How many bytes a typed array shows. */
export function lengthOfView(view: ArrayBufferView): number {
  return Number(Reflect.get(TYPED_ARRAY, "byteLength", view));
}

/** The length of a buffer, and undefined for one that was moved elsewhere. */
export function lengthOf(buffer: ArrayBuffer): number | undefined {
  const length = Number(bufferBytes.call(buffer));
  if (length > 0) return length;
  try {
    return new Uint8Array(buffer).length; // older versions of Node have no other way to tell
  } catch {
    return undefined;
  }
}

/** The pattern of a RegExp. */
export function patternOf(value: object): string {
  return String(source.call(value));
}

/** By trial, hence not for what could be large. */
export function isCloneable(value: object): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

/** What a value is called: by its tag, but a MessagePort has that of what it inherits from. */
export function classNameOf(value: object, tag: string): string {
  try {
    const made: unknown = tag === "EventTarget" ? Reflect.get(value, "constructor") : undefined;
    return shorten(typeof made === "function" && made.name !== "" ? String(made.name) : tag, 64);
  } catch {
    return shorten(tag, 64);
  }
}

/** The prototype's own getter, which a member of a value cannot replace. */
function getterOf(prototype: object, key: string): () => unknown {
  return Object.getOwnPropertyDescriptor(prototype, key)?.get as () => unknown;
}

function takes(method: (this: never) => unknown, value: object): boolean {
  try {
    method.call(value as never);
    return true;
  } catch {
    return false;
  }
}
