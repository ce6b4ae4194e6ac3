import { type Labels, Ledger } from "./ledger.js";

/** How a task is to end, by the code with which its result tells it; any other is an error of its handler. */
const ENDS_BY_CODE = {
  MILLRACE_TASK_TIMEOUT: "timeout",
  MILLRACE_DEADLINE: "deadline",
  MILLRACE_TASK_CANCELLED: "cancelled",
  MILLRACE_QUEUE_FULL: "dropped",
  MILLRACE_MANAGER_STOPPED: "stopped",
} as const;

export type End = "completed" | "error" | (typeof ENDS_BY_CODE)[keyof typeof ENDS_BY_CODE];

/** Counters that each group of tasks has from its first task on. */
const GROUP_COUNTERS = [
  ...["scheduled", "started", "completed", "retried", "rescheduled", "timed_out"],
  ...["dropped", "refused", "abandoned", "interrupted", "handed_back"],
].map((what) => `tasks_${what}_total`);

const REASONS = {
  tasks_failed_total: ["error", "timeout", "deadline"],
  tasks_cancelled_total: ["cancelled", "dropped", "stopped"],
} as const;

/** Whose tasks are counted together. */
export interface Group {
  readonly manager: string;
  readonly queue: string;
  /** Undefined for plain functions. */
  readonly handler: string | undefined;
}

/** Counts tasks and their ends for those who enqueue them, who say how each is to end. */
export class FollowedTasks {
  readonly ledger = new Ledger();
  readonly #ends: Promise<void>[] = [];
  readonly #ended = new Map<string, number>();

  /** Resolves when all have ended as they were to; rejects when one has not. */
  async ended(): Promise<void> {
    await Promise.all(this.#ends);
  }

  /** How many tasks of a manager have ended. */
  countEnded(manager: string): number {
    return this.#ended.get(manager) ?? 0;
  }

  count(name: string, group: Group, by = 1): void {
    this.ledger.count(name, toLabels(group), by);
  }

  /** @param end how it is to end; undefined where it stays */
  follow<H extends { result(): Promise<unknown> }>(group: Group, end: End | undefined, handle: H): H {
    for (const name of GROUP_COUNTERS) this.count(name, group, 0);
    for (const [name, reasons] of Object.entries(REASONS))
      for (const reason of reasons) this.ledger.count(name, { ...toLabels(group), reason }, 0);
    this.count("tasks_scheduled_total", group);
    if (end !== undefined) this.#ends.push(this.#expectEnd(group, end, handle.result()));
    return handle;
  }

  async #expectEnd(group: Group, end: End, result: Promise<unknown>): Promise<void> {
    const found = await result.then(() => "completed", toEnd);
    if (found !== end) throw new Error(`a task of ${JSON.stringify(group)} was to be ${end}: ${found}`);
    this.#ended.set(group.manager, this.countEnded(group.manager) + 1);
    if (end === "completed") this.count("tasks_completed_total", group);
    for (const [name, reasons] of Object.entries(REASONS)) {
      const isOne = reasons.some((reason) => reason === end);
      if (isOne) this.ledger.count(name, { ...toLabels(group), reason: end });
    }
    if (end === "dropped") this.count("tasks_dropped_total", group);
    if (end === "stopped") this.count("tasks_interrupted_total", group);
  }
}

function toLabels({ manager, queue, handler = "(function)" }: Group): Labels {
  return { manager, queue, handler };
}

function toEnd(error: unknown): End {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return ENDS_BY_CODE[code as keyof typeof ENDS_BY_CODE] ?? "error";
}
