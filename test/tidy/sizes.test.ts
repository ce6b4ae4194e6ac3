import type { Node } from "oxc-parser";
import { describe, expect, test } from "vitest";
import { lineAt, parseSource, type Source, sources, walk } from "./sources.js";

/** A file has fewer lines than this, and so has a function; a line of text has at most this many columns. */
const limits = { fileLines: 300, functionLines: 70, lineColumns: 110 };

/**
 * What may be larger: `src/x.ts` for a file, `src/x.ts#name` for a function, `src/x.ts columns` for its lines.
 * A ratchet: what shrinks must take its new size here, or leave when it keeps the limit.
 */
const exceptions: Readonly<Record<string, Exception>> = {
  "src/task-manager.ts": { size: 362, reason: "the one class that users call: most of it is what they read" },
};

interface Exception {
  readonly size: number;
  readonly reason: string;
}

interface Measure {
  /** The key of its exception. */
  readonly what: string;
  /** Line numbers, for whoever has to find it. */
  readonly at: readonly number[];
  readonly size: number;
  readonly tooLarge: boolean;
}

function measure(source: Source): readonly Measure[] {
  const lines = source.text.replace(/\n$/, "").split("\n");
  const columns = Math.max(...lines.map((each) => each.length));
  const long = lines.flatMap((each, index) => (each.length > limits.lineColumns ? [index + 1] : []));
  return [
    { what: source.path, at: [1], size: lines.length, tooLarge: lines.length >= limits.fileLines },
    { what: `${source.path} columns`, at: long, size: columns, tooLarge: long.length > 0 },
    ...measureFunctions(source),
  ];
}

function measureFunctions(source: Source): readonly Measure[] {
  const found: Measure[] = [];
  walk(source.program, (node, { parent }) => {
    const isFunction =
      node.type === "FunctionDeclaration" ||
      node.type === "FunctionExpression" ||
      node.type === "ArrowFunctionExpression";
    if (isFunction) {
      const line = lineAt(source, node.start);
      const size = lineAt(source, node.end) - line + 1;
      const what = `${source.path}#${nameOf(node, parent)}`;
      found.push({ what, at: [line], size, tooLarge: size >= limits.functionLines });
    }
    return undefined;
  });
  return found;
}

function nameOf(node: Node, parent: Node | undefined): string {
  for (const each of [node, parent]) {
    const name: unknown = each && ("key" in each ? each.key : "id" in each ? each.id : undefined);
    if (typeof name === "object" && name && "name" in name) return String(name.name);
  }
  return "anonymous";
}

/** One line for whatever is too large without an exception, or has an exception that no longer fits it. */
function complaints(all: readonly Source[], allowed: Readonly<Record<string, Exception>>): readonly string[] {
  const tooLarge = all.flatMap(measure).filter((each) => each.tooLarge);
  const unexpected = tooLarge
    .filter(({ what, size }) => allowed[what]?.size !== size)
    .map(({ what, at, size }) => {
      const excused = allowed[what] ? `its exception says ${allowed[what].size}` : "without an exception";
      return `${what}: ${size} at line ${at.join(", ")}, ${excused}`;
    });
  const known = new Set(tooLarge.map(({ what }) => what));
  const needless = Object.keys(allowed)
    .filter((what) => !known.has(what))
    .map((what) => `${what} is no longer too large: remove its exception`);
  return [...unexpected, ...needless];
}

test("files, functions and lines are small, or have an exception that fits", () => {
  expect(complaints(sources("src"), exceptions)).toEqual([]);
});

describe("the check of sizes reports", () => {
  const statements = (count: number) => "call();\n".repeat(count);
  const sample = (text: string) => [parseSource("src/x.ts", text)];

  test("a file of 300 lines, and accepts one of 299", () => {
    expect(complaints(sample(statements(300)), {})).toEqual([
      "src/x.ts: 300 at line 1, without an exception",
    ]);
    expect(complaints(sample(statements(299)), {})).toEqual([]);
  });

  test("a function of 70 lines in any form, and accepts one of 69", () => {
    const ofLines = (count: number) => `{\n${statements(count - 2)}}`;
    const forms = (count: number) => [
      `function long() ${ofLines(count)}`,
      `const long = () => ${ofLines(count)};`,
      `class X { long() ${ofLines(count)} }`,
      `class X { #long = async () => ${ofLines(count)}; }`,
      `const object = { get long() ${ofLines(count)} };`,
    ];
    for (const form of forms(70)) {
      expect(complaints(sample(form), {})).toEqual(["src/x.ts#long: 70 at line 1, without an exception"]);
    }
    for (const form of forms(69)) expect(complaints(sample(form), {})).toEqual([]);
  });

  test("a line of 111 columns, and accepts one of 110", () => {
    const comment = (columns: number) => `//${"x".repeat(columns - 2)}\n`;
    expect(complaints(sample(comment(111)), {})).toHaveLength(1);
    expect(complaints(sample(comment(110)), {})).toEqual([]);
  });

  test("an exception that is no longer needed, or larger than what it excuses", () => {
    const needless = { "src/x.ts": { size: 400, reason: "a sample" } };
    expect(complaints(sample(statements(10)), needless)).toEqual([
      "src/x.ts is no longer too large: remove its exception",
    ]);
    expect(complaints(sample(statements(350)), needless)).toEqual([
      "src/x.ts: 350 at line 1, its exception says 400",
    ]);
    expect(complaints(sample(statements(400)), needless)).toEqual([]);
  });
});
