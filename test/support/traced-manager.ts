import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { onTestFinished } from "vitest";
import { type InstrumentOptions, instrument } from "../../src/adapters/otel/index.js";
import { type ObservedManager, type ObservedOptions, observeManager } from "./observed-manager.js";

/** A real SDK for traces, with what it exported in view. */
export class TraceSdk {
  readonly provider: NodeTracerProvider;
  readonly #exporter = new InMemorySpanExporter();

  constructor({ sampler, processors = [] }: { sampler?: Sampler; processors?: SpanProcessor[] } = {}) {
    this.provider = new NodeTracerProvider({
      ...(sampler && { sampler }),
      spanProcessors: [...processors, new SimpleSpanProcessor(this.#exporter)],
    });
  }

  /** Makes it the global one, with its context manager, until the test is over. */
  register(): this {
    this.provider.register();
    onTestFinished(unregister);
    return this;
  }

  /** What has ended, in its order. */
  get spans(): ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  get sends(): ReadableSpan[] {
    return this.spans.filter(({ kind }) => kind === SpanKind.PRODUCER);
  }

  get attempts(): ReadableSpan[] {
    return this.spans.filter(({ kind }) => kind === SpanKind.CONSUMER);
  }

  named(name: string): ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** Calls within a span of its own. */
  inSpan<T>(name: string, call: () => T): T {
    return this.provider.getTracer("test").startActiveSpan(name, (span) => {
      try {
        return call();
      } finally {
        span.end();
      }
    });
  }
}

/** Takes the global SDK away again. */
export function unregister(): void {
  trace.disable();
  context.disable();
  propagation.disable();
}

export interface TracedScene {
  readonly sdk: TraceSdk;
  readonly tasks: ObservedManager;
  readonly instrumented: Disposable;
}

/** A manager whose tasks are traced by an SDK that is registered. */
export function traceManager(
  options?: ObservedOptions,
  instrumentOptions?: InstrumentOptions,
  sdk: TraceSdk = new TraceSdk(),
): TracedScene {
  sdk.register();
  const tasks = observeManager(options);
  const instrumented = instrument(tasks, instrumentOptions);
  onTestFinished(() => instrumented[Symbol.dispose]());
  return { sdk, tasks, instrumented };
}

/** The span ids that a span is linked to. */
export function linksOf({ links }: ReadableSpan): string[] {
  return links.map(({ context: { traceId, spanId } }) => `${traceId}-${spanId}`);
}

export function idOf(span: ReadableSpan | undefined): string | undefined {
  if (span === undefined) return undefined;
  const { traceId, spanId } = span.spanContext();
  return `${traceId}-${spanId}`;
}

export function parentOf({ parentSpanContext }: ReadableSpan): string | undefined {
  return parentSpanContext && `${parentSpanContext.traceId}-${parentSpanContext.spanId}`;
}
