import { describe, expect, it } from "vitest";
import {
  DeadlineError,
  OptionError,
  ResultTimeoutError,
  TaskManager,
  type TaskOptions,
  TaskTimeoutError,
} from "../../src/index.js";
import type { ManualClock } from "../../src/testing/index.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";
import { Stubborn, watchPromise } from "../support/observed-manager.js";

/** Where Node's own timers overflow and fire after 1 ms, its last good value, and far beyond. */
const LONG_MS = [2 ** 31 - 1, 2 ** 31, 2 ** 40] as const;
const LONGEST_MS = 8.64e15;

/** Starts something that lasts `ms`; gives what says whether it is over. */
type Begin = (ms: number, tasks: TaskManager, clock: ManualClock) => Promise<() => boolean>;

/** A task that is over when it has left the state it is in. */
function enqueueUntil(state: string, work: (context: { signal: AbortSignal }) => unknown, make: MakeOptions) {
  return async (ms: number, tasks: TaskManager, clock: ManualClock) => {
    const handle = tasks.enqueue(work, { timeoutMs: false, ...make(ms, clock) });
    await clock.settle();
    expect(handle.state).toBe(state);
    return () => handle.state !== state;
  };
}

type MakeOptions = (ms: number, clock: ManualClock) => TaskOptions;

const LASTING: Record<string, Begin> = {
  timeoutMs: enqueueUntil("running", untilAborted, (timeoutMs) => ({ timeoutMs })),
  delayMs: enqueueUntil(
    "scheduled",
    () => 1,
    (delayMs) => ({ delayMs }),
  ),
  "runAt as a number": enqueueUntil(
    "scheduled",
    () => 1,
    (ms, clock) => ({ runAt: clock.wallNow() + ms }),
  ),
  "runAt as a Date": enqueueUntil(
    "scheduled",
    () => 1,
    (ms, clock) => ({
      runAt: new Date(clock.wallNow() + ms),
    }),
  ),
  "ttlMs, running": enqueueUntil("running", untilAborted, (ttlMs) => ({ ttlMs })),
  "ttlMs, scheduled": enqueueUntil("scheduled", untilAborted, (ttlMs) => ({ ttlMs, delayMs: LONGEST_MS })),
  deadline: enqueueUntil("running", untilAborted, (ms, clock) => ({ deadline: clock.wallNow() + ms })),
  killAfterMs: async (ms, tasks, clock) => {
    const handle = tasks.enqueue(new Stubborn().run, { killAfterMs: ms, timeoutMs: false });
    await clock.settle();
    handle.cancel();
    return () => handle.state !== "running";
  },
  "deadlineMs of stopGraceful": async (ms, tasks, clock) => {
    const handle = tasks.enqueue(untilAborted, { timeoutMs: false });
    await clock.settle();
    void tasks.stopGraceful({ deadlineMs: ms + 1_000 }); // aborted killAfterMs before it
    return () => handle.state !== "running";
  },
  "timeoutMs of result": async (ms, tasks, clock) => {
    const handle = tasks.enqueue(untilAborted, { timeoutMs: false });
    await clock.settle();
    const promise = watchPromise(handle.result({ timeoutMs: ms }));
    return () => promise.outcome() === "rejected ResultTimeoutError";
  },
  "ttlMs of retention": async (ms, tasks, clock) => {
    tasks.setRetention({ ttlMs: ms });
    const handle = tasks.enqueue(() => 1);
    await clock.settle();
    return () => tasks.get(handle.id) === undefined;
  },
  "delay of a backoff": async (ms, tasks, clock) => {
    const handle = tasks.enqueue(() => Promise.reject(new Error("fails")), {
      maxAttempts: 2,
      backoff: () => ms,
    });
    await clock.settle();
    return () => handle.state !== "scheduled";
  },
};

describe("C6: very long durations", () => {
  for (const [name, begin] of Object.entries(LASTING)) {
    it.each(LONG_MS)(`C6: ${name} of %d ms ends exactly then, never early`, async (ms) => {
      const { tasks, clock } = createManager();
      const isOver = await begin(ms, tasks, clock);
      for (const early of [1, 2 ** 31 - 3, ms - 1]) {
        await clock.advance(Math.max(0, early - clock.now()));
        expect(isOver(), `at ${clock.now()} ms`).toBe(false);
      }
      await clock.advance(1);
      expect(isOver(), `at ${clock.now()} ms`).toBe(true);
    });
  }
});

/** How each option takes what is no ordinary duration: refused, or honoured as it says. */
const REFUSED = [Number.POSITIVE_INFINITY, Number.NaN, -Number.MIN_VALUE, -1, LONGEST_MS * 2, "5", null];
const OPTIONS_OF_A_TASK = ["timeoutMs", "delayMs", "ttlMs", "killAfterMs"] as const;

describe("C6: durations that are none", () => {
  it.each(OPTIONS_OF_A_TASK)("C6: %s of a task refuses them and keeps nothing", (option) => {
    const { tasks } = createManager();
    for (const value of [...REFUSED, ...(option === "timeoutMs" || option === "ttlMs" ? [0, 0.5] : [])]) {
      const error = thrownBy(() => tasks.enqueue(() => 1, { [option]: value } as TaskOptions));
      expect(error, String(value)).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option });
    }
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  it.each(["runAt", "deadline"])("C6: %s of a task refuses what is no instant", (option) => {
    const { tasks } = createManager();
    const { NaN: none, POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number;
    for (const value of [none, POSITIVE_INFINITY, NEGATIVE_INFINITY, LONGEST_MS * 2, new Date(none), "now"]) {
      const error = thrownBy(() => tasks.enqueue(() => 1, { [option]: value } as TaskOptions));
      expect(error, String(value)).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option });
    }
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  it("C6: deadlineMs of a stop refuses them, and the manager goes on", async () => {
    const { tasks } = createManager();
    for (const value of REFUSED) {
      const error = await rejectionOf(tasks.stopGraceful({ deadlineMs: value as number }));
      expect(error, String(value)).toBeInstanceOf(OptionError);
    }
    expect(tasks.stats().phase).toBe("running");
  });

  it("C6: timeoutMs of result and killAfterMs and timeoutMs of a manager refuse them", () => {
    const { tasks } = createManager();
    const handle = tasks.enqueue(() => 1);
    for (const value of REFUSED) {
      expect(() => handle.result({ timeoutMs: value as number })).toThrow(OptionError);
      expect(() => new TaskManager({ killAfterMs: value as number })).toThrow(OptionError);
      expect(() => new TaskManager({ timeoutMs: value as number })).toThrow(OptionError);
      expect(() => new TaskManager({ queues: { q: { timeoutMs: value as number } } })).toThrow(OptionError);
    }
  });

  it("C6: a delay of nothing and an instant that is past mean at once", async () => {
    const { tasks, clock } = createManager();
    const past = [{ delayMs: 0 }, { delayMs: -0 }, { runAt: 0 }, { runAt: -1 }, { runAt: new Date(0) }];
    const handles = past.map((options) => tasks.enqueue(() => "ran", options));
    await clock.settle();
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(past.map(() => "ran"));
  });

  it("C6: a deadline that is past fails the task, which never starts", async () => {
    const { tasks, clock } = createManager();
    const work = () => expect.unreachable("its deadline has passed");
    const handles = [0, -1, clock.wallNow(), new Date(0)].map((deadline) =>
      tasks.enqueue(work, { deadline }),
    );
    await clock.advance(0);
    for (const handle of handles) expect(await rejectionOf(handle.result())).toBeInstanceOf(DeadlineError);
    expect(tasks.stats().total.started).toBe(0);
  });

  it("C6: result with a timeoutMs of 0 looks once", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(untilAborted);
    const late = rejectionOf(handle.result({ timeoutMs: 0 }));
    await clock.advance(0);
    expect(await late).toBeInstanceOf(ResultTimeoutError);
    expect(await tasks.enqueue(() => "done").result({ timeoutMs: 1 })).toBe("done");
  });

  it("C6: a timeoutMs of false is none", async () => {
    const { tasks, clock } = createManager({ timeoutMs: 10 });
    const handle = tasks.enqueue(untilAborted, { timeoutMs: false });
    await clock.advance(2 ** 33);
    expect(handle.state).toBe("running");
  });
});

describe("C7: each limit counts from its own moment", () => {
  it("C7: timeoutMs counts from the attempt's real start, not from its wait in the queue", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const busy = new Stubborn();
    tasks.enqueue(busy.run);
    const handle = tasks.enqueue(untilAborted, { timeoutMs: 100 });
    await clock.advance(5_000);
    expect(handle.state).toBe("queued");
    busy.resolve();
    await clock.settle();
    await clock.advance(99);
    expect(handle.state).toBe("running");
    await clock.advance(1);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
    expect(tasks.get(handle.id)).toMatchObject({ waitMs: 5_000, runMs: 100 });
  });

  it("C7: timeoutMs begins anew with each attempt", async () => {
    const { tasks, clock } = createManager();
    const starts: number[] = [];
    const handle = tasks.enqueue(
      ({ signal }) => {
        starts.push(clock.now());
        return untilAborted({ signal });
      },
      { timeoutMs: 100, maxAttempts: 3, backoff: () => 1_000, delayMs: 10 },
    );
    await clock.advance(5_000);
    expect(starts).toEqual([10, 1_110, 2_210]);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
    expect(tasks.stats().total).toMatchObject({ timedOut: 3, failed: 1 });
  });

  it.each([
    ["queued", { queue: "paused" }],
    ["scheduled", { delayMs: 60_000 }],
    ["running", {}],
  ])("C7: ttlMs counts from acceptance: it ends a %s task when it passes", async (state, options) => {
    const { tasks, clock } = createManager();
    await tasks.pause({ queue: "paused" });
    await clock.advance(777);
    const handle = tasks.enqueue(untilAborted, { ...options, ttlMs: 500 });
    await clock.advance(499);
    expect(handle.state).toBe(state);
    await clock.advance(1);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(DeadlineError);
    expect(tasks.get(handle.id)).toMatchObject({ state: "failed", reason: "deadline" });
  });

  it("C7: ttlMs goes on through attempts and ends a task in backoff", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(() => Promise.reject(new Error("fails")), {
      ...{ ttlMs: 2_500, maxAttempts: 100, backoff: () => 1_000 },
    });
    await clock.advance(2_499);
    expect(tasks.get(handle.id)).toMatchObject({ state: "scheduled", reason: "backoff", attempt: 3 });
    await clock.advance(1);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(DeadlineError);
  });

  it("C7: of deadline and ttlMs the earlier counts, and the calendar may then jump as it likes", async () => {
    const { tasks, clock } = createManager();
    const deadline = () => clock.wallNow() + 1_000;
    const first = tasks.enqueue(untilAborted, { deadline: deadline(), ttlMs: 2_000 });
    const second = tasks.enqueue(untilAborted, { deadline: deadline(), ttlMs: 500 });
    clock.shiftWall(-3_600_000);
    await clock.advance(500);
    expect([first.state, second.state]).toEqual(["running", "failed"]);
    clock.shiftWall(7_200_000);
    await clock.advance(499);
    expect(first.state).toBe("running");
    await clock.advance(1);
    expect(first.state).toBe("failed");
  });

  it("C7: an expired task is ended by who comes to it first, even where its alarm is late", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const busy = new Stubborn();
    tasks.enqueue(busy.run);
    const handle = tasks.enqueue(() => expect.unreachable("its deadline has passed"), { ttlMs: 100 });
    await clock.settle();
    clock.block(200);
    busy.resolve();
    await clock.settle(); // no timer has fired
    expect(await rejectionOf(handle.result())).toBeInstanceOf(DeadlineError);
  });
});
