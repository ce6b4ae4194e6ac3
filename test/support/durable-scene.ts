import { expect, onTestFinished } from "vitest";
import {
  type AnyHandlers,
  type Backend,
  type MemoryBackend,
  type MemoryBackendOptions,
  memoryBackend,
  type StoredTask,
  TaskManager,
  type TaskManagerOptions,
} from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";

/** Longer than any stop takes, even one whose store does not answer. */
const STOP_MS = 60_000;

/** Processes that share one store in memory, and the time that all of them live in. */
export interface DurableScene {
  readonly clock: ManualClock;
  readonly store: MemoryBackend;
  /** A process; its client of the store may be wrapped. */
  manager<H extends AnyHandlers>(options: TaskManagerOptions<H>, wrap?: Wrap): TaskManager<H>;
  /**
   * A process whose own time stands still: as far as the others can see, it dies with what it holds as soon
   * as it has claimed something.
   */
  doomed<H extends AnyHandlers>(options: TaskManagerOptions<H>): TaskManager<H>;
  read(id: string): Promise<StoredTask | undefined>;
  /** How many tasks of a queue are in which place. */
  counts(queue?: string): Promise<Counts>;
}

type Wrap = (client: Backend) => Backend;
type Counts = Awaited<ReturnType<MemoryBackend["inspector"]["counts"]>>[number];

/**
 * When the test is over all processes are stopped, and then none holds anything: no task is unsettled (I8),
 * no timer is left (I15).
 */
export function createScene(
  options: MemoryBackendOptions = {},
  clock: ManualClock = new ManualClock(),
): DurableScene {
  const store = memoryBackend({ clock, ...options });
  let processes = 0;
  const start = <H extends AnyHandlers>(
    given: TaskManagerOptions<H>,
    own: ManualClock,
    wrap: Wrap = (client) => client,
  ) => {
    const random = seededRandom(++processes);
    const tasks = new TaskManager<H>({ clock: own, random, backend: wrap(store.connect()), ...given });
    onTestFinished(() => stopAndCheck(tasks as unknown as TaskManager, own));
    return tasks;
  };
  return {
    clock,
    store,
    manager: (given, wrap) => start(given, clock, wrap),
    doomed: (given) => start(given, new ManualClock()),
    read: async (id) => (await store.inspector.read([id]))[0],
    counts: async (queue = "default") => (await store.inspector.counts([queue]))[0] as Counts,
  };
}

async function stopAndCheck(tasks: TaskManager, clock: ManualClock): Promise<void> {
  const timers = clock.timers;
  const stopped = tasks.stopNow();
  await clock.advance(STOP_MS);
  const { alive, durationMs: _, ...ends } = await stopped;
  expect(Object.values(ends).reduce((sum, count) => sum + count, 0)).toBe(alive);
  expect(tasks.stats()).toMatchObject({ queued: 0, scheduled: 0, backingOff: 0, running: 0 });
  for (const state of ["queued", "scheduled", "running"] as const) expect(tasks.list({ state })).toEqual([]);
  expect(clock.timers).toBeLessThanOrEqual(timers);
}
