import type { CallRequest, RequestedTask, WrappedCall } from "../../task/middleware.js";
import type { TaskFunction } from "../../task/task-context.js";
import type { TaskOptions } from "../../task/task-options.js";
import type { EnqueueArguments } from "./context-enqueuer.js";

/**
 * What middleware is told of a call.
 * @param entries what the caller gave for each task, as it came: a function and options, or the name of a
 *   handler, a payload and options
 */
export function toCallRequest(call: WrappedCall, entries: readonly (readonly unknown[])[]): CallRequest {
  return Object.freeze({ call, tasks: Object.freeze(entries.map(toRequested)) });
}

function toRequested(entry: readonly unknown[]): RequestedTask {
  const [first, second, third] = entry;
  if (typeof first === "string") {
    return Object.freeze({ handler: first, payload: second, work: undefined, options: third as TaskOptions });
  }
  const [work, options] = [first as TaskFunction, second as TaskOptions];
  return Object.freeze({ handler: undefined, payload: undefined, work, options });
}

/** The arguments of a call for one task, as middleware passed it on; the call checks them as always. */
export function toArguments({ handler, payload, work, options }: RequestedTask): EnqueueArguments {
  return handler === undefined ? [work, options, undefined] : [handler, payload, options];
}
