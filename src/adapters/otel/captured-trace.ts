import type { Baggage, SpanContext } from "@opentelemetry/api";
import type { CapturedContext } from "../../ports/context-carrier.js";
import { type BaggageKeys, fromBaggageHeader, toBaggageHeader } from "./baggage-header.js";
import type { OtelApi } from "./otel-api.js";
import { fromTraceparent, fromTracestate, toTraceparent, toTracestate } from "./trace-context-header.js";

/**
 * What a task takes along of the trace of its call. Small, since a million tasks may wait: headers are made
 * when somebody reads them.
 */
export class CapturedTrace implements CapturedContext {
  /** Of the span of the call; undefined where the task is not to be traced. */
  readonly spanContext: SpanContext | undefined;
  readonly baggage: Baggage | undefined;
  readonly #api: OtelApi;

  constructor(api: OtelApi, spanContext: SpanContext | undefined, baggage: Baggage | undefined) {
    this.#api = api;
    this.spanContext = spanContext;
    this.baggage = baggage;
  }

  /**
   * Headers of W3C Trace Context and Baggage. They need no propagator, since programs register others, or
   * none. Never throws: it is read where a task goes on its way.
   */
  get headers(): Readonly<Record<string, string>> {
    const { baggage, spanContext } = this;
    const headers: Record<string, string> = {};
    const put = (name: string, make: () => string | undefined) => {
      const value = orNothing(make);
      if (value !== undefined) headers[name] = value;
    };
    if (spanContext !== undefined) {
      put("traceparent", () => toTraceparent(this.#api, spanContext));
      if ("traceparent" in headers) put("tracestate", () => toTracestate(this.#api, spanContext.traceState));
    }
    if (baggage !== undefined) put("baggage", () => toBaggageHeader(baggage));
    return headers;
  }
}

/**
 * Reads what `CapturedTrace` wrote, or what another program did. Takes anything: garbage counts as absent,
 * and it never throws.
 * @param keys of the baggage that may travel
 * @returns undefined where nothing of it can be used
 */
export function fromHeaders(api: OtelApi, headers: unknown, keys: BaggageKeys): CapturedTrace | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  const read = (name: string) => orNothing(() => (headers as Record<string, unknown>)[name]);
  const spanContext = orNothing(() => fromTraceparent(api, read("traceparent")));
  const traceState = spanContext && orNothing(() => fromTracestate(api, read("tracestate")));
  const baggage = orNothing(() => fromBaggageHeader(api, read("baggage"), keys));
  if (spanContext === undefined && baggage === undefined) return undefined;
  const whole = spanContext && traceState ? { ...spanContext, traceState } : spanContext;
  return new CapturedTrace(api, whole, baggage);
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
