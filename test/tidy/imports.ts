import { posix } from "node:path";
import type { ImportDeclaration, Node } from "oxc-parser";
import { lineAt, type Source, walk } from "./sources.js";

/** One place where a source names another module. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Nothing of it is left when types are stripped. */
  readonly typeOnly: boolean;
}

/** Every import of a source: static, re-export, dynamic, `import("x")` in a type, `require("x")`. */
export function importsOf(source: Source): readonly Import[] {
  const found: Import[] = [];
  walk(source.program, (node) => {
    const named = moduleNamedBy(node);
    if (named) found.push({ ...named, line: lineAt(source, node.start) });
    return undefined;
  });
  return found;
}

/** The path of the source that a relative import means, from the project's root. */
export function targetOf(from: Source, specifier: string): string {
  return posix.join(posix.dirname(from.path), specifier).replace(/\.([cm]?)js$/, ".$1ts");
}

/** `tinypool` for `tinypool/worker`, `@scope/name` for `@scope/name/part`. */
export function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

export const isRelative = (specifier: string): boolean => /^\.{1,2}(\/|$)/.test(specifier);

function moduleNamedBy(node: Node): Omit<Import, "line"> | undefined {
  switch (node.type) {
    case "ImportDeclaration":
      return { specifier: node.source.value, typeOnly: bringsTypesOnly(node) };
    case "ExportAllDeclaration":
      return { specifier: node.source.value, typeOnly: node.exportKind === "type" };
    case "ExportNamedDeclaration":
      if (!node.source) return undefined;
      return {
        specifier: node.source.value,
        typeOnly: node.exportKind === "type" || allTypes(node.specifiers.map((each) => each.exportKind)),
      };
    case "TSImportType":
      return { specifier: node.source.value, typeOnly: true };
    case "TSExternalModuleReference":
      return { specifier: node.expression.value, typeOnly: false };
    case "ImportExpression":
      return literal(node.source);
    case "CallExpression":
      return node.callee.type === "Identifier" && node.callee.name === "require"
        ? literal(node.arguments[0])
        : undefined;
    default:
      return undefined;
  }
}

function bringsTypesOnly(node: ImportDeclaration): boolean {
  if (node.importKind === "type") return true;
  return allTypes(
    node.specifiers.map((each) => (each.type === "ImportSpecifier" ? each.importKind : "value")),
  );
}

function allTypes(kinds: readonly (string | undefined)[]): boolean {
  return kinds.length > 0 && kinds.every((kind) => kind === "type");
}

function literal(node: Node | undefined): Omit<Import, "line"> | undefined {
  const isText = node?.type === "Literal" && typeof node.value === "string";
  return isText ? { specifier: String(node.value), typeOnly: false } : undefined;
}
