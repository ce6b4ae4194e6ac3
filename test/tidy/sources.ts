import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Comment, type Node, type Program, parseSync, visitorKeys } from "oxc-parser";

/** A source file, read and parsed once for all the tests of one test file. */
export interface Source {
  /** From the project's root, with forward slashes: `src/core/queue/ready-queue.ts`. */
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly comments: readonly Comment[];
}

/** Where a node hangs in its parent: under which of the parent's keys. */
export interface Seat {
  readonly parent: Node | undefined;
  readonly key: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const sourcesOfFolder = new Map<string, readonly Source[]>();

/** The text of a file of the project, named from its root. */
export function readProjectFile(path: string): string {
  return readFileSync(`${root}${path}`, "utf8");
}

/** An absolute path for a file of the project, named from its root. */
export function projectPath(path: string): string {
  return `${root}${path}`;
}

/** Paths of the program files under a folder of the project, sorted; no build output, nothing installed. */
export function programFiles(folder: string): readonly string[] {
  const found: string[] = [];
  for (const entry of readdirSync(`${root}${folder}`, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name !== "node_modules" && entry.name !== "dist") found.push(...programFiles(path));
    } else if (/\.[cm]?[jt]s$/.test(entry.name)) {
      found.push(path);
    }
  }
  return found.sort();
}

/** The parsed program files under a folder of the project. */
export function sources(folder: string): readonly Source[] {
  const known = sourcesOfFolder.get(folder);
  if (known) return known;
  const read = programFiles(folder).map((path) => parseSource(path, readProjectFile(path)));
  sourcesOfFolder.set(folder, read);
  return read;
}

/** Parses a text as if it stood at `path`. For the bad samples by which a test shows that it can fail. */
export function parseSource(path: string, text: string): Source {
  const parsed = parseSync(path, text, { sourceType: /\.c[jt]s$/.test(path) ? "commonjs" : "module" });
  const [error] = parsed.errors;
  if (error) throw new SyntaxError(`${path}: ${error.message}\n${error.codeframe ?? ""}`);
  return {
    path,
    text,
    get program() {
      return parsed.program; // takes longer than all else, and is asked of half of the files alone
    },
    comments: parsed.comments,
  };
}

/** The line, counted from 1, on which an offset lies. */
export function lineAt(source: Source, offset: number): number {
  return source.text.slice(0, offset).split("\n").length;
}

/** `path:line`, as editors and terminals understand it. */
export function placeOf(source: Source, at: { readonly start: number }): string {
  return `${source.path}:${lineAt(source, at.start)}`;
}

/** Visits a node and all below it, parents first. What is below a node is skipped when the visitor says "skip". */
export function walk(
  start: Node,
  visit: (node: Node, seat: Seat) => "skip" | undefined,
  seat: Seat = { parent: undefined, key: "" },
): void {
  if (visit(start, seat) === "skip") return;
  for (const key of visitorKeys[start.type] ?? []) {
    const below: unknown = start[key as keyof Node];
    for (const child of Array.isArray(below) ? below : [below]) {
      if (isNode(child)) walk(child, visit, { parent: start, key });
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}
