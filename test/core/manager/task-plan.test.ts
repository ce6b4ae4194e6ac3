import { describe, expect, test } from "vitest";
import type { TaskOptions } from "../../../src/index.js";
import { defineHandlers, json, TaskManager } from "../../../src/index.js";
import type { Task } from "../../../src/task/task.js";
import { coreOf } from "../../../src/task-manager.js";
import { ManualClock } from "../../../src/testing/index.js";
import { thrownBy } from "../../support/manual-manager.js";

const backoffs = [() => 1, () => 2, () => 3, () => 4] as const;

/** Each setting, with a value for each of the layers: task, handler, queue, manager; then the built-in one. */
const settings: readonly (readonly [string, readonly unknown[], unknown])[] = [
  ["timeoutMs", [false, 20, 30, 40], 300_000],
  ["maxAttempts", [1, 2, 3, 4], 1],
  ["backoff", backoffs, expect.any(Function)],
  ["killAfterMs", [0, 2, 3, 4], 1_000],
];

/** The task that `enqueue` makes when each layer says what it is given. */
function accepted(layers: readonly object[], options: TaskOptions = {}, ofHandler: object = {}): Task {
  const [task = {}, handler = {}, queue = {}, manager = {}] = layers;
  const tasks = new TaskManager({
    ...manager,
    ...{ clock: new ManualClock(), autoStart: false },
    queues: { mail: queue },
    handlers: defineHandlers({
      send: { payload: json<null>(), run: () => 1, queue: "mail", ...handler, ...ofHandler },
    }),
  });
  const { id } = tasks.enqueue("send", null, { ...task, ...options });
  const found = coreOf(tasks).registry.get(id);
  if (found === undefined) return expect.unreachable("an accepted task is known");
  return found;
}

describe("the settings of a task by name", () => {
  test.each(settings)(
    "%s: what the task says, its handler, its queue, the manager, nobody",
    (key, values, builtIn) => {
      for (let said = 0; said < 16; said++) {
        const layers = values.map((value, layer) => ((said & (1 << layer)) === 0 ? {} : { [key]: value }));
        const first = layers.findIndex((layer) => key in layer);
        const expected = first === -1 ? builtIn : values[first];
        const found = accepted(layers).settings[key as keyof Task["settings"]];
        if (key === "backoff" && first === -1) expect(backoffs).not.toContain(found);
        else
          expect(found, `said by ${JSON.stringify(layers.map((layer) => key in layer))}`).toEqual(expected);
      }
    },
  );

  test("are those of the queue that the task names, not of its handler's queue", () => {
    const tasks = new TaskManager({
      ...{ clock: new ManualClock(), autoStart: false },
      queues: { mail: { maxAttempts: 2, timeoutMs: 20 }, other: { maxAttempts: 3 } },
      handlers: defineHandlers({ send: { payload: json<null>(), run: () => 1, queue: "mail" } }),
    });
    const settingsIn = (queue: string) => {
      const { id } = tasks.enqueue("send", null, { queue });
      return coreOf(tasks).registry.get(id)?.settings;
    };
    expect(settingsIn("mail")).toMatchObject({ maxAttempts: 2, timeoutMs: 20 });
    expect(settingsIn("other")).toMatchObject({ maxAttempts: 3, timeoutMs: 300_000 });
    expect(settingsIn("nowhere")).toMatchObject({ maxAttempts: 1, timeoutMs: 300_000 });
  });

  test("are one object for all tasks of a handler that say nothing themselves", () => {
    const tasks = new TaskManager({
      ...{ clock: new ManualClock(), autoStart: false },
      handlers: defineHandlers({ send: { payload: json<null>(), run: () => 1, maxAttempts: 2 } }),
    });
    const [one, two, urgent] = tasks.enqueueMany([
      ["send", null],
      ["send", null],
      ["send", null, { priority: -1 }],
    ]);
    const profileOf = (id: string) => coreOf(tasks).registry.get(id)?.profile;
    expect(profileOf(two.id)).toBe(profileOf(one.id));
    expect(profileOf(urgent.id)).toBe(profileOf(one.id));
  });
});

describe("the defaults of a handler", () => {
  const places: readonly (readonly [keyof TaskOptions & keyof Task, unknown, unknown, unknown])[] = [
    ["priority", 7, -3, 0],
    ["weight", 5, 9, 1],
    ["cost", 4, 2, 1],
    ["queue", "bulk", "mail.slow", "mail"],
  ];

  test.each(places)(
    "%s: the task's, else the handler's, else the built-in one",
    (key, ofHandler, ofTask, builtIn) => {
      expect(accepted([])[key]).toBe(builtIn);
      expect(accepted([], {}, { [key]: ofHandler })[key]).toBe(ofHandler);
      expect(accepted([], { [key]: ofTask })[key]).toBe(ofTask);
      expect(accepted([], { [key]: ofTask }, { [key]: ofHandler })[key]).toBe(ofTask);
      // Beside other options too, which are read another way.
      expect(accepted([], { name: "n" }, { [key]: ofHandler })[key]).toBe(ofHandler);
      expect(accepted([], { [key]: ofTask, name: "n" }, { [key]: ofHandler })[key]).toBe(ofTask);
    },
  );

  test("a task that says only its priority keeps its handler's weight, cost and ttlMs", () => {
    const task = accepted([], { priority: 3 }, { priority: 9, weight: 5, cost: 2, ttlMs: 100 });
    expect(task).toMatchObject({ priority: 3, weight: 5, cost: 2 });
    expect(task.details?.expiresAt).toBe(task.enqueuedAt + 100);
  });

  test("ttlMs: the task's, else the handler's; with a deadline, the earlier counts", () => {
    const lifeOf = (task: Task) => (task.details?.expiresAt ?? Number.NaN) - task.enqueuedAt;
    expect(lifeOf(accepted([], {}, { ttlMs: 500 }))).toBe(500);
    expect(lifeOf(accepted([], { ttlMs: 900 }, { ttlMs: 500 }))).toBe(900);
    expect(accepted([]).details).toBeUndefined();
    const now = new ManualClock().wallNow();
    expect(lifeOf(accepted([], { deadline: now + 300 }, { ttlMs: 500 }))).toBe(300);
    expect(lifeOf(accepted([], { deadline: now + 800 }, { ttlMs: 500 }))).toBe(500);
  });

  test("each task's life begins with its own acceptance", async () => {
    const clock = new ManualClock();
    const tasks = new TaskManager({
      ...{ clock, autoStart: false },
      handlers: defineHandlers({ send: { payload: json<null>(), run: () => 1, ttlMs: 500 } }),
    });
    const first = tasks.enqueue("send", null);
    await clock.advance(300);
    const second = tasks.enqueue("send", null);
    await clock.advance(200);
    expect([first.state, second.state]).toEqual(["failed", "queued"]);
    await clock.advance(300);
    expect(second.state).toBe("failed");
  });
});

describe("a cost that no limit can save up", () => {
  const handlers = defineHandlers({
    dear: { payload: json<null>(), run: () => 1, cost: 4 },
    limited: { payload: json<null>(), run: () => 1, rateLimit: { tasksPerSecond: 1, burst: 3 } },
  });

  test("is refused when it is the handler's own, above the shared burst", () => {
    const tasks = new TaskManager({ handlers, clock: new ManualClock(), tasksPerSecond: 10, burst: 3 });
    expect(thrownBy(() => tasks.enqueue("dear", null))).toMatchObject({
      option: "cost",
      message: "Expected `cost` to be at most 3, the burst of its rate limit, found `4` (number)",
    });
    expect(thrownBy(() => tasks.enqueue("dear", null, { priority: 1 }))).toMatchObject({ option: "cost" });
    expect(tasks.enqueue("dear", null, { cost: 3 }).state).toBe("queued");
  });

  test("is refused when it is above the burst of its handler, and only there", () => {
    const tasks = new TaskManager({ handlers, clock: new ManualClock() });
    expect(thrownBy(() => tasks.enqueue("limited", null, { cost: 4 }))).toMatchObject({ option: "cost" });
    expect(tasks.enqueue("limited", null, { cost: 3 }).state).toBe("queued");
    expect(tasks.enqueue("dear", null).state).toBe("queued");
    tasks.setRate({ handler: "limited", tasksPerSecond: 1, burst: 9 });
    expect(tasks.enqueue("limited", null, { cost: 4 }).state).toBe("queued");
    expect(tasks.stats().total.enqueued).toBe(3);
  });
});
