import { OptionError } from "../../../errors.js";
import { expected, isPlainObject, name as nameCheck } from "../../../task/checks.js";
import type { TaskContext } from "../../../task/task-context.js";

/** A function that a thread runs for a handler. */
export type ThreadFunction = (payload: never, context: TaskContext) => unknown;

/** Of the registry of symbols, since a bundle may hold a second copy of this module. */
const KEY = Symbol.for("millrace.servedHandlers");

interface Keeper {
  [KEY]?: Map<string, ThreadFunction>;
}

/** By the name of the handler. */
function served(): Map<string, ThreadFunction> {
  const keeper = globalThis as Keeper;
  keeper[KEY] ??= new Map();
  return keeper[KEY];
}

/** The function that a module in this thread has served under that name. */
export function findServed(name: string): ThreadFunction | undefined {
  return served().get(name);
}

/**
 * Serves handlers by name from one module, such as the one file that a bundler makes for all worker threads:
 * each handler of `defineHandlers` names that file as its `module`. To be called while the module is
 * imported.
 * @throws {OptionError} for a wrong name, what is no function, and a name that is served already
 */
export function serveHandlers(functions: Readonly<Record<string, ThreadFunction>>): void {
  if (!isPlainObject(functions)) throw expected("handlers", "a plain object of functions by name", functions);
  const known = served();
  const added = Object.entries(functions);
  for (const [name, run] of added) {
    nameCheck(name, "handlers name");
    if (typeof run !== "function") throw expected(`handlers.${name}`, "a function", run);
    if (known.has(name)) {
      throw new OptionError(`handlers.${name}`, `The handler \`${name}\` is served twice in this thread`);
    }
  }
  for (const [name, run] of added) known.set(name, run as ThreadFunction);
}
