import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { FinishedEvent } from "../../task/finished-event.js";
import type { GroupTally } from "../../task/group-tally.js";
import type { LaneName } from "../../task/lane-name.js";
import type { TerminalState } from "../../task/states.js";
import type { TaskEvent } from "../../task/task-event.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import type { Guard } from "./guard.js";
import { FUNCTION, type MetricDefinition } from "./metric.js";

export const LATENCY: MetricDefinition = {
  name: "task_latency_seconds",
  kind: "histogram",
  unit: "s",
  description: "How long the last attempt of a task that has ended ran, by outcome: the task's state",
  attributes: ["queue", "handler", "lane", "outcome"],
};

export const WAIT: MetricDefinition = {
  name: "task_wait_seconds",
  kind: "histogram",
  unit: "s",
  description: "How long a task was ready before its start, for each attempt",
  attributes: ["queue", "handler", "lane"],
};

/**
 * Upper bounds in seconds: those of the OpenTelemetry messaging conventions, with some below for tasks that
 * hardly take time and some above, up to the default `timeoutMs`, for queues that are behind.
 */
const BOUNDS = [
  ...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75],
  ...[1, 2.5, 5, 7.5, 10, 30, 60, 120, 300],
];

/** Attribute sets of one group of tasks, made once: what is recorded for each task must be cheap. */
interface GroupAttributes {
  readonly wait: Attributes;
  readonly latency: Readonly<Record<TerminalState, Attributes>>;
}

/** Two records a task: how long it waited, and how long it ran. */
export class TaskHistograms implements Disposable {
  readonly #point: InstrumentationPoint;
  readonly #guard: Guard;
  readonly #wait: Histogram | undefined;
  readonly #latency: Histogram | undefined;
  readonly #common: Attributes;
  /** By lane too: handlers that are counted together may run in different ones. */
  readonly #attributes = {
    inline: new Map<GroupTally, GroupAttributes>(),
    threads: new Map<GroupTally, GroupAttributes>(),
  };
  readonly #listening: Disposable;

  /** @param common attributes that all records have */
  constructor(point: InstrumentationPoint, guard: Guard, meter: Meter, common: Attributes) {
    this.#point = point;
    this.#guard = guard;
    this.#common = common;
    this.#wait = guard.call(() => createHistogram(meter, WAIT, BOUNDS));
    this.#latency = guard.call(() => createHistogram(meter, LATENCY, BOUNDS));
    this.#listening = point.listen((event) => this.#record(event), ["started", "finished"]);
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  #record(event: TaskEvent): void {
    if (event.type === "started") this.#recordWait(event.task);
    else if (event.type === "finished") this.#recordLatency(event);
  }

  #recordWait(task: TaskSnapshot): void {
    const { queue, handler } = task;
    const { wait } = this.#attributesOf(this.#point.tallyOf(queue, handler), this.#point.laneOf(handler));
    this.#guard.settled(this.#wait?.record((task.waitMs ?? 0) / 1_000, wait));
  }

  #recordLatency({ lane, runMs, state, tally }: FinishedEvent): void {
    if (runMs === undefined) return; // it was never started
    const { latency } = this.#attributesOf(tally, lane);
    this.#guard.settled(this.#latency?.record(runMs / 1_000, latency[state]));
  }

  #attributesOf(tally: GroupTally, lane: LaneName): GroupAttributes {
    const known = this.#attributes[lane];
    let attributes = known.get(tally);
    if (attributes === undefined) {
      const wait = { ...this.#common, queue: tally.queue, handler: tally.handler ?? FUNCTION, lane };
      const of = (outcome: TerminalState): Attributes => ({ ...wait, outcome });
      const latency = { completed: of("completed"), failed: of("failed"), cancelled: of("cancelled") };
      attributes = { wait, latency };
      known.set(tally, attributes);
    }
    return attributes;
  }
}

export function createHistogram(
  meter: Meter,
  { name, unit, description }: MetricDefinition,
  bounds: readonly number[],
): Histogram {
  const advice = { explicitBucketBoundaries: [...bounds] };
  return meter.createHistogram(name, { unit, description, advice });
}
