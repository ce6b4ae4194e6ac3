import { NO_METADATA, type TaskMetadata } from "../../../task/metadata.js";
import type { EnqueuedTask, TaskContext } from "../../../task/task-context.js";
import type { TaskLocals } from "../../../task/task-locals.js";
import type { TaskExtras } from "../messages.js";
import type { ThreadTask } from "./thread-task.js";

/** What a handler sees of its attempt in a thread: the same as on the event loop. */
export class ThreadContext implements TaskContext {
  readonly #task: ThreadTask;
  #locals: TaskLocals | undefined = undefined;

  constructor(task: ThreadTask) {
    this.#task = task;
  }

  get id(): string {
    return this.#task.id;
  }

  get handler(): string {
    return this.#task.handler.source.name;
  }

  get name(): string | undefined {
    return this.#extras?.name;
  }

  get queue(): string {
    return this.#task.batch.queue;
  }

  get priority(): number {
    return this.#task.batch.priority;
  }

  get attempt(): number {
    return this.#task.handed[1];
  }

  get maxAttempts(): number {
    return this.#extras?.maxAttempts ?? this.#task.batch.maxAttempts;
  }

  get metadata(): TaskMetadata {
    return this.#extras?.metadata ?? NO_METADATA;
  }

  get correlationId(): string | undefined {
    return this.#extras?.correlationId;
  }

  get fencingToken(): number | undefined {
    return this.#extras?.fencingToken;
  }

  get signal(): AbortSignal {
    return this.#task.signal;
  }

  get stopping(): AbortSignal {
    return this.#task.stopping;
  }

  /** A function of its own, since handlers take what they need of their context apart. */
  get enqueue(): TaskContext["enqueue"] {
    return (...given: [unknown, unknown?, unknown?]) => this.#enqueue(false, given);
  }

  get enqueueDurable(): TaskContext["enqueueDurable"] {
    return (...given) => this.#enqueue(true, given);
  }

  get locals(): TaskLocals {
    this.#locals ??= Object.assign(Object.create(null), this.#extras?.locals) as TaskLocals;
    return this.#locals;
  }

  get progress(): (value: unknown) => void {
    return (value) => this.#task.report(value);
  }

  #enqueue(durable: boolean, [first, second, third]: [unknown, unknown?, unknown?]): Promise<EnqueuedTask> {
    return this.#task.host.enqueue(this.#task, durable, first, second, third);
  }

  get #extras(): TaskExtras | undefined {
    return this.#task.handed[3];
  }
}
