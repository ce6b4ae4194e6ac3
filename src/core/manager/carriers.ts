import type { CapturedContext, ContextCarrier } from "../../ports/context-carrier.js";
import type { Eventually, Outcome } from "../../task/outcome.js";
import type { Task } from "../../task/task.js";

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

/**
 * All context carriers as one: the async context of the enqueue call outermost, then those that were
 * attached, in their order. While none is attached, this costs a task nothing beyond what the first one
 * captured.
 */
export class Carriers {
  readonly #local: ContextCarrier;
  #attached: readonly ContextCarrier[] = [];

  constructor(local: ContextCarrier) {
    this.#local = local;
  }

  /** Adds a carrier; tasks that were accepted before run in it with nothing captured. */
  attach(carrier: ContextCarrier): Disposable {
    this.#attached = [...this.#attached, carrier];
    return {
      [Symbol.dispose]: () => {
        this.#attached = this.#attached.filter((one) => one !== carrier);
      },
    };
  }

  /** @param keepLocal false when the task gave up its async context */
  capture(task: Task, keepLocal: boolean): CapturedContext | undefined {
    const local = keepLocal ? this.#local.capture(task) : undefined;
    if (this.#attached.length === 0) return local;
    return new Captures(local, new Map(this.#attached.map((carrier) => [carrier, carrier.capture(task)])));
  }

  run(
    captured: CapturedContext | undefined,
    task: Task,
    perform: () => Eventually<Outcome>,
  ): Eventually<Outcome> {
    const captures = captured instanceof Captures ? captured : undefined;
    const local = captures === undefined ? captured : captures.local;
    if (this.#attached.length === 0) return this.#local.run(local, task, perform);
    const nested = this.#attached.reduceRight<() => Eventually<Outcome>>(
      (inner, carrier) => () => carrier.run(captures?.attached.get(carrier), task, inner),
      perform,
    );
    return this.#local.run(local, task, nested);
  }
}
