import type {
  AsyncContextCarrier,
  CapturedContext,
  ContextCarrier,
  Departure,
  OutgoingTask,
} from "../../ports/context-carrier.js";
import type { Eventually, Outcome } from "../../task/outcome.js";
import type { Task } from "../../task/task.js";
import { headersCheck } from "../../task/task-envelope.js";
import type { ObserverErrors } from "../events/observer-errors.js";

/** What several carriers captured for one task. */
class Captures implements CapturedContext {
  readonly local: CapturedContext | undefined;
  readonly attached: ReadonlyMap<ContextCarrier, CapturedContext | undefined>;

  constructor(
    local: CapturedContext | undefined,
    attached: ReadonlyMap<ContextCarrier, CapturedContext | undefined>,
  ) {
    this.local = local;
    this.attached = attached;
  }

  get headers(): Readonly<Record<string, string>> {
    return Object.assign({}, ...[...this.attached.values()].map((captured) => captured?.headers));
  }
}

/** What a durable task has brought along, from whichever process. */
class Arrival implements CapturedContext {
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(headers: Readonly<Record<string, string>> | undefined) {
    this.headers = headers;
  }
}

/**
 * All context carriers as one: the async context of the enqueue call outermost, then those that were
 * attached, in their order. While none is attached, this costs a task nothing beyond what the first one
 * captured. An attached carrier that breaks changes no outcome: it is counted, and the handler runs once,
 * with or without it.
 */
export class Carriers {
  readonly #local: AsyncContextCarrier;
  readonly #errors: ObserverErrors;
  #attached: readonly ContextCarrier[] = [];

  constructor(local: AsyncContextCarrier, errors: ObserverErrors) {
    this.#local = local;
    this.#errors = errors;
  }

  /** Adds a carrier; tasks that were accepted before run in it with nothing captured. */
  attach(carrier: ContextCarrier): Disposable {
    this.#attached = [...this.#attached, carrier];
    let attached = true;
    return {
      [Symbol.dispose]: () => {
        if (!attached) return; // else it would detach what was attached anew since
        attached = false;
        this.#attached = this.#attached.filter((one) => one !== carrier);
      },
    };
  }

  /** Lets a call that waits go on in the context in which it was made, not in that of who ends its wait. */
  bind<R>(call: () => R): () => R {
    return this.#local.bind(call);
  }

  /** Whether there is any to be called but the one of the async context. */
  get attached(): boolean {
    for (const carrier of this.#attached) if (carrier.active !== false) return true;
    return false;
  }

  /** Calls back in the async context of a task, where no carrier is attached. */
  enter<A>(captured: CapturedContext | undefined, callback: (argument: A) => void, argument: A): void {
    this.#local.enter(captured instanceof Captures ? captured.local : captured, callback, argument);
  }

  /** @param keepLocal false when the task gave up its async context */
  capture(task: Task, keepLocal: boolean): CapturedContext | undefined {
    const local = keepLocal ? this.#local.capture(task) : undefined;
    return this.attached ? this.#captureAll(local, task) : local;
  }

  run(
    captured: CapturedContext | undefined,
    task: Task,
    perform: () => Eventually<Outcome>,
  ): Eventually<Outcome> {
    const local = captured instanceof Captures ? captured.local : captured;
    if (!this.attached) return this.#local.run(local, task, perform);
    let outcome: Eventually<Outcome> | undefined;
    const once = () => {
      outcome ??= perform();
      return outcome;
    };
    return this.#local.run(local, task, () => {
      this.#runAttached(captured, task, once);
      return once(); // also where a carrier did not come to it
    });
  }

  /** What attached carriers give for an attempt that runs elsewhere; to be asked for in its context. */
  headers(task: Task): Readonly<Record<string, string>> | undefined {
    if (!this.attached) return undefined;
    const all: Record<string, string> = {};
    for (const carrier of this.#active()) {
      try {
        Object.assign(all, carrier.headers?.(task));
      } catch (error) {
        this.#errors.record(error, "carrier");
      }
    }
    return Object.keys(all).length === 0 ? undefined : all;
  }

  /** What attached carriers give along with a durable task; to be asked for in the context of its call. */
  send(task: OutgoingTask): Departure | undefined {
    if (!this.attached) return undefined;
    const ends: Departure[] = [];
    let headers: Readonly<Record<string, string>> = {};
    for (const carrier of this.#active()) {
      this.#guarded(() => {
        const departure = carrier.send?.(task);
        if (departure === undefined) return;
        ends.push(departure);
        headers = headersCheck({ ...headers, ...departure.headers }, "headers");
      });
    }
    return {
      headers: Object.keys(headers).length === 0 ? undefined : headers,
      ended: (error) => {
        for (const departure of ends) this.#guarded(() => departure.ended?.(error));
      },
    };
  }

  /** What a durable task is run with. */
  receive(headers: Readonly<Record<string, string>> | undefined): CapturedContext | undefined {
    return this.attached ? new Arrival(headers) : undefined;
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#errors.record(error, "carrier");
    }
  }

  #active(): ContextCarrier[] {
    return this.#attached.filter(({ active }) => active !== false);
  }

  #captureAll(local: CapturedContext | undefined, task: Task): CapturedContext {
    return new Captures(local, new Map(this.#active().map((one) => [one, this.#captureBy(one, task)])));
  }

  #captureBy(carrier: ContextCarrier, task: Task): CapturedContext | undefined {
    try {
      return carrier.capture(task);
    } catch (error) {
      this.#errors.record(error, "carrier");
      return undefined;
    }
  }

  #runAttached(captured: CapturedContext | undefined, task: Task, perform: () => Eventually<Outcome>): void {
    const given = (carrier: ContextCarrier) => {
      if (captured instanceof Captures) return captured.attached.get(carrier);
      return captured instanceof Arrival ? captured : undefined;
    };
    const nested = this.#active().reduceRight<() => Eventually<Outcome>>(
      (inner, carrier) => () => carrier.run(given(carrier), task, inner),
      perform,
    );
    try {
      const given = nested();
      if (given instanceof Promise) given.catch((error: unknown) => this.#errors.record(error, "carrier"));
    } catch (error) {
      this.#errors.record(error, "carrier");
    }
  }
}
