import type { DurableTaskOptions } from "../../task/durable-task-options.js";
import type { HandlerNames, PayloadInputOf, ResultOfHandler } from "../../task/handler-types.js";
import type { TaskFunction } from "../../task/task-context.js";
import type { TaskOptions } from "../../task/task-options.js";
import type { DurableHandle } from "./durable/durable-handle.js";
import type { TaskHandle } from "./task-handle.js";

/**
 * One of many: a function, a function with its options, or the name of a handler with a payload and options.
 */
export type TaskEntry<H = unknown> =
  | TaskFunction
  | readonly [work: TaskFunction, options?: TaskOptions | undefined]
  | { [K in HandlerNames<H>]: NamedEntry<H, K> }[HandlerNames<H>];

type NamedEntry<H, K extends HandlerNames<H>> = readonly [
  handler: K,
  payload: PayloadInputOf<H, K>,
  options?: TaskOptions | undefined,
];

/** The handles of entries, one for one, with their types. */
export type HandlesOf<E extends readonly unknown[], H = unknown> = {
  -readonly [K in keyof E]: TaskHandle<ResultOf<E[K], H>>;
};

/** One of many durable tasks: the name of a handler with a payload and options. */
export type DurableEntry<H = unknown> = {
  [K in HandlerNames<H>]: readonly [
    handler: K,
    payload: PayloadInputOf<H, K>,
    options?: DurableTaskOptions | undefined,
  ];
}[HandlerNames<H>];

/** The handles of durable entries, one for one, with their types. */
export type DurableHandlesOf<E extends readonly unknown[], H = unknown> = {
  -readonly [K in keyof E]: DurableHandle<ResultOf<E[K], H>>;
};

type ResultOf<E, H> = E extends readonly [infer W, ...unknown[]]
  ? W extends HandlerNames<H>
    ? ResultOfHandler<H, W>
    : ResultOfFunction<W>
  : ResultOfFunction<E>;

type ResultOfFunction<W> = W extends (...input: never[]) => infer R ? Awaited<R> : unknown;
