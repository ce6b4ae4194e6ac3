import type { SpanContext, TraceState } from "@opentelemetry/api";
import type { OtelApi } from "./otel-api.js";

/** `version-traceid-parentid-flags`; versions to come may go on after a dash. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Longer ones are no `traceparent` of any version that is known. */
const MAX_TRACEPARENT_LENGTH = 512;

/** What W3C wants to be passed on at least, and the API takes at most. */
const MAX_TRACESTATE_LENGTH = 512;

/** Flags that mean something: sampled, and that the trace id is random. The others must not be passed on. */
const KNOWN_FLAGS = 0x03;

/** `traceparent` of W3C Trace Context; undefined for what is no valid span context. */
export function toTraceparent(api: OtelApi, context: SpanContext): string | undefined {
  if (!api.isSpanContextValid(context)) return undefined;
  const { traceId, spanId, traceFlags } = context;
  return `00-${traceId}-${spanId}-${(traceFlags & KNOWN_FLAGS).toString(16).padStart(2, "0")}`.toLowerCase();
}

/** Reads a `traceparent`; undefined for garbage. */
export function fromTraceparent(api: OtelApi, text: unknown): SpanContext | undefined {
  if (typeof text !== "string" || text.length > MAX_TRACEPARENT_LENGTH) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(text) ?? [];
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  const traceFlags = Number.parseInt(flags, 16) & KNOWN_FLAGS;
  const context = { traceId, spanId, traceFlags, isRemote: true };
  return api.isSpanContextValid(context) ? context : undefined;
}

/**
 * `tracestate`, with what is valid of it, and no more than W3C lets one rely on: whole members of it, the
 * newest first. Undefined where nothing is left.
 */
export function toTracestate(api: OtelApi, state: TraceState | undefined): string | undefined {
  const text: unknown = state?.serialize();
  if (typeof text !== "string") return undefined;
  const cut = text.length <= MAX_TRACESTATE_LENGTH ? text : cutMembers(text);
  return api.createTraceState(cut).serialize() || undefined;
}

/** Reads a `tracestate`; undefined for one that is too long, or has no valid member. */
export function fromTracestate(api: OtelApi, text: unknown): TraceState | undefined {
  if (typeof text !== "string" || text.length > MAX_TRACESTATE_LENGTH) return undefined;
  const state = api.createTraceState(text);
  return state.serialize() === "" ? undefined : state;
}

function cutMembers(text: string): string {
  const end = text.lastIndexOf(",", MAX_TRACESTATE_LENGTH);
  return end === -1 ? "" : text.slice(0, end);
}
