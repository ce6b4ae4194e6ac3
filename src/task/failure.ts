import { TaskFailedError } from "../errors.js";

/**
 * What was thrown, as an Error that carries the task's id. A usable Error comes back as itself, with a hidden
 * `taskId`; anything else (null, a string, a frozen Error, one whose getters throw) becomes the `cause` of a
 * TaskFailedError.
 */
export function toFailure(thrown: unknown, taskId: string): Error {
  if (isUsable(thrown) && label(thrown, taskId)) return thrown;
  return new TaskFailedError(`Task ${taskId} threw ${describe(thrown)}`, taskId, { cause: thrown });
}

/** An Error whose name, message and stack can be read, so that nobody who logs it is hurt. */
function isUsable(thrown: unknown): thrown is Error {
  try {
    if (!(thrown instanceof Error || isForeignError(thrown))) return false;
    return typeof thrown.message === "string" && typeof thrown.name === "string" && isText(thrown.stack);
  } catch {
    return false;
  }
}

/** An Error of another realm, such as a `vm` context. */
function isForeignError(thrown: unknown): thrown is Error {
  return Object.prototype.toString.call(thrown) === "[object Error]";
}

function isText(stack: unknown): boolean {
  return stack === undefined || typeof stack === "string";
}

/** An Error that several tasks share carries the id of the one that failed last. */
function label(error: Error, taskId: string): boolean {
  try {
    if (Object.getOwnPropertyDescriptor(error, "taskId")?.enumerable === true) return true; // the user's own
    return Reflect.defineProperty(error, "taskId", {
      value: taskId,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  } catch {
    return false;
  }
}

function describe(thrown: unknown): string {
  if (typeof thrown === "string") return JSON.stringify(thrown.slice(0, 200));
  if (typeof thrown === "object" && thrown !== null) return "an object that is no usable Error";
  if (typeof thrown === "function") return "a function";
  return String(thrown);
}
