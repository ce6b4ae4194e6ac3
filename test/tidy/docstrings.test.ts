import { describe, expect, test } from "vitest";
import { parseSource, readProjectFile, type Source, sources } from "./sources.js";

/** Declarations of these names that no documenting comment stands before, however many overloads there are. */
function undocumented({ path, program, comments, text }: Source, names: ReadonlySet<string>): string[] {
  const documented = new Set<string>();
  const found = new Set<string>();
  for (const statement of program.body) {
    if (statement.type !== "ExportNamedDeclaration" || !statement.declaration) continue;
    const { declaration } = statement;
    const declared =
      declaration.type === "VariableDeclaration"
        ? declaration.declarations.map(({ id }) => (id.type === "Identifier" ? id.name : ""))
        : ["id" in declaration && declaration.id?.type === "Identifier" ? declaration.id.name : ""];
    const isDocumented = comments.some(
      ({ type, value, end }) =>
        type === "Block" &&
        value.startsWith("*") &&
        /^\s*(\/\/[^\n]*\n\s*)*$/.test(text.slice(end, Math.max(end, statement.start))) &&
        end <= statement.start,
    );
    for (const name of declared) {
      if (!names.has(name)) continue;
      found.add(name);
      if (isDocumented) documented.add(name);
    }
  }
  return [...found].filter((name) => !documented.has(name)).map((name) => `${path}: ${name}`);
}

test("everything public says what it is", () => {
  const listed = readProjectFile("test/tidy/public-exports.txt").trimEnd().split("\n");
  const names = new Set(listed.map((line) => line.split(" ")[1] ?? ""));
  expect(names.size).toBeGreaterThan(100);
  expect(sources("src").flatMap((source) => undocumented(source, names))).toEqual([]);
});

describe("the finder of what says nothing", () => {
  test("sees a comment before a declaration or the first of several, and no other kind of comment", () => {
    const source = parseSource(
      "src/a.ts",
      `/** Says it. */ export const one = 1;
       export const two = 2;
       // Says it, but to nobody's editor.
       export interface Three {}
       /** Says it. */
       // lint: this is fine
       export function four(a: 1): void;
       export function four(a: 2): void;
       /** Of what is between. */ const between = 1;
       export class Five {}
       export class Hidden {}`,
    );
    const names = new Set(["one", "two", "Three", "four", "Five"]);
    expect(undocumented(source, names)).toEqual(["src/a.ts: two", "src/a.ts: Three", "src/a.ts: Five"]);
  });
});
