import { AssertionError } from "node:assert";
import { differences, show } from "./differences.js";
import { type EnqueuedFilter, type EnqueuedTask, matches, readFilter } from "./enqueued-task.js";

/** So many tasks are told one by one. */
const TOLD_TASKS = 5;

/** What a test expects to have been enqueued. */
export interface Expectation {
  readonly name: string;
  /** A payload, a function that lets payloads through, or undefined for any. */
  readonly payload: unknown;
  readonly filter: EnqueuedFilter;
  /** How many; 0 for none, undefined for any number but none. */
  readonly times: number | undefined;
}

/**
 * The error of an expectation that was not met: what was expected, and what there is, with the differences.
 * @param caller the function below which the stack of the error begins
 */
export function unmet(
  expectation: Expectation,
  all: readonly EnqueuedTask[],
  caller: (...given: never[]) => unknown,
): AssertionError {
  const { name, payload, filter } = expectation;
  const ofHandler = all.filter(({ handler }) => handler === name);
  const lines = [tellExpectation(expectation), ...tellFound(expectation, ofHandler)];
  if (ofHandler.length === 0) lines.push(tellOthers(all));
  const isComparable = payload !== undefined && typeof payload !== "function" && expectation.times !== 0;
  return new AssertionError({
    message: lines.join("\n"),
    expected: isComparable ? { ...filter, payload } : { ...filter },
    actual: ofHandler.slice(0, TOLD_TASKS).map((task) => picture(task, filter, isComparable)),
    operator: caller.name,
    stackStartFn: caller,
  });
}

function tellExpectation({ name, payload, filter, times }: Expectation): string {
  const asked = readFilter(filter).map(([key, value]) => `${key} ${show(value)}`);
  if (typeof payload === "function") asked.unshift("a payload that the function lets through");
  else if (payload !== undefined) asked.unshift(`the payload ${show(payload)}`);
  const conditions = asked.length === 0 ? "" : ` with ${asked.join(", ")}`;
  const few: Readonly<Record<number, string>> = { 0: "no task", 1: "one task" };
  const count = times === undefined ? "a task" : (few[times] ?? `${times} tasks`);
  return `Expected ${count} of handler "${name}" to have been enqueued${conditions}`;
}

function tellFound({ payload, filter, times }: Expectation, ofHandler: readonly EnqueuedTask[]): string[] {
  const asked = readFilter(filter);
  const wanted = times === undefined || times > 0;
  const told = ofHandler.map((task, index) => {
    const wrong = asked.flatMap(([key, value]) => differences(value, task[key], key));
    if (!matches(task.payload, payload)) wrong.push(...tellPayload(task.payload, payload));
    const verdict = wrong.length === 0 ? "matches" : "does not match";
    const head = `  ${index + 1}. ${task.id} with ${show(task.payload)} ${verdict}`;
    return { isMet: wrong.length === 0, lines: [head, ...wrong.map((line) => `       ${line}`)] };
  });
  if (told.length === 0) return [];
  const met = told.filter(({ isMet }) => isMet).length;
  const shown = wanted ? told : told.filter(({ isMet }) => isMet);
  const more = shown.length - TOLD_TASKS;
  return [
    `Of ${told.length} that were enqueued, ${met} match${met === 1 ? "es" : ""}:`,
    ...shown.slice(0, TOLD_TASKS).flatMap(({ lines }) => lines),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function tellPayload(found: unknown, expected: unknown): string[] {
  if (typeof expected === "function") return ["payload: the function does not let it through"];
  return differences(expected, found, "payload");
}

/** What there is of other handlers, by name. */
function tellOthers(all: readonly EnqueuedTask[]): string {
  const counts = new Map<string, number>();
  for (const { handler = "plain functions" } of all) counts.set(handler, (counts.get(handler) ?? 0) + 1);
  const told = [...counts].map(([handler, count]) => `${handler} (${count})`).join(", ");
  return told === "" ? "Nothing was enqueued." : `None of it was enqueued, but there were: ${told}`;
}

function picture(task: EnqueuedTask, filter: EnqueuedFilter, withPayload: boolean): Record<string, unknown> {
  const seen = Object.fromEntries(readFilter(filter).map(([key]) => [key, task[key]]));
  return withPayload ? { ...seen, payload: task.payload } : seen;
}
