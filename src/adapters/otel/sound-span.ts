import type { Span, SpanContext } from "@opentelemetry/api";
import type { Guard } from "./guard.js";

/** What handlers, and what instruments the libraries they use, may call on the active span. */
const METHODS = [
  ...["spanContext", "setAttribute", "setAttributes", "addEvent", "setStatus", "updateName", "end"],
  ...["isRecording", "recordException"],
] as const satisfies readonly (keyof Span)[];

/**
 * Gives a span back that can be used as one, since it is put into the context in which handlers run.
 * @throws {TypeError} for what a tracer made that is no span
 */
export function toSoundSpan(made: Span, guard: Guard): Span {
  const found: unknown = guard.settled(made);
  if (typeof found === "object" && found !== null) {
    const isWhole = METHODS.every((method) => typeof made[method] === "function");
    if (isWhole && isSpanContext(guard.settled(made.spanContext()))) return made;
  }
  throw new TypeError("The tracer made something that is no span");
}

function isSpanContext(found: unknown): found is SpanContext {
  if (typeof found !== "object" || found === null) return false;
  const { traceId, spanId, traceFlags } = found as SpanContext;
  return typeof traceId === "string" && typeof spanId === "string" && typeof traceFlags === "number";
}
