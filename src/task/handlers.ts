import { OptionError } from "../errors.js";
import { expected, isPlainObject, name as nameCheck } from "./checks.js";
import { type HandlerDefinition, type HandlerEntry, readDefinition } from "./handler-definition.js";
import { type AnyHandlers, definitionsOf, Handlers } from "./handler-registry.js";
import type { Distinct, JoinedPayloads, JoinedResults, RefusedEntries, ResultOf } from "./handler-types.js";
import type { Schema } from "./schema.js";

// What these two return is written out: it becomes the type of what others export, and in the declarations
// of their package nobody can name an alias that this one keeps to itself. Names that are in `S` alone are
// none: where nothing is defined, `S` is inferred to have all there are.

/**
 * Defines handlers: each with a name (1 to 128 of `A-Z a-z 0-9 _ . : -`), what it takes, where it runs, and
 * the defaults of its tasks. One without `run` and `module` is a contract for producers. A `run` that
 * itself awaits tasks of these handlers needs a written return type, since its type would depend on itself.
 * @throws {OptionError} for a wrong value or an unknown option, with its path:
 * `handlers.sendEmail.timeoutMs`
 */
export function defineHandlers<S extends Record<string, Schema>, D>(
  definitions: { [K in keyof S]: HandlerEntry<S[K]> } & D & RefusedEntries<D>,
): Handlers<{ [K in keyof S & keyof D]: S[K] }, { [K in keyof S & keyof D]: ResultOf<D[K]> }> {
  const entries: unknown = definitions;
  if (!isPlainObject(entries)) throw expected("handlers", "a plain object of handlers by name", entries);
  const read = new Map<string, HandlerDefinition>();
  for (const name of Object.keys(entries)) {
    // Written without brackets it would have set the prototype, and its handler would have been lost.
    if (name === "__proto__") throw expected("handlers name", "another name than __proto__", name);
    nameCheck(name, "handlers name");
    read.set(name, readDefinition(name, entries[name]));
  }
  return new Handlers(read);
}

/**
 * Joins the handlers of several files.
 * @throws {OptionError} when a name is in two of them
 */
export function combineHandlers<const H extends readonly Handlers<unknown, unknown>[]>(
  ...registries: Distinct<H>
): Handlers<
  { [K in keyof JoinedPayloads<H>]: JoinedPayloads<H>[K] },
  { [K in keyof JoinedResults<H>]: JoinedResults<H>[K] }
> {
  const joined = new Map<string, HandlerDefinition>();
  for (const registry of registries) {
    for (const [name, definition] of definitionsOf(registry)) {
      const path = `handlers.${name}`;
      if (joined.has(name))
        throw new OptionError(path, `The handler \`${name}\` is in two of the registries`);
      joined.set(name, definition);
    }
  }
  return new Handlers(joined);
}

/**
 * The entries behind handlers, as `defineHandlers` takes them: to tell what there is, or to define the same
 * handlers with something changed. An object without a prototype; what was not said is undefined.
 * @throws {OptionError} when they were not made by `defineHandlers` or `combineHandlers`
 */
export function handlerEntries(handlers: AnyHandlers): Readonly<Record<string, HandlerEntry>> {
  const entries: Record<string, HandlerEntry> = Object.create(null);
  for (const [name, { name: _, settings, ...said }] of definitionsOf(handlers)) {
    entries[name] = Object.freeze({ ...said, ...settings } as HandlerEntry);
  }
  return Object.freeze(entries);
}
