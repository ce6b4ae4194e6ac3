import {
  bufferOf,
  classNameOf,
  isArrayBuffer,
  isCloneable,
  isDate,
  isMap,
  isRegExp,
  isSet,
  isSharedBuffer,
  lengthOf,
  patternOf,
  tagOf,
} from "./built-ins.js";
import { MAX_PATH, shorten, toStep } from "./issues.js";
import { extraTextBytes, MAX_JSON_DEPTH, numberBytes } from "./json-bytes.js";
import { SeenObjects } from "./seen-objects.js";

/** What a value takes, or the first thing in it that cannot cross to another thread. */
export type CloneVerdict =
  | { readonly bytes: number; readonly problem?: undefined }
  | {
      /** Where it is: `payload.rows[3].onDone`, at most 200 characters. */
      readonly path: string;
      readonly problem: string;
      readonly tooLarge?: boolean; // than `maxBytes`
    };

/** Whether memory that both sides can change may be in a value. */
export type SharedMemory = "allowed" | "refused";

/**
 * Members that an array has besides its elements, as what `RegExp.exec` gives has them, are looked for up to
 * this length: to list the keys of a longer one would cost more than all the rest.
 */
const SHORT_ARRAY = 32;

const NONE: readonly object[] = [];

/**
 * Walks over a value once, to count what it takes and to find what the structured clone algorithm refuses:
 * functions, symbols, promises, weak collections, iterators, detached buffers, ports and streams that are not
 * in `transfer`, members that throw when they are read. Also refused is what takes more than `maxBytes`, and
 * what is nested deeper than 1,000.
 *
 * The bytes of plain JSON values are those of `countJsonBytes`, except that an object that is there several
 * times counts once, as it is cloned once; cycles are fine, except those through the cause of an Error, which
 * not every version of Node can read. A view counts with the whole buffer under it, which is what would be
 * copied; what is in `transfer` and memory that is shared count nothing.
 *
 * It never throws. That it finds nothing does not promise that the value can be cloned: a proxy looks like
 * what it stands for, and getters may give something else the next time.
 *
 * @param root what the path begins with: `payload`
 */
export function checkClone(
  value: unknown,
  maxBytes: number,
  root: string,
  transfer: readonly object[] = NONE,
  shared: SharedMemory = "allowed",
): CloneVerdict {
  const walk = new CloneWalk(maxBytes, transfer, shared);
  const finding = walk.lookAtRoot(value);
  if (finding === undefined) return { bytes: walk.bytes };
  let path = root;
  for (let step = finding.steps.length - 1; step >= 0 && path.length <= MAX_PATH; step--)
    path += finding.steps[step];
  const refusal = { path: shorten(path, MAX_PATH), problem: finding.problem };
  return walk.bytes > maxBytes ? { ...refusal, tooLarge: true } : refusal;
}

/** What is wrong, and the way to it, last step first: paths cost nothing while all is well. */
interface Finding {
  readonly problem: string;
  readonly steps: string[];
}

class CloneWalk {
  readonly #maxBytes: number;
  readonly #transfer: readonly object[];
  readonly #shared: SharedMemory;
  readonly #seen = new SeenObjects();
  /** The walk is in the causes of these. Node 20 writes an Error that is there again, but cannot read it. */
  #openErrors: object[] | undefined;
  bytes = 0;

  constructor(maxBytes: number, transfer: readonly object[], shared: SharedMemory) {
    this.#maxBytes = maxBytes;
    this.#transfer = transfer;
    this.#shared = shared;
  }

  lookAtRoot(value: unknown): Finding | undefined {
    try {
      return this.#look(value, 0);
    } catch {
      return unreadable();
    }
  }

  #look(value: unknown, depth: number): Finding | undefined {
    switch (typeof value) {
      case "string":
        return this.#addText(value);
      case "number":
        return this.#add(numberBytes(value));
      case "object":
        return value === null ? this.#add(4) : this.#lookInto(value, depth + 1);
      case "function":
        return found("a function cannot be cloned");
      case "symbol":
        return found("a symbol cannot be cloned");
      case "bigint":
        return this.#add(value.toString(16).length); // decimal digits take more than linear time
      default:
        return this.#add(value === false ? 5 : 4);
    }
  }

  #add(bytes: number): Finding | undefined {
    this.bytes += bytes;
    return this.bytes <= this.#maxBytes ? undefined : found(`takes more than ${this.#maxBytes} bytes`);
  }

  #addText(text: string): Finding | undefined {
    // The least that it can take first: a text that is too long is not walked over.
    return this.#add(text.length + 2) ?? this.#add(extraTextBytes(text));
  }

  #lookInto(value: object, depth: number): Finding | undefined {
    if (this.#seen.meet(value)) return this.#lookAtKnown(value);
    if (depth > MAX_JSON_DEPTH) return found(`nested deeper than ${MAX_JSON_DEPTH} levels`);
    if (Array.isArray(value)) return this.#lookAtElements(value, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#lookAtMembers(value, depth);
    return this.#lookIntoInstance(value, depth);
  }

  #lookAtKnown(value: object): Finding | undefined {
    if (this.#openErrors?.includes(value)) return found("an Error that holds itself cannot be cloned");
    return this.#add(1);
  }

  #lookAtElements(elements: readonly unknown[], depth: number): Finding | undefined {
    const { length } = elements;
    let index = 0;
    try {
      let finding = this.#add(2);
      for (; index < length && finding === undefined; index++) {
        finding = (index > 0 ? this.#add(1) : undefined) ?? this.#look(elements[index], depth);
        if (finding !== undefined) return within(finding, toStep(index));
      }
      if (finding !== undefined || length > SHORT_ARRAY) return finding;
    } catch {
      return within(unreadable(), toStep(index));
    }
    const keys = Object.keys(elements);
    const besides = keys.findIndex((key) => !isIndex(key));
    return besides === -1 ? undefined : this.#lookAtKeys(elements, keys.slice(besides), depth);
  }

  #lookAtMembers(value: object, depth: number): Finding | undefined {
    return this.#add(2) ?? this.#lookAtKeys(value, Object.keys(value), depth);
  }

  #lookAtKeys(value: object, keys: readonly string[], depth: number): Finding | undefined {
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string;
      let finding: Finding | undefined;
      try {
        finding =
          this.#add(index > 0 ? 2 : 1) ??
          this.#addText(key) ??
          this.#look((value as Record<string, unknown>)[key], depth);
      } catch {
        finding = unreadable();
      }
      if (finding !== undefined) return within(finding, toStep(key));
    }
    return undefined;
  }

  #lookIntoInstance(value: object, depth: number): Finding | undefined {
    if (this.#transfer.includes(value)) return undefined;
    const tag = tagOf(value);
    if (ArrayBuffer.isView(value)) return this.#lookIntoView(value);
    if (isArrayBuffer(value, tag)) return this.#lookIntoBuffer(value);
    if (isSharedBuffer(value, tag)) return this.#lookAtShared();
    if (isDate(value, tag)) return this.#add(26);
    if (isMap(value, tag)) return this.#lookAtEntries(value, depth);
    if (isSet(value, tag)) return this.#lookAtEach(value, depth);
    if (isRegExp(value, tag)) return this.#addText(patternOf(value));
    if (tag === "Error") return this.#lookIntoError(value as Error, depth);
    if (tag === "String") return this.#addText(String(value)) ?? refusedByTrial(value, tag);
    if (BOXES.has(tag)) return this.#add(8) ?? refusedByTrial(value, tag);
    const finding = this.#lookAtMembers(value, depth);
    // What is built in has a tag of its own, and only a trial tells whether it can be cloned.
    if (finding !== undefined || tag === "Object") return finding;
    return refusedByTrial(value, tag);
  }

  #lookIntoView(view: ArrayBufferView): Finding | undefined {
    const buffer = bufferOf(view);
    if (this.#transfer.includes(buffer)) return undefined;
    if (isSharedBuffer(buffer, "")) return this.#lookAtShared();
    return this.#seen.meet(buffer) ? this.#add(1) : this.#lookIntoBuffer(buffer);
  }

  #lookIntoBuffer(buffer: ArrayBuffer): Finding | undefined {
    const bytes = lengthOf(buffer);
    return bytes === undefined ? found("a detached ArrayBuffer cannot be cloned") : this.#add(bytes);
  }

  #lookAtShared(): Finding | undefined {
    return this.#shared === "allowed" ? undefined : found("a SharedArrayBuffer is not allowed here");
  }

  #lookAtEntries(map: ReadonlyMap<unknown, unknown>, depth: number): Finding | undefined {
    let index = 0;
    let finding = this.#add(2);
    for (const key of Map.prototype.keys.call(map)) {
      if (finding !== undefined) return finding;
      const inKey = this.#add(4) ?? this.#look(key, depth); // brackets and commas
      if (inKey !== undefined) return within(inKey, `(key ${index})`);
      finding = this.#look(Map.prototype.get.call(map, key), depth);
      if (finding !== undefined) return within(finding, entryStep(key, index));
      index++;
    }
    return finding;
  }

  #lookAtEach(set: ReadonlySet<unknown>, depth: number): Finding | undefined {
    let index = 0;
    let finding = this.#add(2);
    for (const value of Set.prototype.values.call(set)) {
      finding ??= this.#add(1) ?? this.#look(value, depth);
      if (finding !== undefined) return within(finding, `(${index})`);
      index++;
    }
    return finding;
  }

  /** Of an Error its texts and its cause are cloned, nothing else. */
  #lookIntoError(error: Error, depth: number): Finding | undefined {
    let step = ".name";
    try {
      let finding = this.#add(2) ?? this.#addText(String(error.name));
      step = ".message";
      finding ??= this.#addText(String(error.message));
      step = ".stack";
      finding ??= this.#addText(String(error.stack));
      if (finding !== undefined) return finding;
      step = ".cause";
      finding = Object.hasOwn(error, "cause") ? this.#lookAtCause(error, depth) : undefined;
      return finding && within(finding, step);
    } catch {
      return within(unreadable(), step);
    }
  }

  #lookAtCause(error: Error, depth: number): Finding | undefined {
    this.#openErrors ??= [];
    this.#openErrors.push(error);
    const finding = this.#look(error.cause, depth);
    this.#openErrors.pop();
    return finding;
  }
}

const BOXES: ReadonlySet<string> = new Set(["Number", "Boolean", "BigInt", "Symbol"]);

/** Names of elements come before all others among the keys of an array. */
function isIndex(key: string): boolean {
  return String(Number(key) >>> 0) === key;
}

function refusedByTrial(value: object, tag: string): Finding | undefined {
  return isCloneable(value) ? undefined : found(`an object of ${classNameOf(value, tag)} cannot be cloned`);
}

function found(problem: string): Finding {
  return { problem, steps: [] };
}

function unreadable(): Finding {
  return found("it cannot be read");
}

function within(finding: Finding, step: string): Finding {
  finding.steps.push(step);
  return finding;
}

/** `(key)` for the value under a key that can be written down, else which entry it is. */
function entryStep(key: unknown, index: number): string {
  if (typeof key === "string") return `(${toStep(key).replace(/^\.|^\[|\]$/g, "")})`;
  return typeof key === "number" || typeof key === "boolean" ? `(${key})` : `(entry ${index})`;
}
