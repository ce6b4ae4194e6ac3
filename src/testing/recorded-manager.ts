import {
  type AnyHandlers,
  type DurableEntry,
  type DurableHandle,
  type DurableHandlesOf,
  type DurableTaskOptions,
  type HandlerNames,
  type HandlesOf,
  handlerEntries,
  type PayloadInputOf,
  type ResultOfHandler,
  type TaskEntry,
  type TaskFunction,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
  type TaskSnapshot,
  type TaskState,
} from "../index.js";
import type { BackendIn, NeedsBackend } from "../task/backend-types.js";
import type { EnqueuedTask } from "./enqueued-task.js";
import type { UnendedDurables } from "./unended-durables.js";

/** So many tasks are recorded; one more, and the record tells nothing any longer. */
const MAX_RECORDS = 100_000;

interface TaskRecord {
  readonly state: () => TaskState | undefined;
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
    return this.#records.map(({ state, accepted }) => Object.freeze({ ...accepted, state: state() }));
  }
}

/** A manager that records what it accepts: by each of its calls, and from inside of handlers. */
export class RecordedManager<
  H extends AnyHandlers,
  out B extends Pick<TaskManagerOptions, "backend">,
> extends TaskManager<H, B> {
  readonly #record: EnqueueRecord;
  readonly #unended: UnendedDurables;
  readonly #options: TaskManagerOptions<H>;

  constructor(options: TaskManagerOptions<H>, record: EnqueueRecord, unended: UnendedDurables) {
    super(options as TaskManagerOptions<H> & BackendIn<B>); // what `createTestManager` has been given
    this.#record = record;
    this.#unended = unended;
    this.#options = options;
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

  override async enqueueDurable<K extends HandlerNames<H>>(
    handler: K & NeedsBackend<B>,
    payload: PayloadInputOf<H, K>,
    options?: DurableTaskOptions,
  ): Promise<DurableHandle<ResultOfHandler<H, K>>> {
    const handle = await super.enqueueDurable<K>(handler, payload, options);
    this.#addDurable(handle, handler, payload, options);
    return handle;
  }

  override async enqueueDurableMany<const E extends readonly DurableEntry<H>[]>(
    entries: E & NeedsBackend<B>,
  ): Promise<DurableHandlesOf<E, H>> {
    const handles = await super.enqueueDurableMany<E>(entries);
    for (const [index, handle] of (handles as readonly DurableHandle[]).entries()) {
      const [handler, payload, options] = entries[index] as readonly [string, unknown, DurableTaskOptions?];
      this.#addDurable(handle, handler, payload, options);
    }
    return handles;
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
      durable: false,
      idempotencyKey: options.idempotencyKey,
    };
    const accepted = { ...asked, ...this.#resolve(this.get(handle.id), options) };
    this.#record.add({ state: () => handle.state, accepted });
    return handle;
  }

  #addDurable(
    handle: DurableHandle,
    handler: string,
    payload: unknown,
    options: DurableTaskOptions = {},
  ): void {
    if (handle.duplicate) return;
    const { id } = handle;
    const { idempotencyKey } = options;
    const asked = { id, handler, payload, work: undefined, options, durable: true, idempotencyKey };
    const accepted = { ...asked, ...this.#resolveDurable(id, handler, options) };
    this.#unended.add(handle);
    this.#record.add({ state: () => this.get(id)?.state, accepted });
  }

  /** What the task, its handler, its queue and the manager say, the first of them that says something. */
  #resolveDurable(id: string, handler: string, options: DurableTaskOptions) {
    const { clock, handlers, queues, maxAttempts: general } = this.#options;
    const queue = id.slice(0, id.indexOf(":"));
    const entry = handlers && handlerEntries(handlers)[handler];
    const { priority = entry?.priority ?? 0, weight = entry?.weight ?? 1, cost = entry?.cost ?? 1 } = options;
    const elsewhere = queues?.[queue]?.maxAttempts ?? general ?? 3;
    const { maxAttempts = entry?.maxAttempts ?? elsewhere } = options;
    const { name, description, correlationId, metadata = {}, runAt } = options;
    const enqueuedAt = clock?.wallNow() ?? 0;
    const { delayMs = runAt === undefined ? 0 : Math.max(0, Number(runAt) - enqueuedAt) } = options;
    const labels = { name, description, correlationId, metadata: Object.freeze({ ...metadata }) };
    return { queue, priority, weight, cost, maxAttempts, ...labels, enqueuedAt, delayMs };
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
