import { inspect } from "node:util";
import {
  type AnyHandlers,
  type AttemptMiddleware,
  type BackoffInput,
  cancelTask,
  type DurableTaskOptions,
  defineHandlers,
  type HandlerEntry,
  handlerEntries,
  type MiddlewareEntry,
  OptionError,
  type Schema,
  type TaskContext,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
} from "../index.js";

/** Options of one run of a handler by itself: of a task, but for those of when it starts and is retried. */
export interface RunHandlerOptions
  extends Omit<TaskOptions, "delayMs" | "runAt" | "backoff" | "idempotencyKey" | "idempotency"> {
  /**
   * Which attempt the handler is told that this is, from 1 up. Default 1. Where it is above `maxAttempts`,
   * that is told as equal to it.
   */
  readonly attempt?: number | undefined;
}

/** Where a handler runs by itself. */
export interface Stage {
  readonly handlers: AnyHandlers | undefined;
  /** Of the manager under test; those that say how an attempt runs hold here too. */
  readonly options: TaskManagerOptions;
  /** The manager that is given what the handler enqueues. */
  readonly tasks: TaskManager;
}

/**
 * Runs one handler once, as one attempt of a task in a manager of its own.
 * @throws what the handler threw, as it threw it
 */
export async function runAlone(
  { handlers, options, tasks }: Stage,
  name: string,
  payload: unknown,
  { attempt = 1, ...taskOptions }: RunHandlerOptions,
): Promise<unknown> {
  if (!Number.isSafeInteger(attempt) || attempt < 1) {
    throw new OptionError(
      "attempt",
      `Expected \`attempt\` to be an integer from 1 up, found ${inspect(attempt)}`,
    );
  }
  for (const option of ["delayMs", "runAt", "backoff", "idempotencyKey", "idempotency"]) {
    if (!Object.hasOwn(taskOptions, option)) continue;
    throw new OptionError(option, `Expected no \`${option}\`: a handler is run at once, and once`);
  }
  const { clock, random, queues, defaultQueue, threads, timeoutMs, maxAttempts, killAfterMs } = options;
  const settings = { clock, random, queues, defaultQueue, threads, timeoutMs, maxAttempts, killAfterMs };
  const thrown = rejectable();
  const alone = new LoneManager(
    {
      ...settings,
      handlers: attempt === 1 ? handlers : retellTo(handlers, name, attempt),
      middleware: [runOnce(thrown.reject), ...attemptMiddleware(options.middleware)],
    },
    tasks,
  );
  // It is asked when another attempt would follow, also after what the handler itself did not throw.
  const backoff = ({ error }: BackoffInput) => {
    thrown.reject(error);
    return 0;
  };
  try {
    const handle = await alone.enqueueAsync(name as never, payload as never, { ...taskOptions, backoff });
    return await Promise.race([thrown.promise, handle.result()]);
  } finally {
    await alone.stopNow();
  }
}

/** What its handlers enqueue goes to another manager. */
class LoneManager extends TaskManager {
  readonly #outer: TaskManager;

  constructor(options: TaskManagerOptions, outer: TaskManager) {
    super(options);
    this.#outer = outer;
  }

  override enqueue(first: unknown, second?: unknown, third?: unknown): TaskHandle<never> {
    return this.#outer.enqueue(first as never, second as never, third as never);
  }

  override async enqueueDurable(handler: never, payload: never, options?: DurableTaskOptions) {
    return await this.#outer.enqueueDurable(handler, payload, options);
  }
}

/** What is thrown decides the run: were it followed by a retry or a steering, the task would go on. */
function runOnce(decide: (thrown: unknown) => void): AttemptMiddleware {
  let called = false;
  return async (_context, next) => {
    if (called) throw cancelTask("a handler is run once");
    called = true;
    try {
      return await next();
    } catch (thrown) {
      decide(thrown);
      throw thrown;
    }
  };
}

/** What wraps attempts, without what wraps calls: nobody called. */
function attemptMiddleware(given: readonly MiddlewareEntry[] = []): MiddlewareEntry[] {
  return given.flatMap((one): MiddlewareEntry[] => {
    if (typeof one === "function") return [one];
    return one.attempt === undefined ? [] : [{ name: one.name, attempt: one.attempt.bind(one) }];
  });
}

/** The handlers, of which one is told another attempt than the first. */
function retellTo(handlers: AnyHandlers | undefined, name: string, attempt: number): AnyHandlers | undefined {
  const entries = handlers === undefined ? {} : handlerEntries(handlers);
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  const run = entry?.run;
  if (entry === undefined || run === undefined) return handlers;
  const retold: HandlerEntry = {
    ...entry,
    run: (payload, context) => run(payload, retell(context, attempt)),
  };
  return defineHandlers<Record<string, Schema>, Record<string, HandlerEntry>>({ [name]: retold });
}

/** The context as it is, but for the attempt that it tells. */
function retell(context: TaskContext, attempt: number): TaskContext {
  const told = { attempt, maxAttempts: Math.max(attempt, context.maxAttempts) };
  return new Proxy(context, {
    get: (target, key) => Reflect.get(Object.hasOwn(told, key) ? told : target, key),
  });
}

/** A promise that is only ever rejected, and whose rejection need not be handled. */
function rejectable(): { readonly promise: Promise<never>; readonly reject: (thrown: unknown) => void } {
  let reject: (thrown: unknown) => void = () => {};
  const promise = new Promise<never>((_, refuse) => {
    reject = refuse;
  });
  promise.catch(() => {});
  return { promise, reject };
}
