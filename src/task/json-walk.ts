import { MAX_JSON_DEPTH } from "./json-bytes.js";
import type { SchemaIssue } from "./schema.js";

/**
 * So many values are looked at: one that refers to its parts many times over can hold more than memory can.
 */
const MAX_VALUES = 10_000_000;

/** What a walk over a value has found. */
export interface JsonFinding {
  /** The first thing that JSON cannot hold, with the way to it; undefined where it can hold all. */
  readonly issue: SchemaIssue | undefined;
  /** Its text would take more than `maxBytes`: the walk has ended there, and there is no issue. */
  readonly tooLarge: boolean;
  /** Whether there is a -0 in what was looked at, which JSON can hold, but `JSON.stringify` writes as 0. */
  readonly hasNegativeZero: boolean;
}

/**
 * Looks for what JSON cannot hold, so that nothing becomes something else in silence: see `json()`.
 * @param maxBytes for what is or was stored: what is certain to take more is not looked at to its end (what
 * takes a little more may pass), and a `constructor` with a `prototype` is refused
 * @throws whatever a getter or a proxy throws that is in the value
 */
export function findNotJson(value: unknown, maxBytes?: number): JsonFinding {
  const walk = new JsonWalk(maxBytes);
  const finding = walk.look(value, 0);
  const { hasNegativeZero } = walk;
  const tooLarge = finding === TOO_LARGE;
  if (finding === undefined || tooLarge) return { issue: undefined, tooLarge, hasNegativeZero };
  return { issue: { message: finding.message, path: finding.steps.reverse() }, tooLarge, hasNegativeZero };
}

/** What is wrong, and the way to it, last step first: paths cost nothing while all is well. */
interface Finding {
  readonly message: string;
  readonly steps: PropertyKey[];
}

/** No way leads to it: it is the whole that is too large. */
const TOO_LARGE: Finding = Object.freeze({ message: "too large", steps: [] });

class JsonWalk {
  readonly #maxBytes: number;
  readonly #isStored: boolean;
  #values = 0;
  /** What the text takes at least: a byte for each value, and one for each unit of texts and keys. */
  #bytes = 0;
  hasNegativeZero = false;

  constructor(maxBytes: number | undefined) {
    this.#maxBytes = maxBytes ?? Number.POSITIVE_INFINITY;
    this.#isStored = maxBytes !== undefined;
  }

  look(value: unknown, depth: number): Finding | undefined {
    if (++this.#values > MAX_VALUES) return found(`more than ${MAX_VALUES} values`);
    if (++this.#bytes > this.#maxBytes) return TOO_LARGE;
    switch (typeof value) {
      case "string":
        this.#bytes += value.length;
        return this.#bytes > this.#maxBytes ? TOO_LARGE : undefined;
      case "boolean":
        return undefined;
      case "number":
        if (value === 0 && Object.is(value, -0)) this.hasNegativeZero = true;
        return Number.isFinite(value) ? undefined : found(`JSON cannot hold ${value}`);
      case "object":
        return value === null ? undefined : this.#lookInto(value, depth + 1);
      default:
        return found(`JSON cannot hold ${NAMES[typeof value]}`);
    }
  }

  #lookInto(value: object, depth: number): Finding | undefined {
    if (depth > MAX_JSON_DEPTH) return found(`nested deeper than ${MAX_JSON_DEPTH} levels, or cyclic`);
    const isArray = Array.isArray(value);
    if (!isArray) {
      const prototype: unknown = Object.getPrototypeOf(value);
      const isPlain = prototype === Object.prototype || prototype === null;
      if (!isPlain) return found(`JSON cannot hold ${nameOfInstance(value)}`);
    }
    const finding = isArray ? this.#lookAtElements(value, depth) : this.#lookAtMembers(value, depth);
    if (finding !== undefined) return finding;
    return typeof (value as { toJSON?: unknown }).toJSON === "function" ? found(HAS_TO_JSON) : undefined;
  }

  #lookAtElements(elements: readonly unknown[], depth: number): Finding | undefined {
    for (let index = 0; index < elements.length; index++) {
      const finding = this.look(elements[index], depth);
      if (finding !== undefined) return within(finding, index);
    }
    return undefined;
  }

  #lookAtMembers(value: object, depth: number): Finding | undefined {
    for (const key of Object.keys(value)) {
      if (key === "__proto__") return within(found(SETS_PROTOTYPE), key);
      const member: unknown = (value as Record<string, unknown>)[key];
      if (member === undefined) continue; // left out, as JSON does
      this.#bytes += key.length;
      if (this.#isStored && key === "constructor" && hasPrototype(member))
        return within(found(SETS_PROTOTYPE), key);
      const finding = this.look(member, depth);
      if (finding !== undefined) return within(finding, key);
    }
    return undefined;
  }
}

/** Hidden, inherited or of an array; one that is a member has been found before. */
const HAS_TO_JSON = "JSON cannot hold what has a toJSON of its own";

const SETS_PROTOTYPE = "a key that would set a prototype";

/** Whoever merges it member by member into an object would write into the prototype of all objects. */
function hasPrototype(member: unknown): boolean {
  return typeof member === "object" && member !== null && Object.hasOwn(member, "prototype");
}

function found(message: string): Finding {
  return { message, steps: [] };
}

function within(finding: Finding, step: PropertyKey): Finding {
  if (finding !== TOO_LARGE) finding.steps.push(step);
  return finding;
}

const NAMES: Readonly<Record<string, string>> = {
  undefined: "undefined",
  bigint: "a bigint",
  function: "a function",
  symbol: "a symbol",
};

/** `a Date`; what an instance says of itself is not asked. */
function nameOfInstance(value: object): string {
  if (value instanceof Date) return "a Date";
  if (value instanceof Map) return "a Map";
  if (value instanceof Set) return "a Set";
  return "an instance of a class";
}
