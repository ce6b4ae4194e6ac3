import {
  type AnyHandlers,
  type HandlerNames,
  type HandlesOf,
  type PayloadInputOf,
  type ResultOfHandler,
  type TaskEntry,
  type TaskFunction,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
  type TaskSnapshot,
} from "../index.js";
import type { BackendIn } from "../task/backend-types.js";
import type { EnqueuedTask } from "./enqueued-task.js";

/** So many tasks are recorded; one more, and the record tells nothing any longer. */
const MAX_RECORDS = 100_000;

interface TaskRecord {
  readonly handle: TaskHandle;
  readonly accepted: Omit<EnqueuedTask, "state">;
}

/** The tasks that a manager accepted, in the order in which their calls were answered. */
export class EnqueueRecord {
  #records: TaskRecord[] = [];
  #missed = 0;

  /** How many there were, those that are not kept included. */
  get size(): number {
    return this.#records.length + this.#missed;
  }

  add(record: TaskRecord): void {
    if (this.#records.length < MAX_RECORDS) this.#records.push(record);
    else this.#missed++;
  }

  clear(): void {
    this.#records = [];
    this.#missed = 0;
  }

  /** @throws {Error} when some were not kept: a test would take them for not enqueued */
  tasks(): EnqueuedTask[] {
    if (this.#missed > 0) {
      throw new Error(
        `${this.size} tasks were enqueued, and at most ${MAX_RECORDS} are recorded: clear() them`,
      );
    }
    return this.#records.map(({ handle, accepted }) => Object.freeze({ ...accepted, state: handle.state }));
  }
}

/** A manager that records what it accepts: by each of its calls, and from inside of handlers. */
export class RecordedManager<
  H extends AnyHandlers,
  out B extends Pick<TaskManagerOptions, "backend">,
> extends TaskManager<H, B> {
  readonly #record: EnqueueRecord;

  constructor(options: TaskManagerOptions<H>, record: EnqueueRecord) {
    super(options as TaskManagerOptions<H> & BackendIn<B>); // what `createTestManager` has been given
    this.#record = record;
  }

  override enqueue<R>(work: TaskFunction<R>, options?: TaskOptions): TaskHandle<R>;
  override enqueue<K extends HandlerNames<H>>(
    handler: K,
    payload: PayloadInputOf<H, K>,
    options?: TaskOptions,
  ): TaskHandle<ResultOfHandler<H, K>>;
  override enqueue(first: unknown, second?: unknown, third?: unknown): TaskHandle {
    return this.#add(super.enqueue(first as never, second as never, third as never), first, second, third);
  }

  override enqueueAsync<R>(work: TaskFunction<R>, options?: TaskOptions): Promise<TaskHandle<R>>;
  override enqueueAsync<K extends HandlerNames<H>>(
    handler: K,
    payload: PayloadInputOf<H, K>,
    options?: TaskOptions,
  ): Promise<TaskHandle<ResultOfHandler<H, K>>>;
  override async enqueueAsync(first: unknown, second?: unknown, third?: unknown): Promise<TaskHandle> {
    const handle = await super.enqueueAsync(first as never, second as never, third as never);
    return this.#add(handle, first, second, third);
  }

  override enqueueMany<const E extends readonly TaskEntry<H>[]>(entries: E): HandlesOf<E, H> {
    const handles = super.enqueueMany(entries);
    for (const [index, handle] of (handles as readonly TaskHandle[]).entries()) {
      const entry: unknown = entries[index];
      const [first, second, third]: readonly unknown[] = Array.isArray(entry) ? entry : [entry];
      this.#add(handle, first, second, third);
    }
    return handles;
  }

  override execute<R>(work: TaskFunction<R>, options?: TaskOptions): Promise<R>;
  override execute<K extends HandlerNames<H>>(
    handler: K,
    payload: PayloadInputOf<H, K>,
    options?: TaskOptions,
  ): Promise<ResultOfHandler<H, K>>;
  override async execute(first: unknown, second?: unknown, third?: unknown): Promise<unknown> {
    const handle: TaskHandle = await this.enqueueAsync(first as never, second as never, third as never);
    return await handle.result();
  }

  #add(handle: TaskHandle, first: unknown, second: unknown, third: unknown): TaskHandle {
    if (handle.duplicate) return handle; // to a task that was there before
    const isNamed = typeof first === "string";
    const options = ((isNamed ? third : second) ?? {}) as TaskOptions;
    const asked = {
      id: handle.id,
      handler: isNamed ? first : undefined,
      payload: isNamed ? second : undefined,
      work: isNamed ? undefined : (first as TaskFunction),
      options,
      idempotencyKey: options.idempotencyKey,
    };
    this.#record.add({ handle, accepted: { ...asked, ...this.#resolve(this.get(handle.id), options) } });
    return handle;
  }

  /** How the task was accepted. One that nobody knows any more ended at once and was not retained. */
  #resolve(snapshot: TaskSnapshot | undefined, options: TaskOptions) {
    const { queue = "default", priority = 0, weight = 1, cost = 1, maxAttempts = 1 } = snapshot ?? options;
    const { name, description, correlationId, metadata = {} } = snapshot ?? options;
    const { enqueuedAt = 0, dueAt = enqueuedAt } = snapshot ?? {};
    const labels = { name, description, correlationId, metadata: Object.freeze({ ...metadata }) };
    return { queue, priority, weight, cost, maxAttempts, ...labels, enqueuedAt, delayMs: dueAt - enqueuedAt };
  }
}
