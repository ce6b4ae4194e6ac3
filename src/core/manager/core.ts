import type { Clock } from "../../ports/clock.js";
import type { AsyncContextCarrier } from "../../ports/context-carrier.js";
import type { Executor } from "../../ports/executor.js";
import type { Random } from "../../ports/random.js";
import type { Task } from "../../task/task.js";
import { TaskIds } from "../../task/task-ids.js";
import { AttemptChain } from "../events/attempt-chain.js";
import { Broadcaster } from "../events/broadcaster.js";
import { CallChain } from "../events/call-chain.js";
import { HookRunner } from "../events/hook-runner.js";
import { Mishaps } from "../events/mishaps.js";
import { ObserverErrors } from "../events/observer-errors.js";
import { Limiter, type LimiterOptions } from "../limiter/limiter.js";
import { QueueSet } from "../queue/queue-set.js";
import { Alarms } from "./alarms.js";
import { atRoot } from "./at-root.js";
import { AttemptRunner } from "./attempt-runner.js";
import { Backlog } from "./backlog.js";
import { Calendar } from "./calendar.js";
import { Calls } from "./calls.js";
import { Canceller } from "./canceller.js";
import { Carriers } from "./carriers.js";
import { Conditions } from "./conditions.js";
import { ContextEnqueuer, type HandlerEntrance } from "./context-enqueuer.js";
import { Dispatcher } from "./dispatcher.js";
import { DurableTasks } from "./durable/durable-tasks.js";
import { IdempotencyKeys } from "./idempotency-keys.js";
import { Intake } from "./intake.js";
import { Journal } from "./journal.js";
import { KeepAlive, UNSETTLED } from "./keep-alive.js";
import { Lane, type Lanes, listLanes } from "./lane.js";
import { Lifecycle } from "./lifecycle.js";
import { Pauses } from "./pauses.js";
import { PoolControl } from "./pool-control.js";
import { Registry } from "./registry.js";
import { mapValues, type ResolvedOptions } from "./resolved-options.js";
import { Retention } from "./retention.js";
import { RootedClock } from "./rooted-clock.js";
import { Settler } from "./settler.js";
import { Shutdown } from "./shutdown.js";
import { SignalListeners } from "./signal-listeners.js";
import { Tallies } from "./tallies.js";
import { TaskPlanner } from "./task-plan.js";
import { Watches } from "./watches.js";
import { WrappedAttempts } from "./wrapped-attempts.js";

/** What the core is given of the world. */
export interface World extends HandlerEntrance {
  readonly clock: Clock;
  readonly random: Random;
  readonly inline: Executor;
  /** Undefined where no handler runs in threads. */
  readonly threads: Executor | undefined;
  readonly carrier: AsyncContextCarrier;
}

/** The parts of a manager, put together. Each owns its state; they meet only here. */
export type Core = ReturnType<typeof assembleCore>;

/** The parts that stand by themselves. */
function layGround(options: ResolvedOptions, { random, carrier, ...world }: World) {
  const clock = new RootedClock(world.clock, carrier);
  const alarms = new Alarms(clock);
  const signals = new SignalListeners();
  const ids = new TaskIds(createIdPrefix(random));
  const registry = new Registry(ids.prefix);
  const limiter = new Limiter(
    toLimits(options, (world.threads ?? options.backend) !== undefined),
    clock.now(),
  );
  const tallies = new Tallies(namedQueues(options));
  const keys = new IdempotencyKeys(options.idempotency, alarms);
  const lifecycle = new Lifecycle();
  const lanes = createLanes(options, world);
  const queues = new QueueSet({
    lanes: listLanes(lanes),
    shapes: options.queueShapes,
    handlers: mapValues(options.handlers, ({ maxConcurrency = Infinity }) => maxConcurrency),
    strict: options.strictQueues,
  });
  const report = options.onObserverError;
  const mishaps = new Mishaps();
  const observerErrors = new ObserverErrors(report && { clock, carrier, report }, mishaps);
  const calendar = new Calendar(clock);
  const journal = new Journal(calendar, observerErrors);
  const { events } = journal;
  const hooks = new HookRunner({ clock, carrier, events, errors: observerErrors, mishaps });
  if (options.hooks !== undefined) hooks.observe(options.hooks);
  return {
    ...{ clock, random, alarms, keys, registry, limiter, lanes, signals, tallies },
    pool: new PoolControl(world.threads?.pool, options.threads),
    ...{ observerErrors, journal, mishaps, hooks },
    calendar,
    carriers: new Carriers(carrier, observerErrors),
    callChain: wrapCalls(options, observerErrors),
    conditions: new Conditions(signals),
    keepAlive: new KeepAlive(clock),
    lifecycle,
    planner: new TaskPlanner(options, limiter, tallies, ids),
    pauses: new Pauses(lifecycle, queues),
    queues,
    retention: new Retention(registry, alarms, options.retention, (number) => keys.pruned(number)),
    wrapped: wrapAttempts(options),
  };
}

type Ground = ReturnType<typeof layGround>;

export function assembleCore(options: ResolvedOptions, world: World) {
  const ground = layGround(options, world);
  const { alarms, clock, conditions, journal, lanes, lifecycle, queues, signals } = ground;
  const { killAfterMs } = options.settings;
  const backlog = new Backlog(queues, lanes, alarms, {
    ready: (task) => {
      journal.recordQueued(task);
      dispatcher.wake();
    },
    room: () => intake.admitWaiting(),
    withdrawn: () => dispatcher.wake(),
  });
  const watches = new Watches(alarms, signals, {
    aborted: (task, reason) => canceller.cancel(task, reason, clock.now()),
    expired: (task, now) => canceller.expire(task, now),
  });
  const settler = createSettler(ground, watches);
  const onProgress = () => {
    conditions.check();
    dispatcher.dispatch();
  };
  const enqueuer = new ContextEnqueuer(world, lifecycle);
  const onPermits = () => dispatcher.reconsider();
  const ends = () => durable?.ends;
  const runner = new AttemptRunner({
    ...{ ...ground, backlog, settler, enqueuer },
    ...{ onProgress, onPermits, durable: ends },
  });
  const canceller = new Canceller({ ...ground, backlog, runner, settler, durable: ends });
  const results = new Broadcaster({
    ...{ alarms, clock, events: journal.events, errors: ground.observerErrors },
    unfinished: () => runner.running + (durable?.unconfirmed ?? 0),
    onUnblocked: () => dispatcher.wake(),
  });
  const dispatcher = new Dispatcher({
    ...{ ...ground, backlog, runner, canceller, results },
    lanes: listLanes(lanes),
    claim: (contended) => durable?.claim(contended),
  });
  const durable: DurableTasks | undefined =
    options.backend &&
    new DurableTasks(options.backend, options, {
      ...{ ...ground, runner, settler, watches },
      isOpen: () => lifecycle.phase === "running" && !dispatcher.paused && !results.blocking,
      isLimited: () => dispatcher.limited,
      takeNumber: () => intake.takeNumber(),
      whenChecked: (checked) => intake.whenAnswered(checked),
      dispatch: () => dispatcher.dispatch(),
      wake: () => dispatcher.wake(),
    });
  connectPool(lanes.threads, dispatcher, ground, world.carrier);
  const cancelTask = (task: Task, reason: unknown) => canceller.cancel(task, reason, clock.now());
  const { capacity, whenFull } = options;
  const intake = new Intake({
    ...{ ...ground, capacity, whenFull, backlog, canceller, settler, watches },
    handleHost: { clock, alarms, signals, cancelTask },
  });
  const calls = new Calls({ ...ground, intake, durable: durable?.intake });
  const release = () => letGo(ground, durable);
  const shutdown = new Shutdown({
    ...{ ...ground, intake, canceller, results, runner, settler, killAfterMs, release, durable },
  });
  return {
    ...{ ...ground, backlog, settler, runner, canceller, dispatcher, intake, calls, results, shutdown },
    durable,
  };
}

/** The process is kept alive while anything is unsettled. */
function createSettler(ground: Ground, watches: Watches): Settler {
  const { conditions, keepAlive } = ground;
  const settler = new Settler({ ...ground, watches });
  settler.onChange = (unsettled) => {
    if (unsettled === 0) keepAlive.release(UNSETTLED);
    else keepAlive.hold(UNSETTLED);
    conditions.check();
  };
  return settler;
}

/** No task is left. */
async function letGo(
  { alarms, callChain, clock, keepAlive, lanes, lifecycle }: Ground,
  durable: DurableTasks | undefined,
): Promise<void> {
  alarms.close();
  keepAlive.close();
  await Promise.all([...listLanes(lanes).map(({ executor }) => executor.close()), durable?.close()]);
  if (callChain === undefined) return;
  // Middleware that is about to give what a task ended with shall come to it.
  if (callChain.waiting > 0) await new Promise<void>((resolve) => clock.setImmediate(resolve));
  callChain.close((message) => lifecycle.toRefusal(message));
}

function createLanes(
  { concurrency, maxAbandoned, threads }: ResolvedOptions,
  world: Pick<World, "inline" | "threads">,
): Lanes {
  return {
    inline: new Lane(0, world.inline, concurrency, maxAbandoned),
    threads: world.threads && new Lane(1, world.threads, threads.max, maxAbandoned),
  };
}

/** What a pool tells may come at any time, also within a call to it. */
function connectPool(
  lane: Lane | undefined,
  dispatcher: Dispatcher,
  { journal, observerErrors }: { readonly journal: Journal; readonly observerErrors: ObserverErrors },
  carrier: AsyncContextCarrier,
): void {
  lane?.executor.pool?.connect({
    setSlots: (slots) => {
      lane.concurrency = slots;
      lane.full = false;
      dispatcher.wake();
    },
    workerStarted: (details) => journal.recordWorkerStarted(details),
    workerExited: (details) => journal.recordWorkerExited(details),
    lateFault: (details) => journal.recordLateFault(details),
    carrierFailed: (error) => observerErrors.record(error, "carrier"),
    atRoot: (callback) => atRoot(carrier, callback),
  });
}

/** Queues that options, or handlers, name. */
function namedQueues({ queueSettings, handlers }: ResolvedOptions): string[] {
  return [...queueSettings.keys(), ...[...handlers.values()].flatMap(({ queue }) => queue ?? [])];
}

function toLimits(options: ResolvedOptions, returnable: boolean): LimiterOptions {
  const { rateLimit, queueRates, handlerRates } = options;
  return { shared: rateLimit, queues: queueRates, handlers: handlerRates, returnable };
}

/** What wraps attempts; undefined when nothing does. */
function wrapAttempts({ middleware }: ResolvedOptions): WrappedAttempts | undefined {
  const layers = middleware.flatMap(({ name, attempt }) =>
    attempt === undefined ? [] : [{ name, attempt }],
  );
  return layers.length === 0 ? undefined : new WrappedAttempts(new AttemptChain(layers));
}

/** What wraps the calls that hand tasks in; undefined when nothing does. */
function wrapCalls({ middleware }: ResolvedOptions, errors: ObserverErrors): CallChain | undefined {
  const layers = middleware.flatMap(({ name, call }) => (call === undefined ? [] : [{ name, call }]));
  return layers.length === 0 ? undefined : new CallChain(layers, errors);
}

/** Eight characters that tell the ids of one manager from those of another, and a dash. */
function createIdPrefix(random: Random): string {
  let prefix = "";
  for (let count = 0; count < 8; count++) prefix += Math.floor(random.next() * 36).toString(36);
  return `${prefix}-`;
}
