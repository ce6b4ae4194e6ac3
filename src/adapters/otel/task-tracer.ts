import type { Context, Span, SpanContext, SpanOptions } from "@opentelemetry/api";
import type {
  CapturedContext,
  ContextCarrier,
  Departure,
  OutgoingTask,
} from "../../ports/context-carrier.js";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import { toErrorType } from "../../task/error-type.js";
import type { Eventually, Outcome } from "../../task/outcome.js";
import type { Task } from "../../task/task.js";
import { chooseBaggage } from "./baggage-header.js";
import { CapturedTrace, fromHeaders } from "./captured-trace.js";
import { Guard } from "./guard.js";
import type { InstrumentOptions } from "./instrument-options.js";
import { LateTracer } from "./late-tracer.js";
import { OpenSpans } from "./open-spans.js";
import type { OtelApi } from "./otel-api.js";
import { toSoundSpan } from "./sound-span.js";
import { type SpanTask, toSpanAttributes, toSpanName } from "./span-options.js";

/**
 * A span for each call that enqueued a task and one for each attempt, inside which the handler and its
 * middleware run. A task whose call was not sampled, or not to be traced, has none for its attempts either,
 * and its handler runs in the context of the call, so that what it does is not sampled too.
 *
 * Tracers are code of others: what they throw, or reject with, is counted, and the task goes on without a
 * span.
 */
export class TaskTracer implements ContextCarrier, Disposable {
  readonly #api: OtelApi;
  readonly #guard: Guard;
  readonly #manager: string | undefined;
  readonly #relation: "link" | "parent";
  readonly #baggage: ReadonlySet<string>;
  readonly #tracer: LateTracer;
  readonly #open: OpenSpans;
  readonly #attached: Disposable;
  #disposed = false;

  constructor(api: OtelApi, point: InstrumentationPoint, options: InstrumentOptions) {
    this.#api = api;
    this.#guard = new Guard(point, "carrier");
    this.#manager = options.name;
    this.#relation = options.traces?.relation ?? "link";
    this.#baggage = new Set(options.traces?.baggage);
    this.#tracer = new LateTracer(api, this.#guard, options.tracerProvider);
    this.#open = new OpenSpans(point, this.#guard, api.SpanStatusCode.ERROR);
    this.#attached = point.attach(this);
  }

  /** Asked for each enqueue call and each attempt. */
  get active(): boolean {
    return this.#tracer.present;
  }

  capture(task: Task): CapturedTrace {
    const context = this.#guard.settled(this.#api.context.active());
    const baggage = this.#guard.call(() =>
      chooseBaggage(this.#api, this.#api.propagation.getBaggage(context), this.#baggage),
    );
    return new CapturedTrace(this.#api, this.#recordSend(task, context), baggage);
  }

  /** The span of the call that enqueues a durable task ends when the store has answered. */
  send(task: OutgoingTask): Departure | undefined {
    if (this.#disposed || this.#guard.calling) return undefined;
    const context = this.#guard.settled(this.#api.context.active());
    const baggage = this.#guard.call(() =>
      chooseBaggage(this.#api, this.#api.propagation.getBaggage(context), this.#baggage),
    );
    const span = this.#guard.call(() => this.#startSpan("send", task, context, undefined, (made) => made));
    const spanContext = span && this.#guard.call(() => this.#guard.settled(span.spanContext()));
    return {
      headers: new CapturedTrace(this.#api, spanContext, baggage).headers,
      ended: (error) => this.#endSend(span, error),
    };
  }

  /**
   * Of the span that is active, which is that of the attempt or one that middleware has put into it: what is
   * done elsewhere becomes its child, and is not sampled where it is not. Without a context manager none is
   * active, and the attempt's own is taken.
   */
  headers(task: Task): Readonly<Record<string, string>> | undefined {
    if (this.#disposed) return undefined;
    return this.#guard.call(() => {
      const context = this.#guard.settled(this.#api.context.active());
      const span = this.#api.trace.getSpan(context) ?? this.#open.find(task.id);
      const spanContext = span && this.#guard.settled(span.spanContext());
      const baggage = chooseBaggage(this.#api, this.#api.propagation.getBaggage(context), this.#baggage);
      return new CapturedTrace(this.#api, spanContext, baggage).headers;
    });
  }

  run(
    captured: CapturedContext | undefined,
    task: Task,
    perform: () => Eventually<Outcome>,
  ): Eventually<Outcome> {
    if (this.#disposed) return perform();
    const context = this.#guard.call(() => this.#enter(captured, task));
    return context === undefined ? perform() : this.#api.context.with(context, perform);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#attached[Symbol.dispose]();
    this.#open[Symbol.dispose]();
  }

  /**
   * The span of an enqueue call, over at once. A span processor that enqueues in its turn gets none for that,
   * or there would be no end to it.
   */
  #recordSend(task: Task, context: Context): SpanContext | undefined {
    if (this.#guard.calling) return undefined;
    return this.#guard.call(() =>
      this.#startSpan("send", task, context, undefined, (span) => {
        const spanContext = this.#guard.settled(span.spanContext());
        this.#guard.call(() => span.end());
        return this.#api.isSpanContextValid(spanContext) ? spanContext : undefined;
      }),
    );
  }

  #endSend(span: Span | undefined, error: unknown): void {
    if (span === undefined) return;
    if (error !== undefined) {
      this.#guard.call(() => span.setAttributes({ "error.type": toErrorType(error) }));
      this.#guard.call(() => span.setStatus({ code: this.#api.SpanStatusCode.ERROR }));
    }
    this.#guard.call(() => span.end());
  }

  /**
   * A task that was accepted before there was instrumentation has captured nothing: the context of its call,
   * in which it runs, may still tell where it came from.
   */
  #toTrace(captured: CapturedContext | undefined): CapturedTrace | undefined {
    if (captured instanceof CapturedTrace) return captured;
    if (captured !== undefined) return fromHeaders(this.#api, captured.headers, this.#baggage);
    const origin = this.#api.trace.getSpanContext(this.#api.context.active());
    return origin && new CapturedTrace(this.#api, origin, undefined);
  }

  /**
   * The context to run an attempt in: that of the call, with the span of the attempt. A call of this process
   * that was given no span is not to be traced; headers without one say nothing of that.
   */
  #enter(captured: CapturedContext | undefined, task: Task): Context {
    const { trace: spans } = this.#api;
    const isOwn = captured instanceof CapturedTrace;
    const trace = this.#toTrace(captured);
    const context = this.#withBaggage(this.#guard.settled(this.#api.context.active()), trace);
    if (trace === undefined) return this.#enterSpan(context, task, undefined);
    const { spanContext } = trace;
    if (spanContext === undefined) return isOwn ? context : this.#enterSpan(context, task, undefined);
    const called = spans.setSpanContext(context, spanContext);
    const isSampled = (spanContext.traceFlags & this.#api.TraceFlags.SAMPLED) !== 0;
    return isSampled ? this.#enterSpan(called, task, spanContext) : called;
  }

  /** @param context that of the call, which is also the one to run in when there can be no span */
  #enterSpan(context: Context, task: Task, origin: SpanContext | undefined): Context {
    const entered = this.#guard.call(() =>
      this.#startSpan("process", task, context, origin, (span) => {
        if (this.#guard.settled(span.isRecording())) this.#open.add(task.id, span);
        return this.#api.trace.setSpan(context, span);
      }),
    );
    return entered ?? context;
  }

  /** Starts a span, for `use`. */
  #startSpan<T>(
    operation: "send" | "process",
    task: SpanTask,
    context: Context,
    origin: SpanContext | undefined,
    use: (span: Span) => T,
  ): T | undefined {
    const tracer = this.#tracer.find();
    if (tracer === undefined) return undefined;
    const options = this.#toOptions(operation, task, origin);
    const made = tracer.startSpan(toSpanName(operation, task), options, context);
    return use(toSoundSpan(made, this.#guard));
  }

  #toOptions(operation: "send" | "process", task: SpanTask, origin: SpanContext | undefined): SpanOptions {
    const { SpanKind } = this.#api;
    const isAttempt = operation === "process";
    return {
      kind: isAttempt ? SpanKind.CONSUMER : SpanKind.PRODUCER,
      root: isAttempt && this.#relation === "link",
      links: origin === undefined ? [] : [{ context: origin }],
      attributes: toSpanAttributes(operation, task, this.#manager),
    };
  }

  /** What the context of the call has is still there, unless the task gave that context up. */
  #withBaggage(context: Context, trace: CapturedTrace | undefined): Context {
    const chosen = trace?.baggage?.getAllEntries() ?? [];
    if (chosen.length === 0) return context;
    const { propagation } = this.#api;
    let baggage = propagation.getBaggage(context) ?? propagation.createBaggage();
    for (const [key, entry] of chosen) baggage = baggage.setEntry(key, entry);
    return propagation.setBaggage(context, baggage);
  }
}
