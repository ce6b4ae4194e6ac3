import type { QueueCounts } from "../../ports/backend-inspector.js";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { MetricDefinition, ObservedMetric } from "./metric.js";

const TASKS: MetricDefinition = {
  name: "store_tasks",
  kind: "gauge",
  unit: "{task}",
  description: "Durable tasks in the store, by state: ready, delayed, leased, dead",
  attributes: ["queue", "state"],
};

const DROPPED: MetricDefinition = {
  name: "store_dead_letters_dropped_total",
  kind: "counter",
  unit: "{task}",
  description: "Dead letters that the store has dropped, being too many or too old",
  attributes: ["queue"],
};

const STATES = ["ready", "delayed", "leased", "dead"] as const;

/** The store is not asked more often. */
const EVERY_MS = 10_000;

type Counts = ReadonlyMap<string, QueueCounts>;

/**
 * What the store has of each queue that is consumed here. A collection does not wait for it: it is told what
 * the store said when the collection before asked, or the last one that was answered. So nothing is asked of
 * the store while nobody collects.
 */
export class StoreCounts {
  static readonly definitions: readonly MetricDefinition[] = [TASKS, DROPPED];

  readonly metrics: readonly ObservedMetric[];
  readonly #point: Pick<InstrumentationPoint, "atRoot" | "clock" | "countStore" | "phase">;
  #counts: Counts = new Map();
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking = false;

  constructor(point: Pick<InstrumentationPoint, "atRoot" | "clock" | "countStore" | "phase">) {
    this.#point = point;
    this.metrics = [
      {
        ...{ ...TASKS, kind: "gauge" },
        read: (_, observe) => {
          this.#look();
          const looks = this.#looks;
          for (const [queue, counts] of this.#counts)
            for (const state of STATES) observe(looks ? counts[state] : 0, { queue, state });
        },
      },
      {
        ...{ ...DROPPED, kind: "counter" },
        read: (_, observe) => {
          for (const [queue, { deadDropped }] of this.#counts) observe(deadDropped, { queue });
        },
      },
    ];
    this.#look();
  }

  /** A manager that has stopped does not know any more what there is. */
  get #looks(): boolean {
    return this.#point.phase !== "stopped";
  }

  /** Asks, unless it does so already, or has done a short while ago. */
  #look(): void {
    const now = this.#point.clock.now();
    if (!this.#looks || this.#asking || now - this.#askedAt < EVERY_MS) return;
    this.#askedAt = now;
    this.#asking = true;
    void this.#point.atRoot(() => this.#ask());
  }

  async #ask(): Promise<void> {
    try {
      this.#counts = (await this.#point.countStore()) ?? new Map();
    } catch {
      // That it failed is counted with the calls to the store; an SDK would go on with what it was told last.
    }
    this.#asking = false;
  }
}
