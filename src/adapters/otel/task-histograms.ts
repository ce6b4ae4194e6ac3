import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { GroupTally } from "../../task/group-tally.js";
import type { TerminalState } from "../../task/states.js";
import type { TaskEvent } from "../../task/task-event.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import { FUNCTION, type MetricDefinition, SECONDS_BOUNDS } from "./metric.js";

export const LATENCY: MetricDefinition = {
  name: "task_latency_seconds",
  kind: "histogram",
  unit: "s",
  description: "How long the last attempt of a task that has ended ran, by outcome: the task's state",
  attributes: ["queue", "handler", "outcome"],
};

export const WAIT: MetricDefinition = {
  name: "task_wait_seconds",
  kind: "histogram",
  unit: "s",
  description: "How long a task was ready before its start, for each attempt",
  attributes: ["queue", "handler"],
};

/** Attribute sets of one group of tasks, made once: what is recorded for each task must be cheap. */
interface GroupAttributes {
  readonly wait: Attributes;
  readonly latency: Readonly<Record<TerminalState, Attributes>>;
}

/** Two records a task: how long it waited, and how long it ran. */
export class TaskHistograms implements Disposable {
  readonly #point: InstrumentationPoint;
  readonly #wait: Histogram;
  readonly #latency: Histogram;
  readonly #common: Attributes;
  readonly #attributes = new Map<GroupTally, GroupAttributes>();
  readonly #listening: Disposable;

  /** @param common attributes that all records have */
  constructor(point: InstrumentationPoint, meter: Meter, common: Attributes) {
    this.#point = point;
    this.#common = common;
    this.#wait = createHistogram(meter, WAIT);
    this.#latency = createHistogram(meter, LATENCY);
    this.#listening = point.listen((event) => this.#record(event), ["started", "finished"]);
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  #record(event: TaskEvent): void {
    if (event.type === "started") this.#recordWait(event.task);
    else if (event.type === "finished") this.#recordLatency(event.task);
  }

  #recordWait(task: TaskSnapshot): void {
    this.#wait.record((task.waitMs ?? 0) / 1_000, this.#attributesOf(task).wait);
  }

  #recordLatency(task: TaskSnapshot): void {
    if (task.runMs === undefined) return; // it was never started
    this.#latency.record(task.runMs / 1_000, this.#attributesOf(task).latency[task.state as TerminalState]);
  }

  #attributesOf({ queue, handler }: TaskSnapshot): GroupAttributes {
    const tally = this.#point.tallyOf(queue, handler);
    let attributes = this.#attributes.get(tally);
    if (attributes === undefined) {
      const wait = { ...this.#common, queue: tally.queue, handler: tally.handler ?? FUNCTION };
      const of = (outcome: TerminalState): Attributes => ({ ...wait, outcome });
      const latency = { completed: of("completed"), failed: of("failed"), cancelled: of("cancelled") };
      attributes = { wait, latency };
      this.#attributes.set(tally, attributes);
    }
    return attributes;
  }
}

export function createHistogram(meter: Meter, { name, unit, description }: MetricDefinition): Histogram {
  return meter.createHistogram(name, {
    ...{ unit, description },
    advice: { explicitBucketBoundaries: [...SECONDS_BOUNDS] },
  });
}
