import { DuplicateTaskError, QueueFullError, TaskCancelledError } from "../../../errors.js";
import type { Backend, EnqueueAnswer, IdempotencyClaim, NewTask } from "../../../ports/backend.js";
import type { Clock } from "../../../ports/clock.js";
import type { Departure } from "../../../ports/context-carrier.js";
import { BackendMissingError } from "../../../store-errors.js";
import { expected } from "../../../task/checks.js";
import { type CheckedDurableOptions, readDurableOptions } from "../../../task/durable-task-options.js";
import type { HandlerDefinition } from "../../../task/handler-definition.js";
import type { IdempotencyRules } from "../../../task/idempotency.js";
import { startPayloadCheck } from "../../../task/payload.js";
import { toStoredError } from "../../../task/stored-error.js";
import { encodePayload } from "../../../task/stored-payload.js";
import { type TaskEnvelope, toTaskEnvelope } from "../../../task/task-envelope.js";
import type { EnqueueBatcher } from "../../durable/enqueue-batcher.js";
import type { Carriers } from "../carriers.js";
import type { Lifecycle } from "../lifecycle.js";
import type { Tallies } from "../tallies.js";
import type { TaskPlanner } from "../task-plan.js";
import { type DurableHandle, type DurableHandleHost, StoredTaskHandle } from "./durable-handle.js";
import { durableId, queueOf, toDurableId } from "./durable-id.js";
import { RESULT_TTL_MS } from "./durable-run.js";

export interface DurableIntakeParts {
  readonly backend: Backend;
  readonly batcher: EnqueueBatcher;
  readonly carriers: Carriers;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly planner: TaskPlanner;
  readonly tallies: Tallies;
  readonly handleHost: DurableHandleHost;
  readonly idempotency: IdempotencyRules;
  readonly defaultQueue: string;
  readonly capacity: number;
  /** Waits for an asynchronous schema, as long as the manager does. */
  readonly whenChecked: <T>(checked: Promise<T>) => Promise<T>;
  /** Makes the part of an id that follows its queue. */
  readonly createId: () => string;
}

/** One durable task as it was asked for, checked. */
interface DurableRequest {
  readonly handler: HandlerDefinition;
  readonly task: NewTask;
  /** That of the task, to which carriers may add. */
  readonly envelope: TaskEnvelope;
}

/** That of a task which says nothing itself, as most do. */
const PLAIN_ENVELOPE: TaskEnvelope = Object.freeze({});
const PLAIN_TEXT = toTaskEnvelope(PLAIN_ENVELOPE);

/** Of claims in a row without a word from the holder, where nobody says. */
const MAX_DELIVERIES = 10;

/** The door for durable tasks: what passes is handed to the store, and is there when the call resolves. */
export class DurableIntake {
  readonly #parts: DurableIntakeParts;
  /** Tasks of calls that the store has not answered, those included that are being checked. */
  #unanswered = 0;

  constructor(parts: DurableIntakeParts) {
    this.#parts = parts;
  }

  /** Those that the store has not answered for, in the hands of schemas included. */
  get unanswered(): number {
    return this.#unanswered;
  }

  async enqueue(name: unknown, payload: unknown, options: unknown): Promise<DurableHandle> {
    const [handle] = await this.enqueueAll([[name, payload, options]]);
    return handle as DurableHandle;
  }

  /** All are checked before the first is handed to the store. */
  async enqueueAll(entries: readonly (readonly unknown[])[]): Promise<DurableHandle[]> {
    const { capacity, lifecycle } = this.#parts;
    lifecycle.refuseUnlessAccepting();
    if (this.#unanswered + entries.length > capacity) {
      const message = `As many durable tasks wait for the store as capacity allows: ${capacity}`;
      throw new QueueFullError(message, capacity);
    }
    this.#unanswered += entries.length;
    try {
      return entries.length === 0 ? [] : await this.#enqueueChecked(entries);
    } finally {
      this.#unanswered -= entries.length;
    }
  }

  async #enqueueChecked(entries: readonly (readonly unknown[])[]): Promise<DurableHandle[]> {
    const { lifecycle } = this.#parts;
    const requests = await Promise.all(
      entries.map(([name, payload, options]) => this.#check(name, payload, options)),
    );
    lifecycle.refuseUnlessAccepting(); // a schema may have taken its time
    const handles = await this.#send(requests);
    const refused = handles.find((handle) => handle instanceof Error);
    if (refused !== undefined) throw refused;
    return handles as DurableHandle[];
  }

  /** The spans and headers of carriers begin in the context of the call, which has not ended yet. */
  async #send(requests: readonly DurableRequest[]): Promise<(DurableHandle | Error)[]> {
    const { batcher } = this.#parts;
    const departures = requests.map((request) => this.#depart(request));
    const tasks = requests.map(({ envelope, task }, index) => {
      const headers = departures[index]?.headers;
      return headers === undefined ? task : { ...task, envelope: toTaskEnvelope({ ...envelope, headers }) };
    });
    try {
      const answers = await batcher.enqueue(tasks);
      const handles = requests.map((request, index) => this.#toHandle(request, answers[index]));
      for (const [index, handle] of handles.entries())
        departures[index]?.ended?.(handle instanceof Error ? handle : undefined);
      return handles;
    } catch (error) {
      for (const departure of departures) departure?.ended?.(error);
      throw error;
    }
  }

  #depart({ envelope, handler, task: { id } }: DurableRequest): Departure | undefined {
    const { carriers, tallies } = this.#parts;
    if (!carriers.attached) return undefined;
    const queue = queueOf(id);
    const { correlationId } = envelope;
    const tally = tallies.of(queue, handler.name);
    return carriers.send({ id, queue, handler: handler.name, tally, details: { correlationId } });
  }

  /** The handle of a task by its id, whoever enqueued it. */
  handle(name: unknown, id: unknown): DurableHandle {
    const { handleHost, planner } = this.#parts;
    if (typeof name !== "string") throw expected("handler", "the name of a handler", name);
    return new StoredTaskHandle(durableId(id, "id"), false, planner.find(name), handleHost);
  }

  async cancel(id: string, reason: unknown): Promise<boolean> {
    const error = new TaskCancelledError(`Task ${id} was cancelled`, id, { cause: reason });
    const cancellation = { id, error: toStoredError(error), resultTtlMs: RESULT_TTL_MS };
    const [answer] = await this.#parts.backend.cancel([cancellation]);
    return answer === "cancelled" || answer === "asked";
  }

  async #check(name: unknown, payload: unknown, options: unknown): Promise<DurableRequest> {
    if (typeof name !== "string") throw expected("task", "the name of a handler", name);
    const handler = this.#parts.planner.find(name);
    const read = readDurableOptions(options);
    const envelope = this.#toEnvelope(handler, read);
    const text = envelope === PLAIN_ENVELOPE ? PLAIN_TEXT : toTaskEnvelope(envelope);
    const task = this.#toNewTask(handler, await this.#encode(handler, payload), read, text);
    return { handler, task, envelope };
  }

  /** The payload as it is at the call, when its schema has let it pass; a stop waits for no schema. */
  #encode(handler: HandlerDefinition, payload: unknown): Uint8Array | Promise<Uint8Array> {
    const checked = startPayloadCheck(handler, payload);
    if (!(checked instanceof Promise)) return encodePayload(handler, payload);
    const bytes = (async () => encodePayload(handler, payload))();
    return Promise.all([bytes, this.#parts.whenChecked(checked)]).then(([encoded]) => encoded);
  }

  #toNewTask(
    handler: HandlerDefinition,
    payload: Uint8Array,
    options: CheckedDurableOptions,
    envelope: string,
  ): NewTask {
    const { createId, defaultQueue } = this.#parts;
    const queue = options.queue ?? handler.queue ?? defaultQueue;
    return {
      id: toDurableId(queue, options.id ?? createId()),
      handler: handler.name,
      payload,
      envelope,
      priority: options.priority ?? handler.priority ?? 0,
      weight: options.weight ?? handler.weight ?? 1,
      cost: options.cost ?? handler.cost ?? 1,
      maxDeliveries: options.maxDeliveries ?? handler.maxDeliveries ?? MAX_DELIVERIES,
      delayMs: options.delayMs ?? 0,
      runAt: options.runAt,
      idempotency: this.#toIdempotency(handler, options),
    };
  }

  /** What the task itself says; what its handler, its queue and its manager say holds where it runs. */
  #toEnvelope({ ttlMs: defaultTtlMs }: HandlerDefinition, options: CheckedDurableOptions): TaskEnvelope {
    const { timeoutMs, maxAttempts, killAfterMs, backoff, deadline, resultTtlMs, deadLetter } = options;
    const { name, description, metadata, correlationId, ttlMs = defaultTtlMs } = options;
    if (ttlMs === undefined && Object.keys(options).length === 0) return PLAIN_ENVELOPE;
    const byTtl = ttlMs === undefined ? undefined : this.#parts.clock.wallNow() + ttlMs;
    const deadlineAt = Math.min(deadline ?? Number.POSITIVE_INFINITY, byTtl ?? Number.POSITIVE_INFINITY);
    return {
      timeoutMs,
      maxAttempts,
      killAfterMs,
      backoff,
      resultTtlMs,
      deadLetter,
      name,
      description,
      metadata,
      correlationId,
      deadlineAt: deadlineAt === Number.POSITIVE_INFINITY ? undefined : deadlineAt,
    };
  }

  #toIdempotency(handler: HandlerDefinition, options: CheckedDurableOptions): IdempotencyClaim | undefined {
    const { idempotencyKey: key } = options;
    if (key === undefined) return undefined;
    const rules = this.#parts.idempotency;
    const { ttlMs = rules.ttlMs, onDuplicate = rules.onDuplicate } = {
      ...handler.idempotency,
      ...options.idempotency,
    };
    return { key, ttlMs, onDuplicate };
  }

  #toHandle({ handler, task }: DurableRequest, answer: EnqueueAnswer | undefined): DurableHandle | Error {
    const { handleHost, tallies } = this.#parts;
    if (answer?.outcome === "kept") {
      tallies.of(queueOf(task.id), handler.name).enqueued++;
      return new StoredTaskHandle(task.id, false, handler, handleHost);
    }
    if (answer?.outcome === "duplicate") return new StoredTaskHandle(answer.id, true, handler, handleHost);
    const key = answer?.id === task.id ? undefined : task.idempotency?.key;
    return new DuplicateTaskError(answer?.id ?? task.id, key);
  }
}

/** What the calls for durable tasks meet where there is no backend. */
export function backendMissing(): BackendMissingError {
  return new BackendMissingError(
    "Durable tasks need a backend: give the manager one with its `backend` option",
  );
}
