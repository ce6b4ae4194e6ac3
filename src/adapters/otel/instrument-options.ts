import type { MeterProvider, TracerProvider } from "@opentelemetry/api";
import {
  type Check,
  type Checks,
  expected,
  flag,
  having,
  name,
  oneOf,
  readOptions,
} from "../../task/checks.js";

/** How tasks appear in traces. */
export interface TraceOptions {
  /**
   * How the span of an attempt belongs to the span of the call that enqueued its task: `"link"` begins a
   * trace of its own for each attempt, which points back (default); `"parent"` goes on in the trace of the
   * call.
   */
  relation?: "link" | "parent" | undefined;
  /**
   * Keys of the baggage that travel with a task where the async context of its call does not: with `context:
   * false`, and in the headers for other threads and processes. At most 64. Default: none.
   */
  baggage?: readonly string[] | undefined;
}

/** Options of `instrument`. */
export interface InstrumentOptions {
  /** Default: the global one, also when it is registered later. */
  meterProvider?: MeterProvider | undefined;
  /** Default: the global one, also when it is registered later. */
  tracerProvider?: TracerProvider | undefined;
  /**
   * Tells several managers of one process apart: the attribute `manager` of all that this one reports: 1 to
   * 128 of `A-Z a-z 0-9 _ . : -`. Default: no such attribute.
   */
  name?: string | undefined;
  /** Report `messaging.process.duration`, a histogram of the messaging conventions, too. Default false. */
  processDuration?: boolean | undefined;
  traces?: TraceOptions | undefined;
}

const MAX_BAGGAGE_KEYS = 64;

const baggageCheck: Check<readonly string[]> = (value, path) => {
  if (Array.isArray(value) && value.length <= MAX_BAGGAGE_KEYS) {
    const keys: unknown[] = [...value];
    if (keys.every((key): key is string => typeof key === "string" && key !== "")) return keys;
  }
  throw expected(path, `a list of at most ${MAX_BAGGAGE_KEYS} baggage keys`, value);
};

const TRACE_CHECKS: Checks<TraceOptions> = { relation: oneOf("link", "parent"), baggage: baggageCheck };

export const INSTRUMENT_CHECKS: Checks<InstrumentOptions> = {
  meterProvider: having<MeterProvider>("a meter provider", "getMeter"),
  tracerProvider: having<TracerProvider>("a tracer provider", "getTracer"),
  name,
  processDuration: flag,
  traces: (value, path) => readOptions<TraceOptions>(path, value, TRACE_CHECKS),
};
