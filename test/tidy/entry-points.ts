import { readProjectFile } from "./sources.js";

/** Where an entry point leads, by condition. */
interface Targets {
  readonly types?: string;
  readonly default?: string;
}

/** What the tests read from the project's package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | Targets>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** One way into the package: how it is imported, and what it leads to. */
export interface EntryPoint {
  /** As an import names it: `millrace/testing`. */
  readonly specifier: string;
  readonly targets: Targets;
  /** The source behind it, from the project's root. */
  readonly source: string;
}

export function readManifest(): Manifest {
  return JSON.parse(readProjectFile("package.json"));
}

/** The entry points of the package; `./package.json`, which is no program, is left out. */
export function entryPoints(manifest: Manifest = readManifest()): readonly EntryPoint[] {
  return Object.entries(manifest.exports).flatMap(([subpath, targets]) => {
    if (typeof targets === "string") return [];
    const source = (targets.default ?? "").replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts");
    return [{ specifier: `${manifest.name}${subpath.slice(1)}`, targets, source }];
  });
}
