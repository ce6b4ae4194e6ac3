import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { entryPoints, readManifest } from "./entry-points.js";
import { importsOf, isRelative, packageOf } from "./imports.js";
import { parseSource, projectPath, readProjectFile, type Source, sources } from "./sources.js";

function packagesImportedBy(all: readonly Source[]): readonly string[] {
  const named = all
    .flatMap(importsOf)
    .filter(({ specifier }) => !isRelative(specifier) && !specifier.startsWith("node:"))
    .map(({ specifier }) => packageOf(specifier));
  return [...new Set(named)].sort();
}

/** The scripts that a text tells its reader to run; those of other folders (`npm --prefix`) are not ours. */
function scriptsNamedIn(text: string): readonly string[] {
  return [...text.matchAll(/\bnpm run (?:-\S+ )*([\w:-]+)/g)].map(([, script]) => script ?? "");
}

describe("package.json", () => {
  test("exports what has a source, types first, and nothing by the condition import", () => {
    for (const { specifier, targets, source } of entryPoints()) {
      expect(Object.keys(targets), specifier).toEqual(["types", "default"]);
      expect(targets.types, specifier).toBe(targets.default?.replace(/\.js$/, ".d.ts"));
      expect(existsSync(projectPath(source)), `${specifier} leads to ${source}`).toBe(true);
    }
  });

  test("has every script that the README names", () => {
    const missing = scriptsNamedIn(readProjectFile("README.md")).filter(
      (each) => !readManifest().scripts[each],
    );
    expect(missing).toEqual([]);
  });

  test("depends on what src imports, and on nothing else", () => {
    const { dependencies = {}, peerDependencies = {} } = readManifest();
    const imported = packagesImportedBy(sources("src"));
    expect(Object.keys(dependencies).filter((each) => !imported.includes(each))).toEqual([]);
    const declared = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
    expect(imported.filter((each) => !declared.has(each))).toEqual([]);
  });

  test("forces no peer on anybody: each is optional, and no entry point imports it", () => {
    const { peerDependencies = {}, peerDependenciesMeta = {}, dependencies = {} } = readManifest();
    const peers = Object.keys(peerDependencies);
    expect(peers).toContain("@opentelemetry/api");
    expect(peers.filter((each) => peerDependenciesMeta[each]?.optional !== true)).toEqual([]);
    expect(peers.filter((each) => each in dependencies)).toEqual([]);
    const loaded = sources("src").flatMap((source) =>
      importsOf(source).filter(
        ({ typeOnly, specifier }) => !typeOnly && peers.includes(packageOf(specifier)),
      ),
    );
    // By `require`, in a function that says how to install it.
    expect(loaded.map(({ specifier }) => specifier)).toEqual(["@opentelemetry/api", "ioredis"]);
  });

  test("runs nothing on the machine that installs it", () => {
    const { scripts } = readManifest();
    const onInstall = [
      "preinstall",
      "install",
      "postinstall",
      "prepublish",
      "preprepare",
      "prepare",
      "postprepare",
    ];
    expect(onInstall.filter((each) => scripts[each])).toEqual([]);
  });
});

describe("the check of package.json", () => {
  test("finds the packages that a source imports", () => {
    const source = parseSource(
      "src/adapters/x/x.ts",
      `import { Pool } from "tinypool/lib"; import "node:fs"; import "./y.js";
       import type { A } from "@scope/name/part"; const z = createRequire(here)("no"), y = require("ioredis");`,
    );
    expect(packagesImportedBy([source])).toEqual(["@scope/name", "ioredis", "tinypool"]);
  });

  test("finds the scripts that a text names", () => {
    const text = "Run `npm run demo`, `npm run -s bench:all -- --quick` or `npm --prefix bench run other`.";
    expect(scriptsNamedIn(text)).toEqual(["demo", "bench:all"]);
  });
});
