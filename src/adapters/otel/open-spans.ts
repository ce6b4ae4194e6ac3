import type { Attributes, Span, SpanStatusCode } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import { toErrorType } from "../../task/error-type.js";
import type { TaskReason, TaskState } from "../../task/states.js";
import type { TaskEvent } from "../../task/task-event.js";
import type { Guard } from "./guard.js";

/** Ends of an attempt whose task lives in a store, and goes on elsewhere. */
const LEFT = { interrupted: "interrupted", leaseLost: "lease-lost", ackUnknown: "ack-unknown" } as const;

const LEAVING = ["interrupted", "leaseLost", "ackUnknown"] as const satisfies readonly (keyof typeof LEFT)[];

const ENDS = [...(["retried", "rescheduled", "handedBack", "finished"] as const), ...LEAVING] as const;

const HEARD = [...ENDS, "abandoned"] as const;

/** What comes after an attempt. */
type AttemptEnd = Extract<TaskEvent, { readonly type: (typeof ENDS)[number] }>;

/** A task that has finished is in a terminal state. */
type AttemptOutcome =
  | "retried"
  | "rescheduled"
  | "handed-back"
  | (typeof LEFT)[keyof typeof LEFT]
  | TaskState;

/**
 * Spans of running attempts, which end by what is published of their tasks: so that of an attempt that was
 * given up ends with it, although its handler goes on. As many as attempts that run.
 */
export class OpenSpans implements Disposable {
  readonly #point: InstrumentationPoint;
  readonly #guard: Guard;
  readonly #errorStatus: SpanStatusCode.ERROR;
  /** By task: what became of an attempt is heard before the next begins. */
  readonly #open = new Map<string, Span>();
  #listening: Disposable | undefined;

  constructor(point: InstrumentationPoint, guard: Guard, errorStatus: SpanStatusCode.ERROR) {
    this.#point = point;
    this.#guard = guard;
    this.#errorStatus = errorStatus;
  }

  /** To be called before the handler: it may end within its call. */
  add(id: string, span: Span): void {
    this.#listening ??= this.#point.listen((event) => this.#follow(event), HEARD);
    this.#open.set(id, span);
  }

  /** That of the running attempt of a task. */
  find(id: string): Span | undefined {
    return this.#open.get(id);
  }

  /** Ends them all, with nothing said of what became of their attempts. */
  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const span of all) this.#guard.call(() => span.end());
  }

  #follow(event: TaskEvent): void {
    if (this.#open.size === 0) return; // a snapshot is made when it is looked at
    if (event.type === "abandoned") {
      const span = this.#open.get(event.task.id);
      if (span !== undefined) this.#add(span, "abandon");
    } else if (isEnd(event)) {
      this.#close(event);
    }
  }

  #close(event: AttemptEnd): void {
    const { id } = event.task;
    const span = this.#open.get(id);
    if (span === undefined) return; // it ended while it waited, or was not traced
    this.#open.delete(id); // first, since the span may enter the manager
    this.#guard.call(() => this.#describe(span, event));
    this.#guard.call(() => span.end());
  }

  /** Step by step: one that breaks leaves the others. */
  #describe(span: Span, event: AttemptEnd): void {
    const { task } = event;
    switch (event.type) {
      case "finished":
        this.#set(span, toOutcome(task.state, task.reason));
        if (task.state === "failed") this.#fail(span, task.error);
        break;
      case "rescheduled":
        this.#set(span, toOutcome(event.type, task.reason));
        this.#add(span, "reschedule", { "millrace.delay_ms": event.delayMs });
        break;
      case "interrupted":
      case "ackUnknown":
        this.#set(span, toOutcome(LEFT[event.type], undefined));
        break;
      case "leaseLost":
        this.#set(span, { ...toOutcome(LEFT.leaseLost, undefined), "error.type": "MILLRACE_LEASE_LOST" });
        this.#guard.call(() => span.setStatus({ code: this.#errorStatus }));
        break;
      case "handedBack":
        this.#set(span, toOutcome("handed-back", undefined));
        break;
      case "retried":
        this.#set(span, toOutcome(event.type, undefined)); // the reason is that of its wait
        this.#add(span, "retry", {
          "millrace.delay_ms": event.delayMs,
          "millrace.attempt": task.attempt + 1,
        });
        this.#fail(span, event.error);
    }
  }

  /** The status has no description: a message may hold anything. */
  #fail(span: Span, error: unknown): void {
    this.#set(span, { "error.type": toErrorType(error) });
    this.#guard.call(() => span.setStatus({ code: this.#errorStatus }));
  }

  #set(span: Span, attributes: Attributes): void {
    this.#guard.call(() => span.setAttributes(attributes));
  }

  #add(span: Span, event: string, attributes?: Attributes): void {
    this.#guard.call(() => span.addEvent(event, attributes));
  }
}

function isEnd(event: TaskEvent): event is AttemptEnd {
  const ends: readonly string[] = ENDS;
  return ends.includes(event.type);
}

function toOutcome(outcome: AttemptOutcome, reason: TaskReason | undefined): Attributes {
  return {
    "millrace.outcome": outcome,
    ...(reason === undefined ? undefined : { "millrace.reason": reason }),
  };
}
