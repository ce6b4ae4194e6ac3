import { context, propagation, type Span, type TracerProvider, trace } from "@opentelemetry/api";
import { AlwaysOffSampler, type ReadableSpan } from "@opentelemetry/sdk-trace-node";
import { describe, expect, onTestFinished, test } from "vitest";
import { type InstrumentOptions, instrument } from "../../../src/adapters/otel/index.js";
import { createThreaded } from "../../support/threaded-manager.js";
import { TraceSdk } from "../../support/traced-manager.js";

/** A manager whose attempts are handed over, and the headers that each had when it was. */
function createHanding(options: InstrumentOptions = {}, sdk = new TraceSdk()) {
  sdk.register();
  const manager = createThreaded();
  const instrumented = instrument(manager, options);
  onTestFinished(() => instrumented[Symbol.dispose]());
  const headers: unknown[] = [];
  manager.pool.onRun = ({ attempt }) => headers.push(attempt.headers);
  const run = async (...payloads: readonly string[]) => {
    for (const payload of payloads) manager.enqueue(payload);
    await manager.clock.advance(0);
    for (const payload of payloads) manager.pool.end(payload);
  };
  return { sdk, manager, instrumented, headers, run };
}

const toTraceparent = (span: ReadableSpan | undefined) =>
  `00-${span?.spanContext().traceId}-${span?.spanContext().spanId}-01`;

describe("the headers of an attempt that is handed over", () => {
  test("are those of its own span, by W3C Trace Context, also with a trace state", async () => {
    const { sdk, headers, run } = createHanding();
    await run("a", "b");
    expect(headers).toEqual(sdk.attempts.map((span) => ({ traceparent: toTraceparent(span) })));
    const remote = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
    const traceState = { serialize: () => "vendor=1" } as never;
    const parent = trace.setSpanContext(context.active(), { ...remote, traceState });
    const again = createHanding({ traces: { relation: "parent" } }, sdk);
    await context.with(parent, () => again.run("c"));
    expect(again.headers).toEqual([
      { traceparent: expect.stringMatching(/^00-0af7651916cd43dd8448eb211c80319c-/), tracestate: "vendor=1" },
    ]);
  });

  test("say so where it is not sampled", async () => {
    const { headers, run } = createHanding({}, new TraceSdk({ sampler: new AlwaysOffSampler() }));
    await run("a");
    expect(headers).toEqual([{ traceparent: expect.stringMatching(/-00$/) }]);
  });

  test("hold the baggage that was chosen", async () => {
    const { headers, run } = createHanding({ traces: { baggage: ["tenant"] } });
    const baggage = propagation.createBaggage({ tenant: { value: "acme" }, secret: { value: "s3cret" } });
    await context.with(propagation.setBaggage(context.active(), baggage), () => run("a"));
    expect(headers).toEqual([{ traceparent: expect.any(String), baggage: "tenant=acme" }]);
  });

  test("are there in every context, where there is no context manager", async () => {
    const { sdk, headers, run } = createHanding();
    context.disable();
    await run("a", "b");
    expect(headers).toEqual(sdk.attempts.map((span) => ({ traceparent: toTraceparent(span) })));
  });

  test("are none before there is an SDK, and none when instrumentation has ended", async () => {
    const manager = createThreaded();
    const headers: unknown[] = [];
    manager.pool.onRun = ({ attempt }) => headers.push(attempt.headers);
    using _instrumented = instrument(manager);
    manager.enqueue("a");
    await manager.clock.advance(0);
    manager.pool.end("a");
    const over = createHanding();
    over.instrumented[Symbol.dispose]();
    await over.run("b");
    expect([...headers, ...over.headers]).toEqual([undefined, undefined]);
  });

  test("are none of a span that breaks, which is counted and harms nothing", async () => {
    const sdk = new TraceSdk();
    let asked = 0;
    const breaking = (span: Span): Span =>
      Object.assign(Object.create(span), {
        spanContext: () => {
          if (++asked === 2) throw new Error("a span that breaks");
          return span.spanContext();
        },
      });
    const tracerProvider: TracerProvider = {
      getTracer: (...given) => {
        const tracer = sdk.provider.getTracer(...given);
        const startSpan: typeof tracer.startSpan = (name, ...rest) => {
          const span = tracer.startSpan(name, ...rest);
          asked = 0;
          return name.startsWith("process") ? breaking(span) : span;
        };
        return { startSpan, startActiveSpan: tracer.startActiveSpan.bind(tracer) };
      },
    };
    const { manager, headers, run } = createHanding({ tracerProvider }, sdk);
    await run("a");
    expect(headers).toEqual([undefined]);
    expect(manager.stats()).toMatchObject({ total: { completed: 1 }, observerErrors: 1 });
  });
});
