import type { Attributes } from "@opentelemetry/api";
import type { Readings } from "../../ports/instrumentation.js";

/** Stands for plain functions, which have no handler; no handler can be called so. */
export const FUNCTION = "(function)";

/** What one metric means. A table of the README is compared with these. */
export interface MetricDefinition {
  /** As in a scrape by Prometheus, where dots are underscores. */
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** UCUM. */
  readonly unit: string;
  readonly description: string;
  readonly attributes: readonly AttributeKey[];
}

/** Keys of attributes; `manager` comes to all metrics where the manager was given a name. */
export type AttributeKey =
  | "queue"
  | "handler"
  | "lane"
  | "reason"
  | "outcome"
  | "subscription"
  | "state"
  | "awaited"
  | "call"
  | "quantile"
  | "phase"
  | "messaging.system"
  | "messaging.operation.name"
  | "messaging.destination.name"
  | "error.type";

/** Says one value of a metric. */
export type Observe = (value: number, attributes?: Attributes) => void;

/** A metric that is read off when it is collected. */
export interface ObservedMetric extends MetricDefinition {
  readonly kind: "counter" | "gauge";
  readonly read: (readings: Readings, observe: Observe) => void;
}
