import type { IdempotencyClaim, NewTask } from "../../../ports/backend.js";
import { expected } from "../../../task/checks.js";
import { type CheckedDurableOptions, readDurableOptions } from "../../../task/durable-task-options.js";
import type { HandlerDefinition } from "../../../task/handler-definition.js";
import type { IdempotencyRules } from "../../../task/idempotency.js";
import type { Eventually } from "../../../task/outcome.js";
import { type Checked, startDecodedCheck, startPayloadCheck } from "../../../task/payload.js";
import { encodePayload, encodeUnchecked } from "../../../task/stored-payload.js";
import { type TaskEnvelope, toTaskEnvelope } from "../../../task/task-envelope.js";
import type { TaskPlanner } from "../task-plan.js";
import { toDurableId } from "./durable-id.js";

export interface DurableRequestsParts {
  readonly planner: TaskPlanner;
  readonly idempotency: IdempotencyRules;
  readonly defaultQueue: string;
  /** Waits for an asynchronous schema, as long as the manager does. */
  readonly whenChecked: <T>(checked: Promise<T>) => Promise<T>;
  /** Makes the part of an id that follows its queue. */
  readonly createId: () => string;
}

/** One durable task as it was asked for, checked. */
export interface DurableRequest {
  readonly handler: HandlerDefinition;
  readonly queue: string;
  readonly task: NewTask;
  /** That of the task, to which carriers may add. */
  readonly envelope: TaskEnvelope;
}

/** That of a task which says nothing itself, as most do. */
const PLAIN_ENVELOPE: TaskEnvelope = Object.freeze({});
const PLAIN_TEXT = toTaskEnvelope(PLAIN_ENVELOPE);

/** Options that travel in the envelope, as they are. */
const SAID = [
  ...(["timeoutMs", "maxAttempts", "killAfterMs", "backoff", "resultTtlMs", "deadLetter"] as const),
  ...(["name", "description", "metadata", "correlationId"] as const),
] satisfies readonly (keyof CheckedDurableOptions & keyof TaskEnvelope)[];

/** Of claims in a row without a word from the holder, where nobody says. */
const MAX_DELIVERIES = 10;

/** Checks what is asked for, and makes of it what the store is given. */
export class DurableRequests {
  readonly #parts: DurableRequestsParts;

  constructor(parts: DurableRequestsParts) {
    this.#parts = parts;
  }

  /** Gives a promise where the schema does; else it throws what it would reject with. */
  read(name: unknown, payload: unknown, options: unknown): Eventually<DurableRequest> {
    if (typeof name !== "string") throw expected("task", "the name of a handler", name);
    const handler = this.#parts.planner.find(name);
    const read = readDurableOptions(options);
    const early = encodeUnchecked(handler, payload);
    const checked =
      early === undefined ? startPayloadCheck(handler, payload) : startDecodedCheck(handler, payload);
    if (checked instanceof Promise) return this.#readLater(handler, payload, early, checked, read);
    return this.#toRequest(handler, early ?? encodePayload(handler, payload), read);
  }

  /** As it is at the call, when the schema has let its payload pass; a stop waits for no schema. */
  async #readLater(
    handler: HandlerDefinition,
    payload: unknown,
    early: Uint8Array | undefined,
    checked: Promise<Checked>,
    options: CheckedDurableOptions,
  ): Promise<DurableRequest> {
    const make = async () => this.#toRequest(handler, early ?? encodePayload(handler, payload), options);
    const [request] = await Promise.all([make(), this.#parts.whenChecked(checked)]);
    return request;
  }

  #toRequest(
    handler: HandlerDefinition,
    payload: Uint8Array,
    options: CheckedDurableOptions,
  ): DurableRequest {
    const { createId, defaultQueue } = this.#parts;
    const { deadline, ttlMs = handler.ttlMs } = options;
    const queue = options.queue ?? handler.queue ?? defaultQueue;
    const envelope = toEnvelope(options, ttlMs);
    const task = {
      id: toDurableId(queue, options.id ?? createId()),
      handler: handler.name,
      payload,
      envelope: envelope === PLAIN_ENVELOPE ? PLAIN_TEXT : toTaskEnvelope(envelope),
      priority: options.priority ?? handler.priority ?? 0,
      weight: options.weight ?? handler.weight ?? 1,
      cost: options.cost ?? handler.cost ?? 1,
      maxDeliveries: options.maxDeliveries ?? handler.maxDeliveries ?? MAX_DELIVERIES,
      delayMs: options.delayMs ?? 0,
      runAt: options.runAt,
      ttlMs,
      deadlineAt: deadline,
      idempotency: this.#toIdempotency(handler, options),
    };
    return { handler, queue, task, envelope };
  }

  #toIdempotency(handler: HandlerDefinition, options: CheckedDurableOptions): IdempotencyClaim | undefined {
    const { idempotencyKey: key } = options;
    if (key === undefined) return undefined;
    const rules = this.#parts.idempotency;
    const { idempotency: own } = handler;
    const { idempotency: said } = options;
    const ttlMs = said?.ttlMs ?? own?.ttlMs ?? rules.ttlMs;
    const onDuplicate = said?.onDuplicate ?? own?.onDuplicate ?? rules.onDuplicate;
    const onFailure = said?.onFailure ?? own?.onFailure ?? rules.onFailure;
    return { key, ttlMs, onDuplicate, onFailure };
  }
}

/** What the task itself says; what its handler, its queue and its manager say holds where it runs. */
function toEnvelope(options: CheckedDurableOptions, ttlMs: number | undefined): TaskEnvelope {
  const { deadline } = options;
  const isPlain = deadline === undefined && ttlMs === undefined;
  if (isPlain && SAID.every((name) => options[name] === undefined)) return PLAIN_ENVELOPE;
  const said = SAID.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]);
  if (deadline !== undefined) said.push(["deadlineAt", deadline]);
  if (ttlMs !== undefined) said.push(["ttlMs", ttlMs]);
  return Object.fromEntries(said);
}
