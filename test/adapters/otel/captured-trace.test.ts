import * as api from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CapturedTrace, fromHeaders } from "../../../src/adapters/otel/captured-trace.js";

const SPAN_CONTEXT = {
  ...{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 },
  traceState: api.createTraceState("vendor=one"),
};
const KEYS = new Set(["tenant"]);
const baggage = api.propagation.createBaggage({ tenant: { value: "acme & sons" } });

const HEADERS = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=one",
  baggage: "tenant=acme%20%26%20sons",
};

describe("the headers of a captured trace", () => {
  it("are those of W3C, made when they are read", () => {
    expect(new CapturedTrace(api, SPAN_CONTEXT, baggage).headers).toEqual(HEADERS);
  });

  it("are left out where there is nothing to say", () => {
    expect(new CapturedTrace(api, undefined, undefined).headers).toEqual({});
    expect(new CapturedTrace(api, undefined, baggage).headers).toEqual({ baggage: HEADERS.baggage });
    expect(new CapturedTrace(api, api.INVALID_SPAN_CONTEXT, undefined).headers).toEqual({});
  });

  it("are read back, the sampled flag included", () => {
    for (const traceFlags of [0, 1]) {
      const read = fromHeaders(
        api,
        new CapturedTrace(api, { ...SPAN_CONTEXT, traceFlags }, baggage).headers,
        KEYS,
      );
      expect(read?.spanContext).toMatchObject({ spanId: SPAN_CONTEXT.spanId, traceFlags, isRemote: true });
      expect(read?.spanContext?.traceState?.get("vendor")).toBe("one");
      expect(read?.baggage?.getEntry("tenant")?.value).toBe("acme & sons");
    }
  });

  it("do not throw where what was captured does", () => {
    const traceState = {
      serialize: () => {
        throw new Error("serialize");
      },
    } as unknown as api.TraceState;
    const broken = {
      getAllEntries: () => {
        throw new Error("getAllEntries");
      },
    } as unknown as api.Baggage;
    const { headers } = new CapturedTrace(api, { ...SPAN_CONTEXT, traceState }, broken);
    expect(headers).toEqual({ traceparent: HEADERS.traceparent });
  });

  it("may be anything when they are read: garbage counts as absent", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const throwing = {
      get traceparent(): string {
        throw new Error("getter");
      },
      baggage: HEADERS.baggage,
    };
    expect(fromHeaders(api, throwing, KEYS)?.headers).toEqual({ baggage: HEADERS.baggage });
    for (const garbage of [undefined, null, 7, "traceparent", [], {}, proxy, { traceparent: "junk" }])
      expect(fromHeaders(api, garbage, KEYS)).toBeUndefined();
    const value = fc.oneof(fc.anything(), fc.string(), fc.constantFrom(...Object.values(HEADERS)));
    fc.assert(
      fc.property(fc.record({ traceparent: value, tracestate: value, baggage: value }), (headers) => {
        const read = fromHeaders(api, headers, KEYS);
        if (read === undefined) return;
        expect(Object.keys(read.headers)).not.toEqual([]);
        expect(fromHeaders(api, read.headers, KEYS)?.headers).toEqual(read.headers);
      }),
    );
  });

  it("without a trace carry baggage alone, and a tracestate alone means nothing", () => {
    expect(fromHeaders(api, { baggage: HEADERS.baggage }, KEYS)).toMatchObject({ spanContext: undefined });
    expect(fromHeaders(api, { tracestate: HEADERS.tracestate }, KEYS)).toBeUndefined();
  });
});
