import type { Attributes, Span, SpanStatusCode } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { TaskReason, TaskState } from "../../task/states.js";
import type { TaskEvent } from "../../task/task-event.js";
import { toErrorType } from "./error-type.js";

/** The span of an attempt that has not ended. */
interface OpenSpan {
  readonly span: Span;
  /** That of a later attempt of the same task. */
  next: OpenSpan | undefined;
}

/** What comes after an attempt. */
type AttemptEnd = Extract<TaskEvent, { readonly type: "retried" | "rescheduled" | "finished" }>;

/** A task that has finished is in a terminal state. */
type AttemptOutcome = "retried" | "rescheduled" | TaskState;

/**
 * Spans of running attempts, which end by what is published of their tasks: so that of an attempt that was
 * given up ends with it, although its handler goes on. As many as attempts that run.
 */
export class OpenSpans implements Disposable {
  readonly #point: InstrumentationPoint;
  readonly #errorStatus: SpanStatusCode.ERROR;
  /** By task, the oldest first: events come in their order, but the next attempt may have begun before. */
  readonly #open = new Map<string, OpenSpan>();
  #listening: Disposable | undefined;

  constructor(point: InstrumentationPoint, errorStatus: SpanStatusCode.ERROR) {
    this.#point = point;
    this.#errorStatus = errorStatus;
  }

  get size(): number {
    return this.#open.size;
  }

  /** To be called before the handler: it may end within its call. */
  add(id: string, span: Span): void {
    const types = ["retried", "rescheduled", "abandoned", "finished"] as const;
    this.#listening ??= this.#point.listen((event) => this.#follow(event), types);
    const open: OpenSpan = { span, next: undefined };
    let last = this.#open.get(id);
    if (last === undefined) {
      this.#open.set(id, open);
      return;
    }
    while (last.next !== undefined) last = last.next;
    last.next = open;
  }

  /** Ends them all, with nothing said of what became of their attempts. */
  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const first of all)
      for (let open: OpenSpan | undefined = first; open !== undefined; open = open.next) this.#end(open.span);
  }

  #follow(event: TaskEvent): void {
    if (this.#open.size === 0) return; // a snapshot is made when it is looked at
    if (event.type === "abandoned") this.#open.get(event.task.id)?.span.addEvent("abandon");
    else if (event.type === "retried" || event.type === "rescheduled" || event.type === "finished")
      this.#close(event);
  }

  #close(event: AttemptEnd): void {
    const span = this.#take(event.task.id);
    if (span === undefined) return; // it ended while it waited, or was not traced
    try {
      this.#describe(span, event);
    } finally {
      span.end();
    }
  }

  #take(id: string): Span | undefined {
    const open = this.#open.get(id);
    if (open === undefined) return undefined;
    if (open.next === undefined) this.#open.delete(id);
    else this.#open.set(id, open.next);
    return open.span;
  }

  #describe(span: Span, event: AttemptEnd): void {
    const { task } = event;
    switch (event.type) {
      case "finished":
        span.setAttributes(toOutcome(task.state, task.reason));
        if (task.state === "failed") this.#fail(span, task.error);
        break;
      case "rescheduled":
        span.setAttributes(toOutcome(event.type, task.reason));
        span.addEvent("reschedule", { "millrace.delay_ms": event.delayMs });
        break;
      case "retried":
        span.setAttributes(toOutcome(event.type, undefined)); // the reason is that of its wait
        span.addEvent("retry", { "millrace.delay_ms": event.delayMs, "millrace.attempt": task.attempt + 1 });
        this.#fail(span, event.error);
    }
  }

  /** The status has no description: a message may hold anything. */
  #fail(span: Span, error: unknown): void {
    span.setAttribute("error.type", toErrorType(error));
    span.setStatus({ code: this.#errorStatus });
  }

  #end(span: Span): void {
    try {
      span.end();
    } catch (error) {
      this.#point.recordError(error, "carrier");
    }
  }
}

function toOutcome(outcome: AttemptOutcome, reason: TaskReason | undefined): Attributes {
  return {
    "millrace.outcome": outcome,
    ...(reason === undefined ? undefined : { "millrace.reason": reason }),
  };
}
