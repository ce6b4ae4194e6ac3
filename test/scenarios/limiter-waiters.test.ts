import { describe, expect, test } from "vitest";
import { OptionError, rateLimited } from "../../src/index.js";
import { createManager, thrownBy, untilAborted } from "../support/manual-manager.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

describe("L5: 1,000 tasks that wait for a permit", () => {
  test("of which 999 are cancelled: the last starts at the next permit, and the cancelled took none", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1, burst: 1 });
    await tasks.execute(() => "takes the first permit");
    const startedAt: number[] = [];
    const handles = Array.from({ length: 1_000 }, () => tasks.enqueue(() => startedAt.push(clock.now())));
    await clock.advance(500);
    for (const handle of handles.slice(0, 999)) expect(handle.cancel()).toBe(true);
    await clock.advance(499);
    expect(startedAt).toEqual([]);
    await clock.advance(1);
    expect(startedAt).toEqual([1_000]);
    expect(tasks.stats()).toMatchObject({ queued: 0, total: { started: 2, cancelled: 999 } });
    await clock.advance(1_000);
    expect(tasks.stats().limiter.available).toBe(1);
  });

  test("also when they are cancelled by cancelAll while a permit comes", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 10, burst: 10 });
    await tasks.pause();
    for (let index = 0; index < 3_000; index++) tasks.enqueue(() => undefined);
    tasks.resume();
    const cancelled = tasks.cancelAll();
    const last = tasks.enqueue(() => "not cancelled");
    await clock.settle(12);
    expect(await cancelled).toBe(3_000);
    expect(last.state).toBe("completed");
    expect(tasks.stats().limiter.available).toBe(9);
  });

  test("an expensive head that is cancelled lets a cheap task behind it start at once", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1, burst: 10 });
    await tasks.execute(() => "leaves one permit", { cost: 9 });
    const expensive = tasks.enqueue(() => undefined, { cost: 10 });
    const cheap = tasks.enqueue(() => "started", { cost: 1 });
    await clock.settle();
    expect([expensive.state, cheap.state]).toEqual(["queued", "queued"]);
    expensive.cancel();
    await clock.settle();
    expect(cheap.state).toBe("completed");
  });

  test("an expensive head that expires or is dropped does so too", async () => {
    const options = { tasksPerSecond: 1, burst: 10, capacity: 2, whenFull: "drop-oldest" } as const;
    const { clock, tasks } = createManager(options);
    await tasks.execute(() => "leaves two permits", { cost: 8 });
    tasks.enqueue(() => undefined, { id: "dropped", cost: 10 });
    const first = tasks.enqueue(() => "started");
    await clock.settle();
    const second = tasks.enqueue(() => "started");
    await clock.settle();
    expect(tasks.get("dropped")?.reason).toBe("dropped");
    expect([first.state, second.state]).toEqual(["completed", "completed"]);
    tasks.enqueue(() => undefined, { cost: 10, ttlMs: 1_500 });
    const third = tasks.enqueue(() => "started");
    await clock.advance(1_499);
    expect(third.state).toBe("queued");
    await clock.advance(1);
    expect(third.state).toBe("completed");
  });

  test("an expensive head whose queue is paused lets a cheap task of another queue start at once", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1, burst: 10, queues: { first: {} } });
    await tasks.execute(() => "leaves one permit", { cost: 9, queue: "other" });
    tasks.enqueue(() => undefined, { queue: "first", cost: 10 });
    const cheap = tasks.enqueue(() => "started");
    await clock.settle();
    expect(cheap.state).toBe("queued");
    await tasks.pause({ queue: "first" });
    await clock.settle();
    expect(cheap.state).toBe("completed");
  });

  test("an expensive head that is moved behind a cheap task lets it start at once", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1, burst: 10 });
    await tasks.execute(() => "leaves one permit", { cost: 9 });
    tasks.enqueue(() => undefined, { id: "expensive", cost: 10 });
    const cheap = tasks.enqueue(() => "started");
    await clock.settle();
    await tasks.reprioritize("expensive", 1);
    await clock.settle();
    expect(cheap.state).toBe("completed");
  });
});

describe("late choice", () => {
  test("an urgent task that arrives while the limiter is closed goes first when it opens", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1, burst: 1 });
    const started: string[] = [];
    for (const id of ["first", "ordinary"]) tasks.enqueue(() => started.push(id));
    await clock.advance(999);
    tasks.enqueue(() => started.push("urgent"), { priority: -1 });
    await clock.settle();
    expect(started).toEqual(["first"]);
    await clock.advance(1);
    expect(started).toEqual(["first", "urgent"]);
    await clock.advance(1_000);
    expect(started).toEqual(["first", "urgent", "ordinary"]);
  });

  test("also when it came by falling due, and when it waits in another queue of a larger share", async () => {
    const { clock, tasks } = createManager({
      ...{ tasksPerSecond: 1, burst: 1, strictQueues: true },
      queues: { critical: { share: 2 }, default: { share: 1 } },
    });
    const started: string[] = [];
    for (const id of ["first", "ordinary"]) tasks.enqueue(() => started.push(id));
    tasks.enqueue(() => started.push("due"), { priority: -1, delayMs: 500 });
    await clock.settle();
    await clock.advance(600);
    tasks.enqueue(() => started.push("critical"), { queue: "critical", priority: 9 });
    await clock.advance(3_000);
    expect(started).toEqual(["first", "critical", "due", "ordinary"]);
  });

  test("also when both limits have opened while the event loop was blocked, its own one last", async () => {
    const { clock, tasks } = createManager({
      ...{ tasksPerSecond: 500, burst: 1, strictQueues: true },
      queues: { critical: { share: 2, rateLimit: { tasksPerSecond: 100, burst: 1 } }, default: { share: 1 } },
    });
    const started: string[] = [];
    for (const id of ["first", "critical"]) tasks.enqueue(() => started.push(id), { queue: "critical" });
    tasks.enqueue(() => started.push("ordinary"));
    await clock.settle();
    clock.block(11); // the shared permit is due after 2 ms, that of the queue after 10
    await clock.settle();
    await clock.advance(2);
    expect(started).toEqual(["first", "critical", "ordinary"]);
  });

  test("a head that lacks only permits keeps its place: the bucket saves up for it", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1, burst: 5 });
    await tasks.execute(() => "takes all", { cost: 5 });
    const started: [string, number][] = [];
    const note = (id: string) => () => started.push([id, clock.now()]);
    tasks.enqueue(note("expensive"), { cost: 5 });
    for (const id of ["cheap-1", "cheap-2"]) tasks.enqueue(note(id));
    await clock.advance(4_999);
    expect(started).toEqual([]);
    await clock.advance(5_000);
    expect(started).toEqual([
      ["expensive", 5_000],
      ["cheap-1", 6_000],
      ["cheap-2", 7_000],
    ]);
  });

  test("a permit without a slot stays for the task that is best when a slot is free", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1, burst: 1, concurrency: 1 });
    const running = tasks.enqueue(untilAborted);
    await clock.advance(5_000);
    const started: string[] = [];
    tasks.enqueue(() => started.push("ordinary"));
    tasks.enqueue(() => started.push("urgent"), { priority: -1 });
    expect(tasks.stats().limiter.available).toBe(1);
    running.cancel();
    await clock.settle();
    expect(started).toEqual(["urgent"]);
  });
});

describe("cost", () => {
  test("takes so many permits at each start, retries included", async () => {
    const { clock, tasks } = createManager({
      ...{ tasksPerSecond: 10, burst: 10, maxAttempts: 3, backoff: () => 0 },
    });
    const startedAt: number[] = [];
    tasks.enqueue(
      () => {
        startedAt.push(clock.now());
        throw new Error("once more");
      },
      { cost: 5 },
    );
    await clock.settle();
    expect(startedAt).toEqual([0, 0]);
    expect(tasks.stats().limiter.available).toBe(0);
    await clock.advance(500);
    expect(startedAt).toEqual([0, 0, 500]);
  });

  test("above the burst is refused at the door, where there is a limit", () => {
    const { tasks } = createManager({ tasksPerSecond: 10, burst: 4, autoStart: false });
    const error = thrownBy(() => tasks.enqueue(() => 1, { cost: 5 }));
    expect(error).toBeInstanceOf(OptionError);
    expect((error as Error).message).toBe(
      "Expected `cost` to be at most 4, the burst of its rate limit, found `5` (number)",
    );
    expect(() => tasks.enqueue(() => 1, { cost: 4 })).not.toThrow();
    tasks.setRate({ tasksPerSecond: 10, burst: 6 });
    expect(() => tasks.enqueue(() => 1, { cost: 6 })).not.toThrow();
    expect(() => tasks.enqueue(() => 1, { cost: 7 })).toThrow(OptionError);
    tasks.setRate({ tasksPerSecond: Number.POSITIVE_INFINITY });
    expect(() => tasks.enqueue(() => 1, { cost: 1_000_000 })).not.toThrow();
  });

  test("above a burst that was lowered meanwhile takes the whole burst", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 10, burst: 10 });
    await tasks.execute(() => "takes all", { cost: 10 });
    const startedAt: number[] = [];
    tasks.enqueue(() => startedAt.push(clock.now()), { cost: 10 });
    tasks.enqueue(() => startedAt.push(clock.now()));
    await clock.advance(100);
    tasks.setRate({ tasksPerSecond: 10, burst: 3 });
    await clock.advance(199);
    expect(startedAt).toEqual([]);
    await clock.advance(1);
    expect(startedAt).toEqual([300]);
    expect(tasks.stats().limiter.available).toBe(0);
    await clock.advance(100);
    expect(startedAt).toEqual([300, 400]);
  });
});

describe("L6: retries, reschedules and execute share the limiter", () => {
  test("and all starts together keep to burst + rate × length, and use the rate", async () => {
    const { clock, tasks } = createManager({
      ...{ tasksPerSecond: 20, burst: 5, concurrency: 8, maxAttempts: 4, backoff: () => 30 },
    });
    const starts: Start[] = [];
    const note = () => starts.push({ at: clock.now(), cost: 1 });
    for (let index = 0; index < 30; index++) {
      tasks.enqueue(() => {
        note();
        throw new Error("once more");
      });
      tasks.enqueue(({ attempt }) => {
        note();
        if (attempt === 1 && index % 5 === 0) throw rateLimited({ retryAfterMs: 100_000 });
      });
    }
    const executed = Array.from({ length: 30 }, () => tasks.execute(note));
    const seconds = 8;
    await clock.advance(seconds * 1_000);
    expect(leastBurst(starts, 20)).toBeLessThanOrEqual(5 + ROUNDING);
    expect(starts.length).toBe(5 + 20 * seconds);
    await clock.advance(10_000);
    await Promise.all(executed);
    expect(starts.length).toBe(30 * 4 + 30 + 30);
    expect(tasks.stats().total).toMatchObject({ started: 180, retried: 90, rescheduled: 6 });
    expect(leastBurst(starts, 20)).toBeLessThanOrEqual(5 + ROUNDING);
  });
});

describe("rateLimited", () => {
  test("with scope all closes the shared bucket for everyone, no attempt used", async () => {
    const { clock, tasks } = createManager({ tasksPerSecond: 1_000, burst: 10, concurrency: 1 });
    const started: [string, number][] = [];
    tasks.enqueue(
      ({ attempt }) => {
        started.push([`limited, attempt ${attempt}`, clock.now()]);
        if (started.length === 1) throw rateLimited({ retryAfterMs: 5_000, scope: "all" });
      },
      { id: "limited" },
    );
    tasks.enqueue(() => started.push(["other", clock.now()]), { queue: "other" });
    await clock.settle();
    expect(tasks.get("limited")).toMatchObject({ state: "scheduled", reason: "rate-limited", attempt: 0 });
    expect(tasks.stats()).toMatchObject({ queued: 1, scheduled: 1, backingOff: 0 });
    expect(tasks.stats().limiter).toMatchObject({ available: 0, closedForMs: 5_000 });
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["rate-limited"] });
    await clock.advance(4_999);
    expect(started).toHaveLength(1);
    await clock.advance(1);
    expect(started).toEqual([
      ["limited, attempt 1", 0],
      ["other", 5_000],
      ["limited, attempt 1", 5_000],
    ]);
    expect(tasks.get("limited")).toMatchObject({ state: "completed", attempt: 1, maxAttempts: 1 });
  });

  test("with scope all closes it also where there is no rate, and a new rate does not open it", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    tasks.enqueue(({ id }) => {
      if (tasks.stats().total.rescheduled === 0) throw rateLimited({ retryAfterMs: 100, scope: "all" });
      return id;
    });
    const other = tasks.enqueue(() => 1);
    await clock.advance(50);
    tasks.setRate({ tasksPerSecond: 1_000, burst: 10 });
    await clock.advance(49);
    expect(other.state).toBe("queued");
    await clock.advance(1);
    expect(other.state).toBe("completed");
  });

  test("without a scope makes a function wait alone", async () => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    let attempts = 0;
    const limited = tasks.enqueue(() => {
      if (attempts++ === 0) throw rateLimited({ retryAfterMs: 5_000 });
    });
    const other = tasks.enqueue(() => 1);
    await clock.settle();
    expect([limited.state, other.state]).toEqual(["scheduled", "completed"]);
    await clock.advance(5_000);
    expect(limited.state).toBe("completed");
  });

  test("of two that close the bucket, the later instant counts", async () => {
    const { clock, tasks } = createManager({ concurrency: 3 });
    const limit = (retryAfterMs: number) => {
      let attempts = 0;
      return () => {
        if (attempts++ === 0) throw rateLimited({ retryAfterMs, scope: "all" });
      };
    };
    const release: (() => void)[] = [];
    const bothAtOnce = (work: () => void) => () =>
      new Promise<void>((resolve) => release.push(resolve)).then(work);
    tasks.enqueue(bothAtOnce(limit(500)));
    tasks.enqueue(bothAtOnce(limit(200)));
    await clock.settle();
    for (const each of release) each();
    await clock.settle();
    const other = tasks.enqueue(() => 1);
    await clock.advance(499);
    expect(other.state).toBe("queued");
    await clock.advance(1);
    expect(other.state).toBe("completed");
  });
});
