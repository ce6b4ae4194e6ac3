import { expect, onTestFinished } from "vitest";
import { type AnyHandlers, TaskManager, type TaskManagerOptions } from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";

/** Long enough for a stop: what ignores its signal is given up after `killAfterMs`. */
const STOP_MS = 5_000;

export interface ManualManager<H extends AnyHandlers = AnyHandlers> {
  readonly clock: ManualClock;
  readonly tasks: TaskManager<H>;
}

/**
 * A manager on a manual clock. When the test is over it is stopped, and then every accepted task must have
 * ended once, and no timer be left (I8, I9, I15).
 */
export function createManager<H extends AnyHandlers = AnyHandlers>(
  options: TaskManagerOptions<H> = {},
  clock = new ManualClock(),
): ManualManager<H> {
  const tasks = new TaskManager<H>({ clock, random: seededRandom(1), ...options });
  onTestFinished(async () => {
    const stopped = tasks.stopNow();
    await clock.advance(STOP_MS);
    await stopped;
    const { enqueued, completed, failed, cancelled } = tasks.stats().total;
    expect(completed + failed + cancelled).toBe(enqueued);
    expect(tasks.stats()).toMatchObject({ queued: 0, scheduled: 0, backingOff: 0, running: 0 });
    expect(tasks.stats()).toMatchObject({ waitingForRoom: 0, waitingForSchema: 0 });
    expect(clock.timers).toBe(0);
  });
  return { clock, tasks };
}

/** What a promise was rejected with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable("the promise was resolved"),
    (error: unknown) => error,
  );
}

/** What a call threw. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.unreachable("the call did not throw");
}

/** A handler that runs until it is told to end. */
export function untilAborted({ signal }: { readonly signal: AbortSignal }): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
