import { describe, expect, test } from "vitest";
import { parseSource, readProjectFile } from "./sources.js";

/** The members of an exported interface, and of those that it extends. */
function membersOf(path: string, text: string, name: string): readonly string[] {
  for (const statement of parseSource(path, text).program.body) {
    if (statement.type !== "ExportNamedDeclaration") continue;
    const { declaration } = statement;
    if (declaration?.type !== "TSInterfaceDeclaration" || declaration.id.name !== name) continue;
    const inherited = declaration.extends.flatMap(({ expression }) =>
      expression.type === "Identifier" && expression.name !== "Omit"
        ? membersOf(path, text, expression.name)
        : [],
    );
    const own = declaration.body.body.flatMap((member) => {
      const isNamed = member.type === "TSPropertySignature" || member.type === "TSMethodSignature";
      return isNamed && member.key.type === "Identifier" ? [member.key.name] : [];
    });
    return [...inherited, ...new Set(own)]; // a method that is overloaded counts once
  }
  throw new Error(`${path} exports no interface ${name}`);
}

/** What an interface leaves out of the one that it extends: the literals of `extends Omit<Other, "one" | "two">`. */
function omittedBy(text: string, name: string): readonly string[] {
  const omitted = text.match(new RegExp(`interface ${name}\\s+extends Omit<\\w+,([^>]*)>`))?.[1] ?? "";
  return [...omitted.matchAll(/"(\w+)"/g)].map(([, member = ""]) => member);
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
  { marker: "manager-stats", path: "src/task/manager-stats.ts", name: "TaskManagerStats" },
  { marker: "manager-health", path: "src/task/manager-stats.ts", name: "TaskManagerHealth" },
  { marker: "hooks", path: "src/task/hooks.ts", name: "Hooks" },
  { marker: "redis-options", path: "src/adapters/redis/redis-options.ts", name: "RedisBackendOptions" },
];

/** Those whose members are those of a type in another file as well, except what they leave out of it. */
const derived = [
  {
    ...{ marker: "durable-options", path: "src/task/durable-task-options.ts", name: "DurableTaskOptions" },
    from: { path: "src/task/task-options.ts", name: "TaskOptions" },
  },
  {
    ...{ marker: "codec-options", path: "src/task/codec.ts", name: "CodecOptions" },
    from: { path: "src/task/codec.ts", name: "CodecPart" },
  },
];

describe("the README's tables of options, hooks, context and figures", () => {
  test.each(tables)("$marker has a row for each member of $name, and no other", ({ marker, path, name }) => {
    const members = membersOf(path, readProjectFile(path), name);
    expect([...rowsOf(readProjectFile("README.md"), marker)].sort()).toEqual([...members].sort());
  });

  test.each(derived)("$marker has a row for each member of $name, and no other", (table) => {
    const { from, marker, name, path } = table;
    const text = readProjectFile(path);
    const omitted = omittedBy(text, name);
    const inherited = membersOf(from.path, readProjectFile(from.path), from.name);
    const own = membersOf(path, text, name);
    const members = new Set([...own, ...inherited.filter((member) => !omitted.includes(member))]);
    expect([...rowsOf(readProjectFile("README.md"), marker)].sort()).toEqual([...members].sort());
  });

  test("would notice what is left out of an inherited type, and what is not", () => {
    const text = 'export interface A\n  extends Omit<B, "one" | "two"> { three?: number }';
    expect(omittedBy(text, "A")).toEqual(["one", "two"]);
    expect(omittedBy("export interface A extends B { one?: number }", "A")).toEqual([]);
    expect(membersOf("a.ts", text, "A")).toEqual(["three"]);
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
