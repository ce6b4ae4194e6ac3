import type { HandlerDefinition } from "../../../task/handler-definition.js";
import type { Lanes } from "../lane.js";

/** A handler of this process. */
export interface RunnableHandler {
  readonly name: string;
  /** Index of the lane in which it runs. */
  readonly lane: number;
  /** What its tasks cost where they do not say. */
  readonly cost: number;
}

/** What this process can run, and where. */
export function toRunnable(
  handlers: ReadonlyMap<string, HandlerDefinition>,
  { inline, threads }: Lanes,
): readonly RunnableHandler[] {
  return [...handlers.values()].flatMap(({ name, run, module, cost = 1 }) => {
    if (module !== undefined && threads !== undefined) return [{ name, cost, lane: threads.index }];
    return run === undefined ? [] : [{ name, cost, lane: inline.index }];
  });
}
