import type { HandlerSource } from "../messages.js";
import { findServed, type ThreadFunction } from "./served-handlers.js";
import { toDecoding } from "./with-codec.js";

/** A handler that can be called. */
export interface LoadedHandler {
  readonly source: HandlerSource;
  readonly run: ThreadFunction;
}

/** Finds the functions of handlers; the module of each is imported once in the life of the thread. */
export class HandlerLoader {
  readonly #sources = new Map<number, HandlerSource>();
  readonly #loaded = new Map<number, LoadedHandler>();
  #importing = false;

  /** Whether the code of a module runs that is being imported. */
  get importing(): boolean {
    return this.#importing;
  }

  /** The handler of that number, where it is loaded. */
  find(handler: number): LoadedHandler | undefined {
    return this.#loaded.get(handler);
  }

  /** @throws whatever the import throws, or a TypeError where the module has no such function */
  async load(handler: number, told: HandlerSource | undefined): Promise<LoadedHandler> {
    if (told !== undefined) this.#sources.set(handler, told);
    const source = this.#sources.get(handler);
    if (source === undefined) throw new TypeError("The thread was not told where to find the handler");
    this.#importing = true;
    try {
      const module: unknown = await import(source.url);
      const loaded = { source, run: toDecoding(findFunction(module, source), source) };
      this.#loaded.set(handler, loaded);
      return loaded;
    } finally {
      this.#importing = false;
    }
  }
}

/**
 * The export of that name. CommonJS modules have what they export as their default, where `exports.default`
 * is what compilers make of a default export. Else what the module has served under the handler's name.
 */
function findFunction(module: unknown, { name, url, exportName }: HandlerSource): ThreadFunction {
  const exported = memberOf(module, exportName);
  if (typeof exported === "function") return exported as ThreadFunction;
  const inner = memberOf(memberOf(module, "default"), exportName);
  if (typeof inner === "function") return inner as ThreadFunction;
  const run = findServed(exportName === "default" ? name : exportName) ?? findServed(name);
  if (run !== undefined) return run;
  throw new TypeError(`${url} exports no function "${exportName}", and serves no handler "${name}"`);
}

function memberOf(value: unknown, name: string): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  return (value as Record<string, unknown>)[name];
}
