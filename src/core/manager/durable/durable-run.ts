import type { HandlerDefinition } from "../../../task/handler-definition.js";
import type { Task } from "../../../task/task.js";
import type { TaskEnvelope } from "../../../task/task-envelope.js";
import type { HeldLease } from "../../durable/held-lease.js";
import type { DurableEnding } from "./durable-ending.js";

/** How long an outcome is kept where nobody says: ten minutes. */
export const RESULT_TTL_MS = 600_000;

/** One claimed task in this process, from its start until the store knows what became of it. */
export class DurableRun {
  readonly task: Task;
  readonly held: HeldLease;
  readonly handler: HandlerDefinition;
  readonly #envelope: TaskEnvelope;
  /** What its handler returned, as bytes; set when that can be stored. */
  value: Uint8Array | undefined = undefined;
  /** What the store has been told, and has not confirmed. */
  ending: DurableEnding | undefined = undefined;
  /** Its handler was given up. */
  abandoned = false;

  constructor(task: Task, held: HeldLease, handler: HandlerDefinition, envelope: TaskEnvelope) {
    this.task = task;
    this.held = held;
    this.handler = handler;
    this.#envelope = envelope;
  }

  get resultTtlMs(): number {
    return this.#envelope.resultTtlMs ?? this.handler.resultTtlMs ?? RESULT_TTL_MS;
  }

  get leavesDeadLetter(): boolean {
    return this.#envelope.deadLetter ?? this.handler.deadLetter ?? true;
  }
}
