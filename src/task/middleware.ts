import { type Check, type Checks, callback, expected, isPlainObject, readOptions, text } from "./checks.js";
import type { TaskContext, TaskFunction } from "./task-context.js";
import type { TaskOptions } from "./task-options.js";

/**
 * Wraps one attempt of a task, in the task's async context. What it returns is the attempt's value, and what
 * it throws is what the attempt throws, steering included. A handler that it does not wait for is waited for
 * by the attempt all the same.
 * @param next runs the rest: the middleware after this one, at last the handler; may be called once. Gives
 *   the handler's value, or rejects with what the handler threw. Not called, the handler does not run
 */
export type AttemptMiddleware = (context: TaskContext, next: () => Promise<unknown>) => unknown;

/** The calls that hand tasks in. `execute` is one call, though it enqueues and waits. */
export type WrappedCall =
  | "enqueue"
  | "enqueueAsync"
  | "enqueueMany"
  | "execute"
  | "enqueueDurable"
  | "enqueueDurableMany";

/** One task as a caller handed it in; nothing of it has been checked. */
export interface RequestedTask {
  /** The name of its handler; undefined for a function. */
  readonly handler: string | undefined;
  /** What the handler is to be given; undefined for a function. */
  readonly payload: unknown;
  /** The function that does the work; undefined where a handler does it. */
  readonly work: TaskFunction | undefined;
  readonly options: TaskOptions | undefined;
}

/** One call that hands tasks in. */
export interface CallRequest {
  readonly call: WrappedCall;
  /** One, but for `enqueueMany`. */
  readonly tasks: readonly RequestedTask[];
}

/**
 * Wraps one call that hands tasks in. What it throws before it called `next` refuses the call. Once `next`
 * has accepted a task of `enqueue` or `enqueueMany`, the caller gets its handle, whatever happens after; the
 * promise of `enqueueAsync` and `execute` is the one that the middleware returns.
 * @param next makes the call, with the request as it is or with another of as many tasks, checked as always;
 *   may be called once, and must be unless the middleware throws. Gives what the call gives, or throws
 */
export type CallMiddleware = (request: CallRequest, next: (request?: CallRequest) => unknown) => unknown;

/** Wraps attempts, calls, or both. */
export interface Middleware {
  /** Names it in a MiddlewareError; at most 128 characters. Default: the name of its function. */
  readonly name?: string | undefined;
  readonly attempt?: AttemptMiddleware | undefined;
  readonly call?: CallMiddleware | undefined;
}

/**
 * Middleware as a manager takes it; a bare function wraps attempts. Every function has a `call`: were that
 * not said, TypeScript would infer nothing of the parameters of a `call` that wraps calls.
 */
export type MiddlewareEntry = Middleware | (AttemptMiddleware & { readonly call?: CallMiddleware });

/** Middleware after the door: with a name, and with functions that need no `this`. */
export interface NamedMiddleware {
  readonly name: string;
  readonly attempt: AttemptMiddleware | undefined;
  readonly call: CallMiddleware | undefined;
}

const MAX_NAME_LENGTH = 128;

const CHECKS: Checks<Middleware> = {
  name: text(MAX_NAME_LENGTH),
  attempt: callback<AttemptMiddleware>(),
  call: callback<CallMiddleware>(),
};

/** A list of middleware; a bare function wraps attempts. What it gives, it also takes. */
export const middlewareCheck: Check<readonly NamedMiddleware[]> = (value, path) => {
  if (!Array.isArray(value)) throw expected(path, "an array of middleware", value);
  return Object.freeze(Array.from(value, (one: unknown, index) => readMiddleware(one, `${path}.${index}`)));
};

function readMiddleware(value: unknown, path: string): NamedMiddleware {
  if (typeof value === "function") {
    return { name: nameOf(value, path), attempt: value as AttemptMiddleware, call: undefined };
  }
  if (typeof value !== "object" || value === null) throw expected(path, "a function or an object", value);
  const { name, attempt, call } = readOptions<Middleware>(
    path,
    isPlainObject(value) ? value : pick(value),
    CHECKS,
  );
  if (attempt === undefined && call === undefined) {
    throw expected(path, "given `attempt`, `call`, or both", value);
  }
  return {
    name: name ?? nameOf(attempt ?? call, path),
    attempt: attempt?.bind(value),
    call: call?.bind(value),
  };
}

/** A method by the name of its member says less than its place. */
function nameOf(work: object | undefined, path: string): string {
  const name: unknown = work === undefined ? undefined : Reflect.get(work, "name");
  if (typeof name !== "string" || name === "" || name === "attempt" || name === "call") return path;
  return name.slice(0, MAX_NAME_LENGTH);
}

/** What an object of a class has is mostly inherited, and it may have other members of its own. */
function pick({ name, attempt, call }: Middleware): Middleware {
  return { name, attempt, call };
}
