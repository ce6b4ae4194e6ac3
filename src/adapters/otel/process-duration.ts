import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import { toErrorType } from "../../task/error-type.js";
import { OTHER } from "../../task/group-tally.js";
import type { TaskEvent } from "../../task/task-event.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import type { Guard } from "./guard.js";
import type { MetricDefinition } from "./metric.js";
import { createHistogram } from "./task-histograms.js";

export const PROCESS_DURATION: MetricDefinition = {
  name: "messaging.process.duration",
  kind: "histogram",
  unit: "s",
  description: "Duration of each attempt, by the OpenTelemetry messaging conventions 1.44",
  attributes: ["messaging.system", "messaging.operation.name", "messaging.destination.name", "error.type"],
};

/** Upper bounds in seconds, as the conventions have them. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

const BEGUN_OR_OVER = ["started", "retried", "rescheduled", "handedBack", "finished"] as const;

/** A durable task goes on elsewhere, or nobody knows: what became of the attempt is not for us to say. */
const LEFT = ["interrupted", "leaseLost", "ackUnknown"] as const;

/** Types of errors that are told apart, at most: classes may be made from data. */
const MAX_TYPES = 100;

/** The histogram of the messaging conventions, which counts each attempt. */
export class ProcessDuration implements Disposable {
  readonly #point: InstrumentationPoint;
  readonly #guard: Guard;
  readonly #histogram: Histogram | undefined;
  readonly #common: Attributes;
  /** Ids of tasks that run: one that ends while it waits has had its last attempt recorded. */
  readonly #running = new Set<string>();
  readonly #types = new Set<string>();
  readonly #listening: Disposable;

  constructor(point: InstrumentationPoint, guard: Guard, meter: Meter, common: Attributes) {
    this.#point = point;
    this.#guard = guard;
    this.#common = { ...common, "messaging.system": "millrace", "messaging.operation.name": "process" };
    this.#histogram = guard.call(() => createHistogram(meter, PROCESS_DURATION, BOUNDS));
    const types = [...BEGUN_OR_OVER, ...LEFT] as const;
    this.#listening = point.listen((event) => this.#follow(event), types);
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  #follow(event: TaskEvent): void {
    if (event.type === "started") this.#running.add(event.task.id);
    else if (event.type === "retried") this.#record(event.task, event.error);
    else if (event.type === "rescheduled") this.#record(event.task, undefined);
    else if (event.type === "finished")
      this.#record(event.task, event.task.state === "failed" ? event.task.error : undefined);
    else if ("task" in event) this.#running.delete(event.task.id);
  }

  #record({ id, queue, handler, runMs }: TaskSnapshot, error: Error | undefined): void {
    if (!this.#running.delete(id) || runMs === undefined) return;
    const attributes = {
      ...this.#common,
      "messaging.destination.name": this.#point.tallyOf(queue, handler).queue,
      ...(error === undefined ? undefined : { "error.type": this.#typeOf(error) }),
    };
    this.#guard.settled(this.#histogram?.record(runMs / 1_000, attributes));
  }

  #typeOf(error: Error): string {
    const type = toErrorType(error);
    if (!this.#types.has(type) && this.#types.size >= MAX_TYPES) return OTHER;
    this.#types.add(type);
    return type;
  }
}
