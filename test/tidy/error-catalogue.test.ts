import type { Class, Program } from "oxc-parser";
import { describe, expect, test } from "vitest";
import { parseSource, readProjectFile, sources } from "./sources.js";

interface CataloguedError {
  readonly className: string;
  readonly code: string | undefined;
}

/** The error classes that a source exports, abstract ones left out. */
function errorClasses(program: Program): readonly CataloguedError[] {
  return program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration") return [];
    const { declaration } = statement;
    if (declaration?.type !== "ClassDeclaration" || declaration.abstract) return [];
    return [{ className: declaration.id?.name ?? "", code: codeOf(declaration) }];
  });
}

function codeOf(declaration: Class): string | undefined {
  for (const member of declaration.body.body) {
    const isCode =
      member.type === "PropertyDefinition" && member.key.type === "Identifier" && member.key.name === "code";
    if (isCode && member.value?.type === "Literal") return String(member.value.value);
  }
  return undefined;
}

/** The members of the union `MillraceErrorCode`. */
function declaredCodes(program: Program): readonly string[] {
  return program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration") return [];
    const { declaration } = statement;
    if (declaration?.type !== "TSTypeAliasDeclaration") return [];
    if (declaration.id.name !== "MillraceErrorCode") return [];
    const type = declaration.typeAnnotation;
    return (type.type === "TSUnionType" ? type.types : [type]).flatMap((member) =>
      member.type === "TSLiteralType" && member.literal.type === "Literal"
        ? [String(member.literal.value)]
        : [],
    );
  });
}

/** The rows of the table between the markers, each with its meaning. */
function tableRows(readme: string): readonly (CataloguedError & { readonly meaning: string })[] {
  const table = readme.match(/<!-- errors -->\n([\s\S]*?)<!-- \/errors -->/)?.[1] ?? "";
  const rows = table.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) => {
    const [className, code, meaning] = row.match(/^\| `(\w+)` +\| `(\w+)` +\| (.+) \|$/)?.slice(1) ?? [
      row,
      "",
      "",
    ];
    return { className: className ?? "", code, meaning: meaning?.trim() ?? "" };
  });
}

const files = ["src/error-codes.ts", "src/errors.ts", "src/worker-errors.ts", "src/store-errors.ts"];

/** What a reader of sources finds in all files of the catalogue together. */
function inCatalogue<T>(read: (program: Program) => readonly T[]): readonly T[] {
  return files.flatMap((file) => {
    const source = sources("src").find(({ path }) => path === file);
    if (!source) throw new Error(`${file} is missing`);
    return read(source.program);
  });
}

const byName = (a: CataloguedError, b: CataloguedError) => (a.className < b.className ? -1 : 1);

describe("the catalogue of errors", () => {
  test("gives each class a code of its own, and no code without a class", () => {
    const codes = inCatalogue(errorClasses).map(({ code }) => code);
    expect(codes).toEqual([...new Set(codes)]);
    expect([...codes].sort()).toEqual([...inCatalogue(declaredCodes)].sort());
  });

  test("names its classes and codes in one manner", () => {
    for (const { className, code } of inCatalogue(errorClasses)) {
      expect(className).toMatch(/^[A-Z]\w+Error$/);
      expect(code, className).toMatch(/^MILLRACE_[A-Z]+(_[A-Z]+)*$/);
    }
  });

  test("equals the table of errors in the README", () => {
    const rows = tableRows(readProjectFile("README.md"));
    const told = rows.map(({ className, code }) => ({ className, code }));
    expect([...told].sort(byName)).toEqual([...inCatalogue(errorClasses)].sort(byName));
    for (const { className, meaning } of rows) expect(meaning, className).not.toBe("");
  });
});

describe("the check of the catalogue", () => {
  test("reads classes, codes and rows", () => {
    const { program } = parseSource(
      "src/errors.ts",
      `export type MillraceErrorCode = "A" | "B";
       export abstract class BaseError extends Error { abstract readonly code: MillraceErrorCode; }
       export class FirstError extends BaseError { readonly code = "A"; }
       export class NamelessError extends BaseError {}
       class InternalError extends BaseError { readonly code = "B"; }`,
    );
    expect(errorClasses(program)).toEqual([
      { className: "FirstError", code: "A" },
      { className: "NamelessError", code: undefined },
    ]);
    expect(declaredCodes(program)).toEqual(["A", "B"]);
  });

  test("sees rows that are malformed or outside the markers", () => {
    const table = [
      "| `OutsideError` | `X` | no |",
      "<!-- errors -->",
      "| class | code | meaning |",
      "|---|---|---|",
      "| `FirstError`   | `A`  | the first, `a` \\| b |",
      "| SecondError | `B` | without ticks |",
      "<!-- /errors -->",
    ].join("\n");
    expect(tableRows(table)).toEqual([
      { className: "FirstError", code: "A", meaning: "the first, `a` \\| b" },
      { className: "| SecondError | `B` | without ticks |", code: "", meaning: "" },
    ]);
  });
});
