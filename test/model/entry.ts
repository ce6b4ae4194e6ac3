import type { TaskHandle } from "../../src/core/manager/task-handle.js";
import { toOrder } from "../../src/task/order.js";
import type { TaskState } from "../../src/task/states.js";
import type { Act, Ending, TaskShape } from "./steps.js";

/** What may have told an attempt to end. */
export type Cause = "cancelled" | "timeout" | "deadline" | "stopped";

/** An ending, or that the handler threw what its signal gave as the reason. */
export type HowEnded = Ending | { readonly ends: "obeys" };

const HOLD: Act = { act: "hold", obeys: true, watches: true };

/** One start of a handler as the model sees it. */
export class ModelAttempt {
  readonly entry: ModelTask;
  readonly startedAt: number;
  readonly act: Act;
  /** Which start of the task this is, whatever attempts were given back. */
  readonly start: number;
  /** Causes that may have been the one that counts: several only where they fell on one instant. */
  causes: ReadonlySet<Cause> = new Set();
  abortedAt: number | undefined = undefined;
  /** Alarms that have been taken into account. */
  readonly applied = new Set<Cause>();
  /** What the handler did, once it has ended. */
  ended: HowEnded | undefined = undefined;
  thrown: unknown = undefined;
  abandoned = false;
  /** Ends the handler from outside, while it holds. */
  release: ((ending: Ending) => void) | undefined = undefined;
  /** Reads its context's signals; kept for the checks. */
  seesStopping: (() => boolean) | undefined = undefined;

  constructor(entry: ModelTask, startedAt: number) {
    this.entry = entry;
    this.startedAt = startedAt;
    this.start = entry.starts;
    this.act = entry.shape.acts[entry.starts - 1] ?? HOLD;
  }
}

export type ModelState = TaskState | "unborn" | "requeued" | "refused";

/** One task as the model sees it, from the call that asks for it. */
export class ModelTask {
  readonly name: string;
  readonly shape: TaskShape;
  readonly queue: string;
  readonly maxAttempts: number;
  readonly timeoutMs: number | false;
  readonly killAfterMs: number;
  readonly signal: AbortSignal | undefined;
  state: ModelState = "unborn";
  priority: number;
  /** Place among equals; 0 until it is queued. */
  sequence = 0;
  /** Attempts used. */
  attempt = 0;
  /** Starts of the handler. */
  starts = 0;
  readyAt = 0;
  expiresAt = Number.POSITIVE_INFINITY;
  finishedAt = 0;
  current: ModelAttempt | undefined = undefined;
  /** A call of cancel, or an abort of its signal, decided what becomes of it; with the reason. */
  cancelledFor: unknown = undefined;
  dropped = false;
  /** The code of the error with which its call was sent away while it waited for room. */
  sentAway: string | undefined = undefined;
  backingOff = false;
  id: string | undefined = undefined;
  handle: TaskHandle | undefined = undefined;
  error: unknown = undefined;
  value: unknown = undefined;

  constructor(
    number: number,
    shape: TaskShape,
    signal: AbortSignal | undefined,
    defaults: { killAfterMs: number },
  ) {
    this.name = `t${number}`;
    this.shape = shape;
    this.signal = signal;
    this.queue = shape.queue ?? "default";
    this.priority = shape.priority;
    this.maxAttempts = shape.maxAttempts ?? 1;
    this.timeoutMs = shape.timeoutMs ?? 300_000;
    this.killAfterMs = shape.killAfterMs ?? defaults.killAfterMs;
  }

  get order(): number {
    return toOrder(this.priority, this.shape.weight);
  }

  get waiting(): boolean {
    return this.state === "scheduled" || this.state === "queued" || this.state === "requeued";
  }

  get terminal(): boolean {
    return this.state === "completed" || this.state === "failed" || this.state === "cancelled";
  }

  get live(): boolean {
    return this.waiting || this.state === "running";
  }

  /** The cause that counts, as far as the model knows. */
  get cause(): ReadonlySet<Cause> {
    return this.current?.causes ?? new Set();
  }
}

/** Before means: goes first within one queue. */
export function goesBefore(one: ModelTask, other: ModelTask): boolean {
  return one.order !== other.order ? one.order < other.order : one.sequence < other.sequence;
}
