import * as api from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fromTraceparent,
  fromTracestate,
  toTraceparent,
  toTracestate,
} from "../../../src/adapters/otel/trace-context-header.js";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";
const VALID = `00-${TRACE_ID}-${SPAN_ID}-01`;

const hex = (length: number) =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((id) => !/^0+$/.test(id));

describe("a traceparent", () => {
  it("gives back the span context that was put into it", () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 3 }), (traceId, spanId, traceFlags) => {
        const header = toTraceparent(api, { traceId, spanId, traceFlags });
        expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
        expect(fromTraceparent(api, header)).toEqual({ traceId, spanId, traceFlags, isRemote: true });
      }),
    );
  });

  it("is read as others write it, also in a version to come", () => {
    const read = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, isRemote: true };
    expect(fromTraceparent(api, VALID)).toEqual(read);
    expect(fromTraceparent(api, `01-${TRACE_ID}-${SPAN_ID}-01-more`)).toEqual(read);
    expect(fromTraceparent(api, `00-${TRACE_ID}-${SPAN_ID}-ff`)).toEqual({ ...read, traceFlags: 3 });
  });

  it.each([
    ...["", "junk", VALID.toUpperCase(), ` ${VALID}`, `${VALID}\n`, `${VALID}-more`, VALID.slice(1)],
    `ff-${TRACE_ID}-${SPAN_ID}-01`,
    `00-${"0".repeat(32)}-${SPAN_ID}-01`,
    `00-${TRACE_ID}-${"0".repeat(16)}-01`,
    `01-${TRACE_ID}-${SPAN_ID}-01-${"a".repeat(1_000)}`,
    ...[undefined, null, 7, {}, [VALID]],
  ])("is garbage: %j", (text) => {
    expect(fromTraceparent(api, text)).toBeUndefined();
  });

  it("is not made of what is no valid span context", () => {
    expect(toTraceparent(api, api.INVALID_SPAN_CONTEXT)).toBeUndefined();
    const junk = { traceId: `${TRACE_ID}\r\nx: y`, spanId: SPAN_ID, traceFlags: 1 };
    expect(toTraceparent(api, junk)).toBeUndefined();
  });
});

describe("a tracestate", () => {
  it("gives back the state that was put into it", () => {
    const text = "vendor=one,tenant@system=two three";
    const header = toTracestate(api, api.createTraceState(text));
    expect(header).toBe(text);
    expect(fromTracestate(api, header)?.serialize()).toBe(text);
  });

  it("loses what is not valid, and what is beyond 512 characters, whole members at a time", () => {
    const serializing = (serialize: () => unknown) => ({ serialize }) as api.TraceState;
    expect(
      toTracestate(
        api,
        serializing(() => "a=1,B@D=x\r\nevil: 1,c=3"),
      ),
    ).toBe("a=1,c=3");
    const many = Array.from({ length: 40 }, (_, index) => `key${index}=${"v".repeat(20)}`).join(",");
    const cut =
      toTracestate(
        api,
        serializing(() => many),
      ) ?? "";
    expect(cut.length).toBeLessThanOrEqual(512);
    expect(many.startsWith(`${cut},`)).toBe(true);
    expect(
      toTracestate(
        api,
        serializing(() => `a=${"v".repeat(600)}`),
      ),
    ).toBeUndefined();
    expect(
      toTracestate(
        api,
        serializing(() => 7),
      ),
    ).toBeUndefined();
    expect(toTracestate(api, undefined)).toBeUndefined();
  });

  it("is absent where it is garbage or too long", () => {
    for (const text of ["", "junk", "=", ",,,", `a=${"v".repeat(600)}`, undefined, 7, {}])
      expect(fromTracestate(api, text)).toBeUndefined();
  });
});
