import { expected } from "../../task/checks.js";
import type { TaskFunction } from "../../task/task-context.js";
import type { TaskOptions } from "../../task/task-options.js";
import type { TaskRequest } from "./intake.js";
import type { TaskHandle } from "./task-handle.js";
import { checkWork, type TaskPlanner } from "./task-plan.js";

/** One of many: a function, or a function with its options. */
export type TaskEntry = TaskFunction | readonly [work: TaskFunction, options?: TaskOptions | undefined];

/** The handles of entries, one for one, with their types. */
export type HandlesOf<E extends readonly TaskEntry[]> = {
  -readonly [K in keyof E]: TaskHandle<ResultOf<E[K]>>;
};

type ResultOf<E> = E extends readonly [infer W, ...unknown[]] ? ResultOf<W> : ResultOfFunction<E>;

type ResultOfFunction<W> = W extends (...input: never[]) => infer R ? Awaited<R> : unknown;

/**
 * Checks all entries before any of them is accepted.
 * @throws {OptionError}
 */
export function readRequests(entries: readonly TaskEntry[], planner: TaskPlanner): TaskRequest[] {
  if (!Array.isArray(entries)) throw expected("entries", "an array", entries);
  return entries.map((entry: TaskEntry) => {
    const [work, options] = Array.isArray(entry) ? (entry as readonly unknown[]) : [entry];
    return { work: checkWork(work), plan: planner.plan(options) };
  });
}
