import { describe, expect, test } from "vitest";
import { parseSource, readProjectFile } from "./sources.js";

/** The members of an exported interface, and of those that it extends. */
function membersOf(path: string, text: string, name: string): readonly string[] {
  for (const statement of parseSource(path, text).program.body) {
    if (statement.type !== "ExportNamedDeclaration") continue;
    const { declaration } = statement;
    if (declaration?.type !== "TSInterfaceDeclaration" || declaration.id.name !== name) continue;
    const inherited = declaration.extends.flatMap(({ expression }) =>
      expression.type === "Identifier" ? membersOf(path, text, expression.name) : [],
    );
    const own = declaration.body.body.flatMap((member) => {
      const isNamed = member.type === "TSPropertySignature" || member.type === "TSMethodSignature";
      return isNamed && member.key.type === "Identifier" ? [member.key.name] : [];
    });
    return [...inherited, ...new Set(own)]; // a method that is overloaded counts once
  }
  throw new Error(`${path} exports no interface ${name}`);
}

/** The names in the first column of the table between two markers; a row may name several, or show a call. */
function rowsOf(readme: string, marker: string): readonly string[] {
  const table = readme.match(new RegExp(`<!-- ${marker} -->([\\s\\S]*?)<!-- /${marker} -->`))?.[1] ?? "";
  const cells = table.split("\n").flatMap((line) => line.match(/^\| (`[^|]+`) +\|/)?.[1] ?? []);
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)(?:\(.*?\))?`/g)].map(([, name = ""]) => name));
}

const tables = [
  { marker: "manager-options", path: "src/core/manager/options.ts", name: "TaskManagerOptions" },
  { marker: "retention-options", path: "src/core/manager/options.ts", name: "RetentionOptions" },
  { marker: "thread-options", path: "src/task/thread-options.ts", name: "ThreadOptions" },
  { marker: "subscribe-options", path: "src/task/subscription.ts", name: "SubscribeOptions" },
  { marker: "task-options", path: "src/task/task-options.ts", name: "TaskOptions" },
  { marker: "handler-options", path: "src/task/handler-definition.ts", name: "HandlerEntry" },
  { marker: "task-context", path: "src/task/task-context.ts", name: "TaskContext" },
  { marker: "hooks", path: "src/task/hooks.ts", name: "Hooks" },
];

describe("the README's tables of options, hooks and context", () => {
  test.each(tables)("$marker has a row for each member of $name, and no other", ({ marker, path, name }) => {
    const members = membersOf(path, readProjectFile(path), name);
    expect([...rowsOf(readProjectFile("README.md"), marker)].sort()).toEqual([...members].sort());
  });

  test("would notice a missing row", () => {
    const members = membersOf("a.ts", "export interface A { one?: number; two?: number }", "A");
    const readme = "<!-- a -->\n| option |\n|---|\n| `one(task, { two })` | x |\n<!-- /a -->";
    expect(members).toEqual(["one", "two"]);
    const extended = "export interface A { one?: number } export interface B extends A { two?: number }";
    expect(membersOf("a.ts", extended, "B")).toEqual(["one", "two"]);
    expect(rowsOf(readme, "a")).toEqual(["one"]);
  });
});
