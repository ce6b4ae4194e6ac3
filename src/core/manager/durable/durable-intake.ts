import { DuplicateTaskError, QueueFullError, TaskCancelledError } from "../../../errors.js";
import type { Backend, EnqueueAnswer } from "../../../ports/backend.js";
import type { StoredTask } from "../../../ports/backend-inspector.js";
import type { Departure } from "../../../ports/context-carrier.js";
import { BackendMissingError } from "../../../store-errors.js";
import { expected } from "../../../task/checks.js";
import type { HandlerDefinition } from "../../../task/handler-definition.js";
import { inEntry } from "../../../task/in-entry.js";
import type { Eventually } from "../../../task/outcome.js";
import { toStoredError } from "../../../task/stored-error.js";
import { readTaskEnvelope, toTaskEnvelope } from "../../../task/task-envelope.js";
import type { EnqueueBatcher } from "../../durable/enqueue-batcher.js";
import type { Mishaps } from "../../events/mishaps.js";
import type { Carriers } from "../carriers.js";
import type { Lifecycle } from "../lifecycle.js";
import type { Tallies } from "../tallies.js";
import { type DurableHandle, type DurableHandleHost, StoredTaskHandle } from "./durable-handle.js";
import { durableId } from "./durable-id.js";
import { type DurableRequest, DurableRequests, type DurableRequestsParts } from "./durable-requests.js";
import { resultTtlMs } from "./durable-run.js";

export interface DurableIntakeParts extends DurableRequestsParts {
  readonly backend: Backend;
  readonly batcher: EnqueueBatcher;
  readonly carriers: Carriers;
  readonly lifecycle: Lifecycle;
  readonly tallies: Tallies;
  readonly handleHost: DurableHandleHost;
  readonly handlers: ReadonlyMap<string, HandlerDefinition>;
  readonly capacity: number;
  readonly mishaps: Mishaps;
  /** Whether nobody is known to consume this queue. */
  readonly isStrange: (queue: string) => boolean;
}

/** The door for durable tasks: what passes is handed to the store, and is there when the call resolves. */
export class DurableIntake {
  readonly #parts: DurableIntakeParts;
  readonly #requests: DurableRequests;
  /** Tasks of calls that the store has not answered, those included that are being checked. */
  #unanswered = 0;

  constructor(parts: DurableIntakeParts) {
    this.#parts = parts;
    this.#requests = new DurableRequests(parts);
  }

  /** Those that the store has not answered for, in the hands of schemas included. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** One alone, as most come: without the lists that several take. */
  async enqueue(name: unknown, payload: unknown, options: unknown): Promise<DurableHandle> {
    const { batcher, carriers, lifecycle } = this.#parts;
    this.#admit(1);
    try {
      const read = this.#requests.read(name, payload, options);
      const request = read instanceof Promise ? await read : read;
      lifecycle.refuseUnlessAccepting(); // a schema may have taken its time
      const handle = carriers.attached
        ? (await this.#sendCarried([request]))[0]
        : this.#toHandle(request, await batcher.enqueueOne(request.task));
      if (handle instanceof Error) throw handle;
      return handle as DurableHandle;
    } finally {
      this.#unanswered--;
    }
  }

  /** All are checked before the first is handed to the store. */
  async enqueueAll(entries: readonly (readonly unknown[])[]): Promise<DurableHandle[]> {
    const { batcher, carriers, lifecycle } = this.#parts;
    this.#admit(entries.length);
    try {
      const read = this.#read(entries);
      const requests = read instanceof Promise ? await read : read;
      lifecycle.refuseUnlessAccepting();
      const handles = carriers.attached
        ? await this.#sendCarried(requests)
        : this.#toHandles(requests, await batcher.enqueue(requests.map(({ task }) => task)));
      for (const handle of handles) if (handle instanceof Error) throw handle;
      return handles as DurableHandle[];
    } finally {
      this.#unanswered -= entries.length;
    }
  }

  #admit(count: number): void {
    const { capacity, lifecycle } = this.#parts;
    lifecycle.refuseUnlessAccepting();
    if (this.#unanswered + count > capacity) {
      const found = `${this.#unanswered} wait for the store to answer, and ${capacity} may (capacity)`;
      const wanted = count === 1 ? "a durable task" : `${count} durable tasks`;
      throw new QueueFullError(`No room for ${wanted}: ${found}`, capacity);
    }
    this.#unanswered += count;
  }

  /** Promises are made where schemas make some: most answer at once. */
  #read(entries: readonly (readonly unknown[])[]): Eventually<readonly DurableRequest[]> {
    const requests: Eventually<DurableRequest>[] = [];
    let isLater = false;
    try {
      for (const [name, payload, options] of entries) {
        const index = requests.length;
        const request = this.#requests.read(name, payload, options);
        isLater ||= request instanceof Promise;
        requests.push(request instanceof Promise ? request.catch((error) => refuse(error, index)) : request);
      }
    } catch (error) {
      const refusal = inEntry(error, requests.length);
      if (!isLater) throw refusal;
      requests.push(Promise.reject(refusal)); // together with the others, so that none rejects to nobody
    }
    return isLater ? Promise.all(requests) : (requests as DurableRequest[]);
  }

  /** The spans and headers of carriers begin in the context of the call, which has not ended yet. */
  async #sendCarried(requests: readonly DurableRequest[]): Promise<(DurableHandle | Error)[]> {
    const departures = requests.map((request) => this.#depart(request));
    const tasks = requests.map(({ envelope, task }, index) => {
      const headers = departures[index]?.headers;
      return headers === undefined ? task : { ...task, envelope: toTaskEnvelope({ ...envelope, headers }) };
    });
    try {
      const handles = this.#toHandles(requests, await this.#parts.batcher.enqueue(tasks));
      for (const [index, handle] of handles.entries())
        departures[index]?.ended?.(handle instanceof Error ? handle : undefined);
      return handles;
    } catch (error) {
      for (const departure of departures) departure?.ended?.(error);
      throw error;
    }
  }

  #depart({ envelope, handler, queue, task: { id } }: DurableRequest): Departure | undefined {
    const { carriers, tallies } = this.#parts;
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
    const { backend } = this.#parts;
    const error = toStoredError(new TaskCancelledError(`Task ${id} was cancelled`, id, { cause: reason }));
    const [stored] = await backend.inspector.read([id], { payloads: false });
    const [answer] = await backend.cancel([{ id, error, resultTtlMs: this.#resultTtlMs(stored) }]);
    return answer === "cancelled" || answer === "asked";
  }

  /** Undefined where the store knows no such task. */
  #resultTtlMs(stored: StoredTask | undefined): number {
    const read = readTaskEnvelope(stored?.envelope ?? "");
    const handler = this.#parts.handlers.get(stored?.handler ?? "");
    return resultTtlMs(read.problem === undefined ? read.envelope : {}, handler);
  }

  #toHandles(requests: readonly DurableRequest[], answers: readonly EnqueueAnswer[]) {
    return requests.map((request, index) => this.#toHandle(request, answers[index]));
  }

  #toHandle(
    { handler, queue, task }: DurableRequest,
    answer: EnqueueAnswer | undefined,
  ): DurableHandle | Error {
    const { handleHost, isStrange, mishaps, tallies } = this.#parts;
    if (answer?.outcome === "kept") {
      tallies.of(queue, handler.name).enqueued++;
      if (isStrange(queue)) mishaps.record({ type: "notConsumed", queue, handler: handler.name });
      return new StoredTaskHandle(task.id, false, handler, handleHost);
    }
    if (answer?.outcome === "duplicate") return new StoredTaskHandle(answer.id, true, handler, handleHost);
    const key = answer?.id === task.id ? undefined : task.idempotency?.key;
    return new DuplicateTaskError(answer?.id ?? task.id, key);
  }
}

function refuse(error: unknown, index: number): never {
  throw inEntry(error, index);
}

/** What the calls for durable tasks meet where there is no backend. */
export function backendMissing(): BackendMissingError {
  return new BackendMissingError(
    "Durable tasks need a backend: give the manager one with its `backend` option",
  );
}
