import { describe, expect, it } from "vitest";
import {
  cancelTask,
  defineHandlers,
  json,
  OptionError,
  rateLimited,
  reschedule,
  type Schema,
  TaskManager,
  UnknownHandlerError,
} from "../../src/index.js";
import { createTestManager, ManualClock, seededRandom } from "../../src/testing/index.js";
import { rejectionOf, thrownBy } from "../support/manual-manager.js";
import { createKit } from "./kit-scene.js";

describe("createTestManager", () => {
  it("gives a real manager that runs nothing by itself", async () => {
    const { kit, sent } = createKit();
    const handle = kit.tasks.enqueue("sendEmail", { to: "ada" });
    await kit.settle();
    expect(kit.tasks).toBeInstanceOf(TaskManager);
    expect([handle.state, sent, kit.tasks.stats().phase]).toEqual(["queued", [], "ready"]);
    kit.tasks.start();
    await kit.settle();
    expect([handle.state, sent]).toEqual(["completed", ["ada"]]);
  });

  it("lets tasks run where it is told to", async () => {
    const { kit } = createKit({ run: true });
    const handle = kit.tasks.enqueue("flaky", { failures: 0 });
    await kit.settle();
    expect(handle.state).toBe("completed");
    expect(kit.enqueued()).toMatchObject([{ handler: "flaky", state: "completed" }]);
  });

  it("comes out the same at every run", async () => {
    const ids = [1, 2].map(() => createKit().kit.tasks.enqueue(() => 1).id);
    expect(new Set(ids).size).toBe(1);
    const other = createKit({ random: seededRandom(2) }).kit;
    expect(other.tasks.enqueue(() => 1).id).not.toBe(ids[0]);
  });

  it("takes a clock that others share, and the options of a manager", () => {
    const clock = new ManualClock({ wallNow: 1_000 });
    const { kit } = createKit({ clock, capacity: 1 });
    kit.tasks.enqueue(() => 1);
    expect(kit.clock).toBe(clock);
    expect(kit.enqueued()).toMatchObject([{ enqueuedAt: 1_000 }]);
    expect(() => kit.tasks.enqueue(() => 2)).toThrow("No room");
    expect(kit.enqueued()).toHaveLength(1);
  });

  it("refuses wrong options", () => {
    expect(() => createTestManager({ run: 1 as never })).toThrow(OptionError);
    expect(() => createTestManager({ capcity: 1 } as never)).toThrow("did you mean `capacity`");
  });
});

describe("enqueued", () => {
  it("tells what was asked for, and how it was accepted", () => {
    const { kit } = createKit();
    const payload = { to: "ada" };
    const options = { delayMs: 500, metadata: { tenant: "a" }, correlationId: "c-1", name: "welcome" };
    const { id } = kit.tasks.enqueue("sendEmail", payload, options);
    const [task] = kit.enqueued("sendEmail");
    expect(task).toEqual({
      ...{ id, handler: "sendEmail", durable: false, payload, work: undefined, options, state: "scheduled" },
      ...{ queue: "email", priority: 5, weight: 1, cost: 1, maxAttempts: 3, delayMs: 500 },
      ...{ enqueuedAt: Date.UTC(2026, 0, 1), name: "welcome", description: undefined },
      ...{ metadata: { tenant: "a" }, correlationId: "c-1", idempotencyKey: undefined },
    });
    expect(task?.payload).toBe(payload);
    expect(Object.isFrozen(task)).toBe(true);
  });

  it("records each of the calls, and not what was refused", async () => {
    const { kit } = createKit({ capacity: 4 });
    const work = () => 1;
    kit.tasks.enqueue(work, { priority: -1 });
    await kit.tasks.enqueueAsync("sendEmail", { to: "b" });
    kit.tasks.enqueueMany([work, ["sendEmail", { to: "c" }]]);
    expect(() => kit.tasks.enqueueMany([work, work])).toThrow("No room");
    expect(() => kit.tasks.enqueue("sendEmail", { to: "d" }, { priority: 0.5 })).toThrow(OptionError);
    const executed = kit.tasks.execute("sendEmail", { to: "waits for room" });
    await kit.settle();
    const recorded = kit.enqueued().map(({ work: task, payload }) => (task === work ? "work" : payload));
    expect(recorded).toEqual(["work", { to: "b" }, "work", { to: "c" }]);
    expect(await kit.runAll()).toHaveLength(5);
    expect(await executed).toBe("sent to waits for room");
    expect(kit.enqueued("sendEmail")).toHaveLength(3);
  });

  it("records what a handler that runs here enqueues", async () => {
    const { kit } = createKit();
    kit.tasks.enqueue("signUp", { email: "ada" });
    kit.tasks.start();
    await kit.settle();
    expect(kit.enqueued().map(({ handler, delayMs, state }) => [handler, delayMs, state])).toEqual([
      ["signUp", 0, "completed"],
      ["sendEmail", 60_000, "scheduled"],
      [undefined, 0, "completed"],
    ]);
  });

  it("lets through what has all that is asked for", () => {
    const { kit } = createKit();
    kit.tasks.enqueue("sendEmail", { to: "a" });
    kit.tasks.enqueue("sendEmail", { to: "b" }, { queue: "other", priority: 1, metadata: { n: 1 } });
    kit.tasks.enqueue(() => 1, { queue: "other", delayMs: 5 });
    const payloads = (filter: object) => kit.enqueued(undefined, filter).map(({ payload }) => payload);
    expect(payloads({ queue: "other" })).toEqual([{ to: "b" }, undefined]);
    expect(payloads({ queue: "other", delayMs: 0 })).toEqual([{ to: "b" }]);
    expect(payloads({ state: "scheduled" })).toEqual([undefined]);
    expect(payloads({ metadata: { n: 1 }, priority: undefined })).toEqual([{ to: "b" }]);
    expect(payloads({ metadata: { n: 2 } })).toEqual([]);
    expect(kit.enqueued("sendEmail", { priority: 5 })).toHaveLength(1);
    expect(thrownBy(() => payloads({ prioritty: 5 }))).toBeInstanceOf(OptionError);
  });

  it("records a task with an idempotency key once, and not its duplicates", () => {
    const { kit } = createKit();
    const send = (to: string) => kit.tasks.enqueue("sendEmail", { to }, { idempotencyKey: "welcome:1" });
    expect([send("a").duplicate, send("b").duplicate]).toEqual([false, true]);
    kit.requireEnqueued("sendEmail", { to: "a" }, { idempotencyKey: "welcome:1", times: 1 });
    kit.requireNotEnqueued("sendEmail", { to: "b" });
  });

  it("begins anew after clear", async () => {
    const { kit } = createKit();
    const handle = kit.tasks.enqueue("sendEmail", { to: "a" });
    kit.clear();
    kit.tasks.enqueue("sendEmail", { to: "b" });
    expect(kit.enqueued().map(({ payload }) => payload)).toEqual([{ to: "b" }]);
    expect(handle.state).toBe("queued");
  });

  it("tells of a task that ended at once and is not retained what its options say", async () => {
    const { kit } = createKit({ run: true, retention: { maxEntries: 0 } });
    await kit.tasks.enqueueAsync("flaky", { failures: 0 }, { queue: "q", metadata: { a: 1 } });
    await kit.settle();
    expect(kit.enqueued()).toMatchObject([{ queue: "q", metadata: { a: 1 }, state: "completed" }]);
  });

  it("gives up its record, and says so, when it grows beyond its bound", () => {
    const { kit } = createKit({ capacity: 200_000 });
    kit.tasks.enqueueMany(Array.from({ length: 100_000 }, () => () => 1));
    expect(kit.enqueued()).toHaveLength(100_000);
    kit.tasks.enqueue(() => 1);
    expect(() => kit.enqueued()).toThrow("100001 tasks were enqueued, and at most 100000 are recorded");
    kit.clear();
    expect(kit.enqueued()).toEqual([]);
  });
});

describe("requireEnqueued", () => {
  it("gives the tasks that match, by value, by function or by name alone", () => {
    const { kit } = createKit();
    kit.tasks.enqueue("sendEmail", { to: "a", copies: 2 });
    kit.tasks.enqueue("sendEmail", { to: "b" });
    expect(kit.requireEnqueued("sendEmail")).toHaveLength(2);
    expect(kit.requireEnqueued("sendEmail", { copies: 2, to: "a" })).toMatchObject([
      { payload: { to: "a" } },
    ]);
    const [found] = kit.requireEnqueued("sendEmail", ({ to }) => to > "a", { times: 1, queue: "email" });
    expect(found?.payload.to).toBe("b");
  });

  it("throws an AssertionError that tells how each task differs", () => {
    const { kit } = createKit();
    kit.tasks.enqueue("sendEmail", { to: "a", copies: 2 });
    kit.tasks.enqueue("sendEmail", { to: "b" }, { queue: "slow" });
    const error = thrownBy(() => kit.requireEnqueued("sendEmail", { to: "b" }, { queue: "email" })) as Error;
    expect(error).toMatchObject({ name: "AssertionError", operator: "requireEnqueued" });
    expect(error.message.replaceAll(/\w{8}-(\d)/g, "id-$1")).toBe(
      [
        `Expected a task of handler "sendEmail" to have been enqueued with the payload { to: 'b' }, queue 'email'`,
        "Of 2 that were enqueued, 0 match:",
        "  1. id-1 with { to: 'a', copies: 2 } does not match",
        "       payload.to: expected 'b', found 'a'",
        "       payload.copies: not expected, found 2",
        "  2. id-2 with { to: 'b' } does not match",
        "       queue: expected 'email', found 'slow'",
      ].join("\n"),
    );
    expect(error.stack?.split("\n    at ")[1]).toContain("test-manager.test.ts");
    expect(error).toMatchObject({
      expected: { queue: "email", payload: { to: "b" } },
      actual: [
        { queue: "email", payload: { to: "a", copies: 2 } },
        { queue: "slow", payload: { to: "b" } },
      ],
    });
  });

  it("does not match a payload that only has all that was expected", () => {
    const { kit } = createKit();
    kit.tasks.enqueue("sendEmail", { to: "a", copies: 2 });
    expect(() => kit.requireEnqueued("sendEmail", { to: "a" })).toThrow("payload.copies: not expected");
  });

  it("counts, where it is told how many there are to be", () => {
    const { kit } = createKit();
    kit.tasks.enqueueMany([
      ["sendEmail", { to: "a" }],
      ["sendEmail", { to: "a" }],
    ]);
    expect(kit.requireEnqueued("sendEmail", { to: "a" }, { times: 2 })).toHaveLength(2);
    const message = 'Expected one task of handler "sendEmail"';
    expect(() => kit.requireEnqueued("sendEmail", { to: "a" }, { times: 1 })).toThrow(message);
    expect(() => kit.requireEnqueued("sendEmail", { to: "a" }, { times: 3 })).toThrow("2 match:");
    expect(() => kit.requireEnqueued("sendEmail", undefined, { times: 0 })).toThrow(OptionError);
  });

  it("tells what there is of others, and of a name that has no handler the nearest one", () => {
    const { kit } = createKit();
    expect(() => kit.requireEnqueued("sendEmail")).toThrow("Nothing was enqueued.");
    kit.tasks.enqueueMany([() => 1, ["flaky", { failures: 0 }], ["flaky", { failures: 1 }]]);
    expect(() => kit.requireEnqueued("sendEmail")).toThrow("there were: plain functions (1), flaky (2)");
    const error = thrownBy(() => kit.requireEnqueued("sendEmial" as "sendEmail"));
    expect(error).toBeInstanceOf(UnknownHandlerError);
    expect((error as Error).message).toContain('did you mean "sendEmail"?');
    expect(kit.enqueued()).toHaveLength(3);
  });

  it("leaves out what would be too long to read", () => {
    const { kit } = createKit();
    for (let copies = 0; copies < 8; copies++)
      kit.tasks.enqueue("sendEmail", { to: "a".repeat(2_000), copies });
    const { message } = thrownBy(() => kit.requireEnqueued("sendEmail", { to: "b" })) as Error;
    expect(message).toContain("  and 3 more");
    expect(message).toContain("more characters");
    expect(message.length).toBeLessThan(12_000);
  });
});

describe("requireNotEnqueued", () => {
  it("is content when there is no such task", () => {
    const { kit } = createKit();
    kit.requireNotEnqueued("sendEmail");
    kit.tasks.enqueue("sendEmail", { to: "a" });
    kit.requireNotEnqueued("sendEmail", { to: "b" });
    kit.requireNotEnqueued("sendEmail", { to: "a" }, { state: "completed" });
    kit.requireNotEnqueued("flaky");
  });

  it("tells the tasks that should not be there, and only those", () => {
    const { kit } = createKit();
    kit.tasks.enqueueMany([
      ["sendEmail", { to: "a" }],
      ["sendEmail", { to: "b" }],
    ]);
    const error = thrownBy(() => kit.requireNotEnqueued("sendEmail", ({ to }) => to === "b")) as Error;
    expect(error).toMatchObject({ name: "AssertionError", operator: "requireNotEnqueued" });
    expect(error.message.replaceAll(/\w{8}-(\d)/g, "id-$1")).toBe(
      [
        'Expected no task of handler "sendEmail" to have been enqueued with a payload that the function lets through',
        "Of 2 that were enqueued, 1 matches:",
        "  2. id-2 with { to: 'b' } matches",
      ].join("\n"),
    );
  });
});

describe("time", () => {
  it("settles chains of promises and immediates, and due timers, without moving", async () => {
    const { kit } = createKit({ run: true });
    const handle = kit.tasks.enqueue(async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      await new Promise<void>((resolve) => kit.clock.setTimeout(resolve, 0));
      return "done";
    });
    for (let count = 0; count < 10 && handle.state !== "completed"; count++) await kit.settle();
    expect([handle.state, kit.clock.now()]).toEqual(["completed", 0]);
  });

  it("advances from one timer to the next, with all that each sets off", async () => {
    const { kit } = createKit({ run: true, backoff: () => 100 });
    const handle = kit.tasks.enqueue("flaky", { failures: 3 });
    await kit.advance(299);
    expect([handle.state, kit.clock.now()]).toEqual(["scheduled", 299]);
    await kit.advance(1);
    expect([handle.state, kit.clock.now()]).toEqual(["completed", 300]);
    expect(await rejectionOf(kit.advance(-1))).toBeInstanceOf(RangeError);
  });

  it("says so when an instant has no end", async () => {
    const { kit } = createKit({ run: true });
    const again = reschedule(); // one for all: it is tried ever so many times
    kit.tasks.enqueue(() => {
      throw again;
    });
    const { message } = (await rejectionOf(kit.settle())) as Error;
    expect(message).toMatch(/time cannot move on|No rest at 0 ms/);
  });
});

describe("runAll", () => {
  it("refuses options that it does not know", async () => {
    const { kit } = createKit();
    expect(await rejectionOf(kit.runAll({ maxStep: 5 } as object))).toMatchObject({ option: "maxStep" });
    expect(thrownBy(() => createTestManager({ autoStart: true } as object))).toBeInstanceOf(OptionError);
  });

  it("waits for calls whose schema answers later", async () => {
    const payload: Schema<number> = {
      "~standard": {
        ...{ version: 1, vendor: "test" },
        validate: (value) => new Promise((resolve) => setTimeout(resolve, 20, { value: value as number })),
      },
    };
    const kit = createTestManager({
      handlers: defineHandlers({ late: { payload, run: (value) => value + 1 } }),
    });
    const result = kit.tasks.execute("late", 1);
    expect(await kit.runAll()).toMatchObject([{ handler: "late", value: 2 }]);
    expect(await result).toBe(2);
    await kit.close();
  });

  it("runs everything to its end, and gives the results in that order", async () => {
    const { kit } = createKit();
    kit.tasks.enqueue("sendEmail", { to: "later" }, { delayMs: 86_400_000 });
    kit.tasks.enqueue("flaky", { failures: 4 });
    kit.tasks.enqueue("flaky", { failures: 9 });
    kit.tasks.enqueue("signUp", { email: "ada" });
    const results = await kit.runAll();
    expect(results.map(({ handler, state, attempt }) => `${handler} ${state} ${attempt}`)).toEqual([
      "undefined completed 1",
      "signUp completed 1",
      expect.stringMatching("flaky"),
      expect.stringMatching("flaky"),
      "sendEmail completed 1",
      "sendEmail completed 1",
    ]);
    expect(results.at(-1)?.value).toBe("sent to later");
    expect(kit.clock.now()).toBe(86_400_000);
    expect(await kit.runAll()).toEqual([]);
  });

  it("gives handlers that wait for the outside world time, before it comes to their timeouts", async () => {
    const { kit } = createKit();
    const handle = kit.tasks.enqueue(
      () => new Promise((resolve) => setTimeout(() => resolve("answered"), 10)),
      { timeoutMs: 1 },
    );
    await kit.runAll({ waitMs: 5_000 });
    expect(await handle.result()).toBe("answered");
  });

  it("moves on to the timeout of a handler that waits in vain", async () => {
    const { kit } = createKit();
    kit.tasks.enqueue(({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)), {
      timeoutMs: 7_000,
    });
    expect(await kit.runAll({ waitMs: 0 })).toMatchObject([{ state: "failed", reason: "timeout" }]);
  });

  it("says what is left when there is no end to it", async () => {
    const { kit } = createKit();
    kit.tasks.enqueue(
      () => {
        throw reschedule({ delayMs: 10 });
      },
      { id: "again-and-again" },
    );
    const { message } = (await rejectionOf(kit.runAll({ maxSteps: 50 }))) as Error;
    expect(message).toContain("Not done after 50 steps, the most that `maxSteps` allows, at");
    expect(message).toContain("a function (again-and-again) is scheduled");
    await kit.tasks.cancel("again-and-again");
    await kit.tasks.pause({ queue: "email" });
    kit.tasks.enqueue("sendEmail", { to: "nobody" });
    expect(((await rejectionOf(kit.runAll({ maxSteps: 50 }))) as Error).message).toContain("1 queued");
    expect(await rejectionOf(kit.runAll({ maxSteps: -1 }))).toBeInstanceOf(OptionError);
    expect(kit.tasks.stats().subscriptions).toEqual([]);
  });
});

describe("close", () => {
  it("ends what is left, moves time on as far as that takes, and leaves no timer", async () => {
    const kit = createTestManager({ run: true });
    kit.tasks.enqueue(() => new Promise(() => {}));
    kit.tasks.enqueue(() => 1, { delayMs: 1_000 });
    await kit.settle();
    expect(await kit.close()).toMatchObject({ alive: 2, abandoned: 1, neverStarted: 1 });
    expect(kit.clock.timers).toBe(0);
    expect(await kit.close()).toMatchObject({ alive: 2 });
  });

  it("comes by itself at the end of a block", async () => {
    const kit = createTestManager();
    await kit[Symbol.asyncDispose]();
    expect(kit.tasks.stats().phase).toBe("stopped");
  });
});

describe("handlers of which nothing is known", () => {
  it("are tested by plain functions", async () => {
    const kit = createTestManager();
    kit.tasks.enqueue(() => 42);
    expect(await kit.runAll()).toMatchObject([{ value: 42, handler: undefined }]);
    await kit.close();
  });
});

describe("steering at a whole run", () => {
  it("is what the manager makes of it", async () => {
    const handlers = defineHandlers({
      stop: {
        payload: json<null>(),
        run: () => {
          throw cancelTask("enough");
        },
      },
      wait: {
        payload: json<null>(),
        run: (_, { queue }) => {
          if (kit.clock.now() < 500) throw rateLimited({ retryAfterMs: 500 });
          return queue;
        },
      },
    });
    const kit = createTestManager({ handlers });
    kit.tasks.enqueueMany([
      ["stop", null],
      ["wait", null],
    ]);
    expect(await kit.runAll()).toMatchObject([
      { handler: "stop", state: "cancelled" },
      { handler: "wait", state: "completed", value: "default" },
    ]);
    await kit.close();
  });
});
