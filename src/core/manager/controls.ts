import { OptionError } from "../../errors.js";
import * as check from "../../task/checks.js";
import { MAX_PRIORITY, toOrder } from "../../task/order.js";
import type { Eventually } from "../../task/outcome.js";
import type { RateLimitOptions } from "../../task/rate-limit.js";
import { isTerminal } from "../../task/states.js";
import type { SubscribeOptions, Subscription } from "../../task/subscription.js";
import type { TaskResult } from "../../task/task-result.js";
import { POOL_SIZE_CHECKS } from "../../task/thread-options.js";
import { readSubscribeOptions } from "../events/subscribe-options.js";
import type { Core } from "./core.js";
import { type ReplayReport, toReplayRequests } from "./durable/dead-letter-selection.js";
import type { DurableHandle } from "./durable/durable-handle.js";
import { durableId, isDurableId } from "./durable/durable-id.js";
import { backendMissing } from "./durable/durable-intake.js";
import { concurrencyCheck, RATE_CHECKS, type RetentionOptions, readRetention } from "./options.js";
import { toRateLimit } from "./resolved-options.js";
import { visitInPortions } from "./sweep.js";

/** What `pause` pauses, and whether to wait for what runs. */
export interface PauseOptions {
  /** Pause only this queue. Default: all of them. */
  queue?: string | undefined;
  /** Resolve only when what was running has ended, or the pause was undone. Default false. */
  wait?: boolean | undefined;
}

/** What `resume` resumes. */
export interface ResumeOptions {
  /** Resume only this queue. Default: undo a pause of all; queues that were paused by name stay paused. */
  queue?: string | undefined;
}

/** How many tasks may run at once, from now on. */
export interface ConcurrencyOptions {
  /** Tasks on the event loop at once; what runs beyond a lower number runs to its end. */
  inline?: number | undefined;
  /** Worker threads, and so tasks in them at once; what is not given stays. */
  threads?: ThreadSizeOptions | undefined;
}

/** How many worker threads there may be, from now on. */
export interface ThreadSizeOptions {
  /** Threads that are kept while there is nothing to do: 0 to 1,000. */
  min?: number | undefined;
  /** Threads at once: 1 to 1,000; what runs beyond a lower number runs to its end. */
  max?: number | undefined;
}

/** A rate limit, and whose it is. */
export interface RateOptions extends RateLimitOptions {
  /** Set the limit of this queue. Default: the shared one. Not together with `handler`. */
  queue?: string | undefined;
  /** Set the limit of this handler, which also ends what its `rateLimited` closed. */
  handler?: string | undefined;
}

/** What `drain` waits for, and until when. */
export interface DrainOptions {
  /** False: do not wait for tasks that wait for their time, other than for a retry. Default true. */
  scheduled?: boolean | undefined;
  /** Stop waiting when it aborts, and reject with its reason. */
  signal?: AbortSignal | undefined;
}

const PAUSE: check.Checks<PauseOptions> = { queue: check.queueName, wait: check.flag };
const RESUME: check.Checks<ResumeOptions> = { queue: check.queueName };
const CONCURRENCY: check.Checks<ConcurrencyOptions> = {
  inline: concurrencyCheck,
  threads: (value, path) => check.readOptions<ThreadSizeOptions>(path, value, POOL_SIZE_CHECKS),
};
const RATE: check.Checks<RateOptions> = { queue: check.queueName, handler: check.name, ...RATE_CHECKS };
const DRAIN: check.Checks<DrainOptions> = { scheduled: check.flag, signal: check.abortSignal };
const priorityCheck = check.integer(-MAX_PRIORITY, MAX_PRIORITY);

/**
 * What can be changed and asked of a manager while it works. Every input is checked before anything is
 * changed.
 */
export class Controls {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  start(): void {
    const { lifecycle, dispatcher, durable, pool } = this.#core;
    if (lifecycle.phase !== "ready") return;
    lifecycle.advance("running");
    pool.open();
    durable?.start();
    dispatcher.wake();
  }

  async pause(options?: PauseOptions): Promise<void> {
    const { queue, wait = false } = check.readOptions<PauseOptions>("", options, PAUSE);
    const { conditions, dispatcher, pauses, queues, runner } = this.#core;
    dispatcher.pause(queue);
    if (!wait) return;
    await conditions.until(() => {
      const running = queue === undefined ? runner.running : queues.known(queue)?.running;
      return !running || !pauses.has(queue);
    });
  }

  resume(options?: ResumeOptions): void {
    const { queue } = check.readOptions<ResumeOptions>("", options, RESUME);
    const { conditions, dispatcher } = this.#core;
    dispatcher.resume(queue);
    conditions.check();
  }

  setConcurrency(options: ConcurrencyOptions): void {
    const { inline, threads } = check.readOptions<ConcurrencyOptions>("", options, CONCURRENCY);
    const { dispatcher, lanes, pool } = this.#core;
    if (threads !== undefined) pool.resize(threads); // may refuse it
    if (inline !== undefined) lanes.inline.concurrency = inline;
    dispatcher.wake();
  }

  setRate(options: RateOptions): void {
    const { queue, handler, tasksPerSecond, burst } = check.readOptions<RateOptions>("", options, RATE);
    if (tasksPerSecond === undefined) {
      throw check.expected("tasksPerSecond", "a number greater than 0, or Infinity for no limit", undefined);
    }
    if (queue !== undefined && handler !== undefined) {
      throw new OptionError("handler", "Expected `queue` or `handler`, found both");
    }
    const { clock, dispatcher, limiter, planner } = this.#core;
    if (handler !== undefined) planner.find(handler);
    const name = queue ?? handler;
    const own = handler === undefined ? limiter.queues : limiter.handlers;
    const present = name === undefined ? limiter.limit.burst : own.get(name)?.burst;
    const known = present !== undefined && Number.isFinite(present) ? present : undefined;
    const limit = toRateLimit({ tasksPerSecond, burst }, known ?? (name === undefined ? this.#slots() : 1));
    if (name === undefined) limiter.setRate(limit, clock.now());
    else own.set(name, limit, clock.now());
    dispatcher.reconsider();
  }

  /** Of all lanes together. */
  #slots(): number {
    const { lanes, pool } = this.#core;
    return lanes.inline.concurrency + (lanes.threads === undefined ? 0 : pool.size.max);
  }

  setRetention(options: RetentionOptions): void {
    const { clock, retention } = this.#core;
    retention.setLimits(readRetention(options, retention.limits), clock.now());
  }

  subscribe(options?: SubscribeOptions): Subscription {
    const read = readSubscribeOptions(options);
    const { results, retention } = this.#core;
    if (read.replay === 0) return results.subscribe(read, []);
    if (!retention.limits.values) {
      const wanted = "Expected the manager's `retention.values` to be true beside `replay`";
      throw new OptionError("replay", `${wanted}, found false: no values are kept`);
    }
    return results.subscribe(read, this.#retained(read.filter === undefined ? read.replay : Infinity));
  }

  /** The last results whose values are kept, but for those that subscriptions are still to be given. */
  #retained(atMost: number): TaskResult[] {
    const { journal, results, retention } = this.#core;
    const upcoming = results.upcoming();
    const kept = retention.values.kept().filter(({ task }) => !upcoming.has(task.id));
    return kept.slice(-atMost).map(({ task, value }) => journal.result(task, value));
  }

  /** A promise where the task is not one of this process. */
  cancel(id: string, reason: unknown): Eventually<boolean> {
    const { canceller, clock, durable, registry } = this.#core;
    const elsewhere = durable !== undefined && typeof id === "string" && isDurableId(id);
    const task = registry.get(elsewhere ? durableId(id, "id") : check.name(id, "id"));
    if (task !== undefined && !isTerminal(task.state)) return canceller.cancel(task, reason, clock.now());
    return elsewhere && durable.intake.cancel(id, reason);
  }

  handle(handler: unknown, id: unknown): DurableHandle {
    const { durable } = this.#core;
    if (durable === undefined) throw backendMissing();
    return durable.intake.handle(handler, id);
  }

  async replayDeadLetters(selection: unknown): Promise<ReplayReport> {
    const { durable } = this.#core;
    if (durable === undefined) throw backendMissing();
    return await durable.replay(toReplayRequests(selection));
  }

  /**
   * Ends all tasks that were accepted before the call, in portions; what it has not reached does not start.
   */
  async cancelAll(reason: unknown): Promise<number> {
    const { canceller, clock, intake, registry, runner } = this.#core;
    const upTo = intake.lastNumber;
    const sweep = canceller.beginSweep(upTo, (task, now) => canceller.cancel(task, reason, now));
    try {
      for (const { task } of runner.attempts()) sweep.visit(task, clock.now());
      await visitInPortions(registry.upTo(upTo), clock, (task) => sweep.visit(task, clock.now()));
      return sweep.ended;
    } finally {
      sweep.close();
    }
  }

  reprioritize(id: string, priority: number): boolean {
    const { dispatcher, registry } = this.#core;
    const checked = priorityCheck(priority, "priority");
    const task = registry.get(check.name(id, "id"));
    if (task?.place === undefined) return false;
    task.order = toOrder(checked, task.weight);
    task.place.reorder(task);
    dispatcher.wake();
    return true;
  }

  async drain(options?: DrainOptions): Promise<void> {
    const { scheduled = true, signal } = check.readOptions<DrainOptions>("", options, DRAIN);
    const { backlog, conditions, settler } = this.#core;
    const ignored = () => (scheduled ? 0 : backlog.scheduled - backlog.backingOff);
    await conditions.until(() => settler.unsettled === ignored(), signal);
  }
}
