import type { StoreCall } from "../task/durable-stats.js";
import type { GroupTally } from "../task/group-tally.js";
import type { LaneName } from "../task/lane-name.js";
import type { DropTally, Phase, TaskManagerHealth, TaskManagerStats } from "../task/manager-stats.js";
import type { Mishap } from "../task/mishap.js";
import type { ObserverSource } from "../task/observer-error.js";
import type { TaskEvent, TaskEventType } from "../task/task-event.js";
import type { QueueCounts } from "./backend-inspector.js";
import type { Clock } from "./clock.js";
import type { ContextCarrier } from "./context-carrier.js";

/**
 * Key of the method by which instrumentation gets at a manager. Of the registry of symbols, so that it is the
 * same where a bundler has put two copies of the package into one program.
 */
export const instrumentation: unique symbol = Symbol.for("millrace.instrumentation");

/** What can be instrumented: a `TaskManager`. */
export interface Instrumentable {
  [instrumentation](): InstrumentationPoint;
}

/** Tasks of one queue and one handler, or of plain functions, in one lane at this moment. */
export interface GroupReading {
  readonly queue: string;
  readonly handler: string | undefined;
  readonly lane: LaneName;
  readonly queued: number;
  readonly running: number;
}

/** Everything that can be read off a manager at one moment. */
export interface Readings {
  readonly stats: TaskManagerStats;
  readonly health: TaskManagerHealth;
  /** Whether any handler runs in worker threads: else there are none, and no lane for them. */
  readonly threaded: boolean;
  /** Whether there is a store for durable tasks. */
  readonly durable: boolean;
  /** What waits and runs now, for each of `tallies`. */
  readonly groups: readonly GroupReading[];
  /** What has happened, by queue and handler. */
  readonly tallies: Iterable<GroupTally>;
  /** What subscriptions have dropped, by name. */
  readonly drops: Iterable<DropTally>;
  /** For how long, in all, the shared rate limit alone has kept a task from its start. */
  readonly limitedMs: number;
}

/** What a manager offers to whoever watches it from outside the core. */
export interface InstrumentationPoint {
  readonly clock: Clock;
  /** The present one. */
  readonly phase: Phase;
  /**
   * Calls the listener with each event, within the call in which it happened.
   * @param types what it wants to hear; everything where they are not given
   */
  listen(listener: (event: TaskEvent) => void, types?: readonly TaskEventType[]): Disposable;
  /** Calls the listener, which must not throw, when something goes wrong that no event tells of. */
  listenToMishaps(listener: (mishap: Mishap) => void): Disposable;
  /**
   * Calls the listener, which must not throw, with each call to the store that was answered or has failed,
   * and how long it took, where that is known; never where there is no store.
   */
  listenToStore(
    listener: (call: StoreCall, durationMs: number | undefined, error: unknown) => void,
  ): Disposable;
  /**
   * Asks the store what it has of each queue that is consumed here; undefined where there is none.
   * @throws {StoreUnreachableError} as a rejection
   */
  countStore(): Promise<ReadonlyMap<string, QueueCounts>> | undefined;
  /** Wraps all attempts from now on. */
  attach(carrier: ContextCarrier): Disposable;
  /** Counts and reports an error of the one who watches. */
  recordError(error: unknown, source: ObserverSource): void;
  read(): Readings;
  /**
   * Calls back in the async context in which the manager was made: for what is kept, and would else keep the
   * context of whoever instruments.
   */
  atRoot<R>(callback: () => R): R;
  /** The one of `tallies` in which tasks of that queue and handler are counted. */
  tallyOf(queue: string, handler: string | undefined): GroupTally;
  /** Where tasks of that handler run, or plain functions. */
  laneOf(handler: string | undefined): LaneName;
}
