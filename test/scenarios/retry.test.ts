import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import {
  type Backoff,
  exponential,
  fixed,
  linear,
  ManagerStoppedError,
  OptionError,
  skipRetry,
} from "../../src/index.js";
import { seededRandom } from "../../src/testing/index.js";
import { createManager, rejectionOf } from "../support/manual-manager.js";
import { observeManager, Stubborn } from "../support/observed-manager.js";

/** Runs a task that fails `failures` times and gives when its attempts started. */
async function startsOf(backoff: Backoff, failures: number, forMs = 10_000_000): Promise<number[]> {
  const manager = observeManager({ random: seededRandom(3), retention: { ttlMs: 2 * forMs } });
  const starts: number[] = [];
  const handle = manager.enqueue(
    ({ attempt }) => {
      starts.push(manager.clock.now());
      expect(attempt).toBe(starts.length);
      if (attempt <= failures) throw new Error(`attempt ${attempt} fails`);
      return "worked";
    },
    { backoff, maxAttempts: failures + 1 },
  );
  await manager.clock.advance(forMs);
  expect(await handle.result()).toBe("worked");
  expect(manager.get(handle.id)).toMatchObject({ attempt: failures + 1, error: undefined });
  expect(manager.stats().total).toMatchObject({ started: failures + 1, retried: failures, completed: 1 });
  expect(manager.stats().queues["default"]).toMatchObject({ retried: failures, completed: 1, failed: 0 });
  return starts;
}

function gaps(starts: readonly number[]): number[] {
  return starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
}

describe("R1: a task that fails k times and then works", () => {
  const without = { jitter: "none" } as const;

  it.each<[string, Backoff, number[]]>([
    ["fixed", fixed({ delayMs: 250 }), [250, 250, 250, 250, 250, 250]],
    ["linear", linear({ delayMs: 100, maxDelayMs: 350 }), [100, 200, 300, 350, 350, 350]],
    ["exponential", exponential({ delayMs: 100, ...without }), [100, 200, 400, 800, 1_600, 3_200]],
    ["exponential, capped", exponential({ ...without, maxDelayMs: 5_000 }), [1e3, 2e3, 4e3, 5e3, 5e3, 5e3]],
    [
      "exponential of factor 1.5",
      exponential({ delayMs: 8, factor: 1.5, ...without }),
      [8, 12, 18, 27, 40.5],
    ],
    ["a function", ({ attempt }) => attempt * attempt, [1, 4, 9, 16]],
    ["none at all", () => 0, [0, 0, 0]],
  ])("R1: %s: makes k + 1 attempts, after the delays of its formula", async (_, backoff, expected) => {
    expect(gaps(await startsOf(backoff, expected.length))).toEqual(expected);
    for (const failures of [0, 1, 2])
      expect(gaps(await startsOf(backoff, failures))).toEqual(expected.slice(0, failures));
  });

  it.each([
    ["fixed", fixed({ delayMs: 1_000, jitter: "full" }), () => 1_000],
    ["linear", linear({ delayMs: 1_000, jitter: "full" }), (attempt: number) => 1_000 * attempt],
    ["exponential", exponential(), (attempt: number) => Math.min(60_000, 1_000 * 2 ** (attempt - 1))],
  ])(
    "R1: %s with full jitter stays between nothing and its formula, and varies",
    async (_, backoff, most) => {
      const drawn = gaps(await startsOf(backoff, 40));
      drawn.forEach((gap, index) => {
        expect(gap).toBeGreaterThanOrEqual(0);
        expect(gap).toBeLessThan(most(index + 1));
      });
      const parts = drawn.map((gap, index) => gap / most(index + 1));
      expect(Math.min(...parts)).toBeLessThan(0.2);
      expect(Math.max(...parts)).toBeGreaterThan(0.8);
    },
  );

  it("R1: publishes each failed attempt with its error and the delay that follows", async () => {
    const manager = observeManager();
    const handle = manager.enqueue(({ attempt }) => Promise.reject(new Error(`attempt ${attempt}`)), {
      ...{ maxAttempts: 3, backoff: fixed({ delayMs: 500 }) },
    });
    await manager.clock.settle();
    expect(manager.get(handle.id)).toMatchObject({
      ...{ state: "scheduled", reason: "backoff", attempt: 1, dueAt: manager.clock.wallNow() + 500 },
      error: { message: "attempt 1", taskId: handle.id },
    });
    await manager.clock.advance(1_000);
    const retried = manager.events.filter((event) => event.type === "retried");
    expect(retried).toMatchObject([
      { delayMs: 500, error: { message: "attempt 1" }, task: { state: "scheduled", attempt: 1 } },
      { delayMs: 500, error: { message: "attempt 2" }, task: { state: "scheduled", attempt: 2 } },
    ]);
    expect(await rejectionOf(handle.result())).toMatchObject({ message: "attempt 3", taskId: handle.id });
    expect(manager.eventsOf(handle.id)).toEqual([
      ...["queued", "started", "retried", "queued", "started", "retried", "queued", "started", "finished"],
    ]);
  });

  it("R1: a retry keeps its place: it goes before what arrived after it, at equal priority", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const order: string[] = [];
    const busy = new Stubborn();
    tasks.enqueue(
      ({ attempt }) => {
        order.push(`first, attempt ${attempt}`);
        if (attempt === 1) throw new Error("fails");
      },
      { maxAttempts: 2, backoff: () => 10 },
    );
    tasks.enqueue(busy.run);
    for (const name of ["second", "third"]) tasks.enqueue(() => order.push(name));
    await clock.advance(10);
    busy.resolve();
    await clock.settle();
    expect(order).toEqual(["first, attempt 1", "first, attempt 2", "second", "third"]);
  });

  it("R1: a retry is taken back whatever the capacity", async () => {
    const { tasks, clock } = createManager({ capacity: 1, concurrency: 3 });
    const failing = Array.from({ length: 3 }, () =>
      tasks.enqueueAsync(({ attempt }) => (attempt === 1 ? Promise.reject(new Error("fails")) : "worked"), {
        ...{ maxAttempts: 2, backoff: () => 1_000 },
      }),
    );
    void Promise.allSettled(failing); // with a capacity of 1 the third call may be refused
    await clock.settle();
    const { scheduled, capacity } = tasks.stats();
    expect(scheduled).toBeGreaterThan(capacity);
    expect(() => tasks.enqueue(() => 1)).toThrow("No room");
    await clock.advance(1_000);
    expect(tasks.stats().total.completed).toBe(tasks.stats().total.enqueued);
  });
});

describe("R2: how many attempts", () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e9 + 1, "3", null])(
    "R2: refuses maxAttempts of %s",
    (maxAttempts) => {
      const { tasks } = createManager();
      const options = { maxAttempts: maxAttempts as number };
      expect(() => tasks.enqueue(() => 1, options)).toThrow(OptionError);
      expect(() => createManager(options)).toThrow(OptionError);
      expect(() => createManager({ queues: { q: options } })).toThrow(OptionError);
      expect(tasks.stats().total.enqueued).toBe(0);
    },
  );

  it("R2: a maxAttempts of 1 is one attempt, and that is the default", async () => {
    const { tasks, clock } = createManager();
    for (const options of [{}, { maxAttempts: 1 }]) {
      const handle = tasks.enqueue(() => Promise.reject(new Error("fails")), options);
      await clock.advance(1_000_000);
      expect(tasks.get(handle.id)).toMatchObject({ state: "failed", attempt: 1, reason: "error" });
    }
  });

  it("R2: with maxAttempts of 1e9 the delay grows to its cap and no number overflows", async () => {
    const manager = observeManager({ maxAttempts: 1e9, backoff: exponential({ jitter: "none" }) });
    const handle = manager.enqueue(() => Promise.reject(new Error("fails")));
    await manager.clock.advance(60_000 * 2_000); // beyond 2^1024 times the first delay
    const delays = manager.events.flatMap((event) => (event.type === "retried" ? [event.delayMs] : []));
    expect(delays.length).toBeGreaterThan(1_100);
    expect(delays.slice(0, 7)).toEqual([1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 60e3]);
    expect(new Set(delays.slice(6))).toEqual(new Set([60_000]));
    expect(manager.get(handle.id)).toMatchObject({ state: "scheduled", attempt: delays.length });
  });
});

describe("R3: an error that says not to try again", () => {
  it("R3: fails at once by skipRetry, with its cause as the error, however many attempts are left", async () => {
    const manager = observeManager({ maxAttempts: 10 });
    const cause = new Error("the address does not exist");
    const handle = manager.enqueue(() => {
      throw skipRetry(cause);
    });
    await manager.clock.settle();
    expect(await rejectionOf(handle.result())).toBe(cause);
    expect(cause).toMatchObject({ taskId: handle.id });
    expect(manager.endsOf(handle.id)).toMatchObject([{ state: "failed", reason: "error", attempt: 1 }]);
    expect(manager.stats().total).toMatchObject({ started: 1, retried: 0, failed: 1 });
  });

  it("R3: finds skipRetry as the cause of what was thrown", async () => {
    const manager = observeManager({ maxAttempts: 10 });
    const cause = new Error("deep");
    const handle = manager.enqueue(async () => {
      throw new Error("outer", { cause: new Error("middle", { cause: skipRetry(cause) }) });
    });
    expect(await rejectionOf(handle.result())).toBe(cause);
    expect(manager.stats().total).toMatchObject({ started: 1, retried: 0 });
  });
});

describe("R5: many tasks that fail at once", () => {
  it("R5: spreads 10,000 retries: no 10 ms hold 3 times the mean", async () => {
    const count = 10_000;
    const { tasks, clock } = createManager({ concurrency: count, maxAttempts: 2, random: seededRandom(5) });
    const buckets = new Map<number, number>();
    for (let index = 0; index < count; index++) {
      tasks.enqueue(({ attempt }) => {
        if (attempt === 1) throw new Error("the service is down");
        const bucket = Math.floor(clock.now() / 10);
        buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
      });
    }
    while (tasks.stats().queued > 0) await clock.settle();
    expect(clock.now()).toBe(0); // all have failed at the same instant
    await clock.advance(1_000);
    expect(tasks.stats().total).toMatchObject({ completed: count, retried: count });
    const mean = count / 100; // the first delay is 1,000 ms at most: 100 buckets
    expect(Math.max(...buckets.values())).toBeLessThan(3 * mean);
    expect(buckets.size).toBe(100);
  });
});

describe("R6: a stop during backoff", () => {
  it.each([
    ["stopNow", 5_000],
    ["stopGraceful", 60_000],
  ] as const)("R6: %s settles the task and leaves no timer", async (stop, delayMs) => {
    const manager = observeManager({ maxAttempts: 5, backoff: fixed({ delayMs }) });
    const handle = manager.enqueue(() => Promise.reject(new Error("fails")));
    await manager.clock.settle();
    expect(manager.get(handle.id)).toMatchObject({ state: "scheduled", reason: "backoff" });
    const report = await manager[stop]();
    expect(report).toMatchObject({ alive: 1, cancelled: 1, neverStarted: 0, durationMs: 0 });
    expect(await rejectionOf(handle.result())).toBeInstanceOf(ManagerStoppedError);
    expect(manager.clock.timers).toBe(0);
    expect(manager.stats().backingOff).toBe(0);
  });

  it("R6: stopGraceful lets a retry go on that comes before the end, and cancels one that does not", async () => {
    const manager = observeManager();
    const failing = (delayMs: number) =>
      manager.enqueue(({ attempt }) => (attempt < 3 ? Promise.reject(new Error("fails")) : "worked"), {
        ...{ maxAttempts: 3, backoff: fixed({ delayMs }) },
      });
    // Attempts may begin until 9,000 ms: killAfterMs before the end.
    const [inTime, justInTime, late] = [failing(1_000), failing(4_499), failing(4_501)];
    await manager.clock.settle();
    const stopped = manager.stopGraceful();
    await manager.clock.advance(10_000);
    expect(await stopped).toMatchObject({ alive: 3, completed: 2, cancelled: 1, durationMs: 8_998 });
    expect(await inTime.result()).toBe("worked");
    expect(await justInTime.result()).toBe("worked");
    expect(await rejectionOf(late.result())).toBeInstanceOf(ManagerStoppedError);
    expect(manager.get(late.id)).toMatchObject({ attempt: 2, reason: "stopped" });
  });
});

describe("a backoff of the user's", () => {
  it("is given the attempt, its error and a frozen picture of the task", async () => {
    const { tasks, clock } = createManager();
    const given: unknown[] = [];
    const error = new Error("fails");
    const handle = tasks.enqueue(() => Promise.reject(error), {
      maxAttempts: 3,
      metadata: { tenant: "a" },
      backoff: (input) => {
        expect(Object.isFrozen(input.task)).toBe(true);
        given.push({ attempt: input.attempt, same: input.error === error, task: input.task });
        return 10;
      },
    });
    await clock.advance(100);
    const task = { id: handle.id, maxAttempts: 3, metadata: { tenant: "a" } };
    expect(given).toMatchObject([
      { attempt: 1, same: true, task: { ...task, attempt: 1 } },
      { attempt: 2, same: true, task: { ...task, attempt: 2 } },
    ]);
  });

  it("that throws fails the task, once, with what it threw and why the attempt failed as the cause", async () => {
    const manager = observeManager();
    const broken = new Error("no such table");
    const failure = new Error("fails");
    const handle = manager.enqueue(() => Promise.reject(failure), {
      maxAttempts: 3,
      backoff: () => {
        throw broken;
      },
    });
    const error = await rejectionOf(handle.result());
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ option: "backoff", taskId: handle.id, cause: expect.any(AggregateError) });
    const { errors } = (error as { cause: AggregateError }).cause;
    expect(errors[0]).toBe(broken);
    expect(errors[1]).toBe(failure);
    expect(manager.endsOf(handle.id)).toMatchObject([{ state: "failed", reason: "error", attempt: 1 }]);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, undefined, "10", null, Promise.resolve(1)])(
    "that gives %s fails the task and says so",
    async (wrong) => {
      const manager = observeManager();
      const backoff = (() => wrong) as unknown as Backoff;
      const failure = new Error("fails");
      const handle = manager.enqueue(() => Promise.reject(failure), { maxAttempts: 3, backoff });
      const error = await rejectionOf(handle.result());
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option: "backoff", taskId: handle.id });
      expect((error as Error).cause).toBe(failure);
      expect((error as Error).message).toMatch(/`backoff\(\)` .* found/);
      expect(manager.stats().total).toMatchObject({ failed: 1, retried: 0, started: 1 });
      expect(manager.stats().lanes.inline).toMatchObject({ running: 0 });
    },
  );
});

describe("a backoff of the user's that acts on its own task", () => {
  it.each(["by its signal", "by its handle", "by cancelAll"])(
    "cancels it %s, and it does not run again",
    async (how) => {
      const manager = observeManager();
      const controller = new AbortController();
      let runs = 0;
      const handle = manager.enqueue(
        () => {
          runs++;
          throw new Error("fails");
        },
        {
          maxAttempts: 3,
          signal: controller.signal,
          backoff: () => {
            expect(manager.stats().running).toBe(1);
            if (how === "by its signal") controller.abort("fatal");
            else if (how === "by its handle") expect(handle.cancel("fatal")).toBe(true);
            else void manager.cancelAll("fatal");
            return 5;
          },
        },
      );
      await manager.clock.advance(100);
      expect(runs).toBe(1);
      expect(handle.state).toBe("cancelled");
      await expect(handle.result()).rejects.toMatchObject({
        code: "MILLRACE_TASK_CANCELLED",
        cause: "fatal",
      });
    },
  );

  it("runs in the async context of its task, also after a timeout", async () => {
    const manager = observeManager();
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const options = {
      maxAttempts: 2,
      timeoutMs: 10,
      killAfterMs: 0,
      backoff: () => seen.push(storage.getStore()),
    };
    for (const store of ["a", "b"])
      storage.run(store, () => manager.enqueue(() => new Promise(() => {}), options));
    await manager.clock.advance(1_000);
    expect(seen).toEqual(["a", "b"]);
  });
});
