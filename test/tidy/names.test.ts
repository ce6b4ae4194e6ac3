import type { Class, Node, Program } from "oxc-parser";
import { describe, expect, test } from "vitest";
import { parseSource, placeOf, programFiles, type Source, sources, walk } from "./sources.js";

/** Words that no name a user sees may hold, each with the word to use in its place. */
const bannedWords: Readonly<Record<string, string>> = {
  job: "task",
  processor: "handler",
  retries: "attempts",
  tries: "attempts",
  requeue: "retry, or give back",
  cooldown: "backoff",
  submit: "enqueue",
  pending: "scheduled, queued or running",
  orphaned: "lease lost, or expired",
  stalled: "lease lost, or expired",
  stuck: "lease lost, or expired",
  morgue: "dead letters",
  archive: "dead letters",
  resurrect: "replay",
};

const bannedWordsOfFiles = new Set([
  "util",
  "utils",
  "utility",
  "utilities",
  "helper",
  "helpers",
  "common",
  "misc",
  "base",
  "data",
  "info",
]);

/** `tasksPerSecond` → tasks, per, second; `MILLRACE_QUEUE_FULL` and `drop-oldest` likewise. */
function wordsOf(name: string): readonly string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

/** The banned word that a word is a form of: jobs, submitted, archives, requeueing. */
function bannedFormOf(word: string): string | undefined {
  return Object.keys(bannedWords).find((banned) => {
    const stem = banned.replace(/e$/, "");
    return (
      word === banned ||
      (word.startsWith(stem) && /^(e?s|e?d|t?ed|e?ing|ting)$/.test(word.slice(stem.length)))
    );
  });
}

interface Name {
  readonly text: string;
  readonly start: number;
}

/** Names that a user of the source can come to see: of its exports, and of the public members of these. */
function visibleNames(program: Program): readonly Name[] {
  return program.body.flatMap((statement) => {
    if (statement.type === "ExportDefaultDeclaration") return namesWithin(statement.declaration);
    if (statement.type !== "ExportNamedDeclaration") return [];
    const specifiers = statement.specifiers.flatMap(({ exported }) => nameOf(exported));
    return statement.declaration ? [...specifiers, ...namesWithin(statement.declaration)] : specifiers;
  });
}

function namesWithin(declaration: Node): readonly Name[] {
  switch (declaration.type) {
    case "ClassDeclaration":
    case "ClassExpression":
      return namesOfClass(declaration);
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return namesOfType(declaration);
    case "VariableDeclaration":
      return declaration.declarations.flatMap(({ id }) => namesOfPattern(id));
    default:
      return "id" in declaration && declaration.id ? nameOf(declaration.id) : [];
  }
}

function namesOfClass(declaration: Class): readonly Name[] {
  const members = declaration.body.body.flatMap((member) => {
    const isPublic = "key" in member && member.accessibility !== "private" && !isInternal(member.key);
    return isPublic ? nameOf(member.key) : [];
  });
  return [...(declaration.id ? nameOf(declaration.id) : []), ...members];
}

function isInternal(key: Node): boolean {
  return key.type === "PrivateIdentifier";
}

/** The type's own name, its members at any depth, and the strings it admits: states, reasons, choices. */
function namesOfType(declaration: Node): readonly Name[] {
  const names: Name[] = [];
  walk(declaration, (node, { parent, key }) => {
    const isMember = key === "key" && parent?.type !== "TSMappedType";
    const isOwnName = key === "id" && parent === declaration;
    const isChoice = node.type === "Literal" && parent?.type === "TSLiteralType";
    if (isMember || isOwnName || isChoice) names.push(...nameOf(node));
    return undefined;
  });
  return names;
}

function namesOfPattern(pattern: Node): readonly Name[] {
  const names: Name[] = [];
  walk(pattern, (node, { key }) => {
    if (key === "key" || key === "typeAnnotation") return "skip";
    names.push(...nameOf(node));
    return undefined;
  });
  return names;
}

function nameOf(node: Node): readonly Name[] {
  if (node.type === "Identifier") return [{ text: node.name, start: node.start }];
  const isText = node.type === "Literal" && typeof node.value === "string";
  return isText ? [{ text: String(node.value), start: node.start }] : [];
}

/** One line for each visible name that holds a banned word. */
function badNames(source: Source): readonly string[] {
  return visibleNames(source.program).flatMap((name) =>
    wordsOf(name.text).flatMap((word) => {
      const banned = bannedFormOf(word);
      if (!banned) return [];
      return [`${placeOf(source, name)} ${name.text}: instead of ${word}, say ${bannedWords[banned]}`];
    }),
  );
}

/** One line for each path whose names are not kebab-case or say nothing. */
function badPaths(paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => {
    const names = path.split("/");
    const isKebab = names.every((name) =>
      /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.config|\.d)?(\.[cm]?[jt]s)?$/.test(name),
    );
    if (!isKebab) return [`${path} is not kebab-case`];
    const empty = names.flatMap((name) => wordsOf(name)).find((word) => bannedWordsOfFiles.has(word));
    return empty ? [`${path} says nothing with ${empty}`] : [];
  });
}

/** One line for each way around the type checker, and for each note of work left undone. */
function loopholes(source: Source): readonly string[] {
  const found: string[] = [];
  if (/\bany\b/.test(withoutComments(source)))
    walk(source.program, (node) => {
      if (node.type === "TSAnyKeyword") found.push(`${placeOf(source, node)} any`);
      return undefined;
    });
  for (const comment of source.comments) {
    const word = comment.value.match(/@ts-(?:ignore|nocheck)\b|\b(?:TODO|FIXME|XXX)\b/);
    if (word) found.push(`${placeOf(source, comment)} ${word[0]}`);
  }
  return found;
}

function withoutComments({ text, comments }: Source): string {
  let rest = "";
  let end = 0;
  for (const comment of comments) {
    rest += `${text.slice(end, comment.start)} `;
    end = comment.end;
  }
  return rest + text.slice(end);
}

test("visible names use one word for each thing", () => {
  expect(sources("src").flatMap(badNames)).toEqual([]);
});

test("file and folder names are kebab-case and say what is inside", () => {
  expect(badPaths(["src", "test", "bench", "examples"].flatMap(programFiles))).toEqual([]);
});

test("no type is any, no check is silenced, nothing is left for later", () => {
  expect([...sources("src"), ...sources("test")].flatMap(loopholes)).toEqual([]);
});

describe("the check of names", () => {
  test.each([
    "export interface JobOptions {}",
    "export interface Stats { readonly pendingTasks: number }",
    "export interface Stats { readonly tasks: { readonly stalled: number } }",
    `export type TaskState = "queued" | "pending";`,
    "export type Options = { maxRetries?: number };",
    "export class Manager { submitTask(): void {} }",
    "export class Manager { get archived(): number { return 1; } }",
    "export abstract class Store { abstract requeued: number; }",
    "export function isOrphaned() {}",
    "export const cooldownMs = 1;",
    "export const { defaultRetries } = options;",
    "const x = 1; export { x as processors };",
    `export { x as tries } from "./x.js";`,
    "export default class Morgue {}",
  ])("reports %s", (text) => {
    expect(badNames(parseSource("src/x.ts", text))).toHaveLength(1);
  });

  test.each([
    "interface JobOptions {}",
    "export class Manager { #pending = 1; private retries = 2; }",
    "export function retry(pending: number) { const job = pending; return job; }",
    "export interface Entries { entries(): number; performance: number; submarine: number; archipelago: 1 }",
    "export const kept = { pending: 1 };",
    `export const message = "no pending job";`,
  ])("accepts %s", (text) => {
    expect(badNames(parseSource("src/x.ts", text))).toEqual([]);
  });

  test("says where, and which word to use", () => {
    const source = parseSource("src/x.ts", "\nexport interface Stats { readonly failedJobs: number }");
    expect(badNames(source)).toEqual(["src/x.ts:2 failedJobs: instead of jobs, say task"]);
  });
});

test("the check of file names tells good ones from bad ones", () => {
  const good = ["src/task/task-event.ts", "test/tidy/names.test.ts", "bench/peers.d.ts", "src/database.ts"];
  expect(badPaths(good)).toEqual([]);
  const bad = [
    "src/taskEvent.ts",
    "src/Task.ts",
    "src/task_event.ts",
    "src/string-utils.ts",
    "src/common/x.ts",
  ];
  expect(badPaths(bad)).toHaveLength(bad.length);
});

test("the check of loopholes tells good sources from bad ones", () => {
  const bad = [
    "const x = y as any;",
    "function f(x: any) {}",
    "type X = Record<string, any>;",
    "// @ts-ignore\ncall();",
    "/* @ts-nocheck */",
    "call(); // TODO: later",
    "/** FIXME */",
  ];
  for (const text of bad) expect(loopholes(parseSource("src/x.ts", text))).toHaveLength(1);
  const good = [
    "const any = 1;",
    `const text = "TODO: any";`,
    "// any task\n// @ts-expect-error a bad sample",
  ];
  for (const text of good) expect(loopholes(parseSource("src/x.ts", text))).toEqual([]);
});
