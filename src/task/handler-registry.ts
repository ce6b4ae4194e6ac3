import { UnknownHandlerError } from "../errors.js";
import { expected } from "./checks.js";
import type { HandlerDefinition } from "./handler-definition.js";
import { nearestName } from "./nearest-name.js";
import type { Schema } from "./schema.js";

/** So many names of handlers are told in a message. */
const TOLD_NAMES = 20;

/**
 * Handlers by name, with the type of each one's payload and result; made by `defineHandlers` and
 * `combineHandlers`. Frozen.
 */
export class Handlers<S = Record<string, Schema>, R = Record<string, unknown>> {
  /** For the compiler only; there is nothing here at run time. */
  declare readonly "~types"?: { readonly payloads: S; readonly results: R } | undefined;
  readonly #definitions: ReadonlyMap<string, HandlerDefinition>;

  /** @internal */
  constructor(definitions: ReadonlyMap<string, HandlerDefinition>) {
    this.#definitions = definitions;
    Object.freeze(this);
  }

  /** @internal */
  static definitionsOf(handlers: unknown): ReadonlyMap<string, HandlerDefinition> | undefined {
    const isMade = typeof handlers === "object" && handlers !== null && #definitions in handlers;
    return isMade ? handlers.#definitions : undefined;
  }
}

/** A registry of whatever handlers: the type of a manager's where nobody knows better. */
export type AnyHandlers = Handlers<unknown, unknown>;

/**
 * The definitions behind a registry, by name.
 * @throws {OptionError} when it is none
 */
export function definitionsOf(handlers: unknown): ReadonlyMap<string, HandlerDefinition> {
  const definitions = Handlers.definitionsOf(handlers);
  if (definitions === undefined) throw expected("handlers", "what defineHandlers() made", handlers);
  return definitions;
}

/**
 * The definition of a handler, looked up by its name alone.
 * @throws {UnknownHandlerError} with the nearest name that is known, or the first ones
 */
export function findDefinition(
  definitions: ReadonlyMap<string, HandlerDefinition>,
  name: string,
): HandlerDefinition {
  return definitions.get(name) ?? refuseName(definitions, name);
}

function refuseName(definitions: ReadonlyMap<string, HandlerDefinition>, name: string): never {
  const known = [...definitions.keys()];
  const given = name.slice(0, 128);
  throw new UnknownHandlerError(given, `Unknown handler ${JSON.stringify(given)}${hint(name, known)}`);
}

function hint(name: string, known: readonly string[]): string {
  if (known.length === 0) return "; no handlers are known";
  const near = nearestName(name, known);
  if (near !== undefined) return `; did you mean "${near}"?`;
  const more = known.length > TOLD_NAMES ? ` and ${known.length - TOLD_NAMES} more` : "";
  return `; known are ${known.slice(0, TOLD_NAMES).join(", ")}${more}`;
}
