/**
 * The error classes of Millrace, each with a stable `code`; those of worker threads are in worker-errors.ts,
 * those of durable tasks in store-errors.ts.
 * Compare codes, not messages: messages may be reworded in a minor version, codes may not.
 */

import type { MillraceErrorCode } from "./error-codes.js";

/** What all errors of Millrace have in common. */
export abstract class MillraceError extends Error {
  /** Stable and unique to the class. */
  abstract readonly code: MillraceErrorCode;
  /** Where a call was given many, from `enqueueMany` on: the index of the one that is wrong. */
  declare entry?: number;

  static {
    // Once here and not on each error, where it took a third of what an error without a stack costs.
    Object.defineProperty(MillraceError.prototype, "name", {
      get(this: MillraceError): string {
        return this.constructor.name;
      },
      set(this: MillraceError, value: string) {
        Object.defineProperty(this, "name", { value, writable: true, configurable: true });
      },
      configurable: true,
    });
  }
}

/** A rule of Millrace itself was broken: a bug in this library, never in the code that uses it. */
export class InvariantError extends MillraceError {
  readonly code = "MILLRACE_INVARIANT";
}

/** An option or argument was refused. The message says what was expected and what was found. */
export class OptionError extends MillraceError {
  readonly code = "MILLRACE_OPTION";
  /** Name of the refused option, with its path where it is nested: `queues.email.share`. */
  readonly option: string;

  constructor(option: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.option = option;
  }
}

/** The manager is stopping or has stopped; nothing of the call was kept. */
export class NotAcceptingError extends MillraceError {
  readonly code = "MILLRACE_NOT_ACCEPTING";
}

/**
 * There was no room. Thrown by `enqueue` and `enqueueMany` when as many tasks wait as `capacity` allows,
 * by `enqueueAsync` when as many calls wait for room, and the result of a task that was dropped to make
 * room (`whenFull: "drop-oldest"`): only then does it carry a `taskId`.
 */
export class QueueFullError extends MillraceError {
  readonly code = "MILLRACE_QUEUE_FULL";
  readonly capacity: number;
  readonly taskId: string | undefined;

  constructor(message: string, capacity: number, taskId?: string) {
    super(message);
    this.capacity = capacity;
    this.taskId = taskId;
  }
}

/** A live or retained task already has this id, or a task holds this idempotency key. */
export class DuplicateTaskError extends MillraceError {
  readonly code = "MILLRACE_DUPLICATE_TASK";
  /** The task that is there; empty where two tasks of one call have a key and the first has no id yet. */
  readonly taskId: string;
  /** The key that is held; undefined where the id is taken. */
  readonly idempotencyKey: string | undefined;

  constructor(taskId: string, idempotencyKey?: string, message = describeDuplicate(taskId, idempotencyKey)) {
    super(message);
    this.taskId = taskId;
    this.idempotencyKey = idempotencyKey;
  }
}

function describeDuplicate(taskId: string, idempotencyKey: string | undefined): string {
  if (idempotencyKey !== undefined)
    return `The idempotency key ${JSON.stringify(idempotencyKey)} is held by task ${taskId}`;
  return `A task with the id ${JSON.stringify(taskId)} is there already, live or kept after its end`;
}

/** An error that is about one task. */
export abstract class TaskError extends MillraceError {
  readonly taskId: string;

  constructor(message: string, taskId: string, options?: { cause?: unknown }) {
    super(message, options);
    this.taskId = taskId;
  }
}

/** The task was cancelled; `cause` is the reason that the caller gave, if any. */
export class TaskCancelledError extends TaskError {
  readonly code = "MILLRACE_TASK_CANCELLED";
}

/** An attempt ran longer than `timeoutMs`. */
export class TaskTimeoutError extends TaskError {
  readonly code = "MILLRACE_TASK_TIMEOUT";
  readonly timeoutMs: number;

  /** @param called its handler and its name, as far as it has these: for whoever reads the message */
  constructor(taskId: string, timeoutMs: number, called: readonly string[] = []) {
    const title = called.length > 0 ? `${taskId} (${called.join(", ")})` : taskId;
    super(`Task ${title} ran longer than its timeoutMs of ${timeoutMs}`, taskId);
    this.timeoutMs = timeoutMs;
  }
}

/** The handler threw something that is not a usable Error, which is its `cause`: null, or a string. */
export class TaskFailedError extends TaskError {
  readonly code = "MILLRACE_TASK_FAILED";
}

/** The task's whole life, `deadline` or `ttlMs`, passed before it had ended. */
export class DeadlineError extends TaskError {
  readonly code = "MILLRACE_DEADLINE";
}

/**
 * A stop ended the task before it had finished by itself. `cause` is what its handler threw, where that was
 * the refusal of what it enqueued, or came of it; and of a task that waited for another attempt, why its
 * last one failed.
 */
export class ManagerStoppedError extends TaskError {
  readonly code = "MILLRACE_MANAGER_STOPPED";
}

/** `result({ timeoutMs })` waited that long in vain. The task itself goes on. */
export class ResultTimeoutError extends TaskError {
  readonly code = "MILLRACE_RESULT_TIMEOUT";
  readonly timeoutMs: number;

  constructor(taskId: string, timeoutMs: number) {
    super(`Task ${taskId} had no result after ${timeoutMs} ms; it goes on`, taskId);
    this.timeoutMs = timeoutMs;
  }
}

/** The result is no longer kept: the task was pruned, while its idempotency key was still held. */
export class ResultExpiredError extends TaskError {
  readonly code = "MILLRACE_RESULT_EXPIRED";
}

/** No handler of this name is registered. The message names the nearest one that is. */
export class UnknownHandlerError extends MillraceError {
  readonly code = "MILLRACE_UNKNOWN_HANDLER";
  /** The name that was asked for, cut to 128 characters. */
  readonly handler: string;

  constructor(handler: string, message: string) {
    super(message);
    this.handler = handler;
  }
}

/** One thing that is wrong with a payload or a result. */
export interface ValueIssue {
  /** In the words of the schema, at most 500 characters. */
  readonly message: string;
  /** Where it is: `payload.to[3].at`, at most 200 characters. */
  readonly path: string;
}

/** What is wrong with a value, bounded whatever the schema said. */
export interface IssueList {
  /** The first ones, at most 100. */
  readonly issues: readonly ValueIssue[];
  /** How many more there were. */
  readonly omittedIssues: number;
}

/** A value was refused by the schema of its handler, or by a bound on its size. */
export abstract class ValueError extends MillraceError implements IssueList {
  /** Name of the handler. */
  readonly handler: string;
  readonly issues: readonly ValueIssue[];
  readonly omittedIssues: number;

  constructor(message: string, handler: string, list: IssueList, options?: { cause?: unknown }) {
    super(message, options);
    this.handler = handler;
    this.issues = list.issues;
    this.omittedIssues = list.omittedIssues;
  }
}

/**
 * The handler does not take this payload: its schema refused it, or failed (then `cause` is what it threw),
 * or it is larger than `maxPayloadBytes`, or it cannot be stored, or read again, as it is.
 */
export class PayloadError extends ValueError {
  readonly code = "MILLRACE_PAYLOAD";
}

/** What a handler returned is not what its `result` schema asks for. It counts as a failed attempt. */
export class ResultError extends ValueError {
  readonly code = "MILLRACE_RESULT";
}

/** The payload schema of a handler answers with a promise, for which `enqueue` cannot wait. */
export class AsyncSchemaError extends MillraceError {
  readonly code = "MILLRACE_ASYNC_SCHEMA";
  /** Name of the handler. */
  readonly handler: string;

  constructor(handler: string) {
    super(`The payload schema of handler "${handler}" is asynchronous: use \`enqueueAsync\` or \`execute\``);
    this.handler = handler;
  }
}

/**
 * A manager has as many open subscriptions as it takes, or as many calls of `next()` wait at one of them.
 * Nothing of the call was kept.
 */
export class SubscriptionLimitError extends MillraceError {
  readonly code = "MILLRACE_SUBSCRIPTION_LIMIT";
  readonly limit: number;

  constructor(message: string, limit: number) {
    super(message);
    this.limit = limit;
  }
}

/**
 * A middleware broke a rule of its place: it called `next` a second time, or too late, or not at all where it
 * must, or passed on a request of another shape. What it was refused has not been done.
 */
export class MiddlewareError extends MillraceError {
  readonly code = "MILLRACE_MIDDLEWARE";
  /** The name of the middleware; where it has none, its place: `middleware.0`. */
  readonly middleware: string;

  constructor(middleware: string, rule: string) {
    super(`The middleware ${JSON.stringify(middleware)} ${rule}`);
    this.middleware = middleware;
  }
}

/** An entry point needs the package `peer`, which is not installed; the message says how to install it. */
export class PeerMissingError extends MillraceError {
  readonly code = "MILLRACE_PEER_MISSING";
  readonly peer: string;

  constructor(entryPoint: string, peer: string, options?: ErrorOptions) {
    super(`${entryPoint} needs ${peer}: npm install ${peer}`, options);
    this.peer = peer;
  }
}

/**
 * Makes an error without a stack, for ends that Millrace decides: its frames would show nothing but this
 * library, and they are nine tenths of what an error costs where thousands of tasks end at once.
 */
export function withoutStack<E extends Error>(create: () => E): E {
  const { stackTraceLimit } = Error;
  // A host may have frozen it; the error then has its stack.
  const limited = Reflect.set(Error, "stackTraceLimit", 0);
  try {
    return create();
  } finally {
    if (limited) Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * Throws when a rule of Millrace itself is broken; a constant, since to put text together costs more.
 * @throws {InvariantError} with the rule, in words
 */
export function assert(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new InvariantError(rule);
}
