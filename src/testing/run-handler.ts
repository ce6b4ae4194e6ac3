import {
  type AnyHandlers,
  type BackoffInput,
  cancelTask,
  defineHandlers,
  type HandlerEntry,
  handlerEntries,
  OptionError,
  type TaskContext,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
} from "../index.js";

/** Options of one run of a handler by itself: of a task, but for those of when it starts and is retried. */
export interface RunHandlerOptions extends Omit<TaskOptions, "delayMs" | "runAt" | "backoff"> {
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
      `Expected \`attempt\` to be an integer from 1 up, got ${String(attempt)}`,
    );
  }
  const { clock, random, queues, defaultQueue, timeoutMs, maxAttempts, killAfterMs } = options;
  const settings = { clock, random, queues, defaultQueue, timeoutMs, maxAttempts, killAfterMs };
  const entries = handlers === undefined ? {} : handlerEntries(handlers);
  const thrown = rejectable();
  const wrapped: Record<string, HandlerEntry> = Object.hasOwn(entries, name)
    ? { [name]: callOnce(entries[name] as HandlerEntry, attempt, thrown.reject) }
    : entries;
  const alone = new LoneManager({ ...settings, handlers: defineHandlers(wrapped) }, tasks);
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
}

/** What a handler throws decides this run; were it a retry or a steering, the task would go on. */
function callOnce(
  { run, ...entry }: HandlerEntry,
  attempt: number,
  decide: (thrown: unknown) => void,
): HandlerEntry {
  if (run === undefined) return entry;
  let called = false;
  return {
    ...entry,
    run: async (payload, context) => {
      if (called) throw cancelTask("a handler is run once");
      called = true;
      try {
        return await run(payload, attempt === 1 ? context : retell(context, attempt));
      } catch (thrown) {
        decide(thrown);
        throw thrown;
      }
    },
  };
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
