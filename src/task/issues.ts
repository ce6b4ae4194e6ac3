import type { IssueList, ValueIssue } from "../errors.js";

const MAX_ISSUES = 100;
const MAX_MESSAGE = 500;
/** The longest path that is told. */
export const MAX_PATH = 200;
const TOLD_ISSUES = 3;
const PLAIN_KEY = /^[A-Za-z_$][\w$]{0,127}$/;
const INDEX = /^(0|[1-9]\d{0,15})$/;

/** Reads the issues of a schema, which is foreign code; what cannot be read is told as such. */
export function toIssueList(root: string, given: readonly unknown[]): IssueList {
  const { kept, count } = readIssues(root, given);
  const issues = kept.length === 0 ? [{ message: "refused without a reason", path: root }] : kept;
  for (const issue of issues) Object.freeze(issue);
  return { issues: Object.freeze(issues), omittedIssues: Math.max(0, count - kept.length) };
}

function readIssues(root: string, given: readonly unknown[]): { kept: ValueIssue[]; count: number } {
  const kept: ValueIssue[] = [];
  try {
    const count = given.length;
    while (kept.length < Math.min(count, MAX_ISSUES)) kept.push(toIssue(root, given[kept.length]));
    return { kept, count };
  } catch {
    return { kept, count: kept.length };
  }
}

/** The first three issues in a sentence, and how many more there are. */
export function tellIssues({ issues, omittedIssues }: IssueList): string {
  const told = issues.slice(0, TOLD_ISSUES).map(({ path, message }) => `${path}: ${message}`);
  const more = issues.length - told.length + omittedIssues;
  return more === 0 ? told.join("; ") : `${told.join("; ")}; and ${more} more`;
}

function toIssue(root: string, issue: unknown): ValueIssue {
  try {
    const { message, path } = issue as { message?: unknown; path?: unknown };
    return { message: shorten(String(message), MAX_MESSAGE), path: toPath(root, path) };
  } catch {
    return { message: "an issue that cannot be read", path: root };
  }
}

function toPath(root: string, segments: unknown): string {
  if (!Array.isArray(segments)) return root;
  let path = root;
  for (const segment of segments as readonly unknown[]) {
    path += toStep(isKeyed(segment) ? segment.key : segment);
    if (path.length > MAX_PATH) break;
  }
  return shorten(path, MAX_PATH);
}

function isKeyed(segment: unknown): segment is { readonly key: unknown } {
  return typeof segment === "object" && segment !== null && "key" in segment;
}

/** One step of a path: `.to`, `[3]`, `["a key"]`. */
export function toStep(key: unknown): string {
  const text = String(key);
  if (INDEX.test(text)) return `[${text}]`;
  return PLAIN_KEY.test(text) ? `.${text}` : `[${JSON.stringify(text.slice(0, MAX_PATH))}]`;
}

/** At most so many UTF-16 units, the last of which then says that there was more. */
export function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
