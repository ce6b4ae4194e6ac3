import type { StopReport } from "../../src/core/manager/shutdown.js";
import type { TaskEntry } from "../../src/core/manager/task-entries.js";
import {
  DeadlineError,
  ManagerStoppedError,
  MillraceError,
  TaskCancelledError,
  TaskTimeoutError,
} from "../../src/errors.js";
import type { Backoff } from "../../src/task/backoff.js";
import { exponential, fixed } from "../../src/task/backoff.js";
import type { MiddlewareEntry } from "../../src/task/middleware.js";
import { cancelTask, rateLimited, reschedule, skipRetry } from "../../src/task/steering.js";
import type { TaskContext, TaskFunction } from "../../src/task/task-context.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import type { TaskOptions } from "../../src/task/task-options.js";
import { ManualClock } from "../../src/testing/manual-clock.js";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { OpenManager } from "../support/model-manager.js";
import { checkEnd, checkNow } from "./checks.js";
import type { Cause, HowEnded, ModelAttempt, ModelTask } from "./entry.js";
import { Ledger, Violation, WIDE } from "./ledger.js";
import { type Settings, SIGNALS, type Step, type TaskShape } from "./steps.js";

/** A promise that the manager has handed out, and what has become of it. */
export interface Promised {
  readonly what: string;
  readonly task: ModelTask | undefined;
  state: "pending" | "resolved" | "rejected";
  outcome: unknown;
  /** For `drain` and a waiting pause: whether it should have been kept by now. */
  readonly due: (() => boolean) | undefined;
}

const BACKOFFS: Record<TaskShape["backoff"], Backoff> = {
  none: fixed({ delayMs: 0 }),
  fixed: fixed({ delayMs: 7 }),
  doubling: exponential({ delayMs: 4, factor: 2, maxDelayMs: 20, jitter: "none" }),
  jitter: exponential({ delayMs: 16, factor: 2, maxDelayMs: 30, jitter: "full" }),
  throws: () => {
    throw new Error("a backoff that throws");
  },
};

/** Passes everything on as it is. */
const PASSING: readonly MiddlewareEntry[] = [(_, next) => next(), { call: (_, next) => next() }];

/** One run of the interpreter: the manager under test, the model, and what the test holds in its hands. */
export class Run {
  readonly clock = new ManualClock();
  readonly tasks: OpenManager;
  readonly ledger: Ledger;
  readonly promises: Promised[] = [];
  readonly reports: Promise<StopReport>[] = [];
  readonly signals: AbortController[] = [];
  /** Every signal that was ever given to a task. */
  readonly usedSignals = new Set<AbortSignal>();
  violation: unknown = undefined;
  report: StopReport | undefined = undefined;
  #reasons = 0;

  constructor(settings: Settings) {
    const { rate, queueRate, concurrency, capacity, whenFull, strictQueues, retention, autoStart } = settings;
    this.ledger = new Ledger(settings, () => this.clock.now());
    for (let count = 0; count < SIGNALS; count++) this.signals.push(new AbortController());
    this.tasks = new OpenManager({
      ...{ clock: this.clock, random: seededRandom(settings.seed), ...rate },
      ...{ concurrency, capacity, whenFull, strictQueues, retention, autoStart },
      middleware: settings.wrapped ? PASSING : [],
      ...{ maxAbandoned: settings.maxAbandoned, killAfterMs: settings.killAfterMs },
      queues: { wide: { ...WIDE }, narrow: queueRate === undefined ? {} : { rateLimit: queueRate } },
    });
    this.tasks.core.journal.events.subscribe((event) => this.#hear(event));
  }

  /** Does the steps, checks after each, stops, and checks that nothing is left. */
  async play(steps: readonly Step[]): Promise<void> {
    checkNow(this);
    const { without } = this.ledger.settings;
    for (const step of steps) {
      if (without.includes(step.do)) continue;
      this.#do(step);
      if (step.do === "advance") await this.clock.advance(step.ms);
      else await this.clock.advance(0);
      this.#settled();
    }
    await this.#end();
  }

  get now(): number {
    return this.clock.now();
  }

  /** Breaks off with the first rule that was broken, also by what the manager's observers saw. */
  assert(condition: boolean, rule: string): void {
    if (this.violation !== undefined) throw this.violation;
    if (!condition) throw new Violation(`at ${this.now} ms: ${rule}`);
  }

  #settled(): void {
    if (this.violation !== undefined) throw this.violation;
    this.ledger.reach(this.now, true);
    // After a stop nothing expires any more; what expired with it may be kept or not.
    if (this.ledger.stopped) this.#adoptRetained();
    else this.ledger.pruneByAge(this.now);
    checkNow(this);
  }

  #adoptRetained(): void {
    const { registry } = this.tasks.core;
    const isKept = ({ id, name }: ModelTask) => registry.get(id ?? "")?.details?.name === name;
    this.ledger.retained = this.ledger.retained.filter(isKept);
  }

  async #end(): Promise<void> {
    const { lastStop } = this.ledger.settings;
    this.#do(lastStop === "now" ? { do: "stopNow" } : { do: "stopGraceful", deadlineMs: 100 });
    await this.clock.advance(0);
    this.#settled();
    await this.clock.advance(400); // beyond any deadline and its grace
    this.#settled();
    checkEnd(this);
    for (const attempt of this.ledger.abandoned) attempt.release?.({ ends: "returns" });
    await this.clock.settle();
    this.assert(
      this.tasks.stats().lanes.inline.abandoned === 0,
      "abandoned attempts are counted until they end",
    );
    this.assert(this.clock.timers === 0, "what ends after the stop starts no timer");
  }

  #hear(event: TaskEvent): void {
    try {
      this.ledger.onEvent(event);
    } catch (violation) {
      this.violation ??= violation;
    }
  }

  #do(step: Step): void {
    switch (step.do) {
      case "enqueue":
        this.#enqueue(step.shape);
        break;
      case "enqueueMany":
        this.#enqueueMany(step.shapes);
        break;
      case "enqueueAsync":
        this.#enqueueAsync(step.shape);
        break;
      case "end":
        pickFrom(this.#holding(), step.pick)?.release?.(step.ending);
        break;
      case "block":
        this.ledger.blocked(this.now, this.now + step.ms);
        this.clock.block(step.ms);
        break;
      case "cancelByHandle":
      case "cancelById":
        this.#cancel(pickFrom(this.#accepted(), step.pick), step.do === "cancelById");
        break;
      case "abortSignal":
        this.#abortSignal(step.pick % SIGNALS);
        break;
      case "renewSignal":
        this.signals[step.pick % SIGNALS] = new AbortController();
        return;
      case "cancelAll":
        this.#cancelAll();
        break;
      case "reprioritize":
        this.#reprioritize(pickFrom(this.#accepted(), step.pick), step.priority);
        break;
      case "askResult":
        this.#askResult(pickFrom(this.#accepted(), step.pick), step.timeoutMs);
        break;
      case "stopGraceful":
        this.#stopGraceful(step.deadlineMs);
        break;
      case "stopNow":
        this.#stopNow();
        break;
      case "together":
        for (const each of step.steps) if (!this.ledger.settings.without.includes(each.do)) this.#do(each);
        return;
      case "advance":
        return;
      default:
        this.#control(step);
        break;
    }
  }

  #control(
    step: Extract<
      Step,
      {
        do:
          | "start"
          | "pause"
          | "resume"
          | "setConcurrency"
          | "setRate"
          | "setRetention"
          | "drain"
          | "cancelAll";
      }
    >,
  ): void {
    const { ledger } = this;
    const { controls } = this.tasks;
    switch (step.do) {
      case "start":
        if (ledger.stop === undefined) ledger.started = true;
        controls.start();
        break;
      case "pause": {
        ledger.pause(step.queue);
        const { queue, wait } = step;
        const quiet = () => (queue === undefined ? ledger.running.size === 0 : ledger.runningOf(queue) === 0);
        this.#promise(
          `pause ${queue}`,
          controls.pause({ queue, wait }),
          undefined,
          wait ? quiet : () => true,
        );
        break;
      }
      case "resume":
        ledger.resume(step.queue);
        controls.resume({ queue: step.queue });
        break;
      case "setConcurrency":
        ledger.concurrency = step.inline;
        controls.setConcurrency({ inline: step.inline });
        break;
      case "setRate":
        this.#setRate(step);
        break;
      case "setRetention": {
        const { maxEntries = ledger.retention.maxEntries, ttlMs = ledger.retention.ttlMs } = step;
        ledger.retention = { maxEntries, ttlMs };
        ledger.pruneByCount();
        controls.setRetention({ maxEntries: step.maxEntries, ttlMs: step.ttlMs });
        break;
      }
      case "drain": {
        const waitsOnly = (task: ModelTask) =>
          task.state === "scheduled" && !task.backingOff && !step.scheduled;
        const drained = () => [...ledger.live].every(waitsOnly);
        this.#promise("drain", controls.drain({ scheduled: step.scheduled }), undefined, drained);
        break;
      }
    }
  }

  #setRate({ queue, tasksPerSecond, burst }: Extract<Step, { do: "setRate" }>): void {
    const { ledger, now } = this;
    const known = queue === undefined ? ledger.shared : ledger.queueLimits.get(queue);
    const present = known !== undefined && !known.unlimited ? known.burst : undefined;
    const next = burst ?? present ?? (queue === undefined ? ledger.concurrency : 1);
    if (known !== undefined) known.setRate(tasksPerSecond, next, now);
    else ledger.limitQueue(queue ?? "", tasksPerSecond, next);
    this.tasks.controls.setRate({ queue, tasksPerSecond, burst });
  }

  /** The error that a request must meet before there is a question of room. */
  #refusal(task: ModelTask): string | undefined {
    const { shape } = task;
    if (shape.cost > this.ledger.maxCost(task.queue)) return "MILLRACE_OPTION";
    return task.signal?.aborted ? "MILLRACE_TASK_CANCELLED" : undefined;
  }

  #refusalAtDoor({ shape }: ModelTask): string | undefined {
    if (this.ledger.stop !== undefined) return "MILLRACE_NOT_ACCEPTING";
    return shape.ownId !== undefined && this.ledger.knows(shape.ownId)
      ? "MILLRACE_DUPLICATE_TASK"
      : undefined;
  }

  /** Room for so many, made if need be; otherwise the error. */
  #refusalForRoom(count: number): string | undefined {
    const { ledger } = this;
    const { capacity, whenFull } = ledger.settings;
    const missing = count - ledger.room;
    if (missing <= 0) return undefined;
    const victims = whenFull === "drop-oldest" && count <= capacity ? ledger.oldest().slice(0, missing) : [];
    if (victims.length === missing) {
      ledger.victims = victims;
      return undefined;
    }
    ledger.counts.refused += count;
    return "MILLRACE_QUEUE_FULL";
  }

  #plan(drawn: TaskShape): ModelTask {
    const { without } = this.ledger.settings;
    const shape: TaskShape = { ...drawn, ...pickKeys(PLAIN, without) };
    const signal = shape.signal === undefined ? undefined : this.signals[shape.signal]?.signal;
    if (signal !== undefined) this.usedSignals.add(signal);
    return this.ledger.plan(shape, signal);
  }

  #enqueue(shape: TaskShape): void {
    const task = this.#plan(shape);
    const refusal = this.#refusal(task) ?? this.#refusalAtDoor(task) ?? this.#refusalForRoom(1);
    try {
      this.#accepts(task, this.tasks.enqueue(this.#handler(task), toOptions(task)), refusal);
    } catch (error) {
      this.#refuses([task], error, refusal);
    }
  }

  #enqueueMany(shapes: readonly TaskShape[]): void {
    const planned = shapes.map((shape) => this.#plan(shape));
    const ids = planned.flatMap(({ shape }) => (shape.ownId === undefined ? [] : [shape.ownId]));
    const first = (refusals: readonly (string | undefined)[]) => refusals.find((one) => one !== undefined);
    let refusal = first(planned.map((task) => this.#refusal(task)));
    refusal ??= first(planned.map((task) => this.#refusalAtDoor(task)));
    if (refusal === undefined && new Set(ids).size < ids.length) refusal = "MILLRACE_DUPLICATE_TASK";
    refusal ??= planned.length > 0 ? this.#refusalForRoom(planned.length) : undefined;
    const entries = planned.map((task): TaskEntry => [this.#handler(task), toOptions(task)]);
    try {
      const handles = this.tasks.enqueueMany(entries);
      this.assert(handles.length === planned.length, "as many handles as entries");
      for (const [index, task] of planned.entries()) this.#accepts(task, handles[index], refusal);
    } catch (error) {
      this.#refuses(planned, error, refusal);
    }
  }

  #enqueueAsync(shape: TaskShape): void {
    const { ledger } = this;
    const { capacity, whenFull } = ledger.settings;
    const task = this.#plan(shape);
    let refusal = this.#refusal(task) ?? this.#refusalAtDoor(task);
    const waits = whenFull === "reject" && ledger.room <= 0;
    if (refusal === undefined && whenFull === "drop-oldest") refusal = this.#refusalForRoom(1);
    if (refusal === undefined && waits) {
      if (ledger.line.length < capacity) {
        ledger.line.push(task);
      } else {
        ledger.counts.refused++;
        refusal = "MILLRACE_QUEUE_FULL";
      }
    }
    const inLine = refusal === undefined && waits;
    const promise = this.tasks.enqueueAsync(this.#handler(task), toOptions(task));
    const kept = promise.then(
      (handle) => this.#guard(() => this.#accepts(task, handle, refusal)),
      (error: unknown) =>
        this.#guard(() => this.#refuses([task], error, inLine ? this.#refusalInLine(task) : refusal)),
    );
    this.#promise(`enqueueAsync of ${task.name}`, kept, undefined, () => task.state !== "unborn");
  }

  /** Why a call that waits for room may be sent away. */
  #refusalInLine(task: ModelTask): string | undefined {
    const { ledger } = this;
    if (task.sentAway !== undefined) return task.sentAway;
    const { ownId } = task.shape;
    const sameId = (other: ModelTask) =>
      other !== task && other.id !== undefined && other.shape.ownId === ownId;
    return ownId !== undefined && ledger.tasks.some(sameId) ? "MILLRACE_DUPLICATE_TASK" : undefined;
  }

  #accepts(task: ModelTask, handle: ModelTask["handle"], refusal: string | undefined): void {
    this.assert(refusal === undefined, `${task.name} is refused with ${refusal}`);
    this.assert(
      handle !== undefined && task.id === handle.id,
      `${task.name} was published when it was accepted`,
    );
    const { ownId } = task.shape;
    this.assert(ownId === undefined || handle?.id === `own-${ownId}`, `${task.name} has its own id`);
    task.handle = handle;
    if (task.shape.awaited) this.#askResult(task, undefined);
  }

  #refuses(tasks: readonly ModelTask[], error: unknown, refusal: string | undefined): void {
    if (!(error instanceof MillraceError)) throw error;
    const names = tasks.map(({ name }) => name).join(", ");
    this.assert(
      error.code === refusal,
      `${names}: ${refusal ?? "accepted"} is expected, found ${error.message}`,
    );
    for (const task of tasks) {
      this.assert(task.state === "unborn", `nothing is kept of ${task.name}`);
      task.state = "refused";
      this.ledger.line = this.ledger.line.filter((one) => one !== task);
    }
  }

  /** What a promise brings is heard outside the step: keep what it finds. */
  #guard(check: () => void): void {
    try {
      check();
    } catch (violation) {
      this.violation ??= violation;
    }
  }

  #cancel(task: ModelTask | undefined, byId: boolean): void {
    if (task?.handle === undefined || task.id === undefined) return;
    const reason = `reason ${++this.#reasons}`;
    // An own id may name a later task by now, or none when its record was pruned.
    const meant = byId ? this.#known(task.id) : task;
    const expected = meant === undefined ? false : this.ledger.cancel(meant, reason);
    const decided = byId ? this.tasks.controls.cancel(task.id, reason) : task.handle.cancel(reason);
    this.assert(expected === "either" || decided === expected, `cancel of ${task.name} answers ${expected}`);
    if (expected === "either" && meant?.current !== undefined) {
      meant.current.causes = new Set(decided ? ["cancelled"] : meant.current.causes);
    }
  }

  #known(id: string): ModelTask | undefined {
    return [...this.ledger.live, ...this.ledger.retained].find((task) => task.id === id);
  }

  #abortSignal(index: number): void {
    const controller = this.signals[index];
    if (controller === undefined || controller.signal.aborted) return;
    const { signal } = controller;
    const reason = `reason ${++this.#reasons}`;
    for (const task of this.ledger.live) if (task.signal === signal) this.ledger.cancel(task, reason);
    for (const task of this.ledger.line)
      if (task.signal === signal) task.sentAway = "MILLRACE_TASK_CANCELLED";
    this.ledger.line = this.ledger.line.filter((task) => task.signal !== signal);
    controller.abort(reason);
  }

  #cancelAll(): void {
    const reason = `reason ${++this.#reasons}`;
    let least = 0;
    let most = 0;
    for (const task of this.ledger.live) {
      const decided = this.ledger.cancel(task, reason);
      if (decided !== false) most++;
      if (decided === true) least++;
    }
    const cancelled = this.tasks.controls.cancelAll(reason).then((count) => {
      const right = count >= least && count <= most;
      this.#guard(() => this.assert(right, `cancelAll answers ${least} to ${most}, not ${count}`));
    });
    this.#promise("cancelAll", cancelled, undefined, () => true);
  }

  #reprioritize(task: ModelTask | undefined, priority: number): void {
    if (task?.id === undefined) return;
    const meant = this.#known(task.id);
    const waits = meant?.waiting === true;
    if (meant !== undefined && waits) meant.priority = priority;
    const done = this.tasks.controls.reprioritize(task.id, priority);
    this.assert(done === waits, `reprioritize of ${task.name} answers ${waits}`);
  }

  #askResult(task: ModelTask | undefined, timeoutMs: number | undefined): void {
    if (task?.handle === undefined) return;
    const options = timeoutMs === undefined ? undefined : { timeoutMs };
    const until = this.now + (timeoutMs ?? Number.POSITIVE_INFINITY);
    const due = () => task.terminal || this.now >= until;
    this.#promise(`result of ${task.name}`, task.handle.result(options), task, due);
  }

  #promise(
    what: string,
    promise: Promise<unknown>,
    task: ModelTask | undefined,
    due: (() => boolean) | undefined,
  ): void {
    const promised: Promised = { what, task, state: "pending", outcome: undefined, due };
    this.promises.push(promised);
    promise.then(
      (value) => Object.assign(promised, { state: "resolved", outcome: value }),
      (error: unknown) => Object.assign(promised, { state: "rejected", outcome: error }),
    );
  }

  #stopGraceful(deadlineMs: number): void {
    const { killAfterMs } = this.ledger.settings;
    this.ledger.beginStop(this.now + Math.max(0, deadlineMs - killAfterMs), this.now + deadlineMs);
    this.#keepReport(this.tasks.stopGraceful({ deadlineMs }));
  }

  #stopNow(): void {
    this.ledger.beginStop(this.now, this.now + this.ledger.settings.killAfterMs);
    this.ledger.abortForStop(this.now);
    this.#keepReport(this.tasks.stopNow());
  }

  #keepReport(report: Promise<StopReport>): void {
    this.assert(
      this.reports.every((other) => other === report),
      "all stops give the same promise",
    );
    this.reports.push(report);
    void report.then((found) => {
      this.report = found;
      this.ledger.stopped = true;
    });
    this.#promise("stop", report, undefined, () => this.ledger.live.size === 0);
  }

  #accepted(): ModelTask[] {
    return this.ledger.tasks.filter(({ handle }) => handle !== undefined);
  }

  #holding(): ModelAttempt[] {
    return [...this.ledger.running, ...this.ledger.abandoned].filter(({ release }) => release !== undefined);
  }

  /** A handler whose every move is the test's. */
  #handler(task: ModelTask): TaskFunction {
    return (context) => {
      const attempt = task.current;
      if (attempt === undefined) throw new Violation(`${task.name} is performed without having started`);
      this.#guard(() => this.#checkContext(attempt, context));
      attempt.seesStopping = () => context.stopping.aborted;
      const { act } = attempt;
      if (act.act === "hold") return this.#hold(attempt, context, act);
      if (act.sync) return this.#conclude(attempt, act.ending);
      return (async () => this.#conclude(attempt, act.ending))();
    };
  }

  #checkContext(attempt: ModelAttempt, context: TaskContext): void {
    const { entry } = attempt;
    const right =
      context.id === entry.id &&
      context.queue === entry.queue &&
      context.attempt === entry.attempt &&
      context.maxAttempts === entry.maxAttempts &&
      context.priority === entry.priority;
    this.assert(right, `${entry.name} is told who it is`);
  }

  #hold(
    attempt: ModelAttempt,
    context: TaskContext,
    act: { obeys: boolean; watches: boolean },
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      attempt.release = (ending) => {
        attempt.release = undefined;
        try {
          resolve(this.#conclude(attempt, ending));
        } catch (thrown) {
          reject(thrown);
        }
      };
      if (!act.watches && !act.obeys) return;
      const { signal } = context;
      const onAbort = () => {
        this.#guard(() => this.ledger.observeAbort(attempt, causeOf(signal.reason)));
        if (!act.obeys || attempt.release === undefined) return;
        attempt.release = undefined;
        this.#handlerEnds(attempt, { ends: "obeys" }, signal.reason);
        reject(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  #handlerEnds(attempt: ModelAttempt, ended: HowEnded, thrown: unknown): void {
    attempt.ended = ended;
    attempt.entry.error = thrown;
    this.ledger.abandoned.delete(attempt);
  }

  /** Returns or throws as the ending says, and tells the ledger. */
  #conclude(attempt: ModelAttempt, ending: Ending): unknown {
    const { entry } = attempt;
    const value = `${entry.name}#${attempt.start}`;
    if (ending.ends === "returns") {
      if (!attempt.abandoned) entry.value = value;
      this.#handlerEnds(attempt, ending, undefined);
      return value;
    }
    const [thrown, error] = toThrown(ending, value);
    if (attempt.abandoned) this.ledger.abandoned.delete(attempt);
    else this.#handlerEnds(attempt, ending, error);
    throw thrown;
  }
}

type Ending = Parameters<NonNullable<ModelAttempt["release"]>>[0];

/** What a handler throws, and what the task's error should then be or have as its cause. */
function toThrown(ending: Ending, text: string): readonly [unknown, unknown] {
  switch (ending.ends) {
    case "returns":
    case "throws": {
      const error = new Error(text);
      return [error, error];
    }
    case "throws-junk":
      return [text, text];
    case "skips-retry": {
      const error = new Error(text);
      return [skipRetry(error), error];
    }
    case "cancels-itself":
      return [cancelTask(text), undefined];
    case "reschedules":
      return [reschedule({ delayMs: ending.delayMs }), undefined];
    case "meets-limit": {
      const { retryAfterMs, scope } = ending;
      return [rateLimited({ retryAfterMs, scope }), undefined];
    }
  }
}

function causeOf(reason: unknown): Cause {
  if (reason instanceof TaskCancelledError) return "cancelled";
  if (reason instanceof TaskTimeoutError) return "timeout";
  if (reason instanceof DeadlineError) return "deadline";
  if (reason instanceof ManagerStoppedError) return "stopped";
  throw new Violation(`a signal gives ${String(reason)} as its reason`);
}

function toOptions({ name, shape, signal }: ModelTask): TaskOptions {
  const { queue, priority, weight, delayMs, cost, maxAttempts, timeoutMs, ttlMs, killAfterMs } = shape;
  const backoff = BACKOFFS[shape.backoff];
  const id = shape.ownId === undefined ? undefined : `own-${shape.ownId}`;
  return {
    name,
    id,
    queue,
    priority,
    weight,
    delayMs,
    cost,
    maxAttempts,
    timeoutMs,
    ttlMs,
    killAfterMs,
    backoff,
    signal,
  };
}

/** What a task has of an option that the run leaves out. */
const PLAIN = {
  ...{ queue: undefined, delayMs: 0, cost: 1, timeoutMs: undefined, ttlMs: undefined },
  ...{ killAfterMs: undefined, ownId: undefined, signal: undefined },
} satisfies Partial<TaskShape>;

function pickKeys<T extends object>(from: T, keys: readonly string[]): Partial<T> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key))) as Partial<T>;
}

function pickFrom<T>(items: readonly T[], pick: number): T | undefined {
  return items.length === 0 ? undefined : items[pick % items.length];
}
