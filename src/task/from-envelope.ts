import { type ValueIssue, withoutStack } from "../errors.js";
import { BUILT_IN_CLASSES, CATALOGUE_CLASSES, type ErrorPrototype, type FieldKind } from "./error-classes.js";
import type { ContainerNode, Encoded, EnvelopeNode, ErrorNode, SteeringNode } from "./error-envelope.js";
import { ENVELOPE_VERSION } from "./error-envelope.js";
import { CancelTask, rateLimited, reschedule, SkipRetry } from "./steering.js";

/**
 * What `toEnvelope` was given, made anew: errors are instances of our classes, of those of the language or of
 * Error again, and carry what they carried. Anything that is no envelope, or one of another version, gives an
 * Error that says so. It never throws.
 *
 * @param origin a line that is added to the stack of each error, so that it shows both sides. Steering has a
 * stack of this side alone, since it is frozen from the start.
 * @param what begins the message of the Error that says so
 */
export function fromEnvelope(
  envelope: unknown,
  origin?: string,
  what = "What the other thread threw",
): unknown {
  try {
    return new EnvelopeReader(nodesOf(envelope), origin).read((envelope as { thrown: Encoded }).thrown);
  } catch (problem) {
    const reason = problem instanceof WrongEnvelope ? problem.message : "it is malformed";
    return withStack(new Error(`${what} could not be read: ${reason}`), undefined, origin);
  }
}

class WrongEnvelope extends Error {}

function nodesOf(envelope: unknown): readonly EnvelopeNode[] {
  if (typeof envelope !== "object" || envelope === null) throw new WrongEnvelope("it is no error envelope");
  const { v, nodes } = envelope as { v?: unknown; nodes?: unknown };
  if (typeof v === "number" && v !== ENVELOPE_VERSION) {
    throw new WrongEnvelope(`its envelope has version ${v}, and this side reads version ${ENVELOPE_VERSION}`);
  }
  if (v !== ENVELOPE_VERSION || !Array.isArray(nodes)) throw new WrongEnvelope("it is no error envelope");
  return nodes;
}

/**
 * Works in three steps, since anything may refer to anything: first each node is made empty; then steering,
 * which is frozen and so needs what it carries to be there; then all others are filled.
 */
class EnvelopeReader {
  readonly #nodes: readonly EnvelopeNode[];
  readonly #origin: string | undefined;
  /** What each node becomes, in the order of the nodes; undefined for steering that is not made yet. */
  readonly #made: unknown[];
  readonly #making = new Set<number>();

  constructor(nodes: readonly EnvelopeNode[], origin: string | undefined) {
    this.#nodes = nodes;
    this.#origin = origin;
    this.#made = nodes.map((node) => makeEmpty(node, nodes));
  }

  read(thrown: Encoded): unknown {
    for (let at = 0; at < this.#nodes.length; at++) this.#makeNode(at);
    for (let at = 0; at < this.#nodes.length; at++) this.#fill(at);
    return this.#decode(thrown);
  }

  #decode(encoded: Encoded): unknown {
    return typeof encoded === "object" && encoded !== null ? this.#makeNode(encoded.at) : encoded;
  }

  #decodeAll(encoded: readonly Encoded[]): unknown[] {
    if (!Array.isArray(encoded)) throw new WrongEnvelope("it is malformed");
    return encoded.map((each) => this.#decode(each));
  }

  #makeNode(at: number): unknown {
    const node = Number.isInteger(at) ? this.#nodes[at] : undefined;
    if (node === undefined || this.#making.has(at)) throw new WrongEnvelope("it refers to nothing");
    if (this.#made[at] !== undefined || !STEERING.has(node.kind)) return this.#made[at];
    this.#making.add(at);
    this.#made[at] = this.#makeSteering(node as SteeringNode);
    this.#making.delete(at);
    return this.#made[at];
  }

  #makeSteering(node: SteeringNode): unknown {
    switch (node.kind) {
      case "reschedule":
        return reschedule({ delayMs: node.delayMs });
      case "rate-limited":
        return rateLimited({ retryAfterMs: node.retryAfterMs, scope: node.scope });
      case "skip-retry":
        return new SkipRetry(this.#decode(node.value));
      case "cancel-task":
        return new CancelTask(this.#decode(node.value));
    }
  }

  #fill(at: number): void {
    const node = this.#nodes[at];
    const made = this.#made[at];
    if (node?.kind === "error") this.#fillError(made as Error, node);
    else if (node?.kind === "list") (made as unknown[]).push(...this.#decodeAll(node.values));
    else if (node !== undefined && "keys" in node) this.#fillContainer(made, node);
  }

  #fillContainer(made: unknown, { keys: encodedKeys, values: encodedValues }: ContainerNode): void {
    const keys = this.#decodeAll(encodedKeys);
    const values = this.#decodeAll(encodedValues);
    for (const [index, value] of values.entries()) {
      if (made instanceof Set) made.add(value);
      else if (made instanceof Map) made.set(keys[index], value);
      else define(made as object, String(keys[index]), value, true);
    }
  }

  #fillError(error: Error, node: ErrorNode): void {
    const name = String(node.name);
    if (error.name !== name) define(error, "name", name, false);
    withStack(error, node.stack, this.#origin);
    if ("cause" in node) define(error, "cause", this.#decode(node.cause), false);
    if ("errors" in node) define(error, "errors", this.#decode(node.errors), false);
    if (typeof node.taskId === "string") define(error, "taskId", node.taskId, false);
    const values = this.#decodeAll(node.values);
    for (const [index, value] of values.entries()) define(error, String(node.keys[index]), value, true);
  }
}

const STEERING: ReadonlySet<string> = new Set(["reschedule", "rate-limited", "skip-retry", "cancel-task"]);

function makeEmpty(node: EnvelopeNode, nodes: readonly EnvelopeNode[]): unknown {
  switch (node.kind) {
    case "error":
      return withoutStack(() => makeError(node, nodes)); // it is given that of the other side
    case "list":
      return [];
    case "record":
      return {};
    case "map":
      return new Map();
    case "set":
      return new Set();
    case "copy":
      return node.value;
    default:
      if (STEERING.has(node.kind)) return undefined;
      throw new WrongEnvelope("it is malformed");
  }
}

function makeError(node: ErrorNode, nodes: readonly EnvelopeNode[]): Error {
  const message = String(node.message);
  if (node.type === "DOMException") return new DOMException(message, String(node.name));
  // By the constructor of Error, so that it is one to everybody, as an instance of the class: what the class
  // does in its own constructor has been done on the other side.
  return Reflect.construct(Error, [message], (ourClass(node, nodes) ?? builtInClass(node)) as never) as Error;
}

function builtInClass({ type }: ErrorNode): ErrorPrototype {
  return BUILT_IN_CLASSES.get(type) ?? Error;
}

/** The class of our catalogue, where the fields are what that class has. */
function ourClass(
  { type, keys, values }: ErrorNode,
  nodes: readonly EnvelopeNode[],
): ErrorPrototype | undefined {
  const ours = CATALOGUE_CLASSES.get(type);
  if (ours === undefined) return undefined;
  const fits = Object.entries(ours.fields).every(([key, kind]) => {
    const index = keys.indexOf(key);
    return index === -1 ? kind.endsWith("?") : isOfKind(values[index], kind, nodes);
  });
  return fits ? ours.type : undefined;
}

function isOfKind(encoded: Encoded, kind: FieldKind, nodes: readonly EnvelopeNode[]): boolean {
  switch (kind) {
    case "text":
      return typeof encoded === "string";
    case "number":
      return typeof encoded === "number";
    case "text?":
      return encoded === undefined || typeof encoded === "string";
    case "number?":
      return encoded === undefined || typeof encoded === "number";
    case "issues":
      return typeof encoded === "object" && encoded !== null && areIssues(nodes[encoded.at]);
  }
}

/** Freezes them, as those of the original are. */
function areIssues(node: EnvelopeNode | undefined): boolean {
  if (node?.kind !== "copy" || !Array.isArray(node.value)) return false;
  const issues = node.value as readonly Partial<ValueIssue>[];
  if (!issues.every(({ message, path }) => typeof message === "string" && typeof path === "string"))
    return false;
  for (const issue of issues) Object.freeze(issue);
  Object.freeze(issues);
  return true;
}

function withStack(error: Error, stack: string | undefined, origin: string | undefined): Error {
  const ofOther = typeof stack === "string" ? stack : `${error.name}: ${error.message}`;
  define(error, "stack", origin === undefined ? ofOther : `${ofOther}\n${origin}`, false);
  return error;
}

/** By definition and not by assignment: a key may be `__proto__`, or the name of an accessor. */
function define(target: object, key: string, value: unknown, enumerable: boolean): void {
  Reflect.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}
