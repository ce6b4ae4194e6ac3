import type { TaskEvent } from "../../src/task/task-event.js";
import type { TaskSnapshot } from "../../src/task/task-snapshot.js";
import { type Cause, goesBefore, ModelAttempt, ModelTask } from "./entry.js";
import { backoffRange, type FollowUp, followUps } from "./oracle.js";
import { ReferenceLimit } from "./permits.js";
import type { Settings, TaskShape } from "./steps.js";

/** What is configured for the queue `wide`. */
export const WIDE = { share: 3, maxConcurrency: 2 } as const;

/** Instants of alarms are sums of fractions. */
const ROUNDING = 1e-6;

/** What a stop does to the tasks that were alive at its call, as the model counts it. */
export interface ModelReport {
  alive: number;
  completed: number;
  failed: number;
  cancelled: number;
  abandoned: number;
  neverStarted: number;
}

/** A stop from its first call. */
export interface ModelStop {
  readonly abortAt: number;
  endAt: number;
  readonly report: ModelReport;
  /** What could not start in time: it is cancelled at once. */
  readonly hopeless: readonly ModelTask[];
}

export function createCounts() {
  return {
    ...{ enqueued: 0, completed: 0, failed: 0, cancelled: 0, started: 0, retried: 0, rescheduled: 0 },
    ...{ timedOut: 0, dropped: 0, abandoned: 0, refused: 0 },
  };
}

/**
 * The model: what a task manager should have done, kept from the calls that were made, from what the handlers
 * did, and from the events. Each event must be a legal and justified one; what must have happened by now is
 * for `checks.ts`.
 */
export class Ledger {
  readonly settings: Settings;
  readonly tasks: ModelTask[] = [];
  /** Those that have not ended. */
  readonly live = new Set<ModelTask>();
  readonly running = new Set<ModelAttempt>();
  /** Given up, and their handler goes on. */
  readonly abandoned = new Set<ModelAttempt>();
  /** Calls that wait for room, first come first. */
  line: ModelTask[] = [];
  retained: ModelTask[] = [];
  readonly counts = createCounts();
  readonly queueCounts = new Map<
    string,
    { completed: number; failed: number; cancelled: number; retried: number }
  >();
  readonly shared: ReferenceLimit;
  readonly queueLimits = new Map<string, ReferenceLimit>();
  /** Pauses that stand, undefined for that of all: whether each was made before a stop. */
  readonly #pauses = new Map<string | undefined, boolean>();
  started: boolean;
  concurrency: number;
  retention: { maxEntries: number; ttlMs: number };
  /** Whom `drop-oldest` must drop next, in this order. */
  victims: ModelTask[] = [];
  /** Set by the first call of a stop. */
  stop: ModelStop | undefined;
  /** When what was left was aborted for the stop; undefined before that. */
  stopAbortedAt: number | undefined;
  stopEvents = 0;
  /** Timeouts that fell on one instant with another end, so that either may have come first. */
  maybeTimedOut = 0;
  stopped = false;
  readonly now: () => number;
  readonly #blocks: { readonly from: number; readonly to: number }[] = [];
  #sequence = 0;

  constructor(settings: Settings, now: () => number) {
    const { rate, queueRate, concurrency, retention, autoStart } = settings;
    this.settings = settings;
    this.now = now;
    this.concurrency = concurrency;
    this.retention = { ...retention };
    this.started = autoStart;
    this.shared = new ReferenceLimit(
      rate?.tasksPerSecond ?? Number.POSITIVE_INFINITY,
      rate?.burst ?? concurrency,
      0,
    );
    if (queueRate !== undefined) {
      this.queueLimits.set("narrow", new ReferenceLimit(queueRate.tasksPerSecond, queueRate.burst ?? 1, 0));
    }
  }

  plan(shape: TaskShape, signal: AbortSignal | undefined): ModelTask {
    const task = new ModelTask(this.tasks.length, shape, signal, this.settings);
    this.tasks.push(task);
    return task;
  }

  get waiting(): number {
    let waiting = 0;
    for (const task of this.live) if (task.waiting) waiting++;
    return waiting;
  }

  /** Room for new tasks that no waiting call has a claim to. */
  get room(): number {
    let room = this.settings.capacity - this.waiting;
    const claimed = new Set<number>();
    for (const { shape } of this.line) {
      if (room <= 0) return 0;
      const { ownId } = shape;
      // A call whose id is taken by now is sent away when its turn comes.
      if (ownId !== undefined && (claimed.has(ownId) || this.knows(ownId))) continue;
      if (ownId !== undefined) claimed.add(ownId);
      room--;
    }
    return room;
  }

  get held(): number {
    return Math.max(0, this.abandoned.size - (this.settings.maxAbandoned ?? this.concurrency));
  }

  get maxCost(): (queue: string) => number {
    return (queue) =>
      Math.min(this.shared.burst, this.queueLimits.get(queue)?.burst ?? Number.POSITIVE_INFINITY);
  }

  knows(ownId: number): boolean {
    return this.find(ownId) !== undefined;
  }

  /** Also in the instant in which the task that had it is to be forgotten, before or after that. */
  #isFree(ownId: number, now: number): boolean {
    const holder = this.find(ownId);
    if (holder === undefined) return true;
    return !this.live.has(holder) && holder.finishedAt + this.retention.ttlMs <= now;
  }

  find(ownId: number): ModelTask | undefined {
    const has = (task: ModelTask) => task.shape.ownId === ownId;
    return [...this.live].find(has) ?? this.retained.find(has);
  }

  limitQueue(queue: string, tasksPerSecond: number, burst: number): void {
    this.queueLimits.set(queue, new ReferenceLimit(tasksPerSecond, burst, this.now()));
  }

  queued(queue: string): ModelTask[] {
    return [...this.live].filter((task) => task.state === "queued" && task.queue === queue);
  }

  runningOf(queue: string): number {
    let running = 0;
    for (const attempt of this.running) if (attempt.entry.queue === queue) running++;
    return running;
  }

  pause(queue: string | undefined): void {
    if (!this.#pauses.has(queue)) this.#pauses.set(queue, this.stop === undefined);
  }

  resume(queue: string | undefined): void {
    this.#pauses.delete(queue);
  }

  /** Whether a pause of that queue stands, or that of all. */
  hasPause(queue: string | undefined): boolean {
    return this.#pauses.has(queue);
  }

  isPaused(queue: string): boolean {
    return !this.started || this.hasPause(undefined) || this.hasPause(queue);
  }

  /** Whether a stop takes it that nothing of the queue starts any more. */
  #isPausedForGood(queue: string): boolean {
    return !this.started || [undefined, queue].some((paused) => this.#pauses.get(paused) === true);
  }

  isOpen(queue: string): boolean {
    if (this.isPaused(queue)) return false;
    return queue !== "wide" || this.runningOf(queue) < WIDE.maxConcurrency;
  }

  /** Tasks that `drop-oldest` would drop, the first first. */
  oldest(): ModelTask[] {
    const candidates = [...this.live].filter((task) => task.state === "queued" && task.starts === 0);
    return candidates.sort((one, other) => one.sequence - other.sequence);
  }

  /** Time stood still for the event loop from `from` to `to`: what fell due between, fired at `to`. */
  blocked(from: number, to: number): void {
    this.#blocks.push({ from, to });
  }

  /** When an alarm that was due then has fired, or will. */
  fireTime(due: number): number {
    let at = due;
    for (const { from, to } of this.#blocks) if (at > from + ROUNDING && at < to) at = to;
    return at;
  }

  /** When an aborted attempt is given up; Infinity for one that was not aborted. */
  giveUpAt(attempt: ModelAttempt): number {
    if (attempt.abortedAt === undefined) return Number.POSITIVE_INFINITY;
    const own = attempt.abortedAt + attempt.entry.killAfterMs;
    return Math.min(own, this.stop?.endAt ?? Number.POSITIVE_INFINITY);
  }

  /** A cancel that is about to be called, or an abort of the task's signal. @returns what it must answer */
  cancel(task: ModelTask, reason: unknown): boolean | "either" {
    if (!task.live) return false;
    if (task.waiting) {
      task.cancelledFor = reason;
      return true;
    }
    const { current } = task;
    if (current === undefined) return false;
    const causes = [...current.causes];
    if (causes.some((cause) => !givesWay(cause, current))) {
      if (causes.every((cause) => !givesWay(cause, current))) return false;
      current.causes = new Set([...causes, "cancelled"]);
      task.cancelledFor = reason;
      return "either";
    }
    task.cancelledFor = reason;
    this.#abort(current, ["cancelled"], this.now());
    return true;
  }

  /** A stop is about to abort what is left. */
  abortForStop(now: number): void {
    if (this.stop === undefined || this.stopAbortedAt !== undefined) return;
    this.stopAbortedAt = now;
    this.stop.endAt = Math.min(this.stop.endAt, now + this.settings.killAfterMs);
    for (const attempt of this.running) {
      if (attempt.causes.size === 0) this.#abort(attempt, ["stopped"], now);
    }
  }

  beginStop(abortAt: number, endAt: number): void {
    const ends = { completed: 0, failed: 0, cancelled: 0, abandoned: 0, neverStarted: 0 };
    const isHopeless = (task: ModelTask) =>
      task.waiting &&
      (this.#isPausedForGood(task.queue) || (task.state === "scheduled" && task.readyAt > abortAt));
    const hopeless = [...this.live].filter(isHopeless);
    this.stop ??= { abortAt, endAt, hopeless, report: { alive: this.live.size, ...ends } };
    for (const task of this.line) task.sentAway = "MILLRACE_NOT_ACCEPTING";
    this.line = [];
  }

  /** What time alone has done by now is taken for a fact; `settled` says that all of it has been done. */
  reach(now: number, settled: boolean): void {
    for (const { entry } of [...this.running]) this.confirm(entry, now, settled);
    if (this.stop === undefined || this.stopAbortedAt !== undefined) return;
    const at = this.fireTime(this.stop.abortAt);
    if (settled ? at <= now : at < now - ROUNDING) this.abortForStop(at);
  }

  /** The handler was told why it should end. */
  observeAbort(attempt: ModelAttempt, cause: Cause): void {
    const now = this.now();
    this.#assert(this.#possible(attempt, now).has(cause), `${attempt.entry.name} was aborted for ${cause}`);
    if (cause === "timeout" && !attempt.applied.has(cause)) this.counts.timedOut++;
    attempt.applied.add(cause);
    if (attempt.causes.size === 0) this.#abort(attempt, [cause], now);
    else attempt.causes = new Set([cause]);
  }

  /** What time alone has done to a running attempt, up to `now`, is taken for a fact. */
  confirm(task: ModelTask, now: number, inclusive: boolean): void {
    const attempt = task.current;
    if (attempt === undefined || attempt.abandoned || attempt.ended !== undefined) return;
    for (const { cause, at } of this.#alarmsOf(attempt)) {
      if (inclusive ? at > now : at >= now - ROUNDING) break;
      this.#applyAlarm(attempt, cause, at);
    }
  }

  onEvent(event: TaskEvent): void {
    if (event.type === "stopping") {
      this.stopEvents++;
      this.#assert(this.stop !== undefined && this.stopEvents === 1, "stopping is published once, by a stop");
      return;
    }
    if (!("task" in event)) return; // the model has no subscribers, and no threads
    const task = this.tasks[Number(event.task.name?.slice(1))];
    this.#assert(task !== undefined, "an event is about a task that was asked for");
    if (task === undefined) return;
    task.id ??= event.task.id;
    this.reach(this.now(), false);
    switch (event.type) {
      case "scheduled":
      case "queued":
        this.#onWaiting(task, event.type);
        break;
      case "started":
        this.#onStarted(task);
        break;
      case "retried":
      case "rescheduled":
        this.#onAgain(task, event.type, event.delayMs);
        break;
      case "dropped":
        this.#onDropped(task);
        break;
      case "abandoned":
        this.#onAbandoned(task);
        break;
      case "finished":
        this.#onFinished(task, event.task, event.value);
    }
    this.#compare(task, event);
  }

  #onWaiting(task: ModelTask, type: "scheduled" | "queued"): void {
    const now = this.now();
    if (task.state === "unborn") {
      this.#accept(task, now);
      if (type === "scheduled") {
        task.state = "scheduled";
        task.readyAt = now + task.shape.delayMs;
        return;
      }
      task.readyAt = now;
      this.#assert(task.shape.delayMs === 0, `${task.name} is scheduled before it is queued`);
    } else {
      this.#assert(type === "queued", `${task.name} is scheduled when it is accepted only`);
      const waits = task.state === "scheduled" || task.state === "requeued";
      this.#assert(waits, `${task.name} is ${task.state} and cannot be queued`);
      this.#assert(now >= task.readyAt - ROUNDING, `${task.name} is not queued before it is due`);
    }
    task.state = "queued";
    task.backingOff = false;
    if (task.sequence === 0) task.sequence = ++this.#sequence;
  }

  #accept(task: ModelTask, now: number): void {
    this.#assert(this.stop === undefined, `${task.name} is not accepted after a stop`);
    this.#assert(task.signal?.aborted !== true, `${task.name} is not accepted after its signal has aborted`);
    this.#assert(this.waiting < this.settings.capacity, `${task.name} finds room`);
    if (this.line.includes(task)) {
      // Whoever comes before it was refused: only an id that is taken is a reason for that.
      while (this.line[0] !== task) {
        const { shape, name } = this.line.shift() ?? task;
        this.#assert(shape.ownId !== undefined && this.knows(shape.ownId), `${name} does not lose its place`);
      }
      this.line.shift();
    }
    const { ownId, ttlMs } = task.shape;
    this.#assert(ownId === undefined || this.#isFree(ownId, now), `the id of ${task.name} is free`);
    if (ttlMs !== undefined) task.expiresAt = now + ttlMs;
    this.live.add(task);
    this.counts.enqueued++;
  }

  #onStarted(task: ModelTask): void {
    const now = this.now();
    const { name, queue, shape } = task;
    this.#assert(task.state === "queued", `${name} is ${task.state} and cannot start`);
    this.#assert(!this.isPaused(queue), `${name} does not start while its queue is paused`);
    const inTime = this.stop === undefined || now <= this.fireTime(this.stop.abortAt) + ROUNDING;
    this.#assert(inTime && this.stopAbortedAt === undefined, `${name} does not start so late in a stop`);
    const free = this.concurrency - this.running.size - this.held;
    this.#assert(free > 0, `${name} starts in a free slot`);
    this.#assert(this.isOpen(queue), `${name} starts within the concurrency of its queue`);
    this.#assert(now < task.expiresAt, `${name} does not start after its deadline`);
    for (const other of this.live) {
      const better = other.state === "queued" && other.queue === queue && goesBefore(other, task);
      this.#assert(!better, `${other.name} starts before ${name}`);
    }
    if (this.settings.strictQueues) this.#checkStrictness(task, now);
    const wrong = this.shared.take(shape.cost, now) ?? this.queueLimits.get(queue)?.take(shape.cost, now);
    this.#assert(wrong === undefined, `${name} starts when ${wrong}`);
    task.state = "running";
    task.attempt++;
    task.starts++;
    task.current = new ModelAttempt(task, now);
    this.running.add(task.current);
    this.counts.started++;
  }

  /** The higher share goes first, unless its queue is closed or lacks permits of its own. */
  #checkStrictness(task: ModelTask, now: number): void {
    if (task.queue === "wide" || !this.isOpen("wide")) return;
    const head = this.queued("wide").sort((one, other) => (goesBefore(one, other) ? -1 : 1))[0];
    const limit = this.queueLimits.get("wide");
    const eligible = head !== undefined && (limit?.surelyHas(head.shape.cost, now) ?? true);
    this.#assert(!eligible, `${head?.name} starts before ${task.name}, having the higher share`);
  }

  /** The attempt is over; what may follow from it, by all causes that are possible. */
  #conclude(task: ModelTask): ReadonlySet<FollowUp> {
    const attempt = task.current;
    this.#assert(attempt !== undefined, `${task.name} runs`);
    if (attempt === undefined) return new Set();
    const now = this.now();
    const possible = this.#possible(attempt, now);
    const causes: readonly (Cause | undefined)[] =
      attempt.causes.size > 0 ? [...possible] : [undefined, ...possible];
    const ended = attempt.abandoned ? undefined : attempt.ended;
    const over = attempt.abandoned || ended !== undefined;
    this.#assert(over, `the attempt of ${task.name} is over`);
    const inTime = (delayMs: number) => this.#inTime(task.queue, delayMs, now);
    const scopeAll = causes.includes(undefined) && ended?.ends === "meets-limit" && ended.scope === "all";
    if (scopeAll) this.shared.closeUntil(now + ended.retryAfterMs);
    this.running.delete(attempt);
    task.current = undefined;
    return new Set(causes.flatMap((cause) => followUps(task, cause, ended, inTime)));
  }

  #onAgain(task: ModelTask, type: "retried" | "rescheduled", delayMs: number): void {
    const ended = task.current?.ended;
    const allowed = this.#conclude(task);
    this.#assert(allowed.has(type), `${task.name} is ${type}, expected ${[...allowed].join(" or ")}`);
    this.counts[type]++;
    if (type === "rescheduled") {
      const asked = ended?.ends === "reschedules" ? ended.delayMs : undefined;
      const told = ended?.ends === "meets-limit" ? ended.retryAfterMs : asked;
      this.#assert(told === delayMs, `${task.name} is rescheduled by ${delayMs} ms, not ${told}`);
      task.attempt--;
      task.sequence = 0;
    } else {
      const [least, most] = backoffRange(task);
      this.#assert(delayMs >= least && delayMs <= most, `${task.name} backs off by ${delayMs} ms`);
      this.#tallyOf(task.queue).retried++;
      task.backingOff = delayMs > 0;
    }
    task.readyAt = this.now() + delayMs;
    task.state = delayMs > 0 ? "scheduled" : "requeued";
  }

  #onDropped(task: ModelTask): void {
    this.#assert(this.victims.shift() === task, `${task.name} is the one to drop`);
    task.dropped = true;
    this.counts.dropped++;
  }

  #onAbandoned(task: ModelTask): void {
    const attempt = task.current;
    if (attempt === undefined) throw new Violation(`${task.name} runs when it is abandoned`);
    if (attempt.causes.size === 0) this.#adopt(attempt); // without a grace, both fall on one instant
    this.#assert(attempt.causes.size > 0, `${task.name} is aborted before it is abandoned`);
    this.#assert(attempt.ended === undefined, `${task.name} goes on when it is abandoned`);
    this.#assert(
      this.now() >= this.giveUpAt(attempt) - ROUNDING,
      `${task.name} has its time before it is abandoned`,
    );
    attempt.abandoned = true;
    this.abandoned.add(attempt);
    this.counts.abandoned++;
  }

  #onFinished(task: ModelTask, { state, reason, error }: TaskSnapshot, value: unknown): void {
    this.#assert(task.live, `${task.name} is ${task.state} and cannot finish`);
    const end = (reason === undefined ? state : `${state}/${reason}`) as FollowUp | "cancelled/dropped";
    const givenUp = task.current?.abandoned === true;
    if (task.state === "running") {
      const allowed: ReadonlySet<string> = this.#conclude(task);
      this.#assert(allowed.has(end), `${task.name} is ${end}, expected ${[...allowed].join(" or ")}`);
    } else {
      this.#assert(
        this.#mayEndWaiting(task, end),
        `${task.name} is ${task.state} and becomes ${end} for no reason`,
      );
    }
    if (end === "completed") this.#assert(value === task.value, `${task.name} completes with its value`);
    if (end === "failed/error" && task.error !== undefined) {
      const own = error === task.error || error?.cause === task.error || task.shape.backoff === "throws";
      this.#assert(own, `${task.name} fails with its error`);
    }
    if (state !== "completed" && state !== "failed" && state !== "cancelled") {
      throw new Violation(`${task.name} finishes in a terminal state`);
    }
    task.state = state;
    task.finishedAt = this.now();
    this.live.delete(task);
    this.counts[state]++;
    this.#tallyOf(task.queue)[state]++;
    this.retained.push(task);
    this.pruneByCount();
    this.#report(task, givenUp);
  }

  #report(task: ModelTask, givenUp: boolean): void {
    if (this.stop === undefined) return;
    const { report } = this.stop;
    if (givenUp) report.abandoned++;
    else if (task.state === "completed") report.completed++;
    else if (task.state === "failed") report.failed++;
    else if (task.starts === 0) report.neverStarted++;
    else report.cancelled++;
  }

  #mayEndWaiting(task: ModelTask, end: string): boolean {
    const now = this.now();
    switch (end) {
      case "failed/deadline":
        return now >= task.expiresAt - ROUNDING;
      case "cancelled/cancelled":
        return task.cancelledFor !== undefined;
      case "cancelled/dropped":
        return task.dropped;
      case "cancelled/stopped": {
        if (this.stop === undefined) return false;
        const aborts = this.stopAbortedAt !== undefined || now >= this.stop.abortAt - ROUNDING;
        const late = task.state === "scheduled" && task.readyAt > this.stop.abortAt;
        return aborts || late || this.#isPausedForGood(task.queue);
      }
      default:
        return false;
    }
  }

  pruneByCount(): void {
    while (this.retained.length > this.retention.maxEntries) this.retained.shift();
  }

  pruneByAge(now: number): void {
    const { ttlMs } = this.retention;
    const until = now + ROUNDING;
    while (this.retained[0] !== undefined && this.retained[0].finishedAt + ttlMs <= until)
      this.retained.shift();
  }

  #tallyOf(queue: string) {
    let tally = this.queueCounts.get(queue);
    if (tally === undefined) {
      tally = { completed: 0, failed: 0, cancelled: 0, retried: 0 };
      this.queueCounts.set(queue, tally);
    }
    return tally;
  }

  #inTime(queue: string, delayMs: number, now: number): "yes" | "no" | "either" {
    if (this.stop === undefined) return "yes";
    if (this.#isPausedForGood(queue)) return "no"; // a resume that may come is not waited for
    if (this.stopAbortedAt !== undefined || now + delayMs > this.stop.abortAt) return "no";
    return now >= this.fireTime(this.stop.abortAt) - ROUNDING ? "either" : "yes";
  }

  /** What time does to a running attempt, in order. */
  #alarmsOf(attempt: ModelAttempt): { readonly cause: Cause; readonly at: number }[] {
    const { entry, startedAt } = attempt;
    const alarms: { cause: Cause; due: number }[] = [{ cause: "deadline", due: entry.expiresAt }];
    if (entry.timeoutMs !== false) alarms.push({ cause: "timeout", due: startedAt + entry.timeoutMs });
    if (this.stop !== undefined && this.stopAbortedAt === undefined) {
      alarms.push({ cause: "stopped", due: this.stop.abortAt });
    }
    return alarms
      .sort((one, other) => one.due - other.due)
      .map(({ cause, due }) => ({ cause, at: this.fireTime(Math.max(due, startedAt)) }));
  }

  #applyAlarm(attempt: ModelAttempt, cause: Cause, at: number): void {
    if (attempt.applied.has(cause)) return;
    attempt.applied.add(cause);
    if (attempt.causes.size === 0) {
      this.#abort(attempt, [cause], at);
      if (cause === "timeout") this.counts.timedOut++;
      return;
    }
    const before = [...attempt.causes];
    const tie = attempt.abortedAt === at;
    if (tie && before.includes("timeout") && cause !== "timeout") this.counts.timedOut--;
    if (tie && (before.includes("timeout") || cause === "timeout")) this.maybeTimedOut++;
    const after = before.map((first) => follow(first, cause, attempt));
    const reversed = tie ? before.map((second) => follow(cause, second, attempt)) : [];
    attempt.causes = new Set([...after, ...reversed]);
  }

  #abort(attempt: ModelAttempt, causes: readonly Cause[], at: number): void {
    attempt.causes = new Set(causes);
    attempt.abortedAt ??= at;
  }

  /** Causes that an attempt may have now, or none: those that have come, and those of this very instant. */
  #possible(attempt: ModelAttempt, now: number): ReadonlySet<Cause | undefined> {
    const possible = new Set<Cause | undefined>(attempt.causes.size > 0 ? attempt.causes : [undefined]);
    for (const { cause, at } of this.#alarmsOf(attempt)) {
      if (Math.abs(at - now) > ROUNDING || attempt.applied.has(cause)) continue;
      for (const first of [...possible])
        possible.add(first === undefined ? cause : follow(first, cause, attempt));
    }
    return possible;
  }

  /** Something has aborted it at this very instant. */
  #adopt(attempt: ModelAttempt): void {
    const now = this.now();
    const causes = [...this.#possible(attempt, now)].flatMap((cause) => (cause === undefined ? [] : [cause]));
    for (const cause of causes) attempt.applied.add(cause);
    if (causes.includes("timeout")) this.maybeTimedOut++;
    this.#abort(attempt, causes, now);
  }

  #compare(task: ModelTask, event: Extract<TaskEvent, { task: TaskSnapshot }>): void {
    const { type, task: seen } = event;
    if (type === "dropped" || type === "abandoned") return;
    const state = task.state === "requeued" ? "queued" : task.state;
    this.#assert(
      seen.state === state,
      `${task.name} is pictured as ${state} when ${type}, not ${seen.state}`,
    );
    this.#assert(
      seen.attempt === task.attempt,
      `${task.name} has used ${task.attempt} attempts when ${type}`,
    );
    this.#assert(seen.priority === task.priority, `${task.name} has priority ${task.priority} when ${type}`);
    this.#assert(Object.isFrozen(seen), `the picture of ${task.name} is frozen`);
  }

  #assert(condition: boolean, rule: string): void {
    if (!condition) throw new Violation(`at ${this.now()} ms: ${rule}`);
  }
}

/** A stop's cause gives way to another, and so does a timeout after which the task would run again. */
function givesWay(cause: Cause, { entry }: ModelAttempt): boolean {
  return cause === "stopped" || (cause === "timeout" && entry.attempt < entry.maxAttempts);
}

/** The cause that counts when one follows another. */
function follow(first: Cause, second: Cause, attempt: ModelAttempt): Cause {
  const overrides = second === "deadline" || second === "cancelled";
  return overrides && givesWay(first, attempt) ? second : first;
}

/** A rule that the manager broke. */
export class Violation extends Error {}
