import type { Clock } from "../../ports/clock.js";
import type { AsyncContextCarrier } from "../../ports/context-carrier.js";
import type { Executor } from "../../ports/executor.js";
import type { Random } from "../../ports/random.js";
import type { Task } from "../../task/task.js";
import { AttemptChain } from "../events/attempt-chain.js";
import { CallChain } from "../events/call-chain.js";
import { Limiter } from "../limiter/limiter.js";
import { QueueSet } from "../queue/queue-set.js";
import { PAUSED } from "../queue/task-queue.js";
import { Alarms } from "./alarms.js";
import { AttemptRunner } from "./attempt-runner.js";
import { Backlog } from "./backlog.js";
import { Calendar } from "./calendar.js";
import { Canceller } from "./canceller.js";
import { Carriers } from "./carriers.js";
import { Conditions } from "./conditions.js";
import { Dispatcher } from "./dispatcher.js";
import { Intake } from "./intake.js";
import { Journal } from "./journal.js";
import { KeepAlive } from "./keep-alive.js";
import { Lane } from "./lane.js";
import { Lifecycle } from "./lifecycle.js";
import type { ResolvedOptions } from "./options.js";
import { Registry } from "./registry.js";
import { Retention } from "./retention.js";
import { RootedClock } from "./rooted-clock.js";
import { Settler } from "./settler.js";
import { Shutdown } from "./shutdown.js";
import { SignalListeners } from "./signal-listeners.js";
import { createTally } from "./tally.js";
import { TaskPlanner } from "./task-plan.js";
import { Watches } from "./watches.js";
import { WrappedAttempts } from "./wrapped-attempts.js";

/** What the core is given of the world. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly inline: Executor;
  readonly carrier: AsyncContextCarrier;
}

/** The parts of a manager, put together. Each owns its state; they meet only here. */
export type Core = ReturnType<typeof assembleCore>;

/** The parts that stand by themselves. */
function layGround(options: ResolvedOptions, { random, carrier, inline, ...world }: World) {
  const clock = new RootedClock(world.clock, carrier);
  const alarms = new Alarms(clock);
  const signals = new SignalListeners();
  const idPrefix = createIdPrefix(random);
  const registry = new Registry(idPrefix);
  const limiter = new Limiter(options.rateLimit, options.queueRates, clock.now());
  const lane = new Lane(0, inline, options.concurrency, options.maxAbandoned);
  return {
    ...{ clock, random, alarms, registry, limiter, lane, signals },
    calendar: new Calendar(clock),
    calls: wrapCalls(options),
    carriers: new Carriers(carrier),
    conditions: new Conditions(signals),
    journal: new Journal(clock),
    keepAlive: new KeepAlive(clock),
    lifecycle: new Lifecycle(),
    planner: new TaskPlanner(options, limiter, idPrefix),
    queues: new QueueSet({ lanes: [lane], shapes: options.queueShapes, strict: options.strictQueues }),
    retention: new Retention(registry, alarms, options.retention),
    tally: createTally(),
    wrapped: wrapAttempts(options),
  };
}

export function assembleCore(options: ResolvedOptions, world: World) {
  const ground = layGround(options, world);
  const { alarms, calls, clock, conditions, journal, keepAlive, lane, lifecycle, queues, signals } = ground;
  const { killAfterMs } = options.settings;
  const backlog = new Backlog(queues, lane, alarms, {
    ready: (task) => {
      journal.record("queued", task);
      dispatcher.wake();
    },
    room: () => intake.admitWaiting(),
    withdrawn: () => dispatcher.wake(),
  });
  const watches = new Watches(alarms, signals, {
    aborted: (task, reason) => canceller.cancel(task, reason, clock.now()),
    expired: (task, now) => canceller.expire(task, now),
  });
  const settler = new Settler({ ...ground, watches });
  settler.onChange = (unsettled) => {
    if (unsettled === 0) keepAlive.release();
    else keepAlive.hold();
    conditions.check();
  };
  const onProgress = () => {
    conditions.check();
    dispatcher.dispatch();
  };
  const runner = new AttemptRunner({ ...ground, backlog, settler, onProgress });
  const canceller = new Canceller({ ...ground, backlog, runner, settler });
  const dispatcher = new Dispatcher({ ...ground, backlog, runner, canceller, lanes: [lane] });
  const cancelTask = (task: Task, reason: unknown) => canceller.cancel(task, reason, clock.now());
  const { capacity, whenFull } = options;
  const intake = new Intake({
    ...{ ...ground, capacity, whenFull, backlog, canceller, settler, watches },
    handleHost: { clock, alarms, signals, cancelTask },
  });
  const isPaused = (task: Task) =>
    !lifecycle.started || dispatcher.paused || queues.known(task.queue)?.isClosedBy(PAUSED) === true;
  const release = async () => {
    alarms.close();
    keepAlive.close();
    await lane.executor.close();
    if (calls === undefined) return;
    // Middleware that is about to give what a task ended with shall come to it.
    if (calls.waiting > 0) await new Promise<void>((resolve) => clock.setImmediate(resolve));
    calls.close();
  };
  const shutdown = new Shutdown({
    ...{ ...ground, intake, canceller, runner, settler, killAfterMs, isPaused, release },
  });
  return { ...ground, backlog, settler, runner, canceller, dispatcher, intake, shutdown };
}

/** What wraps attempts; undefined when nothing does. */
function wrapAttempts({ middleware }: ResolvedOptions): WrappedAttempts | undefined {
  const layers = middleware.flatMap(({ name, attempt }) =>
    attempt === undefined ? [] : [{ name, attempt }],
  );
  return layers.length === 0 ? undefined : new WrappedAttempts(new AttemptChain(layers));
}

/** What wraps the calls that hand tasks in; undefined when nothing does. */
function wrapCalls({ middleware }: ResolvedOptions): CallChain | undefined {
  const layers = middleware.flatMap(({ name, call }) => (call === undefined ? [] : [{ name, call }]));
  return layers.length === 0 ? undefined : new CallChain(layers);
}

/** Eight characters that tell the ids of one manager from those of another, and a dash. */
function createIdPrefix(random: Random): string {
  let prefix = "";
  for (let count = 0; count < 8; count++) prefix += Math.floor(random.next() * 36).toString(36);
  return `${prefix}-`;
}
