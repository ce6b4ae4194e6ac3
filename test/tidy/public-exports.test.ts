import { existsSync, writeFileSync } from "node:fs";
import type { Node } from "oxc-parser";
import { describe, expect, test } from "vitest";
import { entryPoints } from "./entry-points.js";
import { targetOf } from "./imports.js";
import { parseSource, projectPath, readProjectFile, type Source, sources, walk } from "./sources.js";

const listed = "test/tidy/public-exports.txt";
const rewrites = "MILLRACE_REWRITE_PUBLIC_EXPORTS";

/** The names that a source exports, values and types, with those behind its `export *`. */
function exportedNames(path: string, all: readonly Source[]): readonly string[] {
  const source = all.find((each) => each.path === path);
  if (!source) throw new Error(`${path} is missing`);
  return source.program.body.flatMap((statement) => {
    switch (statement.type) {
      case "ExportAllDeclaration":
        if (statement.exported) return nameOf(statement.exported);
        return exportedNames(targetOf(source, statement.source.value), all).filter(
          (name) => name !== "default",
        );
      case "ExportNamedDeclaration": {
        const specifiers = statement.specifiers.flatMap(({ exported }) => nameOf(exported));
        return statement.declaration ? declaredNames(statement.declaration) : specifiers;
      }
      case "ExportDefaultDeclaration":
        return ["default"];
      default:
        return [];
    }
  });
}

function declaredNames(declaration: Node): readonly string[] {
  if (declaration.type !== "VariableDeclaration") {
    return "id" in declaration && declaration.id ? nameOf(declaration.id) : [];
  }
  const names: string[] = [];
  for (const { id } of declaration.declarations) {
    walk(id, (node, { key }) => {
      if (key === "key" || key === "typeAnnotation") return "skip";
      names.push(...nameOf(node));
      return undefined;
    });
  }
  return names;
}

function nameOf(node: Node): readonly string[] {
  if (node.type === "Identifier") return [node.name];
  return node.type === "Literal" ? [String(node.value)] : [];
}

function publicExports(): readonly string[] {
  const lines = entryPoints().flatMap(({ specifier, source }) =>
    exportedNames(source, sources("src")).map((name) => `${specifier} ${name}`),
  );
  return [...new Set(lines)].sort();
}

test(`the public names are those of ${listed}`, () => {
  const exported = publicExports();
  if (process.env[rewrites]) writeFileSync(projectPath(listed), `${exported.join("\n")}\n`);
  const known = existsSync(projectPath(listed)) ? readProjectFile(listed).trimEnd().split("\n") : [];
  const added = exported.filter((each) => !known.includes(each)).map((each) => `+ ${each}`);
  const removed = known.filter((each) => !exported.includes(each)).map((each) => `- ${each}`);
  expect(
    [...added, ...removed],
    `The public names have changed. If that is meant, say so in CHANGELOG.md and rewrite the list:
     ${rewrites}=1 npx vitest run test/tidy/public-exports.test.ts`,
  ).toEqual([]);
  expect(known, `${listed} is sorted and names nothing twice`).toEqual(exported);
});

describe("the reader of exports", () => {
  const all = [
    parseSource(
      "src/index.ts",
      `export * from "./a.js"; export type { Kind as Sort } from "./b.js"; export * as tools from "./b.js";
       export { default } from "./b.js";`,
    ),
    parseSource(
      "src/a.ts",
      `export const first = 1, { second, from: [third] } = call(); export class Fourth {} export interface Fifth {}
       export type Sixth = 1; export function seventh() {} export { x as eighth }; const hidden = 1, x = 2;
       export default 1;`,
    ),
    parseSource("src/b.ts", "export interface Kind {} export default 1;"),
  ];

  test("finds values and types, renamed ones and those behind a star", () => {
    expect([...exportedNames("src/index.ts", all)].sort()).toEqual([
      ...[
        "Fifth",
        "Fourth",
        "Sixth",
        "Sort",
        "default",
        "eighth",
        "first",
        "second",
        "seventh",
        "third",
        "tools",
      ],
    ]);
  });

  test("fails when the source of an entry point is missing", () => {
    expect(() => exportedNames("src/none.ts", all)).toThrow("src/none.ts is missing");
  });
});
