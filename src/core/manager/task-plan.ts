import { TaskCancelledError } from "../../errors.js";
import { expected } from "../../task/checks.js";
import { toOrder } from "../../task/order.js";
import { resolveSettings } from "../../task/settings.js";
import type { TaskProfile } from "../../task/task.js";
import type { TaskFunction } from "../../task/task-context.js";
import { type CheckedTaskOptions, readPriorityAlone, readTaskOptions } from "../../task/task-options.js";
import type { Limiter } from "../limiter/limiter.js";
import type { Calendar } from "./calendar.js";
import type { ResolvedOptions } from "./options.js";

/** A task as it was asked for, checked and complete, before there is room for it. */
export interface TaskPlan {
  readonly profile: TaskProfile;
  readonly order: number;
  /** The options as checked; undefined when there were none, so that plain tasks share one plan. */
  readonly options: CheckedTaskOptions | undefined;
}

/** Turns what a caller gave into plans, or refuses it. It changes nothing. */
export class TaskPlanner {
  readonly #options: ResolvedOptions;
  readonly #limiter: Limiter;
  readonly #idPrefix: string;
  readonly #profiles: ReadonlyMap<string, TaskProfile>;
  readonly #plain: TaskPlan;

  constructor(options: ResolvedOptions, limiter: Limiter, idPrefix: string) {
    this.#options = options;
    this.#limiter = limiter;
    this.#idPrefix = idPrefix;
    const named = [...options.queueSettings];
    this.#profiles = new Map(named.map(([queue, settings]) => [queue, { idPrefix, queue, settings }]));
    this.#plain = this.#complete({}, undefined);
  }

  /** @throws {OptionError} also when the task costs more than a rate limit can ever save up
   *  @throws {TaskCancelledError} when its signal has aborted already */
  plan(options: unknown): TaskPlan {
    if (options === undefined) return this.#plain;
    const priority = readPriorityAlone(options);
    if (priority !== undefined) return { ...this.#plain, order: toOrder(priority, 1) };
    const read = readTaskOptions(options);
    const plan = this.#complete(read, read);
    if (read.cost !== undefined) this.#refuseCost(read.cost, plan.profile.queue);
    if (read.signal?.aborted) {
      const taskId = read.id ?? "";
      throw new TaskCancelledError("The signal had aborted before the task was enqueued", taskId, {
        cause: read.signal.reason,
      });
    }
    return plan;
  }

  #complete(read: CheckedTaskOptions, options: CheckedTaskOptions | undefined): TaskPlan {
    const { defaultQueue } = this.#options;
    const profile = this.#profile(read.queue ?? defaultQueue);
    const settings = resolveSettings(profile.settings, read);
    return {
      profile: settings === profile.settings ? profile : { ...profile, settings },
      order: toOrder(read.priority ?? 0, read.weight ?? 1),
      options,
    };
  }

  /** Queues that the options name have one profile each; for the others one is made as it is needed. */
  #profile(queue: string): TaskProfile {
    return this.#profiles.get(queue) ?? { idPrefix: this.#idPrefix, queue, settings: this.#options.settings };
  }

  #refuseCost(cost: number, queue: string): void {
    const most = this.#limiter.maxCost(queue);
    if (cost > most) throw expected("cost", `at most ${most}, the burst of its rate limit`, cost);
  }
}

/** @throws {OptionError} when the work is not a function */
export function checkWork(work: unknown): TaskFunction {
  if (typeof work === "function") return work as TaskFunction;
  throw expected("task", "a function", work);
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
