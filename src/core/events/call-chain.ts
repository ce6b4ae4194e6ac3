import { MiddlewareError } from "../../errors.js";
import type { CallMiddleware, CallRequest, RequestedTask } from "../../task/middleware.js";
import type { Outcome } from "../../task/outcome.js";
import type { ObserverErrors } from "./observer-errors.js";

/** One middleware round calls. */
export interface CallLayer {
  readonly name: string;
  readonly call: CallMiddleware;
}

/** One layer that a call passes: whether it has called `next`, and whether it still may. */
interface Turn {
  begun: boolean;
  over: boolean;
}

/** Middleware round the calls that hand tasks in, the outermost first. */
export class CallChain {
  readonly #layers: readonly CallLayer[];
  /** Ends the wait of each call whose promise is middleware's. */
  readonly #waits = new Set<(toRefusal: (message: string) => Error) => void>();
  readonly #errors: ObserverErrors;
  #closed = false;

  /** @param errors where middleware's go that come when they can change nothing any more */
  constructor(layers: readonly CallLayer[], errors: ObserverErrors) {
    this.#layers = layers;
    this.#errors = errors;
  }

  /** Promises of middleware that somebody waits for. */
  get waiting(): number {
    return this.#waits.size;
  }

  /**
   * Makes a call that gives its value at once.
   * @param perform makes the real call
   * @returns what `perform` gave, whatever middleware did after that
   * @throws {MiddlewareError} @throws what `perform` throws
   */
  sync<T>(request: CallRequest, perform: (request: CallRequest) => T): T {
    return this.#pass(0, request, perform);
  }

  /**
   * Makes a call that gives a promise. It settles when that of the outermost layer does, or with the real
   * call when the chain is closed before.
   */
  promised<T>(request: CallRequest, perform: (request: CallRequest) => Promise<T>): Promise<T> {
    if (this.#closed) return perform(request);
    let real: Promise<T> | undefined;
    const given = this.#passPromised(0, request, (passed) => {
      real = perform(passed);
      return real;
    });
    return new Promise<T>((resolve, reject) => {
      const endWait = (toRefusal: (message: string) => Error) => {
        const late = "This task manager stopped while middleware held the call back";
        if (real === undefined) reject(toRefusal(late));
        else resolve(real);
      };
      this.#waits.add(endWait);
      given.finally(() => this.#waits.delete(endWait)).then((value) => resolve(value as T), reject);
    });
  }

  /**
   * Lets nobody wait any more for middleware that has not ended: each call ends as the real one did.
   * @param toRefusal makes the error of a call that was not made yet
   */
  close(toRefusal: (message: string) => Error): void {
    this.#closed = true;
    for (const endWait of this.#waits) endWait(toRefusal);
    this.#waits.clear();
  }

  #pass<T>(index: number, request: CallRequest, perform: (request: CallRequest) => T): T {
    const layer = this.#layers[index];
    if (layer === undefined) return perform(request);
    const turn: Turn = { begun: false, over: false };
    let made: { readonly value: T } | { readonly thrown: unknown } | undefined;
    const next = (replacement?: CallRequest) => {
      begin(layer, turn);
      try {
        made = { value: this.#pass(index + 1, toPassed(layer, request, replacement), perform) };
        return made.value;
      } catch (thrown) {
        made = { thrown };
        throw thrown;
      }
    };
    const outcome = this.#enter(layer, request, next);
    turn.over = true;
    if (made !== undefined && "value" in made) {
      if (!outcome.returned) this.#errors.record(outcome.thrown, "middleware", layer.name);
      return made.value;
    }
    if (!outcome.returned) throw outcome.thrown;
    if (made === undefined) throw new MiddlewareError(layer.name, "did not call next()");
    throw made.thrown;
  }

  /** Calls a layer that can give nothing but what `next` gave: a promise from it is only looked after. */
  #enter(layer: CallLayer, request: CallRequest, next: (request?: CallRequest) => unknown): Outcome {
    try {
      const given = layer.call(request, next);
      if (isObject(given)) {
        const settled = new Promise((resolve) => resolve(given));
        settled.catch((error) => this.#errors.record(error, "middleware", layer.name));
      }
      return { returned: true, value: given };
    } catch (thrown) {
      return { returned: false, thrown };
    }
  }

  async #passPromised(
    index: number,
    request: CallRequest,
    perform: (request: CallRequest) => Promise<unknown>,
  ): Promise<unknown> {
    const layer = this.#layers[index];
    if (layer === undefined) return await perform(request);
    const turn: Turn = { begun: false, over: false };
    const next = (replacement?: CallRequest) => {
      begin(layer, turn);
      const made = this.#passPromised(index + 1, toPassed(layer, request, replacement), perform);
      made.catch(() => {}); // a layer that does not wait for it leaves no unhandled rejection
      return made;
    };
    try {
      const value = await layer.call(request, next);
      if (!turn.begun) throw new MiddlewareError(layer.name, "did not call next()");
      return value;
    } finally {
      turn.over = true;
    }
  }
}

function begin({ name }: CallLayer, turn: Turn): void {
  if (turn.begun) throw new MiddlewareError(name, "called next() a second time");
  if (turn.over) throw new MiddlewareError(name, "called next() after it had ended");
  turn.begun = true;
}

/** The request that a layer passes on: the one that it was given, or one in its place. */
function toPassed({ name }: CallLayer, request: CallRequest, replacement: unknown): CallRequest {
  if (replacement === undefined || replacement === request) return request;
  const tasks = isObject(replacement) ? Reflect.get(replacement, "tasks") : undefined;
  if (!isListOf(request.tasks.length, tasks)) {
    throw new MiddlewareError(name, `must pass on as many tasks as it was given: ${request.tasks.length}`);
  }
  return Object.freeze({ call: request.call, tasks: Object.freeze([...tasks]) });
}

function isListOf(length: number, tasks: unknown): tasks is readonly RequestedTask[] {
  return Array.isArray(tasks) && tasks.length === length && Array.from(tasks).every(isObject);
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
