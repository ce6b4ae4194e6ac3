import { describe, expect, test } from "vitest";
import * as z from "zod";
import {
  type ClaimAnswer,
  type Clock,
  cancelTask,
  DeadlineError,
  DuplicateTaskError,
  defineHandlers,
  fixed,
  json,
  NotAcceptingError,
  OptionError,
  ResultExpiredError,
  ResultTimeoutError,
  rateLimited,
  reschedule,
  skipRetry,
  TaskCancelledError,
  TaskTimeoutError,
  UnknownHandlerError,
} from "../../src/index.js";
import { breakClient } from "../support/broken-backend.js";
import { createScene } from "../support/durable-scene.js";
import { rejectionOf, thrownBy, untilAborted } from "../support/manual-manager.js";

type Pass = (ms: number) => Promise<void>;

/** A handler that does what its payload says, attempt by attempt. */
function steered(steps: readonly (() => unknown)[]) {
  const attempts: number[] = [];
  const run = (_: string, { attempt }: { readonly attempt: number }) => {
    attempts.push(attempt);
    return (steps[attempts.length - 1] ?? (() => "done"))();
  };
  return { attempts, run };
}

function fail(): never {
  throw new TypeError("no");
}

describe("order and time", () => {
  test("priority goes first, then weight, then arrival", async () => {
    const { clock, manager } = createScene();
    const runs: string[] = [];
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: (name) => void runs.push(name), priority: 5 },
    });
    const tasks = manager({ handlers, concurrency: 1, autoStart: false });
    await tasks.enqueueDurable("work", "usual");
    await tasks.enqueueDurable("work", "light", { priority: 1 });
    await tasks.enqueueDurable("work", "heavy", { priority: 1, weight: 9 });
    await tasks.enqueueDurable("work", "light too", { priority: 1 });
    await tasks.enqueueDurable("work", "first", { priority: -1 });
    tasks.start();
    await clock.advance(10);
    expect(runs).toEqual(["first", "heavy", "light", "light too", "usual"]);
  });

  test("delayMs and runAt are waited for, by the store's clock", async () => {
    const { clock, counts, manager } = createScene();
    const starts: [string, number][] = [];
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: (name) => void starts.push([name, Math.round(clock.now())]) },
    });
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("work", "later", { delayMs: 90_000 });
    await tasks.enqueueDurable("work", "then", { runAt: new Date(clock.wallNow() + 60_000) });
    await tasks.enqueueDurable("work", "past", { runAt: clock.wallNow() - 60_000 });
    await clock.advance(59_999);
    expect(starts.map(([name]) => name)).toEqual(["past"]);
    expect(await counts()).toMatchObject({ delayed: 2 });
    await clock.advance(40_000);
    expect(starts.slice(1)).toEqual([
      ["then", 60_000],
      ["later", 90_000],
    ]);
  });
});

describe("retries", () => {
  test("a stored rule says when, before that of the handler", async () => {
    const { clock, manager } = createScene();
    const starts: number[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        backoff: fixed({ delayMs: 9_000 }),
        run: (_, { attempt }) => {
          starts.push(clock.now());
          if (attempt < 3) fail();
        },
      },
    });
    const tasks = manager({ handlers });
    const told: unknown[] = [];
    tasks.observe({
      onRetried: ({ attempt }, { delayMs, error }) => told.push([attempt, delayMs, error.name]),
    });
    await tasks.enqueueDurable("work", "x", { backoff: fixed({ delayMs: 500 }) });
    await clock.advance(1_100);
    expect(starts).toEqual([0, 500, 1_000]);
    expect(told).toEqual([
      [1, 500, "TypeError"],
      [2, 500, "TypeError"],
    ]);
    expect(tasks.stats().total).toMatchObject({ completed: 1, retried: 2 });
  });

  test("a function of the handler's says when, and one that throws ends the task", async () => {
    const { clock, manager, read } = createScene();
    const starts: number[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        maxAttempts: 3,
        backoff: ({ attempt }) => attempt * 1_000,
        run: () => {
          starts.push(clock.now());
          fail();
        },
      },
      broken: {
        payload: json<string>(),
        maxAttempts: 3,
        backoff: () => {
          throw new RangeError("no idea");
        },
        run: fail,
      },
    });
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("work", "x");
    const broken = await tasks.enqueueDurable("broken", "x");
    await clock.advance(5_000);
    expect(starts).toEqual([0, 1_000, 3_000]);
    expect(await read(broken.id)).toMatchObject({ place: "dead", attempts: 1 });
  });

  test("a function as the backoff of one task is refused: it cannot be stored", async () => {
    const { clock, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>(), run: fail } });
    const tasks = manager({ handlers });
    const refused = tasks.enqueueDurable("work", "x", { backoff: (() => 1) as never });
    expect(await rejectionOf(refused)).toBeInstanceOf(OptionError);
    await clock.settle();
  });

  test("three attempts are made where nobody says, and the last error is kept with the dead letter", async () => {
    const { clock, manager, read } = createScene();
    const handlers = defineHandlers({ work: { payload: json<{ to: string }>(), run: fail } });
    const letters: unknown[] = [];
    const tasks = manager({ handlers, hooks: { onDeadLettered: (letter) => letters.push(letter) } });
    const handle = await tasks.enqueueDurable("work", { to: "Ann" });
    const rejection = rejectionOf(handle.result({ timeoutMs: 600_000 }));
    await clock.advance(300_000);
    expect(await rejection).toMatchObject({ name: "TypeError", message: "no" });
    const { id } = handle;
    expect(letters).toEqual([{ id, handler: "work", queue: "default", reason: "error", attempts: 3 }]);
    const letter = await read(id);
    expect(letter).toMatchObject({
      place: "dead",
      attempts: 3,
      outcome: { state: "failed", reason: "error" },
    });
    expect(new TextDecoder().decode(letter?.payload)).toContain("Ann");
    expect(letter?.error).toContain("TypeError");
  });

  test("with deadLetter: false a failure leaves an outcome and no dead letter", async () => {
    const { clock, counts, manager } = createScene();
    const handlers = defineHandlers({
      one: { payload: json<string>(), run: fail, maxAttempts: 1, deadLetter: false },
      other: { payload: json<string>(), run: fail, maxAttempts: 1 },
    });
    const letters: unknown[] = [];
    const tasks = manager({ handlers, hooks: { onDeadLettered: (letter) => letters.push(letter) } });
    const first = await tasks.enqueueDurable("one", "x");
    const second = await tasks.enqueueDurable("other", "x", { deadLetter: false });
    const rejections = [rejectionOf(first.result()), rejectionOf(second.result())];
    await clock.advance(100);
    expect(await Promise.all(rejections)).toMatchObject([{ name: "TypeError" }, { name: "TypeError" }]);
    expect(letters).toEqual([]);
    expect(await counts()).toMatchObject({ dead: 0, finished: 2 });
  });
});

describe("ends of time", () => {
  test("a timeout aborts, is tried again, and is the reason of the dead letter", async () => {
    const { clock, manager, read } = createScene();
    const reasons: unknown[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        maxAttempts: 2,
        backoff: fixed({ delayMs: 100 }),
        run: async (_, { signal }) => {
          await untilAborted({ signal }).catch(() => {});
          reasons.push(signal.reason);
          throw signal.reason;
        },
      },
    });
    const tasks = manager({ handlers });
    const handle = await tasks.enqueueDurable("work", "x", { timeoutMs: 1_000 });
    const rejection = rejectionOf(handle.result());
    await clock.advance(5_000);
    expect(reasons).toHaveLength(2);
    expect(await rejection).toBeInstanceOf(TaskTimeoutError);
    expect(await read(handle.id)).toMatchObject({
      place: "dead",
      attempts: 2,
      outcome: { reason: "timeout" },
    });
  });

  test("an attempt that ignores its timeout is given up, charged, and the task goes on", async () => {
    const { clock, manager, read } = createScene();
    let runs = 0;
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        ...{ maxAttempts: 2, timeoutMs: 1_000, killAfterMs: 500, backoff: fixed({ delayMs: 0 }) },
        run: () => (++runs === 1 ? new Promise<string>(() => {}) : "second"),
      },
    });
    const tasks = manager({ handlers });
    const { id } = await tasks.enqueueDurable("work", "x");
    await clock.advance(1_600);
    expect(runs).toBe(2);
    expect(await read(id)).toMatchObject({ attempts: 2, outcome: { state: "completed" } });
    expect(tasks.stats().total.abandoned).toBe(1);
  });

  test("a deadline that has passed before the start ends the task, and no attempt is used", async () => {
    const { clock, manager, read } = createScene();
    const { attempts, run } = steered([]);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({ handlers, autoStart: false });
    const handle = await tasks.enqueueDurable("work", "x", { deadline: clock.wallNow() + 1_000 });
    const rejection = rejectionOf(handle.result());
    await clock.advance(1_500);
    tasks.start();
    await clock.advance(10);
    expect(attempts).toEqual([]);
    expect(await rejection).toBeInstanceOf(DeadlineError);
    expect(await read(handle.id)).toMatchObject({
      place: "dead",
      attempts: 0,
      outcome: { reason: "deadline" },
    });
  });

  test("T1: ttlMs and deadline go by the store's clock, however those of the processes are off", async () => {
    const { clock, manager, read } = createScene();
    const HOUR_MS = 3_600_000;
    const off = (byMs: number): Clock => ({
      now: () => clock.now(),
      wallNow: () => clock.wallNow() + byMs,
      setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs),
      setImmediate: (callback) => clock.setImmediate(callback),
    });
    const handlers = defineHandlers({
      runs: { payload: json<string>(), run: (_, { signal }) => untilAborted({ signal }), maxAttempts: 1 },
    });
    const producer = manager({ handlers, consume: false, clock: off(-HOUR_MS) });
    const worker = manager({ handlers, clock: off(HOUR_MS), concurrency: 10, autoStart: false });
    const deadline = clock.wallNow() + 1_000;
    const running = [
      await producer.enqueueDurable("runs", "x", { ttlMs: 1_000 }),
      await producer.enqueueDurable("runs", "x", { deadline }),
      await producer.enqueueDurable("runs", "x", { ttlMs: 1_000, deadline: deadline + HOUR_MS }),
      await producer.enqueueDurable("runs", "x", { ttlMs: HOUR_MS, deadline }),
    ];
    const over = [
      await producer.enqueueDurable("runs", "x", { ttlMs: 100 }),
      await producer.enqueueDurable("runs", "x", { deadline: clock.wallNow() + 100 }),
    ];
    await clock.advance(200);
    worker.start();
    await clock.advance(790);
    for (const { id } of over)
      expect(await read(id)).toMatchObject({ place: "dead", attempts: 0, outcome: { reason: "deadline" } });
    for (const { id } of running) expect(await read(id)).toMatchObject({ place: "leased" });
    await clock.advance(20);
    for (const { id } of running)
      expect(await read(id)).toMatchObject({ place: "dead", attempts: 1, outcome: { reason: "deadline" } });
  });

  test("what is due only after the end of its life ends with that, and never starts", async () => {
    const { clock, manager } = createScene();
    const { attempts, run } = steered([]);
    const tasks = manager({ handlers: defineHandlers({ work: { payload: json<string>(), run } }) });
    const ends: number[] = [];
    for (const options of [
      { delayMs: 60_000, ttlMs: 500 },
      { delayMs: 60_000, ttlMs: 0.3 + 500 },
      { runAt: clock.wallNow() + 60_000, deadline: clock.wallNow() + 500 },
      { runAt: clock.wallNow() + 60_000, ttlMs: 500 },
      { delayMs: 60_000, deadline: clock.wallNow() + 500 },
    ]) {
      const handle = await tasks.enqueueDurable("work", "x", options);
      void rejectionOf(handle.result()).then((error) => {
        expect(error).toBeInstanceOf(DeadlineError);
        ends.push(Math.round(clock.now()));
      });
    }
    await clock.advance(1_000);
    expect(ends).toEqual([500, 500, 500, 500, 500]);
    expect(attempts).toEqual([]);
  });

  test.each([
    [
      "is slow to answer",
      async (claim: () => Promise<ClaimAnswer>, pass: Pass) => {
        const answer = await claim();
        await pass(600);
        return answer;
      },
    ],
    [
      "is asked again, since its answer was lost",
      async (claim: () => Promise<ClaimAnswer>, pass: Pass, call: number) => {
        const answer = await claim();
        if (call > 1) return answer;
        await pass(600);
        throw new Error("lost");
      },
    ],
  ])("nothing starts after the end of its life where the store %s", async (_, broken) => {
    const { clock, manager } = createScene();
    const { attempts, run } = steered([]);
    let calls = 0;
    const pass = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({ handlers, autoStart: false }, (client) =>
      breakClient(client, (sound) => ({
        claim: (request) => broken(() => sound.claim(request), pass, ++calls),
      })),
    );
    const late = await tasks.enqueueDurable("work", "x", { ttlMs: 500 });
    const inTime = await tasks.enqueueDurable("work", "x", { ttlMs: 5_000 });
    tasks.start();
    const refused = expect(late.result()).rejects.toBeInstanceOf(DeadlineError);
    await clock.advance(3_000);
    await refused;
    await inTime.result();
    expect(attempts).toHaveLength(1);
  });

  test("what one claim cannot tell, since it was slow, the next one does", async () => {
    const { clock, manager } = createScene();
    const { attempts, run } = steered([]);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const pass = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    let calls = 0;
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, (sound) => ({
        claim: async (request) => {
          if (++calls === 1) await pass(3_000);
          return sound.claim(request);
        },
      })),
    );
    await clock.advance(2_900);
    const handle = await tasks.enqueueDurable("work", "x", { ttlMs: 1_000 });
    await clock.advance(200);
    await handle.result();
    expect(attempts).toHaveLength(1);
    expect(tasks.stats().durable?.calls.nack.count).toBe(1);
  });

  test("what a claim has waited for a connection is not taken off the life of what it brings", async () => {
    const { clock, manager } = createScene();
    const { attempts, run } = steered([]);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const pass = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, (sound) => ({
        claim: async (request) => {
          await pass(3_000);
          const answer = await sound.claim(request);
          await pass(10);
          return { ...answer, tookMs: 10 };
        },
      })),
    );
    await clock.advance(2_900);
    const handle = await tasks.enqueueDurable("work", "x", { ttlMs: 1_000 });
    await clock.advance(200);
    await handle.result();
    expect(attempts).toHaveLength(1);
    expect(tasks.stats().durable?.calls.nack.count).toBe(0);
  });

  test("nothing ends before its time where the store was away when it was claimed", async () => {
    const { clock, manager } = createScene();
    const { attempts, run } = steered([]);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    let away = true;
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, (sound) => ({
        claim: (request) => (away ? Promise.reject(new Error("away")) : sound.claim(request)),
      })),
    );
    await clock.advance(3_000);
    const handle = await tasks.enqueueDurable("work", "x", { ttlMs: 2_500 });
    away = false;
    await clock.advance(2_000);
    await handle.result();
    expect(attempts).toHaveLength(1);
  });

  test("a deadline that passes while it waits for a retry, and one while it runs", async () => {
    const { clock, manager, read } = createScene();
    const handlers = defineHandlers({
      fails: { payload: json<string>(), run: fail, backoff: fixed({ delayMs: 600_000 }) },
      waits: {
        payload: json<string>(),
        run: () => {
          throw reschedule({ delayMs: 600_000 });
        },
      },
      runs: { payload: json<string>(), run: (_, { signal }) => untilAborted({ signal }) },
    });
    const told: number[] = [];
    const tasks = manager({
      handlers,
      hooks: { onRetried: (_task, { delayMs }) => void told.push(delayMs) },
    });
    const waiting = await tasks.enqueueDurable("fails", "x", { ttlMs: 1_000 });
    const rescheduled = await tasks.enqueueDurable("waits", "x", { ttlMs: 1_000 });
    const running = await tasks.enqueueDurable("runs", "x", { ttlMs: 1_000 });
    await clock.advance(1_001);
    expect(await read(running.id)).toMatchObject({
      place: "dead",
      attempts: 1,
      outcome: { reason: "deadline" },
    });
    await clock.advance(1_100); // a second more, since clocks drift
    for (const [{ id }, attempts] of [
      [waiting, 1],
      [rescheduled, 0],
    ] as const)
      expect(await read(id)).toMatchObject({ place: "dead", attempts, outcome: { reason: "deadline" } });
    expect(told).toHaveLength(1);
    expect(told[0]).toBeLessThanOrEqual(2_000); // what it waits for, and not ten minutes
  });
});

describe("dead letters", () => {
  test("D17: replayed twice at once each moves once, and runs with attempts and deliveries anew", async () => {
    const { clock, counts, manager } = createScene();
    let works = false;
    const attempts: number[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<number>(),
        ...{ maxAttempts: 2, backoff: fixed({ delayMs: 1 }) },
        run: (_, { attempt }) => {
          attempts.push(attempt);
          if (!works) fail();
        },
      },
    });
    const tasks = manager({ handlers });
    const other = manager({ handlers, consume: false });
    const handles = await tasks.enqueueDurableMany([0, 1, 2].map((n) => ["work", n] as const));
    const ids = handles.map(({ id }) => id);
    await clock.advance(100);
    expect(await counts()).toMatchObject({ dead: 3 });
    works = true;
    attempts.length = 0;
    const replays = await Promise.all([
      tasks.replayDeadLetters({ ids }),
      other.replayDeadLetters({ ids: [...ids, "default:nobody", "elsewhere:nobody"] }),
      other.replayDeadLetters({ filter: { queue: "default", reason: "error" } }),
    ]);
    expect(replays.flatMap(({ replayed }) => replayed).sort()).toEqual([...ids].sort());
    await clock.advance(100);
    expect(attempts).toEqual([1, 1, 1]);
    expect(await counts()).toMatchObject({ dead: 0, finished: 3 });
    expect(await tasks.replayDeadLetters({ ids: ["default:nobody"] })).toEqual({ replayed: [], held: [] });
  });

  test("one whose key another task holds stays what it is, and the report says why", async () => {
    const { clock, counts, manager } = createScene();
    let works = false;
    const run = () => (works ? "sent" : Promise.reject(new Error("down")));
    const handlers = defineHandlers({ work: { payload: json<number>(), run, maxAttempts: 1 } });
    const tasks = manager({ handlers, idempotency: { onFailure: "free" } });
    const start = (key: string) => tasks.enqueueDurable("work", 1, { idempotencyKey: key });
    const [first, other] = [await start("a"), await start("b")];
    await clock.advance(100);
    expect(await counts()).toMatchObject({ dead: 2 });
    works = true;
    const second = await start("a");
    const both = { ids: [first.id, other.id] };
    const held = [{ id: first.id, heldBy: second.id }];
    expect(await tasks.replayDeadLetters(both)).toEqual({ replayed: [other.id], held });
    await clock.advance(100);
    expect(await Promise.all([second.result(), other.result()])).toEqual(["sent", "sent"]);
    const again = { filter: { queue: "default" } };
    expect(await tasks.replayDeadLetters(again)).toEqual({ replayed: [], held }); // its work has been done
    expect(await counts()).toMatchObject({ dead: 1, finished: 2 });
  });

  test.each(["deadline", "ttlMs"])(
    "one whose %s had passed lives again, and does not die of that",
    async (name) => {
      const { clock, manager, read } = createScene();
      const { attempts, run } = steered([]);
      const handlers = defineHandlers({ work: { payload: json<string>(), run } });
      const tasks = manager({ handlers, autoStart: false });
      const said = name === "ttlMs" ? { ttlMs: 1_000 } : { deadline: clock.wallNow() + 1_000 };
      const { id } = await tasks.enqueueDurable("work", "x", said);
      await clock.advance(2_000);
      tasks.start();
      await clock.advance(10);
      expect(await read(id)).toMatchObject({ place: "dead" });
      const filter = { queue: "default", reason: "deadline" };
      expect(await tasks.replayDeadLetters({ filter })).toEqual({ replayed: [id], held: [] });
      await clock.advance(10);
      expect(attempts).toEqual([1]);
      expect(await read(id)).toMatchObject({ outcome: { state: "completed" } });
    },
  );

  /** Fails while the clock is before 100, and then runs until it is told to end. */
  const failsEarly = (clock: Clock) =>
    defineHandlers({
      work: {
        payload: json<string>(),
        maxAttempts: 1,
        run: (_, { signal }) => (clock.now() < 100 ? fail() : untilAborted({ signal })),
      },
    });

  test("a deadline that is still to come counts after a replay as before", async () => {
    const { clock, manager, read } = createScene();
    const tasks = manager({ handlers: failsEarly(clock) });
    const { id } = await tasks.enqueueDurable("work", "x", { deadline: clock.wallNow() + 1_000 });
    await clock.advance(200);
    expect(await tasks.replayDeadLetters({ ids: [id] })).toEqual({ replayed: [id], held: [] });
    await clock.advance(700);
    expect(await read(id)).toMatchObject({ place: "leased" });
    await clock.advance(200);
    expect(await read(id)).toMatchObject({ place: "dead", outcome: { reason: "deadline" } });
  });

  test.each([200, 1_500])(
    "a time to live begins anew at a replay, %d ms after the call",
    async (replayedMs) => {
      const { clock, manager, read } = createScene();
      const tasks = manager({ handlers: failsEarly(clock) });
      const { id } = await tasks.enqueueDurable("work", "x", { ttlMs: 1_000 });
      for (const waitMs of [replayedMs, 1_100]) {
        await clock.advance(waitMs);
        expect(await read(id)).toMatchObject({ place: "dead" });
        expect(await tasks.replayDeadLetters({ ids: [id] })).toEqual({ replayed: [id], held: [] });
        await clock.advance(900);
        expect(await read(id)).toMatchObject({ place: "leased" });
      }
      await clock.advance(200);
      expect(await read(id)).toMatchObject({ place: "dead", outcome: { reason: "deadline" } });
    },
  );

  test("D16: a full store of dead letters drops the oldest, and counts them", async () => {
    const { clock, counts, manager, read } = createScene({ deadLetters: { maxEntries: 3 } });
    const handlers = defineHandlers({ work: { payload: json<number>(), run: fail, maxAttempts: 1 } });
    const letters: string[] = [];
    const hooks = { onDeadLettered: ({ id }: { id: string }) => letters.push(id) };
    const tasks = manager({ handlers, hooks, concurrency: 1 });
    for (let n = 0; n < 5; n++) await tasks.enqueueDurable("work", n, { id: `n${n}` });
    await clock.advance(100);
    expect(letters).toHaveLength(5);
    expect(await counts()).toMatchObject({ dead: 3, deadDropped: 2 });
    expect((await read("default:n1"))?.place).toBe("finished");
    expect((await read("default:n4"))?.place).toBe("dead");
    const { replayed } = await tasks.replayDeadLetters({ filter: { queue: "default" } });
    expect(replayed).toHaveLength(3);
    await clock.settle();
  });

  test("what is asked for in a wrong way is refused", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers: defineHandlers({ work: { payload: json<string>() } }) });
    const wrong = [
      {},
      { ids: "x" },
      { ids: ["noqueue"] },
      { filter: {} },
      { ids: [], filter: { queue: "q" } },
    ];
    for (const selection of [
      ...wrong,
      { filter: { queue: "q", why: "x" } },
      { ids: new Array(1_001).fill("q:x") },
    ])
      expect(await rejectionOf(tasks.replayDeadLetters(selection as never))).toBeInstanceOf(OptionError);
    await clock.settle();
  });
});

describe("steering", () => {
  test("reschedule runs again later, and no attempt is used", async () => {
    const { clock, manager, read } = createScene();
    const again = () => {
      throw reschedule({ delayMs: 1_000 });
    };
    const { attempts, run } = steered([again, again, again, again]);
    const handlers = defineHandlers({ work: { payload: json<string>(), run, maxAttempts: 1 } });
    const tasks = manager({ handlers });
    const { id } = await tasks.enqueueDurable("work", "x");
    await clock.advance(3_500);
    expect(attempts).toEqual([1, 1, 1, 1]);
    expect(tasks.stats().total.rescheduled).toBe(4);
    await clock.advance(1_000);
    expect(await read(id)).toMatchObject({ attempts: 1, outcome: { state: "completed" } });
  });

  test("skipRetry fails at once, and cancelTask cancels without a dead letter", async () => {
    const { clock, counts, manager, read } = createScene();
    const handlers = defineHandlers({
      skips: {
        payload: json<string>(),
        run: () => {
          throw skipRetry(new RangeError("hopeless"));
        },
      },
      cancels: {
        payload: json<string>(),
        run: () => {
          throw cancelTask("not needed");
        },
      },
    });
    const tasks = manager({ handlers });
    const skipped = await tasks.enqueueDurable("skips", "x");
    const cancelled = await tasks.enqueueDurable("cancels", "x");
    const errors = Promise.all([rejectionOf(skipped.result()), rejectionOf(cancelled.result())]);
    await clock.advance(10);
    const [skip, cancel] = await errors;
    expect(skip).toMatchObject({ name: "RangeError", message: "hopeless" });
    expect(cancel).toBeInstanceOf(TaskCancelledError);
    expect(cancel).toMatchObject({ cause: "not needed" });
    expect(await read(skipped.id)).toMatchObject({ place: "dead", attempts: 1 });
    expect(await counts()).toMatchObject({ dead: 1, finished: 1 });
  });

  test("rateLimited closes the handler's own gate, and nobody else's", async () => {
    const { clock, manager } = createScene();
    const starts: [string, number][] = [];
    let limited = true;
    const handlers = defineHandlers({
      limited: {
        payload: json<string>(),
        run: () => {
          starts.push(["limited", clock.now()]);
          if (limited) throw rateLimited({ retryAfterMs: 2_000 });
        },
      },
      free: { payload: json<string>(), run: () => void starts.push(["free", clock.now()]) },
    });
    const tasks = manager({ handlers, concurrency: 1 });
    await tasks.enqueueDurable("limited", "x");
    await clock.advance(10);
    limited = false;
    for (let n = 0; n < 3; n++) await tasks.enqueueDurable("limited", "x");
    await tasks.enqueueDurable("free", "x");
    await clock.advance(1_900);
    expect(starts).toEqual([
      ["limited", 0],
      ["free", 10],
    ]);
    await clock.advance(200);
    expect(starts).toHaveLength(6);
  });

  test("rateLimited with the scope `all` closes all that runs here, local tasks too", async () => {
    const { clock, manager } = createScene();
    const starts: [string, number][] = [];
    const handlers = defineHandlers({
      limited: {
        payload: json<string>(),
        run: (_, { attempt }) => {
          starts.push(["limited", clock.now()]);
          if (attempt === 1 && starts.length === 1) throw rateLimited({ retryAfterMs: 2_000, scope: "all" });
        },
      },
      free: { payload: json<string>(), run: () => void starts.push(["free", clock.now()]) },
    });
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("limited", "x");
    await clock.advance(10);
    await tasks.enqueueDurable("free", "x");
    const local = tasks.enqueue("free", "x");
    await clock.advance(1_900);
    expect(starts).toHaveLength(1);
    await clock.advance(200);
    expect(starts).toHaveLength(4);
    expect(local.state).toBe("completed");
  });
});

describe("ids and keys", () => {
  test("D6: the same id is refused in each state of the task that has it, and nothing of that changes", async () => {
    const { clock, manager, read } = createScene();
    const handlers = defineHandlers({
      waits: { payload: json<string>(), run: () => "ran" },
      runs: { payload: json<string>(), run: (_, { signal }) => untilAborted({ signal }) },
      fails: { payload: json<string>(), run: fail, maxAttempts: 1 },
    });
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("waits", "x", { id: "delayed", delayMs: 1e6 });
    await tasks.enqueueDurable("runs", "x", { id: "leased" });
    await tasks.enqueueDurable("fails", "x", { id: "dead" });
    await tasks.enqueueDurable("waits", "x", { id: "finished" });
    await clock.advance(10);
    await tasks.pause();
    await tasks.enqueueDurable("waits", "x", { id: "ready" });
    for (const place of ["delayed", "leased", "dead", "finished", "ready"]) {
      const before = await read(`default:${place}`);
      expect(before?.place).toBe(place);
      const error = await rejectionOf(tasks.enqueueDurable("waits", "y", { id: place }));
      expect(error).toBeInstanceOf(DuplicateTaskError);
      expect(await read(`default:${place}`)).toEqual(before);
    }
  });

  test("an idempotency key keeps, replaces or rejects, whichever process comes second", async () => {
    const { clock, counts, manager, read } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>(), run: (name) => name } });
    const one = manager({ handlers, autoStart: false });
    const two = manager({ handlers, consume: false });
    const idempotencyKey = "welcome:42";
    const first = await one.enqueueDurable("work", "first", { idempotencyKey });
    const kept = await two.enqueueDurable("work", "second", { idempotencyKey });
    expect([kept.id, kept.duplicate, first.duplicate]).toEqual([first.id, true, false]);
    const reject = { idempotencyKey, idempotency: { onDuplicate: "reject" } } as const;
    const error = await rejectionOf(two.enqueueDurable("work", "third", reject));
    expect(error).toBeInstanceOf(DuplicateTaskError);
    const replace = { idempotencyKey, idempotency: { onDuplicate: "replace" } } as const;
    const replaced = rejectionOf(first.result());
    const fourth = await two.enqueueDurable("work", "fourth", replace);
    expect(fourth.duplicate).toBe(false);
    expect(await replaced).toBeInstanceOf(TaskCancelledError);
    expect(await read(first.id)).toMatchObject({ outcome: { state: "cancelled" } });
    one.start();
    await clock.advance(10);
    expect(await fourth.result()).toBe("fourth");
    expect(await counts()).toMatchObject({ ready: 0, finished: 2 });
    const late = await two.enqueueDurable("work", "late", replace);
    expect([late.duplicate, await late.result()]).toEqual([true, "fourth"]);
  });

  test("a handler is told whether what it enqueues was there", async () => {
    const { clock, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>(), run: (name) => name } });
    const tasks = manager({ handlers });
    const idempotencyKey = "welcome:42";
    const both = tasks.enqueue(async ({ enqueueDurable }) => [
      await enqueueDurable("work", "first", { id: "1", idempotencyKey }),
      await enqueueDurable("work", "second", { idempotencyKey }),
    ]);
    await clock.advance(10);
    expect(await both.result()).toEqual([
      { id: "default:1", duplicate: false },
      { id: "default:1", duplicate: true },
    ]);
  });

  test("an idempotency key is free when its task has failed for good, where that was asked for", async () => {
    const { clock, manager } = createScene();
    let runs = 0;
    const handlers = defineHandlers({
      charge: {
        ...{ payload: json<number>(), maxAttempts: 2, backoff: fixed({ delayMs: 10 }) },
        run: (declined) => (++runs <= declined ? Promise.reject(new Error("declined")) : runs),
        idempotency: { onFailure: "free" },
      },
    });
    const one = manager({ handlers });
    const two = manager({ handlers, consume: false });
    for (const [key, deadLetter] of [
      ["webhook:1", true],
      ["webhook:2", false],
    ] as const) {
      runs = 0;
      const said = { idempotencyKey: key, deadLetter };
      const failed = rejectionOf((await one.enqueueDurable("charge", 2, said)).result());
      expect((await two.enqueueDurable("charge", 2, said)).duplicate).toBe(true);
      await clock.advance(100);
      expect(await failed).toMatchObject({ message: "declined" });
      const again = await two.enqueueDurable("charge", 2, said);
      expect(again.duplicate).toBe(false);
      await clock.advance(100);
      expect(await again.result()).toBe(3);
      expect((await one.enqueueDurable("charge", 2, said)).duplicate).toBe(true);
    }
  });

  test("D21: of a batch with one bad task nothing is kept; with one taken id all others are", async () => {
    const { clock, counts, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<number>() } });
    const tasks = manager({ handlers });
    const entries = Array.from({ length: 1_000 }, (_, n) => ["work", n] as const);
    const bad = [...entries, ["work", 1n as never] as const];
    await rejectionOf(tasks.enqueueDurableMany(bad));
    expect(await counts()).toMatchObject({ ready: 0 });
    await tasks.enqueueDurable("work", 0, { id: "taken" });
    const taken = [...entries, ["work", 1, { id: "taken" }] as const];
    expect(await rejectionOf(tasks.enqueueDurableMany(taken))).toBeInstanceOf(DuplicateTaskError);
    expect(await counts()).toMatchObject({ ready: 1_001 });
    const handles = await tasks.enqueueDurableMany(entries);
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1_000);
    await clock.settle();
  });

  test("what is wrong with one of many is refused with its index, also by a schema that takes its time", async () => {
    const { counts, manager } = createScene();
    const slowly = z.number().refine(async (n) => n < 5);
    const handlers = defineHandlers({ work: { payload: json<number>() }, slow: { payload: slowly } });
    const tasks = manager({ handlers });
    const thrown = await rejectionOf(
      tasks.enqueueDurableMany([
        ["work", 1],
        ["work", 2],
        ["work", Number.NaN],
      ]),
    );
    expect(thrown).toMatchObject({ code: "MILLRACE_PAYLOAD", entry: 2 });
    const later = tasks.enqueueDurableMany([
      ["work", 1],
      ["slow", 7],
    ]);
    expect(await rejectionOf(later)).toMatchObject({ code: "MILLRACE_PAYLOAD", entry: 1 });
    expect(await rejectionOf(tasks.enqueueDurable("work", Number.NaN))).not.toHaveProperty("entry");
    expect(await counts()).toMatchObject({ ready: 0 });
  });

  test("no more than `capacity` durable tasks wait for the store", async () => {
    const { clock, counts, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<number>() } });
    const tasks = manager({ handlers, capacity: 10 });
    const accepted = Array.from({ length: 10 }, (_, n) => tasks.enqueueDurable("work", n));
    expect(await rejectionOf(tasks.enqueueDurable("work", 10))).toMatchObject({
      name: "QueueFullError",
      message: "No room for a durable task: 10 wait for the store to answer, and 10 may (capacity)",
    });
    await Promise.all(accepted);
    await tasks.enqueueDurable("work", 11);
    const many = Array.from({ length: 11 }, (_, n) => ["work", n] as const);
    expect(await rejectionOf(tasks.enqueueDurableMany(many))).toMatchObject({
      name: "QueueFullError",
      message: "No room for 11 durable tasks: 0 wait for the store to answer, and 10 may (capacity)",
    });
    expect(await counts()).toMatchObject({ ready: 11 });
    await clock.settle();
  });
});

describe("who runs what", () => {
  test("D19: a task is left for the process that has its handler", async () => {
    const { clock, counts, manager, read } = createScene();
    const x = { payload: json<string>(), run: (name: string) => name };
    const y = { payload: json<string>() };
    const both = defineHandlers({ x, y });
    const tasks = manager({ handlers: both });
    const forX = await tasks.enqueueDurable("x", "x");
    const forY = await tasks.enqueueDurable("y", "y");
    await clock.advance(60_000);
    expect(await read(forX.id)).toMatchObject({ place: "finished" });
    expect(await read(forY.id)).toMatchObject({ place: "ready", deliveries: 0 });
    manager({ handlers: defineHandlers({ y: { ...y, run: (name: string) => name } }) });
    await clock.advance(10);
    expect(await forY.result()).toBe("y");
    expect(await counts()).toMatchObject({ ready: 0, dead: 0, finished: 2 });
  });

  test("consume says which queues: all that are named, some, or none", async () => {
    const { clock, manager } = createScene();
    const runs: string[] = [];
    const handlers = defineHandlers({
      a: { payload: json<string>(), run: (name) => void runs.push(name), queue: "a" },
      b: { payload: json<string>(), run: (name) => void runs.push(name), queue: "b" },
    });
    const none = manager({ handlers, consume: false });
    for (const name of ["a", "b"] as const) await none.enqueueDurable(name, name);
    await none.enqueueDurable("a", "unnamed", { queue: "unnamed" });
    await clock.advance(60_000);
    expect(runs).toEqual([]);
    manager({ handlers, consume: ["b"] });
    await clock.advance(10);
    expect(runs).toEqual(["b"]);
    manager({ handlers, consume: "all" });
    await clock.advance(10);
    expect(runs).toEqual(["b", "a"]);
    manager({ handlers, consume: ["unnamed"] });
    await clock.advance(10);
    expect(runs).toEqual(["b", "a", "unnamed"]);
  });

  test("metadata, correlation id and name come to the handler; the fencing token too", async () => {
    const { clock, manager } = createScene();
    const seen: unknown[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        run: (_, { correlationId, fencingToken, handler, id, metadata, name, queue }) => {
          seen.push([id, handler, queue, name, correlationId, { ...metadata }, typeof fencingToken]);
        },
      },
    });
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("work", "x", {
      ...{ id: "mine", name: "Mine", correlationId: "c1", metadata: { tenant: "t", n: 1, ok: true } },
    });
    tasks.enqueue("work", "x");
    await clock.advance(10);
    const metadata = { tenant: "t", n: 1, ok: true };
    expect(seen).toContainEqual(["default:mine", "work", "default", "Mine", "c1", metadata, "number"]);
    expect(seen[0] === undefined || seen.some((one) => (one as unknown[])[6] === "undefined")).toBe(true);
  });

  test("a schema that takes its time is waited for, and one that refuses fails the attempt", async () => {
    const { clock, manager, read } = createScene();
    let refuses = false;
    const slow = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: async (value: unknown) => {
          await Promise.resolve();
          return refuses ? { issues: [{ message: "not any more" }] } : { value: value as string };
        },
      },
    };
    const handlers = defineHandlers({ work: { payload: slow, run: (name) => name, maxAttempts: 1 } });
    const tasks = manager({ handlers });
    const good = await tasks.enqueueDurable("work", "x");
    await clock.advance(10);
    expect(await good.result()).toBe("x");
    await tasks.pause();
    const bad = await tasks.enqueueDurable("work", "x");
    refuses = true;
    tasks.resume();
    expect(await rejectionOf(bad.result())).toMatchObject({ code: "MILLRACE_PAYLOAD" });
    expect(await read(bad.id)).toMatchObject({ place: "dead", outcome: { reason: "error" } });
  });

  test("unknown handlers and wrong ids are refused", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers: defineHandlers({ work: { payload: json<string>() } }) });
    const refused = tasks.enqueueDurable("nobody" as never, "x" as never);
    expect(await rejectionOf(refused)).toBeInstanceOf(UnknownHandlerError);
    expect(thrownBy(() => tasks.handle("nobody" as never, "q:x"))).toBeInstanceOf(UnknownHandlerError);
    for (const id of ["x", ":x", "q:", "q:\n", `q:${"x".repeat(300)}`, 7])
      expect(thrownBy(() => tasks.handle("work", id as never))).toBeInstanceOf(OptionError);
    await clock.settle();
  });
});

describe("results and cancellation from any process", () => {
  test("C10: a waiting task is cancelled at once, and never runs nor becomes a dead letter", async () => {
    const { clock, counts, manager } = createScene();
    const { attempts, run } = steered([]);
    const handlers = defineHandlers({ work: { payload: json<string>(), run } });
    const tasks = manager({ handlers });
    const other = manager({ handlers, consume: false });
    const { id } = await tasks.enqueueDurable("work", "x", { delayMs: 1_000 });
    const handle = other.handle("work", id);
    const rejection = rejectionOf(handle.result());
    expect(await handle.cancel({ why: "changed" })).toBe(true);
    expect(await rejection).toMatchObject({ code: "MILLRACE_TASK_CANCELLED", cause: { why: "changed" } });
    await clock.advance(60_000);
    expect(attempts).toEqual([]);
    expect(await counts()).toMatchObject({ dead: 0, delayed: 0, finished: 1 });
    expect(await handle.cancel()).toBe(false);
    expect(await other.cancel("default:nobody")).toBe(false);
  });

  test("C10: a running one is told within a second, and is cancelled whatever its handler does then", async () => {
    const { clock, counts, manager } = createScene();
    const reasons: unknown[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        run: async (_, { signal }) => {
          await untilAborted({ signal }).catch((reason) => reasons.push(reason));
          return "ignored";
        },
      },
    });
    const tasks = manager({ handlers });
    const other = manager({ handlers, consume: false });
    const { id } = await tasks.enqueueDurable("work", "x");
    await clock.advance(10);
    const handle = other.handle("work", id);
    const rejection = rejectionOf(handle.result());
    expect(await handle.cancel("stop that")).toBe(true);
    await clock.advance(1_000);
    expect(reasons).toMatchObject([{ code: "MILLRACE_TASK_CANCELLED", cause: "stop that" }]);
    expect(await rejection).toMatchObject({ code: "MILLRACE_TASK_CANCELLED", cause: "stop that" });
    expect(tasks.stats().total.cancelled).toBe(1);
    expect(await counts()).toMatchObject({ dead: 0, leased: 0, finished: 1 });
  });

  test("C10: a running one whose holder is dead ends when its lease does, and runs no more", async () => {
    const { clock, counts, doomed, manager } = createScene();
    let runs = 0;
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        run: () => {
          runs++;
          return new Promise<never>(() => {});
        },
      },
    });
    const dying = doomed({ handlers, leaseMs: 3_000 });
    const { id } = await dying.enqueueDurable("work", "x");
    await clock.settle();
    const tasks = manager({ handlers });
    const handle = tasks.handle("work", id);
    const rejection = rejectionOf(handle.result());
    expect(await handle.cancel()).toBe(true);
    await clock.advance(10_000);
    expect(await rejection).toBeInstanceOf(TaskCancelledError);
    expect(runs).toBe(1);
    expect(await counts()).toMatchObject({ leased: 0, ready: 0, dead: 0 });
  });

  test("D24: a result is given from any process, waits no longer than it is told to, and expires", async () => {
    const { clock, counts, manager } = createScene();
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        run: async (name: string) => {
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 2_000));
          return { name };
        },
      },
    });
    const tasks = manager({ handlers });
    const other = manager({ handlers, consume: false });
    const { id } = await tasks.enqueueDurable("work", "x", { resultTtlMs: 60_000 });
    const handle = other.handle("work", id);
    const early = rejectionOf(handle.result({ timeoutMs: 500 }));
    const controller = new AbortController();
    const aborted = rejectionOf(handle.result({ signal: controller.signal }));
    const told: unknown[] = [];
    handle.result().then((value) => told.push([value, clock.now()]));
    await clock.advance(600);
    expect(await early).toBeInstanceOf(ResultTimeoutError);
    controller.abort("enough");
    expect(await aborted).toBe("enough");
    await clock.advance(1_450);
    expect(told).toEqual([[{ name: "x" }, 2_000]]);
    await clock.advance(59_000);
    expect(await handle.result()).toEqual({ name: "x" });
    await clock.advance(1_000);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(ResultExpiredError);
    expect(await counts()).toMatchObject({ finished: 0 });
    expect(await rejectionOf(other.handle("work", "default:nobody").result())).toBeInstanceOf(
      ResultExpiredError,
    );
  });

  test.each([
    ["its call", { resultTtlMs: 5_000 }, {}],
    ["its handler", {}, { resultTtlMs: 5_000 }],
  ])(
    "D24: that a task was cancelled while it waited is kept as long as %s says",
    async (_, said, defined) => {
      const { clock, manager } = createScene();
      const handlers = defineHandlers({
        work: { payload: json<string>(), run: (name: string) => name, ...defined },
      });
      const tasks = manager({ handlers, consume: false });
      const { id } = await tasks.enqueueDurable("work", "x", { delayMs: 60_000, ...said });
      const other = manager({ handlers, consume: false });
      expect(await other.cancel(id, "not wanted")).toBe(true);
      await clock.advance(4_900);
      expect(await rejectionOf(tasks.handle("work", id).result())).toBeInstanceOf(TaskCancelledError);
      await clock.advance(200);
      expect(await rejectionOf(tasks.handle("work", id).result())).toBeInstanceOf(ResultExpiredError);
      expect(await other.cancel(id)).toBe(false);
      expect(await other.cancel("default:nobody")).toBe(false);
    },
  );

  test("D24: a result that is too large fails the attempt, and is not stored", async () => {
    const { clock, manager, read } = createScene();
    const handlers = defineHandlers({
      work: {
        payload: json<number>(),
        run: (size) => "x".repeat(size),
        maxAttempts: 1,
        maxResultBytes: 1_000,
      },
    });
    const tasks = manager({ handlers });
    const small = await tasks.enqueueDurable("work", 998);
    const large = await tasks.enqueueDurable("work", 999);
    await clock.advance(10);
    expect(await small.result()).toHaveLength(998);
    expect(await rejectionOf(large.result())).toMatchObject({ code: "MILLRACE_RESULT" });
    expect((await read(large.id))?.outcome?.value).toBeUndefined();
  });

  test("subscriptions and hooks get durable results as those of local tasks", async () => {
    const { clock, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>(), run: (name: string) => name } });
    const tasks = manager({ handlers });
    const results = tasks.subscribe();
    const { id } = await tasks.enqueueDurable("work", "durable");
    await clock.advance(10);
    const { value } = await results[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({
      id,
      handler: "work",
      queue: "default",
      state: "completed",
      value: "durable",
    });
    expect(tasks.get(id)).toMatchObject({ state: "completed", attempt: 1 });
  });

  test("middleware wraps attempts of durable tasks, and the calls that enqueue them", async () => {
    const { clock, manager } = createScene();
    const seen: string[] = [];
    const handlers = defineHandlers({ work: { payload: json<string>(), run: (name: string) => name } });
    const tasks = manager({
      handlers,
      middleware: [
        {
          name: "noting",
          attempt: async (context, next) => {
            seen.push(`attempt ${context.id}`);
            return await next();
          },
          call: (request, next) => {
            seen.push(request.call);
            return next(request);
          },
        },
      ],
    });
    const handle = await tasks.enqueueDurable("work", "x", { id: "mine" });
    await tasks.enqueueDurableMany([["work", "y", { id: "other" }]]);
    await clock.advance(10);
    expect(await handle.result()).toBe("x");
    expect(seen).toContain("attempt default:mine");
    expect(seen).toContain("attempt default:other");
    expect(seen).toContain("enqueueDurable");
  });

  test("nothing is accepted once a stop has begun", async () => {
    const { clock, counts, manager } = createScene();
    const tasks = manager({ handlers: defineHandlers({ work: { payload: json<string>() } }) });
    const stopped = tasks.stopGraceful();
    expect(await rejectionOf(tasks.enqueueDurable("work", "x"))).toBeInstanceOf(NotAcceptingError);
    await clock.advance(1_000);
    await stopped;
    expect(await counts()).toMatchObject({ ready: 0 });
  });
});
