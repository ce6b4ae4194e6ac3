import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reschedule, type StopReport, type TaskContext, type TaskOptions } from "../../src/index.js";
import { ObservedManager, Stubborn } from "../support/observed-manager.js";

/** What a task does with an attempt. */
const behaviour = fc.constantFrom(
  ...(["returns", "throws", "works for a while", "honours", "returns when aborted"] as const),
  ...(["ignores", "reschedules"] as const),
);

const task = fc.record({
  behaviour,
  delayMs: fc.constantFrom(0, 0, 0, 5, 40, 400),
  timeoutMs: fc.constantFrom(1_000, 10, 30),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  backoffMs: fc.constantFrom(0, 5, 40, 400),
  killAfterMs: fc.constantFrom(0, 10, 100, 10_000),
  ttlMs: fc.option(fc.constantFrom(3, 30, 80), { nil: undefined }),
  queue: fc.constantFrom("default", "narrow", "paused"),
  /** When it is cancelled by its handle, if at all. */
  cancelAt: fc.option(fc.integer({ min: 0, max: 150 }), { nil: undefined }),
});

const plan = fc.record({
  tasks: fc.array(task, { maxLength: 25 }),
  concurrency: fc.integer({ min: 1, max: 6 }),
  killAfterMs: fc.constantFrom(0, 20, 60),
  tasksPerSecond: fc.constantFrom(Number.POSITIVE_INFINITY, 200),
  stopAt: fc.integer({ min: 0, max: 60 }),
  deadlineMs: fc.constantFrom(0, 10, 50, 90, 300),
  /** After the graceful stop: when stopNow comes, if at all. */
  nowAfterMs: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
  gracefully: fc.boolean(),
});

type Behaviour = typeof behaviour extends fc.Arbitrary<infer B> ? B : never;
type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never;

function handler(manager: ObservedManager, behaviour: Behaviour, stubborn: Stubborn) {
  return ({ signal }: TaskContext): unknown => {
    switch (behaviour) {
      case "returns":
        return 1;
      case "throws":
        throw new Error("fails");
      case "reschedules":
        throw reschedule({ delayMs: 15 });
      case "works for a while":
        return new Promise((resolve) => manager.clock.setTimeout(() => resolve(1), 20));
      case "honours":
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      case "returns when aborted":
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(1)));
      case "ignores":
        return stubborn.promise;
    }
  };
}

/** Runs a plan until the stop is done, and gives the report with all that it must agree with. */
async function run(
  given: Plan,
): Promise<{ manager: ObservedManager; report: StopReport; stubborn: Stubborn }> {
  const { tasks, concurrency, killAfterMs, tasksPerSecond, stopAt, deadlineMs } = given;
  const queues = { default: {}, narrow: { maxConcurrency: 1 }, paused: {} };
  const manager = new ObservedManager({ concurrency, killAfterMs, tasksPerSecond, queues });
  const { clock } = manager;
  const stubborn = new Stubborn();
  await manager.controls.pause({ queue: "paused" });
  for (const { behaviour, backoffMs, cancelAt, ...options } of tasks) {
    const settings: TaskOptions = { ...options, backoff: () => backoffMs };
    const handle = manager.enqueue(handler(manager, behaviour, stubborn), settings);
    if (cancelAt !== undefined) clock.setTimeout(() => void handle.cancel(), cancelAt);
  }
  await clock.advance(stopAt);
  const alive = manager.stats().total.enqueued - ended(manager);
  const stopped = given.gracefully ? manager.stopGraceful({ deadlineMs }) : manager.stopNow();
  let endedAt = Number.NaN;
  void stopped.then(() => {
    endedAt = clock.now();
  });
  const { nowAfterMs } = given;
  if (nowAfterMs !== undefined) clock.setTimeout(() => void manager.stopNow(), nowAfterMs);
  const graceMs = given.gracefully ? deadlineMs : killAfterMs;
  const sooner = Math.min(
    graceMs,
    nowAfterMs === undefined ? Number.POSITIVE_INFINITY : nowAfterMs + killAfterMs,
  );
  await clock.advance(sooner + 1);
  expect(endedAt - stopAt, "the stop is done in time").toBeLessThanOrEqual(sooner);
  const report = await stopped;
  expect(report.alive).toBe(alive);
  expect(report.durationMs).toBe(endedAt - stopAt);
  return { manager, report, stubborn };
}

function ended(manager: ObservedManager): number {
  const { completed, failed, cancelled } = manager.stats().total;
  return completed + failed + cancelled;
}

describe("X1: the report of a stop", () => {
  it("X1: adds up whatever was under way, in time, with one end for each task and nothing left", async () => {
    await fc.assert(
      fc.asyncProperty(plan, async (given) => {
        const { manager, report, stubborn } = await run(given);
        const stop = manager.events.findIndex(({ type }) => type === "stopping");
        const after = manager.events.slice(stop);
        const ends = after.flatMap((event) => (event.type === "finished" ? [event.task] : []));
        // The last thing that happened to a task before its end says whether it was given up then.
        const last = new Map<string, string>();
        const counts = { completed: 0, failed: 0, cancelled: 0, abandoned: 0, neverStarted: 0 };
        for (const event of after) {
          if (!("task" in event)) continue;
          const { id, state, startedAt } = event.task;
          if (event.type !== "finished") last.set(id, event.type);
          else if (last.get(id) === "abandoned") counts.abandoned++;
          else if (state === "cancelled" && startedAt === undefined) counts.neverStarted++;
          else counts[state as "completed" | "failed" | "cancelled"]++;
        }
        const { alive, durationMs, interrupted, ...reported } = report;
        expect(reported).toEqual(counts);
        expect(interrupted).toBe(0);
        expect(ends.length).toBe(alive);
        expect(new Set(ends.map(({ id }) => id)).size).toBe(alive);
        expect(ended(manager)).toBe(given.tasks.length);
        expect(manager.stats()).toMatchObject({ running: 0, queued: 0, scheduled: 0, backingOff: 0 });
        stubborn.resolve();
        await manager.clock.advance(200); // for the timers of those that work for a while
        expect(manager.stats().lanes.inline).toMatchObject({ running: 0, abandoned: 0, held: 0 });
        expect(manager.clock.timers).toBe(0);
      }),
      { numRuns: 400, seed: 7 },
    );
  });
});
