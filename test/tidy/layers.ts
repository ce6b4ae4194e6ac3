import { importsOf, isRelative, packageOf, targetOf } from "./imports.js";
import { placeOf, type Source } from "./sources.js";

/** What the files of one stage may import, besides each other. */
interface Rule {
  readonly imports: readonly string[];
  /** Stages of which only types may be imported. */
  readonly types?: readonly string[];
  /** What may come from outside `src`: nothing, modules of Node, or those and one package a folder. */
  readonly outside: "nothing" | "node" | "node and one package";
}

const foundation = ["error-codes.ts", "errors.ts", "worker-errors.ts", "store-errors.ts", "task/", "ports/"];
const core = ["core/collections/", "core/queue/", "core/limiter/", "core/events/", "core/durable/"];
const stageOfCore: Rule = { imports: [...foundation, "core/collections/"], outside: "nothing" };

/** The architecture. A stage is one file or one folder of `src`; `*` stands for one folder's name. */
const rules: Readonly<Record<string, Rule>> = {
  "error-codes.ts": { imports: [], outside: "nothing" },
  "errors.ts": { imports: ["error-codes.ts"], outside: "nothing" },
  "worker-errors.ts": { imports: ["errors.ts"], outside: "nothing" },
  "store-errors.ts": { imports: ["errors.ts"], outside: "nothing" },
  "task/": {
    imports: ["error-codes.ts", "errors.ts", "worker-errors.ts", "store-errors.ts"],
    outside: "nothing",
  },
  "ports/": {
    imports: ["errors.ts", "worker-errors.ts", "store-errors.ts", "task/"],
    outside: "nothing",
  },
  // The collections know nothing of tasks.
  "core/collections/": { imports: ["errors.ts"], outside: "nothing" },
  "core/queue/": stageOfCore,
  "core/limiter/": stageOfCore,
  "core/events/": stageOfCore,
  "core/durable/": stageOfCore,
  "core/manager/": { imports: [...foundation, ...core], outside: "nothing" },
  "adapters/*/": { imports: [...foundation, "core/collections/"], outside: "node and one package" },
  "task-manager.ts": {
    imports: [
      ...foundation,
      ...core,
      "core/manager/",
      "adapters/diagnostics/",
      "adapters/logging/",
      "adapters/system/",
      "adapters/inline/",
      "adapters/threads/",
    ],
    outside: "nothing",
  },
  "index.ts": {
    imports: [...foundation, "core/manager/", "adapters/*/", "task-manager.ts"],
    outside: "nothing",
  },
  "testing/": {
    imports: ["errors.ts", "worker-errors.ts", "store-errors.ts", "ports/", "index.ts"],
    types: ["task/"],
    outside: "node",
  },
};

/** One line for each import that goes against the table. */
export function brokenLayers(all: readonly Source[]): readonly string[] {
  return all.flatMap((source) => {
    const stage = stageOf(source.path);
    if (!stage) return [`${source.path} belongs to no stage: put it into one, or add a stage to the table`];
    return importsOf(source).flatMap(({ specifier, line, typeOnly }) => {
      const complaint = isRelative(specifier)
        ? refuseStage(stage, stageOf(targetOf(source, specifier)), typeOnly)
        : refuseOutside(stage.rule.outside, specifier);
      return complaint ? [`${source.path}:${line} imports ${specifier}: ${complaint}`] : [];
    });
  });
}

/** One line for each adapter folder that rests on more than one package. */
export function crowdedAdapters(all: readonly Source[]): readonly string[] {
  const packages = new Map<string, Set<string>>();
  for (const source of all) {
    const folder = stageOf(source.path)?.name;
    if (!folder?.startsWith("adapters/")) continue;
    const known = packages.get(folder) ?? new Set<string>();
    packages.set(folder, known);
    for (const { specifier } of importsOf(source)) {
      if (!isRelative(specifier) && !specifier.startsWith("node:")) known.add(packageOf(specifier));
    }
  }
  return [...packages]
    .filter(([, names]) => names.size > 1)
    .map(([folder, names]) => `src/${folder} rests on ${[...names].sort().join(", ")}: one package a folder`);
}

/** Each cycle of imports once, as the list of files that leads back to its first. Types count. */
export function importCycles(all: readonly Source[]): readonly string[] {
  const targets = new Map(
    all.map((source) => [
      source.path,
      importsOf(source)
        .filter(({ specifier }) => isRelative(specifier))
        .map(({ specifier }) => targetOf(source, specifier)),
    ]),
  );
  const cycles: string[] = [];
  const finished = new Set<string>();
  const trail: string[] = [];

  const follow = (path: string): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) {
      cycles.push([...trail.slice(seenAt), path].join(" → "));
      return;
    }
    if (finished.has(path)) return;
    trail.push(path);
    for (const target of targets.get(path) ?? []) follow(target);
    trail.pop();
    finished.add(path);
  };

  for (const path of targets.keys()) follow(path);
  return cycles;
}

/** One line for each statement of an `index.ts` that is not a re-export. */
export function indexesThatDoMore(all: readonly Source[]): readonly string[] {
  return all
    .filter(({ path }) => /(^|\/)index\.ts$/.test(path))
    .flatMap((source) =>
      source.program.body
        .filter(
          (statement) =>
            statement.type !== "ExportAllDeclaration" &&
            !(statement.type === "ExportNamedDeclaration" && statement.source),
        )
        .map((statement) => `${placeOf(source, statement)} is not a re-export`),
    );
}

interface Stage {
  /** With the folder's own name where the pattern has a `*`: `adapters/system/`. */
  readonly name: string;
  readonly rule: Rule;
}

function stageOf(path: string): Stage | undefined {
  if (!path.startsWith("src/")) return undefined;
  const inSrc = path.slice("src/".length);
  for (const [pattern, rule] of Object.entries(rules)) {
    const name = matchingStart(inSrc, pattern);
    if (name !== undefined && (pattern.endsWith("/") || name === inSrc)) return { name, rule };
  }
  return undefined;
}

function matchingStart(text: string, pattern: string): string | undefined {
  const escaped = pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]+");
  return text.match(new RegExp(`^${escaped}`))?.[0];
}

function refuseStage(from: Stage, to: Stage | undefined, typeOnly: boolean): string | undefined {
  if (!to) return "it belongs to no stage of src";
  const allows = (patterns: readonly string[]) =>
    patterns.some((pattern) => matchingStart(to.name, pattern) === to.name);
  if (to.name === from.name || allows(from.rule.imports)) return undefined;
  if (!allows(from.rule.types ?? [])) return `${from.name} may not know ${to.name}`;
  return typeOnly ? undefined : `${from.name} may know only types of ${to.name}`;
}

function refuseOutside(allowed: Rule["outside"], specifier: string): string | undefined {
  if (allowed === "nothing") return "nothing from outside src is allowed here";
  if (allowed === "node" && !specifier.startsWith("node:")) return "only node: modules are allowed here";
  return undefined;
}
