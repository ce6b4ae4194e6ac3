import { describe, expect, onTestFinished, test } from "vitest";
import {
  MillraceError,
  OptionError,
  rateLimited,
  reschedule,
  TaskFailedError,
  TaskManager,
  type TaskManagerOptions,
  type TaskOptions,
} from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";

/** Names that mean something to JavaScript (Z4). */
const MAGIC = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "then"];

function createManager(options: TaskManagerOptions = {}) {
  const clock = new ManualClock();
  const tasks = new TaskManager({ clock, killAfterMs: 10, ...options });
  onTestFinished(async () => {
    const stopped = tasks.stopNow();
    await clock.advance(1_000);
    await stopped;
    const { enqueued, completed, failed, cancelled } = tasks.stats().total;
    expect(completed + failed + cancelled).toBe(enqueued);
    expect(clock.timers).toBe(0);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
  return { clock, tasks };
}

/** Nothing is half registered: neither counted nor known, and the same call with good input works. */
function expectNothingKept(tasks: TaskManager): void {
  expect(tasks.stats()).toMatchObject({
    queued: 0,
    scheduled: 0,
    running: 0,
    total: { enqueued: 0, refused: 0 },
  });
  expect(tasks.list()).toEqual([]);
}

const throwing = new Error("a getter that throws");

function withGetter(key: string, get: () => unknown): TaskOptions {
  return Object.defineProperty({}, key, { get, enumerable: true });
}

const TRAPS = ["get", "has", "ownKeys", "getOwnPropertyDescriptor", "getPrototypeOf"] as const;

function trapped(trap: (typeof TRAPS)[number]): TaskOptions {
  const fail = () => {
    throw throwing;
  };
  return new Proxy({ priority: 1, metadata: { a: 1 } }, { [trap]: fail });
}

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("options that fight back", () => {
  test.each([
    ...["id", "queue", "priority", "weight", "metadata", "signal", "cost", "delayMs", "runAt", "deadline"],
    ...["ttlMs", "timeoutMs", "maxAttempts", "backoff", "killAfterMs", "context", "name", "description"],
  ])("a getter of %s that throws is the caller's error, and nothing is kept", async (key) => {
    const { tasks } = createManager();
    const options = withGetter(key, () => {
      throw throwing;
    });
    expect(thrownBy(() => tasks.enqueue(() => 1, options))).toBe(throwing);
    expect(thrownBy(() => tasks.enqueueMany([() => 1, [() => 1, options]]))).toBe(throwing);
    await expect(tasks.enqueueAsync(() => 1, options)).rejects.toBe(throwing);
    expectNothingKept(tasks);
  });

  test("each option is read once: what a getter says later does not count", async () => {
    const { clock, tasks } = createManager();
    let reads = 0;
    const options = withGetter("priority", () => (reads++ === 0 ? 5 : "not a priority"));
    const handle = tasks.enqueue(() => 1, options);
    expect(reads).toBe(1);
    expect(tasks.get(handle.id)?.priority).toBe(5);
    await clock.settle();
    expect(handle.state).toBe("completed");
  });

  test("a getter that enqueues, cancels or stops finds and leaves a sound manager", async () => {
    const { clock, tasks } = createManager({ capacity: 2, whenFull: "drop-oldest", autoStart: false });
    const inner = withGetter("priority", () => {
      tasks.enqueue(() => 1, { id: "mine" });
      tasks.enqueue(() => 1);
      tasks.enqueue(() => 1);
      return 1;
    });
    expect(thrownBy(() => tasks.enqueue(() => 1, { id: "mine", ...inner }))).toBeInstanceOf(MillraceError);
    expect(tasks.stats().queued).toBe(2);
    const stopping = withGetter("queue", () => {
      void tasks.stopNow();
      return "a";
    });
    expect(thrownBy(() => tasks.enqueue(() => 1, stopping))).toMatchObject({
      code: "MILLRACE_NOT_ACCEPTING",
    });
    await clock.advance(10);
    expect(tasks.stats()).toMatchObject({ phase: "stopped", queued: 0 });
  });

  test.each(TRAPS)("a proxy that throws from its %s trap keeps nothing and hangs nothing", async (trap) => {
    const { tasks } = createManager();
    const handle = thrownBy(() => tasks.enqueue(() => 1, trapped(trap)));
    if (handle === undefined) return; // a trap that nobody springs
    expect(handle).toBe(throwing);
    expectNothingKept(tasks);
  });

  test("revoked proxies are refused wherever an object is taken", () => {
    const { tasks } = createManager();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(() => tasks.enqueue(() => 1, proxy)).toThrow(TypeError);
    expect(() => tasks.enqueue(() => 1, { metadata: proxy })).toThrow(TypeError);
    expect(() => tasks.enqueue(() => 1, { backoff: proxy as never })).toThrow(TypeError);
    expect(() => tasks.enqueueMany(proxy as never)).toThrow(TypeError);
    expect(() => new TaskManager({ queues: proxy })).toThrow(TypeError);
    expectNothingKept(tasks);
  });

  test("deeply frozen options are only read", async () => {
    const { clock, tasks } = createManager(
      Object.freeze({ queues: Object.freeze({ a: Object.freeze({ share: 2 }) }) }),
    );
    const options = Object.freeze({ metadata: Object.freeze({ a: 1 }), queue: "a" });
    const handle = tasks.enqueue(() => 1, options);
    await clock.settle();
    expect(handle.state).toBe("completed");
  });

  test.each([
    ["null", null],
    ["a function", () => 1],
    ["an array", []],
    ["a string", "now"],
    ["a symbol", Symbol("now")],
    ["a bigint", 1n],
  ])("options that are %s are refused in words", (_, options) => {
    const { tasks } = createManager();
    expect(() => tasks.enqueue(() => 1, options as never)).toThrow(OptionError);
    expectNothingKept(tasks);
  });
});

describe("Z4: names that mean something to JavaScript", () => {
  test.each(MAGIC)("%s as a metadata key is a key like any other", (key) => {
    const { tasks } = createManager({ autoStart: false });
    const metadata = JSON.parse(`{"${key}": "polluted", "polluted": true}`) as Record<string, string>;
    const { id } = tasks.enqueue(() => 1, { metadata });
    const found = tasks.get(id)?.metadata ?? {};
    expect(Object.keys(found).sort()).toEqual([key, "polluted"].sort());
    expect(Object.getOwnPropertyDescriptor(found, key)?.value).toBe("polluted");
    expect(Object.getPrototypeOf(found)).toBeNull();
  });

  test.each(MAGIC)(
    "%s as a queue that options name has the settings of that name, and no others",
    async (queue) => {
      const queues = JSON.parse(`{"${queue}": {"maxConcurrency": 1, "maxAttempts": 3}}`) as Record<
        string,
        object
      >;
      const { clock, tasks } = createManager({ queues });
      const handles = [0, 1].map(() => tasks.enqueue(() => new Promise(() => {}), { queue }));
      await clock.settle();
      expect(handles.map(({ state }) => state)).toEqual(["running", "queued"]);
      expect(tasks.get(handles[0]?.id ?? "")?.maxAttempts).toBe(3);
      expect(Object.getOwnPropertyDescriptor(tasks.stats().queues, queue)?.value).toMatchObject({
        queued: 1,
      });
    },
  );

  test.each(MAGIC)("%s as a queue that no option names is a plain queue", async (queue) => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(() => 1, { queue });
    await tasks.pause({ queue });
    tasks.setRate({ queue, tasksPerSecond: 1 });
    await clock.settle();
    expect(tasks.get(handle.id)).toMatchObject({ queue, state: "queued", maxAttempts: 1 });
    tasks.resume({ queue });
    await clock.settle();
    expect(handle.state).toBe("completed");
  });

  test.each(MAGIC)("%s as an id is taken once, found, and free again", async (id) => {
    const { clock, tasks } = createManager({ retention: { maxEntries: 0 } });
    expect(tasks.get(id)).toBeUndefined();
    expect(await tasks.cancel(id)).toBe(false);
    const handle = tasks.enqueue(() => 1, { id });
    expect(() => tasks.enqueue(() => 1, { id })).toThrow(MillraceError);
    expect(tasks.get(id)?.id).toBe(id);
    await clock.settle();
    expect(handle.state).toBe("completed");
    expect(tasks.get(id)).toBeUndefined();
  });

  test.each(MAGIC)("%s as the name of an option is unknown, of a task and of a manager", (key) => {
    const { tasks } = createManager();
    const options = JSON.parse(`{"${key}": {"polluted": true}}`) as object;
    expect(() => tasks.enqueue(() => 1, options)).toThrow(`Unknown option \`${key}\``);
    expect(() => new TaskManager(options)).toThrow(`Unknown option \`${key}\``);
    expectNothingKept(tasks);
  });

  test("nothing that a caller awaits is a thenable", async () => {
    const { tasks } = createManager({ autoStart: false });
    const handle = await tasks.enqueueAsync(() => 1, { metadata: { then: "later" } });
    expect(handle.state).toBe("queued");
    expect(await tasks.get(handle.id)).toMatchObject({ id: handle.id });
  });
});

describe("handlers that fight back", () => {
  const junk: readonly [string, () => unknown][] = [
    ["null", () => null],
    ["undefined", () => undefined],
    ["a symbol", () => Symbol("thrown")],
    ["a revoked proxy", revokedProxy],
    ["an Error whose getters throw", errorWithGetters],
    ["a frozen Error", () => Object.freeze(new Error("frozen"))],
    ["an Error that is its own cause", selfCaused],
    ["a forged reschedule", () => Object.create(Object.getPrototypeOf(reschedule()) as object)],
    [
      "a rescheduling whose delay was changed to NaN",
      () => Object.assign(reschedule(), { delayMs: Number.NaN }),
    ],
    [
      "a rescheduling whose delay was changed to text",
      () => Object.assign(reschedule(), { delayMs: "soon" }),
    ],
    ["a met limit whose delay was changed to -1", () => Object.assign(limit(), { retryAfterMs: -1 })],
    ["a met limit whose kind was changed", () => Object.assign(limit(), { steering: "what" })],
  ];

  test.each(junk)(
    "a handler that throws %s ends its task, or runs it again, and nothing hangs",
    async (_, create) => {
      const { clock, tasks } = createManager({ concurrency: 1 });
      let thrown = false;
      const handle = tasks.enqueue(() => {
        if (thrown) return "again";
        thrown = true;
        throw create();
      });
      const neighbour = tasks.enqueue(() => "well");
      await clock.advance(10);
      expect(neighbour.state).toBe("completed");
      expect(["completed", "failed"]).toContain(handle.state);
      expect(tasks.stats()).toMatchObject({ running: 0, queued: 0, scheduled: 0 });
      if (handle.state === "failed") await expect(handle.result()).rejects.toBeInstanceOf(Error);
      const { waitMs } = tasks.get(handle.id) ?? {};
      expect(Number.isNaN(waitMs)).toBe(false);
    },
  );

  test.each<[string, () => unknown]>([
    ["whose then throws", () => ({ then: () => thrownNow() })],
    ["whose then is a getter that throws", () => Object.defineProperty({}, "then", { get: thrownNow })],
    ["that rejects with nothing", () => ({ then: (_: unknown, reject: (e?: unknown) => void) => reject() })],
    ["that rejects after it has resolved", resolvesAndRejects],
    [
      "a promise with a then of its own",
      () => Object.assign(Promise.resolve(1), { then: () => thrownNow() }),
    ],
    ["a revoked proxy", revokedProxy],
  ])("a handler that returns a thenable %s ends its task", async (_, create) => {
    const { clock, tasks } = createManager({ concurrency: 1 });
    const handle = tasks.enqueue(create);
    const neighbour = tasks.enqueue(() => "well");
    await clock.advance(10);
    expect(neighbour.state).toBe("completed");
    expect(["completed", "failed"]).toContain(handle.state);
    if (handle.state === "failed") await expect(handle.result()).rejects.toBeInstanceOf(Error);
  });

  test("a thenable that never settles is ended by its timeout", async () => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(() => ({ then: () => undefined }), { timeoutMs: 5 });
    await clock.advance(15);
    expect(tasks.get(handle.id)).toMatchObject({ state: "failed", reason: "timeout" });
  });

  test.each<[string, unknown]>([
    ["throws", thrownNow],
    ["gives NaN", () => Number.NaN],
    ["gives a promise", async () => 5],
    ["gives an object that pretends", () => ({ valueOf: () => 5 })],
  ])("a backoff that %s fails the task with an OptionError", async (_, backoff) => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(() => Promise.reject(new Error("own")), {
      maxAttempts: 2,
      backoff: backoff as () => number,
    });
    await clock.advance(10);
    expect(tasks.get(handle.id)).toMatchObject({ state: "failed", attempt: 1 });
    await expect(handle.result()).rejects.toBeInstanceOf(OptionError);
  });

  test("a thrown thing that cannot be an Error is the cause of one", async () => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(() => Promise.reject(null));
    await clock.settle();
    await expect(handle.result()).rejects.toBeInstanceOf(TaskFailedError);
  });
});

describe("signals that fight back", () => {
  const signals: readonly [string, () => AbortSignal][] = [
    ["is none but has the prototype", () => Object.create(AbortSignal.prototype) as AbortSignal],
    ["is a proxy", () => new Proxy(new AbortController().signal, {})],
    ["refuses listeners", () => Object.assign(new AbortController().signal, { addEventListener: thrownNow })],
    [
      "loses listeners",
      () => Object.assign(new AbortController().signal, { addEventListener: () => undefined }),
    ],
    [
      "keeps listeners",
      () => Object.assign(new AbortController().signal, { removeEventListener: () => undefined }),
    ],
    ["throws from removeEventListener", () => throwsWhenLeft()],
    ["throws when asked whether it has aborted", () => withAborted(thrownNow)],
  ];

  test.each(signals)("one that %s may be refused, but nothing hangs", async (_, create) => {
    const { clock, tasks } = createManager({ capacity: 2, concurrency: 1 });
    const enqueue = (signal: AbortSignal) => tasks.enqueue(() => 1, { signal });
    thrownBy(() => enqueue(create()));
    thrownBy(() => tasks.enqueueMany([() => 1, [() => 1, { signal: create() }]]));
    await clock.advance(10);
    const { enqueued, completed, failed, cancelled } = tasks.stats().total;
    expect(completed + failed + cancelled).toBe(enqueued);
    expect(tasks.list()).toHaveLength(enqueued);
    const stopped = tasks.stopNow();
    await clock.advance(20);
    expect(await stopped).toMatchObject({ alive: 0 });
  });
});

test.each([
  ["refuses listeners", { addEventListener: thrownNow }],
  ["loses listeners", { addEventListener: () => undefined }],
  ["throws when it is left", { removeEventListener: thrownNow }],
])("a signal that %s still cancels its task and stops its manager", async (_, methods) => {
  const createHostile = () => {
    const controller = new AbortController();
    Object.assign(controller.signal, methods);
    return controller;
  };
  const [ofManager, ofTask] = [createHostile(), createHostile()];
  const { clock, tasks } = createManager({ signal: ofManager.signal, autoStart: false });
  const handles = [tasks.enqueue(() => 1, { signal: ofTask.signal }), tasks.enqueue(() => 1)];
  ofTask.abort();
  expect(handles.map(({ state }) => state)).toEqual(["cancelled", "queued"]);
  ofManager.abort();
  await clock.advance(10);
  expect(tasks.stats().phase).toBe("stopped");
  expect(tasks.get(handles[1]?.id ?? "")?.reason).toBe("stopped");
});

function thrownNow(): never {
  throw throwing;
}

function limit(): Error {
  return rateLimited({ retryAfterMs: 1 });
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function errorWithGetters(): Error {
  const error = new Error("own");
  for (const key of ["message", "name", "stack", "cause", "taskId"]) {
    Object.defineProperty(error, key, { get: thrownNow });
  }
  return error;
}

function selfCaused(): Error {
  const error: Error & { cause?: unknown } = new Error("own");
  error.cause = error;
  return error;
}

function resolvesAndRejects(): unknown {
  return {
    then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
      resolve(1);
      reject(new Error("too late"));
      throw new Error("too late");
    },
  };
}

function throwsWhenLeft(): AbortSignal {
  return Object.assign(new AbortController().signal, { removeEventListener: thrownNow });
}

function withAborted(get: () => boolean): AbortSignal {
  return Object.defineProperty(new AbortController().signal, "aborted", { get });
}
