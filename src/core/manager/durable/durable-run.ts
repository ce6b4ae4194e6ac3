import type { HandlerDefinition } from "../../../task/handler-definition.js";
import { Task } from "../../../task/task.js";
import type { TaskEnvelope } from "../../../task/task-envelope.js";
import type { HeldLease } from "../../durable/held-lease.js";
import type { DurableEnding } from "./durable-ending.js";

/** How long an outcome is kept where nobody says: ten minutes. */
export const RESULT_TTL_MS = 600_000;

/** A task that lives in a store and visits this process. */
export class DurableTask extends Task {
  /** Its visit; undefined when that is over. */
  run: DurableRun | undefined = undefined;
}

/** One claimed task in this process, from its start until the store knows what became of it. */
export class DurableRun {
  readonly task: DurableTask;
  readonly held: HeldLease;
  readonly handler: HandlerDefinition;
  readonly #envelope: TaskEnvelope;
  /** What its handler returned, as bytes; set when that can be stored. */
  value: Uint8Array | undefined = undefined;
  /** What the store has been told, and has not confirmed. */
  ending: DurableEnding | undefined = undefined;
  /** Its handler was given up. */
  abandoned = false;

  constructor(task: DurableTask, held: HeldLease, handler: HandlerDefinition, envelope: TaskEnvelope) {
    this.task = task;
    this.held = held;
    this.handler = handler;
    this.#envelope = envelope;
    task.run = this;
    held.run = this;
  }

  /** Nothing leads to it any more: its task may be kept for long. */
  end(): void {
    this.task.run = undefined;
    this.held.run = undefined;
  }

  get resultTtlMs(): number {
    return resultTtlMs(this.#envelope, this.handler);
  }

  get leavesDeadLetter(): boolean {
    return this.#envelope.deadLetter ?? this.handler.deadLetter ?? true;
  }
}

/** How long the outcome of a task is kept: what its call said, or else its handler, where that is known. */
export function resultTtlMs(envelope: TaskEnvelope, handler: HandlerDefinition | undefined): number {
  return envelope.resultTtlMs ?? handler?.resultTtlMs ?? RESULT_TTL_MS;
}

/** What this process knows of a task that visits it; undefined where the visit is over. */
export function runOf(task: Task): DurableRun | undefined {
  return task instanceof DurableTask ? task.run : undefined;
}

/** What runs under a lease of this process; undefined where nothing does. */
export function runUnder({ run }: HeldLease): DurableRun | undefined {
  return run instanceof DurableRun ? run : undefined;
}
