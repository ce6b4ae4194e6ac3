import { describe, expect, test } from "vitest";
import {
  exponential,
  fixed,
  linear,
  OptionError,
  TaskManager,
  UnknownHandlerError,
} from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { createManager, thrownBy } from "../support/manual-manager.js";

/** A value that an option refuses, as a message shows it. */
type Found = readonly [value: unknown, shown: string];

const NOT_A_NUMBER: readonly Found[] = [
  [Number.NaN, "`NaN` (number)"],
  ["5", '"5" (string)'],
  ["", '"" (string)'],
  [null, "`null`"],
  [true, "`true` (boolean)"],
  [5n, "`5` (bigint)"],
  [Symbol("five"), "`Symbol(five)` (symbol)"],
  [{}, "an object"],
  [{ valueOf: () => 5 }, "an object"],
  [[5], "an array"],
  [() => 5, "a function"],
  [new Date(5), "an object"],
];

const NOT_AN_INTEGER: readonly Found[] = [
  ...NOT_A_NUMBER,
  [Number.POSITIVE_INFINITY, "`Infinity` (number)"],
  [Number.NEGATIVE_INFINITY, "`-Infinity` (number)"],
  [0.5, "`0.5` (number)"],
  [1e308, "`1e+308` (number)"],
  [2 ** 53, "`9007199254740992` (number)"],
  [-(2 ** 53), "`-9007199254740992` (number)"],
  [5e-324, "`5e-324` (number)"],
];

const NOT_A_DURATION: readonly Found[] = [
  ...NOT_A_NUMBER,
  [Number.POSITIVE_INFINITY, "`Infinity` (number)"],
  [Number.NEGATIVE_INFINITY, "`-Infinity` (number)"],
  [-1, "`-1` (number)"],
  [-5e-324, "`-5e-324` (number)"],
  [8.64e15 + 2, "`8640000000000002` (number)"],
];

const NOT_AN_INSTANT: readonly Found[] = [
  ...NOT_A_NUMBER.filter(([value]) => !(value instanceof Date)),
  [Number.POSITIVE_INFINITY, "`Infinity` (number)"],
  [8.64e15 + 2, "`8640000000000002` (number)"],
  [new Date(Number.NaN), "an object"],
  ["2026-01-01", '"2026-01-01" (string)'],
];

const NOT_A_NAME: readonly Found[] = [
  ["", '"" (string)'],
  ["a b", '"a b" (string)'],
  ["{tag}", '"{tag}" (string)'],
  ["line\nbreak", '"line\\nbreak" (string)'],
  ["nul\0", '"nul\\u0000" (string)'],
  ["ünicode", '"ünicode" (string)'],
  ["a/b", '"a/b" (string)'],
  ["x".repeat(129), `"${"x".repeat(60)}" (string)`],
  [5, "`5` (number)"],
  [null, "`null`"],
  [["a"], "an array"],
  [Symbol("a"), "`Symbol(a)` (symbol)"],
];

interface Refusal {
  readonly option: string;
  readonly what: string;
  readonly found: readonly Found[];
}

const NAME = "1 to 128 characters of A-Z a-z 0-9 _ . : -";
const QUEUE_NAME = "1 to 128 characters of A-Z a-z 0-9 _ . -";
const WITH_COLON: Found = ["a:b", '"a:b" (string)'];

/** What a task and a manager, or a queue, have in common. */
const SETTINGS: readonly Refusal[] = [
  {
    option: "timeoutMs",
    what: "a number of milliseconds from 1 to 8640000000000000, or false for none",
    found: [
      [0, "`0` (number)"],
      [-0, "`0` (number)"],
      [0.999, "`0.999` (number)"],
      [Number.NaN, "`NaN` (number)"],
      [Number.POSITIVE_INFINITY, "`Infinity` (number)"],
      [-1, "`-1` (number)"],
    ],
  },
  {
    option: "timeoutMs",
    what: "a number of milliseconds from 1 to 8640000000000000, or false for none",
    found: [
      [true, "`true` (boolean)"],
      [null, "`null`"],
      ["1000", '"1000" (string)'],
    ],
  },
  {
    option: "maxAttempts",
    what: "an integer from 1 to 1000000000",
    found: [...NOT_AN_INTEGER, [0, "`0` (number)"], [1_000_000_001, "`1000000001` (number)"]],
  },
  {
    option: "killAfterMs",
    what: "a number of milliseconds from 0 to 8640000000000000",
    found: NOT_A_DURATION,
  },
  {
    option: "backoff",
    what: "fixed(), linear(), exponential() or a function",
    found: [
      [1_000, "`1000` (number)"],
      [null, "`null`"],
      ["fixed", '"fixed" (string)'],
    ],
  },
  {
    option: "backoff",
    what: "a call, exponential()",
    found: [[exponential, "a function"]],
  },
];

const TASK: readonly Refusal[] = [
  ...SETTINGS,
  {
    option: "priority",
    what: "an integer from -1000000 to 1000000",
    found: [...NOT_AN_INTEGER, [1_000_001, "`1000001` (number)"], [-1_000_001, "`-1000001` (number)"]],
  },
  {
    option: "weight",
    what: "an integer from 1 to 1000",
    found: [...NOT_AN_INTEGER, [0, "`0` (number)"], [-0, "`0` (number)"], [1_001, "`1001` (number)"]],
  },
  {
    option: "cost",
    what: "an integer from 1 up",
    found: [...NOT_AN_INTEGER, [0, "`0` (number)"], [-1, "`-1` (number)"]],
  },
  { option: "delayMs", what: "a number of milliseconds from 0 to 8640000000000000", found: NOT_A_DURATION },
  {
    option: "ttlMs",
    what: "a number of milliseconds from 1 to 8640000000000000",
    found: [...NOT_A_DURATION, [0, "`0` (number)"], [0.5, "`0.5` (number)"]],
  },
  { option: "runAt", what: "a valid Date or milliseconds since the epoch", found: NOT_AN_INSTANT },
  { option: "deadline", what: "a valid Date or milliseconds since the epoch", found: NOT_AN_INSTANT },
  { option: "id", what: NAME, found: NOT_A_NAME },
  { option: "queue", what: QUEUE_NAME, found: [...NOT_A_NAME, WITH_COLON] },
  {
    option: "name",
    what: "a string of at most 128 characters",
    found: [
      ["x".repeat(129), `"${"x".repeat(60)}" (string)`],
      [5, "`5` (number)"],
    ],
  },
  {
    option: "description",
    what: "a string of at most 1024 characters",
    found: [["x".repeat(1_025), `"${"x".repeat(60)}" (string)`]],
  },
  { option: "correlationId", what: "a string of at most 128 characters", found: [[{}, "an object"]] },
  {
    option: "signal",
    what: "an AbortSignal",
    found: [
      [new AbortController(), "an object"],
      [null, "`null`"],
      [{ aborted: false, addEventListener() {} }, "an object"],
    ],
  },
  {
    option: "context",
    what: "true or false",
    found: [
      [0, "`0` (number)"],
      ["false", '"false" (string)'],
      [null, "`null`"],
    ],
  },
  {
    option: "metadata",
    what: "an object of strings, finite numbers and booleans",
    found: [
      [null, "`null`"],
      [["a"], "an array"],
      ["a", '"a" (string)'],
    ],
  },
];

const MANAGER: readonly Refusal[] = [
  ...SETTINGS,
  {
    option: "concurrency",
    what: "an integer from 1 to 1000000",
    found: [...NOT_AN_INTEGER, [0, "`0` (number)"], [1_000_001, "`1000001` (number)"]],
  },
  { option: "capacity", what: "an integer from 1 up", found: [...NOT_AN_INTEGER, [0, "`0` (number)"]] },
  {
    option: "whenFull",
    what: '"reject" or "drop-oldest"',
    found: [
      ["drop-newest", '"drop-newest" (string)'],
      [true, "`true` (boolean)"],
    ],
  },
  {
    option: "tasksPerSecond",
    what: "a number greater than 0, or Infinity for no limit",
    found: [
      ...NOT_A_NUMBER,
      [0, "`0` (number)"],
      [-0, "`0` (number)"],
      [-1, "`-1` (number)"],
      [Number.NEGATIVE_INFINITY, "`-Infinity` (number)"],
    ],
  },
  { option: "burst", what: "an integer from 1 up", found: [...NOT_AN_INTEGER, [0, "`0` (number)"]] },
  {
    option: "maxAbandoned",
    what: "an integer from 0 to 1000000",
    found: [...NOT_AN_INTEGER, [-1, "`-1` (number)"]],
  },
  { option: "defaultQueue", what: QUEUE_NAME, found: [...NOT_A_NAME, WITH_COLON] },
  { option: "strictQueues", what: "true or false", found: [[1, "`1` (number)"]] },
  { option: "autoStart", what: "true or false", found: [["no", '"no" (string)']] },
  { option: "signal", what: "an AbortSignal", found: [[new AbortController(), "an object"]] },
  {
    option: "clock",
    what: "a clock with now, wallNow, setTimeout, setImmediate",
    found: [
      [Date, "a function"],
      [{ now: () => 0 }, "an object"],
      [null, "`null`"],
    ],
  },
  { option: "random", what: "a source of chance with next", found: [[Math.random, "a function"]] },
  {
    option: "queues",
    what: "an object of queue options by queue name",
    found: [
      [["email"], "an array"],
      [null, "`null`"],
    ],
  },
  {
    option: "retention",
    what: "an object with maxEntries, ttlMs, values, maxBytes",
    found: [[1_000, "`1000` (number)"]],
  },
];

const QUEUE: readonly Refusal[] = [
  ...SETTINGS,
  {
    option: "share",
    what: "an integer from 1 to 1000",
    found: [...NOT_AN_INTEGER, [0, "`0` (number)"], [1_001, "`1001` (number)"]],
  },
  {
    option: "maxConcurrency",
    what: "an integer from 1 to 1000000",
    found: [...NOT_AN_INTEGER, [0, "`0` (number)"]],
  },
  { option: "rateLimit", what: "an object with tasksPerSecond, burst", found: [[10, "`10` (number)"]] },
];

/** Calls with each odd value in turn, and looks at what is said of it. */
function expectRefusals(
  refusals: readonly Refusal[],
  path: string,
  call: (options: object) => unknown,
): void {
  for (const { option, what, found } of refusals) {
    for (const [value, shown] of found) {
      const error = thrownBy(() => call({ [option]: value }));
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ code: "MILLRACE_OPTION", option: `${path}${option}` });
      expect((error as Error).message).toBe(`Expected \`${path}${option}\` to be ${what}, found ${shown}`);
    }
  }
}

describe("Q6: odd values of", () => {
  test("task options are refused, and leave nothing behind", async () => {
    const { tasks } = createManager({ autoStart: false });
    expectRefusals(TASK, "", (options) => tasks.enqueue(() => 1, options));
    expectRefusals(TASK, "", (options) => tasks.enqueueMany([[() => 1, options]]));
    expect(tasks.list()).toEqual([]);
    expect(tasks.stats().total.enqueued).toBe(0);
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
  });

  test("manager options are refused", () => {
    expectRefusals(MANAGER, "", (options) => new TaskManager(options));
  });

  test("queue options are refused, with their path", () => {
    expectRefusals(QUEUE, "queues.email.", (email) => new TaskManager({ queues: { email } }));
    const message = (rateLimit: object) =>
      (thrownBy(() => new TaskManager({ queues: { a: { rateLimit: rateLimit as never } } })) as Error)
        .message;
    expect(message({ tasksPerSecond: 0 })).toMatch(
      /^Expected `queues.a.rateLimit.tasksPerSecond` to be a num/,
    );
    expect(message({ burst: 1 })).toMatch(/^Expected `queues.a.rateLimit.tasksPerSecond` to be a number gre/);
    expect(message({ tasksPerSecond: 1, burst: 0 })).toBe(
      "Expected `queues.a.rateLimit.burst` to be an integer from 1 up, found `0` (number)",
    );
  });

  test("the options of live changes are refused, and change nothing", async () => {
    const { tasks } = createManager({ tasksPerSecond: 5, burst: 3, concurrency: 2, autoStart: false });
    const before = tasks.stats();
    const rate = MANAGER.filter(({ option }) => option === "tasksPerSecond");
    expectRefusals(rate, "", (options) => tasks.setRate(options as never));
    expect(() => tasks.setRate({ burst: 2 } as never)).toThrow(
      "Expected `tasksPerSecond` to be a number greater than 0, or Infinity for no limit, found `undefined`",
    );
    expect(() => tasks.setRate({ tasksPerSecond: 1, burst: 1.5 })).toThrow(
      "Expected `burst` to be an integer",
    );
    expect(() => tasks.setRate({ tasksPerSecond: 1, queue: "a:b" })).toThrow("Expected `queue` to be");
    for (const [inline] of NOT_AN_INTEGER) {
      expect(() => tasks.setConcurrency({ inline: inline as never })).toThrow(
        "Expected `inline` to be an int",
      );
    }
    expect(() => tasks.setRetention({ maxEntries: -1 })).toThrow(
      "Expected `retention.maxEntries` to be an int",
    );
    expect(() => tasks.setRetention({ ttlMs: Number.NaN })).toThrow("Expected `retention.ttlMs` to be a num");
    await expect(tasks.pause({ queue: "" })).rejects.toThrow("Expected `queue` to be");
    await expect(tasks.pause({ wait: 1 as never })).rejects.toThrow("Expected `wait` to be true or false");
    expect(() => tasks.resume({ queue: "{a}" })).toThrow("Expected `queue` to be");
    expect(() => tasks.get(5 as never)).toThrow("Expected `id` to be");
    expect(() => tasks.list({ state: "pending" as never })).toThrow(
      'Expected `state` to be "scheduled" or "queued" or "running" or "completed" or "failed" or "cancelled"',
    );
    expect(() => tasks.list({ maxEntries: -1 })).toThrow("Expected `maxEntries` to be an integer from 0 up");
    expect(tasks.stats()).toEqual(before);
  });

  test("a backoff are refused by what makes one, and where it is used", () => {
    expect(() => fixed({ delayMs: Number.NaN })).toThrow("Expected `delayMs` to be a number of milliseconds");
    expect(() => linear({ maxDelayMs: -1 })).toThrow("Expected `maxDelayMs` to be a number of milliseconds");
    expect(() => exponential({ factor: 0.5 })).toThrow("Expected `factor` to be a number from 1 to 1000");
    expect(() => exponential({ jitter: "some" as never })).toThrow(
      'Expected `jitter` to be "none" or "full"',
    );
    expect(() => fixed({ factor: 2 } as never)).toThrow("Unknown option `factor`");
    const { tasks } = createManager();
    const odd = { ...fixed(), delayMs: -1 };
    expect(() => tasks.enqueue(() => 1, { backoff: odd })).toThrow(
      "Expected `backoff.delayMs` to be a number",
    );
    const { jitter: _, ...incomplete } = fixed();
    expect(() => tasks.enqueue(() => 1, { backoff: incomplete as never })).toThrow(
      "Expected `backoff.jitter` to be given, found `undefined`",
    );
  });

  test.each<[unknown, string]>([
    [null, "`null`"],
    [5, "`5` (number)"],
    ["fast", '"fast" (string)'],
    [[], "an array"],
    [() => 1, "a function"],
  ])("options that are no object, as %s, are refused", (options, shown) => {
    const { tasks } = createManager();
    const message = (names: string) => `Expected \`options\` to be an object with ${names}, found ${shown}`;
    expect(() => tasks.enqueue(() => 1, options as never)).toThrow(message("id, queue, priority, weight, …"));
    const ofManager = "handlers, concurrency, threads, capacity, …";
    expect(() => new TaskManager(options as never)).toThrow(message(ofManager));
    expect(() => tasks.setRate(options as never)).toThrow(message("queue, handler, tasksPerSecond, burst"));
  });

  test.each([undefined, null, 7, {}, Promise.resolve()])(
    "a task that is neither function nor name, %s",
    (work) => {
      const { tasks } = createManager();
      const refusal = "Expected `task` to be a function, such as () => …, or the name of a handler, found";
      expect(() => tasks.enqueue(work as never)).toThrow(refusal);
    },
  );

  test("the name of a handler where there are none", () => {
    const { tasks } = createManager();
    expect(() => tasks.enqueue("work" as never, null as never)).toThrow(UnknownHandlerError);
  });
});

describe("Q6: unknown options are refused with what was probably meant", () => {
  const { tasks } = { tasks: () => createManager().tasks };

  test.each<[object, string]>([
    [{ prority: 1 }, "Unknown option `prority`; did you mean `priority`?"],
    [{ Priority: 1 }, "Unknown option `Priority`; did you mean `priority`?"],
    [{ delay: 1 }, "Unknown option `delay`; did you mean `delayMs`?"],
    [{ timeout: 1 }, "Unknown option `timeout`; did you mean `timeoutMs`?"],
    [{ correlationID: "a" }, "Unknown option `correlationID`; did you mean `correlationId`?"],
    [JSON.parse('{"__proto__": {}}') as object, "Unknown option `__proto__`"],
    [{ constructor: 1 }, "Unknown option `constructor`"],
    [{ toString: 1 }, "Unknown option `toString`"],
  ])("of a task: %j", (options, message) => {
    expect(() => tasks().enqueue(() => 1, options)).toThrow(message);
  });

  test("with all that are known, where none is near", () => {
    const error = thrownBy(() => tasks().enqueue(() => 1, { xyzzyplugh: 1 } as never)) as OptionError;
    expect(error.message).toMatch(
      /^Unknown option `xyzzyplugh`; known are id, queue, priority, weight, name,/,
    );
    expect(error.option).toBe("xyzzyplugh");
  });

  test("of a manager, a queue and a rate", () => {
    const create = (options: object) => () => new TaskManager(options);
    expect(create({ concurency: 1 })).toThrow("Unknown option `concurency`; did you mean `concurrency`?");
    expect(create({ rateLimit: {} })).toThrow("Unknown option `rateLimit`");
    expect(create({ queues: { a: { shares: 1 } } })).toThrow(
      "Unknown option `queues.a.shares`; did you mean `share`?",
    );
    expect(create({ queues: { a: { rateLimit: { tasksPerSeconds: 1 } } } })).toThrow(
      "Unknown option `queues.a.rateLimit.tasksPerSeconds`; did you mean `tasksPerSecond`?",
    );
    expect(create({ retention: { ttl: 1 } })).toThrow(
      "Unknown option `retention.ttl`; did you mean `ttlMs`?",
    );
    expect(() => tasks().setRate({ tasksPerSecond: 1, bursts: 1 } as never)).toThrow("did you mean `burst`?");
    expect(() => tasks().list({ status: "queued" } as never)).toThrow("did you mean `state`?");
  });
});

describe("Q6: options that do not go together are refused", () => {
  test("delayMs with runAt", () => {
    const { tasks } = createManager();
    const both = { delayMs: 0, runAt: Date.now() };
    expect(() => tasks.enqueue(() => 1, both)).toThrow("Expected `delayMs` or `runAt`, found both");
  });

  test("burst without tasksPerSecond", () => {
    expect(() => new TaskManager({ burst: 5 })).toThrow(
      "Expected `tasksPerSecond` beside `burst`, found none",
    );
  });

  test("a cost above the burst of a limit that applies", () => {
    const queues = { narrow: { rateLimit: { tasksPerSecond: 1, burst: 2 } } };
    const { tasks } = createManager({ tasksPerSecond: 1, burst: 5, queues });
    expect(() => tasks.enqueue(() => 1, { cost: 6 })).toThrow(
      "Expected `cost` to be at most 5, the burst of its rate limit, found `6` (number)",
    );
    expect(() => tasks.enqueue(() => 1, { cost: 3, queue: "narrow" })).toThrow(
      "Expected `cost` to be at most 2, the burst of its rate limit, found `3` (number)",
    );
    expect(tasks.list()).toEqual([]);
  });
});

describe("Q6: what is accepted is taken by rule", () => {
  test("undefined means the default, for every option", async () => {
    const { tasks } = createManager({ autoStart: false });
    const options = Object.fromEntries([...TASK.map(({ option }) => [option, undefined])]);
    const handle = tasks.enqueue(() => 1, options);
    expect(tasks.get(handle.id)).toMatchObject({ priority: 0, weight: 1, cost: 1, queue: "default" });
    const managerOptions = Object.fromEntries([...MANAGER.map(({ option }) => [option, undefined])]);
    const manager = new TaskManager({ ...managerOptions, clock: new ManualClock() });
    expect(manager.stats()).toMatchObject({ capacity: 10_000, phase: "running" });
    expect(manager.stats().lanes.inline.concurrency).toBe(16);
    await manager.stopNow();
  });

  test("-0 is 0", () => {
    const { tasks } = createManager({ autoStart: false });
    const handle = tasks.enqueue(() => 1, { priority: -0, delayMs: -0, killAfterMs: -0 });
    expect(tasks.get(handle.id)?.priority).toBe(0);
    expect(handle.state).toBe("queued");
  });

  test("bounds are within the range", () => {
    const { tasks } = createManager({ autoStart: false, capacity: Number.MAX_SAFE_INTEGER });
    const accepted: object[] = [
      { priority: -1_000_000, weight: 1_000, cost: Number.MAX_SAFE_INTEGER },
      { priority: 1_000_000, weight: 1, maxAttempts: 1_000_000_000 },
      { delayMs: 8.64e15, timeoutMs: 8.64e15, killAfterMs: 8.64e15, ttlMs: 8.64e15 },
      { runAt: 8.64e15, deadline: new Date(8.64e15), timeoutMs: false },
      { runAt: -8.64e15, timeoutMs: 1 },
      { id: "x".repeat(128), queue: "x".repeat(128), name: "x".repeat(128), description: "x".repeat(1_024) },
      { id: "a:b.c-d_E9", delayMs: 5e-324 },
    ];
    for (const options of accepted) expect(() => tasks.enqueue(() => 1, options)).not.toThrow();
    expect(tasks.stats().total.enqueued).toBe(accepted.length);
  });

  test("names of what every object has are names like any other", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "then"];
    const queues = Object.fromEntries(names.map((name) => [name, { share: 2 }]));
    const { clock, tasks } = createManager({ queues: { ...queues, ["__proto__"]: { share: 2 } } });
    for (const name of names) tasks.enqueue(() => name, { id: name, queue: name, metadata: { [name]: 1 } });
    await clock.settle();
    for (const name of names) {
      expect(tasks.get(name)).toMatchObject({ id: name, queue: name, state: "completed" });
      expect(tasks.stats().queues[name]).toMatchObject({ completed: 1 });
      expect(Object.keys(tasks.get(name)?.metadata ?? {})).toEqual([name]);
    }
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  test("options are read once, and later changes to them do not count", async () => {
    const { clock, tasks } = createManager({ autoStart: false });
    let reads = 0;
    const metadata: Record<string, number> = { size: 1 };
    const options = {
      get priority() {
        reads++;
        return reads;
      },
      metadata,
    };
    const handle = tasks.enqueue(({ priority }) => priority, options);
    metadata["size"] = 2;
    tasks.start();
    await clock.settle();
    expect(reads).toBe(1);
    expect(await handle.result()).toBe(1);
    expect(tasks.get(handle.id)?.metadata["size"]).toBe(1);
  });

  test.each<[object, string]>([
    [{ big: "x".repeat(16_384) }, "Expected `metadata` to be at most 16384 bytes"],
    [Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n])), "at most 64 keys, found `65`"],
    [{ a: Number.NaN }, "Expected `metadata.a` to be a string, a finite number or a boolean, found `NaN`"],
    [{ a: {} }, "Expected `metadata.a` to be a string, a finite number or a boolean, found an object"],
  ])("metadata has bounds", (metadata, message) => {
    const { tasks } = createManager();
    expect(() => tasks.enqueue(() => 1, { metadata: metadata as never })).toThrow(message);
  });
});
