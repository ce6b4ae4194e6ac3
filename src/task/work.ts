import { assert } from "../errors.js";
import type { HandlerDefinition } from "./handler-definition.js";
import { checkResult } from "./payload.js";
import { isSteering } from "./steering.js";
import type { TaskContext, TaskFunction } from "./task-context.js";

/** The work of a task by name: a handler, and the payload that it is called with. */
export class HandlerCall {
  readonly handler: HandlerDefinition;
  /** What came out of the handler's schema. */
  readonly payload: unknown;

  constructor(handler: HandlerDefinition, payload: unknown) {
    this.handler = handler;
    this.payload = payload;
  }
}

/** What a task does. */
export type Work = TaskFunction | HandlerCall;

/** Does the work here and now; it may throw, and what it gives may be a promise. */
export function perform(work: Work, context: TaskContext): unknown {
  if (typeof work === "function") return work(context); // as a plain function: it has no `this`
  const { handler, payload } = work;
  const { run } = handler;
  assert(run !== undefined, "only a handler with `run` is given work on the event loop");
  const result = run(payload, context);
  return handler.result === undefined ? result : toChecked(handler, result);
}

async function toChecked(handler: HandlerDefinition, result: unknown): Promise<unknown> {
  const value = await result;
  return isSteering(value) ? value : (await checkResult(handler, value)).value;
}
