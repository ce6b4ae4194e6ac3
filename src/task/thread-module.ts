import { type Check, expected } from "./checks.js";

/** Where a handler that runs in a worker thread is found, with the types of what it takes and gives. */
export interface ThreadModule<P = never, R = unknown> {
  readonly url: URL;
  /** The function's name among the exports of the module. */
  readonly exportName: string;
  /** For the compiler only; there is nothing here at run time. */
  readonly "~types"?: ((payload: P) => R) | undefined;
}

/** The export of a module that a thread runs when none is named. */
const DEFAULT_EXPORT = "default";
const MAX_EXPORT_NAME = 256;

class NamedModule {
  readonly url: URL;
  readonly exportName: string;
  readonly #made = true;

  constructor(url: URL, exportName: string) {
    this.url = url;
    this.exportName = exportName;
    Object.freeze(this);
  }

  static isMade(value: unknown): value is NamedModule {
    return typeof value === "object" && value !== null && #made in value;
  }
}

/** What the function that a module exports under a name takes as a payload. */
type PayloadOf<F> = F extends (payload: infer P, ...rest: never) => unknown ? P : never;
type ReturnOf<F> = F extends (...args: never) => infer R ? Awaited<R> : never;

/**
 * Names a function that worker threads import and run: the default export of the module at `url`, or the
 * one called `exportName`. The types come from the module, which this does not load: `threadModule<typeof
 * import("./resize.js")>(new URL("./resize.js", import.meta.url))`, and for another export
 * `threadModule<typeof import("./resize.js"), "crop">(url, "crop")`.
 * @throws {OptionError} when `url` is no file URL, or `exportName` no text
 */
export function threadModule<M, Name extends keyof M & string = "default" & keyof M>(
  url: URL,
  ...exportName: "default" extends Name ? [exportName?: "default"] : [exportName: Name]
): ThreadModule<PayloadOf<M[Name]>, ReturnOf<M[Name]>>;
export function threadModule(url: unknown, exportName: unknown = DEFAULT_EXPORT): ThreadModule {
  const path = fileUrl(url, "url");
  if (typeof exportName !== "string" || exportName === "" || exportName.length > MAX_EXPORT_NAME) {
    throw expected(
      "exportName",
      `the name of an export, of at most ${MAX_EXPORT_NAME} characters`,
      exportName,
    );
  }
  return new NamedModule(path, exportName);
}

/** A module as an option: a file URL, which means its default export, or what `threadModule` made. */
export const threadModuleCheck: Check<ThreadModule> = (value, path) =>
  NamedModule.isMade(value) ? value : new NamedModule(fileUrl(value, path), DEFAULT_EXPORT);

/** A copy, since a URL can be changed after it was checked: what is imported must not depend on that. */
function fileUrl(value: unknown, path: string): URL {
  if (!(value instanceof URL) || value.protocol !== "file:") {
    throw expected(path, "a file URL, or what threadModule() made", value);
  }
  return new URL(value.href);
}
