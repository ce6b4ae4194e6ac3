import type { Context } from "@opentelemetry/api";
import { type ThreadCarrier, type ThreadCarrierKeeper, threadCarriers } from "../../ports/thread-carrier.js";
import { fromHeaders } from "./captured-trace.js";
import { loadOtelApi, type OtelApi } from "./otel-api.js";

/** Where the global object of a thread says that it is instrumented, also to a second copy of the package. */
const INSTRUMENTED = Symbol.for("millrace.threadInstrumented");

interface Keeper extends ThreadCarrierKeeper {
  [INSTRUMENTED]?: boolean;
}

/**
 * Goes on in a worker thread with the traces of the main thread: handlers run inside the span of their
 * attempt, so that spans they start are its children, are sampled as it was, and see the baggage that was
 * chosen to travel. To be called in a module of `threads.preload`, beside what starts an SDK in the thread;
 * the order of the two is free, and nothing is made here that would have to be exported.
 *
 * It does nothing where it has been called before, and outside of threads of Millrace; nor in threads whose
 * manager is not instrumented, where nobody sends spans along.
 * @throws {PeerMissingError} when `@opentelemetry/api` is not installed
 */
export function instrumentThread(): void {
  const api = loadOtelApi();
  const keeper = globalThis as Keeper;
  if (keeper[INSTRUMENTED] === true) return;
  keeper[INSTRUMENTED] = true;
  keeper[threadCarriers] = [...(keeper[threadCarriers] ?? []), new TraceThreadCarrier(api)];
}

/** What comes from the main thread was chosen there. */
const ALL_KEYS = { has: () => true };

/** Runs handlers in the context that the headers of their attempts tell of. */
class TraceThreadCarrier implements ThreadCarrier {
  readonly #api: OtelApi;

  constructor(api: OtelApi) {
    this.#api = api;
  }

  run<R>(headers: Readonly<Record<string, string>> | undefined, _context: unknown, run: () => R): R {
    const context = this.#toContext(headers);
    return context === undefined ? run() : this.#api.context.with(context, run);
  }

  /** Undefined where there is nothing to carry. */
  #toContext(headers: Readonly<Record<string, string>> | undefined): Context | undefined {
    const carried = fromHeaders(this.#api, headers, ALL_KEYS);
    if (carried === undefined) return undefined;
    const { baggage, spanContext } = carried;
    const { context, propagation, trace } = this.#api;
    let entered = context.active();
    if (spanContext !== undefined) entered = trace.setSpanContext(entered, spanContext);
    if (baggage !== undefined) entered = propagation.setBaggage(entered, baggage);
    return entered;
  }
}
