import { TaskCancelledError, UnknownHandlerError } from "../../errors.js";
import { expected } from "../../task/checks.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import { findDefinition } from "../../task/handler-registry.js";
import type { LaneName } from "../../task/lane-name.js";
import { toOrder } from "../../task/order.js";
import type { Eventually } from "../../task/outcome.js";
import { type Checked, checkPayload, startPayloadCheck } from "../../task/payload.js";
import { resolveSettings, type SettingsLayer } from "../../task/settings.js";
import type { TaskProfile } from "../../task/task.js";
import type { TaskIds } from "../../task/task-ids.js";
import { type CheckedTaskOptions, readPriorityAlone, readTaskOptions } from "../../task/task-options.js";
import { refuseTransfer } from "../../task/transfer.js";
import { HandlerCall, type Work } from "../../task/work.js";
import type { Limiter } from "../limiter/limiter.js";
import type { Calendar } from "./calendar.js";
import type { ResolvedOptions } from "./resolved-options.js";
import type { Tallies } from "./tallies.js";

/** A task as it was asked for, checked and complete, before there is room for it. */
export interface TaskPlan {
  readonly profile: TaskProfile;
  readonly order: number;
  /** The options as checked; undefined when there were none, so that plain tasks share one plan. */
  readonly options: CheckedTaskOptions | undefined;
}

/** One task that somebody wants to be done: the work and the plan for it. */
export interface TaskRequest {
  readonly work: Work;
  readonly plan: TaskPlan;
}

/** What is the same for all tasks of one handler that say nothing themselves; of a plain function too. */
interface Kind {
  readonly definition: HandlerDefinition | undefined;
  /** By the queues that the options name, as far as it was wanted there. */
  readonly profiles: Map<string, TaskProfile>;
  /** Those of durable tasks, by the queues that they were claimed from. */
  readonly durable: Map<string, TaskProfile>;
  readonly plain: TaskPlan;
}

/** Turns what a caller gave into plans, or refuses it. It changes nothing. */
export class TaskPlanner {
  readonly #options: ResolvedOptions;
  readonly #limiter: Limiter;
  readonly #ids: TaskIds;
  readonly #tallies: Tallies;
  readonly #functions: Kind;
  readonly #handlers = new Map<HandlerDefinition, Kind>();

  constructor(options: ResolvedOptions, limiter: Limiter, tallies: Tallies, ids: TaskIds) {
    this.#options = options;
    this.#limiter = limiter;
    this.#tallies = tallies;
    this.#ids = ids;
    this.#functions = this.#kind(undefined);
    for (const definition of options.handlers.values()) {
      this.#handlers.set(definition, this.#kind(definition));
    }
  }

  /**
   * The plan for a function.
   * @throws {OptionError} also when the task costs more than a rate limit can ever save up
   * @throws {TaskCancelledError} when its signal has aborted already
   */
  plan(options: unknown): TaskPlan {
    return this.#plan(options, this.#functions);
  }

  /**
   * A task by the name of its handler. Its options are looked at first: they are cheap to refuse.
   * @throws {UnknownHandlerError} @throws {PayloadError} @throws {AsyncSchemaError}
   * @throws what `plan` throws
   */
  request(name: unknown, payload: unknown, options: unknown): TaskRequest {
    const [definition, plan] = this.#planByName(name, options);
    const checked = checkPayload(definition, payload, plan.options?.transfer);
    return { plan, work: new HandlerCall(definition, checked) };
  }

  /** The same, with an answer of the schema that may come later. */
  startRequest(name: unknown, payload: unknown, options: unknown): [TaskPlan, Eventually<HandlerCall>] {
    const [definition, plan] = this.#planByName(name, options);
    const toCall = ({ value }: Checked) => new HandlerCall(definition, value);
    const checked = startPayloadCheck(definition, payload, plan.options?.transfer);
    return [plan, checked instanceof Promise ? checked.then(toCall) : toCall(checked)];
  }

  /** @throws {UnknownHandlerError} */
  find(name: string): HandlerDefinition {
    return findDefinition(this.#options.handlers, name);
  }

  /**
   * What the durable tasks of a handler share that say this of their attempts; where nobody says how many
   * there may be, there are three.
   */
  durableProfile(definition: HandlerDefinition, queue: string, said: SettingsLayer): TaskProfile {
    const { durable } = this.#handlers.get(definition) ?? this.#kind(definition);
    const plain = durable.get(queue) ?? this.#durableProfile(definition, queue, durable);
    const settings = resolveSettings(plain.settings, said);
    return settings === plain.settings ? plain : { ...plain, settings };
  }

  /** Where the tasks of a handler run; those of none, and of one that is not known, on the event loop. */
  laneOf(handler: string | undefined): LaneName {
    return laneOf(handler === undefined ? undefined : this.#options.handlers.get(handler));
  }

  #planByName(name: unknown, options: unknown): [HandlerDefinition, TaskPlan] {
    if (typeof name !== "string")
      throw expected("task", "a function, such as () => …, or the name of a handler", name);
    const definition = this.find(name);
    const kind = this.#handlers.get(definition);
    if ((definition.run ?? definition.module) === undefined || kind === undefined) {
      const lacks = "it has neither `run` nor `module`";
      const message = `The handler ${JSON.stringify(name)} is only a contract here: ${lacks}`;
      throw new UnknownHandlerError(name, message);
    }
    return [definition, this.#plan(options, kind)];
  }

  #plan(options: unknown, kind: Kind): TaskPlan {
    if (options === undefined) return this.#affordable(kind.plain);
    const priority = readPriorityAlone(options);
    if (priority !== undefined) {
      const order = toOrder(priority, kind.definition?.weight ?? 1);
      const { options, profile } = kind.plain;
      return this.#affordable({ profile, order, options });
    }
    const read = readTaskOptions(options);
    const plan = this.#affordable(this.#complete(read, kind));
    refuseAborted(read);
    return plan;
  }

  #kind(definition: HandlerDefinition | undefined): Kind {
    const profiles = new Map<string, TaskProfile>();
    const kind = { definition, profiles, durable: new Map<string, TaskProfile>() };
    const { cost, ttlMs } = definition ?? {};
    const options = (cost ?? ttlMs) === undefined ? undefined : Object.freeze(withDefaults({}, definition));
    return { ...kind, plain: { ...this.#complete({}, kind), options } };
  }

  #complete(
    given: CheckedTaskOptions,
    { definition, profiles }: Pick<Kind, "definition" | "profiles">,
  ): TaskPlan {
    const options = definition === undefined ? given : withDefaults(given, definition);
    const queue = options.queue ?? definition?.queue ?? this.#options.defaultQueue;
    const profile = profiles.get(queue) ?? this.#profile(queue, definition, profiles);
    const settings = resolveSettings(profile.settings, options);
    if (options.transfer !== undefined) refuseTransfer(profile.lane, settings);
    return {
      profile: settings === profile.settings ? profile : { ...profile, settings },
      order: toOrder(
        options.priority ?? definition?.priority ?? 0,
        options.weight ?? definition?.weight ?? 1,
      ),
      options,
    };
  }

  /** What the tasks of a handler in one queue share, or plain functions in one queue. */
  #profile(
    queue: string,
    definition: HandlerDefinition | undefined,
    profiles: Map<string, TaskProfile>,
  ): TaskProfile {
    const { defaultQueue, queueSettings, settings: general } = this.#options;
    const byQueue = queueSettings.get(queue) ?? general;
    const settings = resolveSettings(byQueue, definition?.settings ?? {});
    const handler = definition?.name;
    const tally = this.#tallies.of(queue, handler);
    const lane = laneOf(definition);
    const profile = { ids: this.#ids, queue, handler, lane, settings, tally };
    const isOwn = queue === (definition?.queue ?? defaultQueue);
    if (isOwn || queueSettings.has(queue)) profiles.set(queue, profile); // others may come from data
    return profile;
  }

  /** What the durable tasks of a handler in one queue share that say nothing themselves. */
  #durableProfile(
    definition: HandlerDefinition,
    queue: string,
    profiles: Map<string, TaskProfile>,
  ): TaskProfile {
    const { durableSettings } = this.#options;
    const byQueue = durableSettings.queues.get(queue) ?? durableSettings.general;
    const settings = resolveSettings(byQueue, definition.settings);
    const { name: handler } = definition;
    const tally = this.#tallies.of(queue, handler);
    const profile = { ids: this.#ids, queue, handler, lane: laneOf(definition), settings, tally };
    profiles.set(queue, profile); // only queues that the options name are claimed from
    return profile;
  }

  /** A task that costs more than a limit can ever save up would wait for ever. */
  #affordable(plan: TaskPlan): TaskPlan {
    const cost = plan.options?.cost;
    if (cost === undefined) return plan;
    const most = this.#limiter.maxCost(plan.profile.queue, plan.profile.handler);
    if (cost > most) throw expected("cost", `at most ${most}, the burst of its rate limit`, cost);
    return plan;
  }
}

function laneOf(definition: HandlerDefinition | undefined): LaneName {
  return definition?.module === undefined ? "inline" : "threads";
}

/** The options of a task, with what its handler says where the task says nothing. */
function withDefaults(
  options: CheckedTaskOptions,
  definition: HandlerDefinition | undefined,
): CheckedTaskOptions {
  const { cost, ttlMs } = definition ?? {};
  const idempotency = options.idempotencyKey === undefined ? undefined : definition?.idempotency;
  if ((cost ?? ttlMs ?? idempotency) === undefined) return options;
  return {
    ...(cost === undefined ? {} : { cost }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...options,
    ...(idempotency === undefined ? {} : { idempotency: { ...idempotency, ...options.idempotency } }),
  };
}

/** @throws {TaskCancelledError} when the signal of a task has aborted before there was a task */
export function refuseAborted({ id = "", signal }: CheckedTaskOptions): void {
  if (!signal?.aborted) return;
  const message = "The signal had aborted before the task was enqueued";
  throw new TaskCancelledError(message, id, { cause: signal.reason });
}

/** What a call rejects with whose signal aborts while it waits. */
export function whenGone(plan: TaskPlan, awaited: string): (reason: unknown) => TaskCancelledError {
  const message = `The signal aborted while the task waited for ${awaited}`;
  return (reason) => new TaskCancelledError(message, plan.options?.id ?? "", { cause: reason });
}

/** When a task is ready, or undefined when that is at once. */
export function toDueAt(
  options: CheckedTaskOptions | undefined,
  calendar: Calendar,
  now: number,
): number | undefined {
  if (options === undefined) return undefined;
  const { delayMs, runAt } = options;
  if (delayMs === undefined && runAt === undefined) return undefined;
  const dueAt = runAt === undefined ? now + (delayMs ?? 0) : calendar.toMonotonic(runAt);
  return dueAt > now ? dueAt : undefined;
}

/** When a task's whole life ends, or undefined when it has no such end. */
export function toExpiresAt(
  options: CheckedTaskOptions,
  calendar: Calendar,
  now: number,
): number | undefined {
  const { deadline, ttlMs } = options;
  if (deadline === undefined && ttlMs === undefined) return undefined;
  const byDeadline = deadline === undefined ? Number.POSITIVE_INFINITY : calendar.toMonotonic(deadline);
  const byTtl = ttlMs === undefined ? Number.POSITIVE_INFINITY : now + ttlMs;
  return Math.min(byDeadline, byTtl);
}
