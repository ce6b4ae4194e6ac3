import { describe, expect, test } from "vitest";
import * as z from "zod";
import {
  combineHandlers,
  DuplicateTaskError,
  defineHandlers,
  json,
  NotAcceptingError,
  OptionError,
  PayloadError,
  QueueFullError,
  TaskCancelledError,
  UnknownHandlerError,
} from "../../src/index.js";
import { createManager, rejectionOf, thrownBy } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";
import { answering } from "../support/schemas.js";

let schemaCalls = 0;
const counted = answering<{ to: string }>((value) => {
  schemaCalls++;
  return { value };
});

const handlers = defineHandlers({
  greet: { payload: json<{ to: string }>(), run: ({ to }) => `hello ${to}` },
  double: { payload: z.string().transform(Number), run: async (value) => value * 2 },
  counted: { payload: counted, run: ({ to }) => to },
  contract: { payload: counted },
  fails: {
    payload: json<string>(),
    run: (text): never => {
      throw new Error(text);
    },
  },
});

/** What untyped code may call. */
type Untyped = (...given: readonly unknown[]) => unknown;

function createUntyped() {
  const { clock, tasks } = createManager({ handlers, capacity: 3 });
  const calls = {
    enqueue: tasks.enqueue.bind(tasks) as Untyped,
    enqueueAsync: tasks.enqueueAsync.bind(tasks) as Untyped,
    execute: tasks.execute.bind(tasks) as Untyped,
    enqueueMany: ((...entry: readonly unknown[]) => tasks.enqueueMany([entry] as never)) as Untyped,
  };
  /** What each way in says of the same task. */
  const refusals = async (...given: readonly unknown[]) => {
    const found: unknown[] = [];
    for (const call of Object.values(calls)) found.push(await rejectionOf((async () => call(...given))()));
    return found as Error[];
  };
  return { clock, tasks, refusals };
}

describe("a task by the name of its handler", () => {
  test("is given what comes out of the schema, and gives what its handler returns", async () => {
    const { tasks } = createManager({ handlers });
    expect(await tasks.enqueue("greet", { to: "Ann" }).result()).toBe("hello Ann");
    expect(await (await tasks.enqueueAsync("double", "21")).result()).toBe(42);
    expect(await tasks.execute("double", "4", { priority: -1 })).toBe(8);
    await expect(tasks.execute("fails", "no luck")).rejects.toThrow("no luck");
    expect(tasks.stats().handlers["double"]).toMatchObject({ completed: 2, failed: 0 });
  });

  test("knows its name in its context, in snapshots and in results; a function has none", async () => {
    const seen: unknown[] = [];
    const own = defineHandlers({ look: { payload: json<null>(), run: (_, { handler }) => handler } });
    const { tasks } = createManager({ handlers: own });
    const results = tasks.subscribe();
    const named = tasks.enqueue("look", null);
    const plain = tasks.enqueue(({ handler }) => handler);
    seen.push(await named.result(), await plain.result());
    seen.push(tasks.get(named.id)?.handler, tasks.get(plain.id)?.handler);
    seen.push((await results.next()).value?.handler, (await results.next()).value?.handler);
    expect(seen).toEqual(["look", undefined, "look", undefined, "look", undefined]);
  });

  test("is given the payload itself, not a copy", async () => {
    const seen: object[] = [];
    const own = defineHandlers({ keep: { payload: json<{ a: number }>(), run: (it) => void seen.push(it) } });
    const { tasks } = createManager({ handlers: own });
    const payload = { a: 1 };
    await tasks.execute("keep", payload);
    expect(seen[0]).toBe(payload);
  });

  test("is run with `this` undefined, as a plain function is", async () => {
    const own = defineHandlers({
      self: {
        payload: json<null>(),
        run: function (this: unknown) {
          return String(this);
        },
      },
    });
    const { tasks } = createManager({ handlers: own });
    expect(await tasks.execute("self", null)).toBe("undefined");
  });

  test("of registries that were combined runs like any other", async () => {
    const other = defineHandlers({ shout: { payload: json<string>(), run: (text) => text.toUpperCase() } });
    const { tasks } = createManager({ handlers: combineHandlers(handlers, other) });
    const [greeting, shout] = tasks.enqueueMany([
      ["greet", { to: "Bo" }],
      ["shout", "hey"],
    ]);
    expect([await greeting.result(), await shout.result()]).toEqual(["hello Bo", "HEY"]);
  });

  test("may be of a registry that several managers share: their limits and counts are their own", async () => {
    const stubborn = new Stubborn();
    const own = defineHandlers({
      hold: { payload: json<null>(), run: stubborn.run, maxConcurrency: 1 },
    });
    const [one, other] = [createManager({ handlers: own }), createManager({ handlers: own })];
    const held = one.tasks.enqueue("hold", null);
    const also = other.tasks.enqueue("hold", null);
    await one.clock.settle();
    await other.clock.settle();
    expect([held.state, also.state]).toEqual(["running", "running"]);
    stubborn.resolve();
    await Promise.all([held.result(), also.result()]);
    expect(one.tasks.stats().handlers["hold"]?.completed).toBe(1);
  });
});

describe("enqueueMany", () => {
  test("takes functions, pairs and names together, and gives a handle for each in its place", async () => {
    const { tasks } = createManager({ handlers });
    const [sum, later, greeting, doubled] = tasks.enqueueMany([
      () => 1 + 1,
      [async () => "later", { delayMs: 0 }],
      ["greet", { to: "Cy" }],
      ["double", "5", { id: "five" }],
    ]);
    const values: [number, string, string, number] = [
      await sum.result(),
      await later.result(),
      await greeting.result(),
      await doubled.result(),
    ];
    expect(values).toEqual([2, "later", "hello Cy", 10]);
    expect(tasks.get("five")?.handler).toBe("double");
  });

  const fine = ["greet", { to: "a" }] as const;
  const wrong: readonly (readonly [string, readonly unknown[], new (...given: never) => Error])[] = [
    ["an unknown name", ["gret", { to: "a" }], UnknownHandlerError],
    ["a contract", ["contract", { to: "a" }], UnknownHandlerError],
    ["a payload that is refused", ["greet", { to: new Date(0) }], PayloadError],
    ["a wrong option", ["greet", { to: "a" }, { priority: 0.5 }], OptionError],
    ["an id that is taken", ["greet", { to: "a" }, { id: "taken" }], DuplicateTaskError],
    ["neither a name nor a function", [5], OptionError],
    ["nothing", [], OptionError],
  ];

  test.each(wrong)("accepts nothing at all where one entry is %s", async (_, entry, refusal) => {
    const { clock, tasks } = createManager({ handlers, autoStart: false });
    tasks.enqueue(() => 1, { id: "taken" });
    const before = tasks.stats();
    const refused = thrownBy(() => tasks.enqueueMany([fine, entry, fine] as never));
    expect(refused).toBeInstanceOf(refusal);
    expect(refused).toMatchObject(refusal === DuplicateTaskError ? { taskId: "taken" } : { entry: 1 });
    expect(tasks.stats()).toEqual(before);
    tasks.start();
    await clock.settle();
    expect(tasks.stats().total.started).toBe(1);
  });

  test("accepts nothing where they are too many, and counts what it refused", () => {
    const { tasks } = createManager({ handlers, capacity: 2, autoStart: false });
    const full = thrownBy(() => tasks.enqueueMany([fine, fine, fine]));
    expect(full).toBeInstanceOf(QueueFullError);
    expect(full).not.toHaveProperty("entry"); // it is about none of them
    expect(tasks.stats()).toMatchObject({ queued: 0, total: { enqueued: 0, refused: 3 } });
    expect(tasks.enqueueMany([fine, fine])).toHaveLength(2);
  });
});

describe("what is wrong is refused by every way in, and nothing is kept of it", () => {
  const cases: readonly (readonly [string, readonly unknown[], string, string])[] = [
    ["a name that is not known", ["gret", 1], "MILLRACE_UNKNOWN_HANDLER", 'did you mean "greet"?'],
    ["a name that is nothing like any", ["x", 1], "MILLRACE_UNKNOWN_HANDLER", "known are greet, double"],
    ["a contract", ["contract", { to: "a" }], "MILLRACE_UNKNOWN_HANDLER", "only a contract here"],
    ["no payload", ["greet"], "MILLRACE_PAYLOAD", "payload: JSON cannot hold undefined"],
    ["a wrong payload", ["double", 5], "MILLRACE_PAYLOAD", "expected string"],
    ["a wrong option", ["counted", { to: "a" }, { prioritee: 1 }], "MILLRACE_OPTION", "`priority`"],
    ["a wrong value", ["counted", { to: "a" }, { weight: 0 }], "MILLRACE_OPTION", "`weight`"],
    ["options that are none", ["counted", { to: "a" }, 5], "MILLRACE_OPTION", "`options`"],
    ["no task", [undefined], "MILLRACE_OPTION", "a function, such as () => …, or the name of a handler"],
    ["an object for a name", [{ toString: () => "greet" }, 1], "MILLRACE_OPTION", "found an object"],
  ];

  test.each(cases)("%s", async (_, given, code, says) => {
    schemaCalls = 0;
    const { clock, tasks, refusals } = createUntyped();
    const before = tasks.stats();
    for (const error of await refusals(...given)) {
      expect(error).toMatchObject({ code });
      expect(error.message).toContain(says);
    }
    expect(tasks.stats()).toEqual(before);
    expect(schemaCalls, "options are looked at before the schema is asked").toBe(0);
    await clock.settle();
    expect(tasks.stats().total.started).toBe(0);
  });

  test("a signal that has aborted, before the schema is asked", async () => {
    schemaCalls = 0;
    const { tasks, refusals } = createUntyped();
    const signal = AbortSignal.abort("too late");
    for (const error of await refusals("counted", { to: "a" }, { signal, id: "one" }))
      expect(error).toMatchObject({ code: "MILLRACE_TASK_CANCELLED", taskId: "one", cause: "too late" });
    expect(schemaCalls).toBe(0);
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  test("any name where the manager has no handlers", async () => {
    const { tasks } = createManager();
    const enqueue = tasks.enqueue.bind(tasks) as Untyped;
    expect(thrownBy(() => enqueue("greet", 1))).toMatchObject({
      message: 'Unknown handler "greet"; no handlers are known',
      handler: "greet",
    });
    expect(tasks.stats().handlers).toEqual({});
  });

  test("a task for which there is no room, and its id is free again later", async () => {
    const { tasks } = createManager({ handlers, capacity: 1, autoStart: false });
    tasks.enqueue("greet", { to: "a" });
    expect(thrownBy(() => tasks.enqueue("greet", { to: "b" }, { id: "b" }))).toBeInstanceOf(QueueFullError);
    expect(tasks.stats().handlers["greet"]).toMatchObject({ queued: 1 });
    tasks.start();
    await tasks.drain();
    expect(await tasks.enqueue("greet", { to: "b" }, { id: "b" }).result()).toBe("hello b");
  });

  test("everything after a stop", async () => {
    const { tasks, refusals } = createUntyped();
    await tasks.stopNow();
    for (const error of await refusals("greet", { to: "a" })) expect(error).toBeInstanceOf(NotAcceptingError);
  });

  test("a task whose schema aborts its signal, or stops its manager", async () => {
    const controller = new AbortController();
    const own = defineHandlers({
      aborts: {
        payload: answering<null>((value) => {
          controller.abort("by the schema");
          return { value };
        }),
        run: () => 1,
      },
      stops: {
        payload: answering<null>((value) => {
          void tasks.stopNow();
          return { value };
        }),
        run: () => 1,
      },
    });
    const { tasks } = createManager({ handlers: own });
    const { signal } = controller;
    const aborted = thrownBy(() =>
      tasks.enqueueMany([
        [() => 1, { signal }],
        ["aborts", null],
      ]),
    );
    expect(aborted).toBeInstanceOf(TaskCancelledError);
    expect(aborted).toMatchObject({ cause: "by the schema" });
    expect(thrownBy(() => tasks.enqueue("stops", null))).toBeInstanceOf(NotAcceptingError);
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  test("a duplicate that its own schema enqueued meanwhile", () => {
    const own = defineHandlers({
      twice: {
        payload: answering<number>((value) => {
          if (value === 1) tasks.enqueue("twice", 2, { id: "same" });
          return { value };
        }),
        run: (value) => value,
      },
    });
    const { tasks } = createManager({ handlers: own, autoStart: false });
    expect(thrownBy(() => tasks.enqueue("twice", 1, { id: "same" }))).toBeInstanceOf(DuplicateTaskError);
    expect(tasks.stats()).toMatchObject({ queued: 1, total: { enqueued: 1 } });
  });
});

describe("handlers as an option", () => {
  test("are what defineHandlers made, and nothing that looks like it", () => {
    const { payload } = { payload: json<null>() };
    for (const wrong of [{ send: { payload, run: () => 1 } }, [], 5, new Map()])
      expect(thrownBy(() => createManager({ handlers: wrong as never }))).toMatchObject({
        option: "handlers",
      });
  });

  test("that run in threads make none before one is needed", () => {
    const own = defineHandlers({ resize: { payload: json<null>(), module: new URL("file:///resize.js") } });
    const { tasks } = createManager({ handlers: own });
    expect(tasks.stats().threads).toMatchObject({ alive: 0, started: 0 });
  });
});

describe("pictures of handlers", () => {
  test("list shows the tasks of one, and none of a name that is not known", async () => {
    const { tasks } = createManager({ handlers, autoStart: false });
    const [one] = tasks.enqueueMany([
      ["greet", { to: "a" }, { id: "one" }],
      ["double", "2"],
      () => 1,
      ["greet", { to: "b" }, { id: "two", queue: "other" }],
    ]);
    const idsOf = (handler: string) => tasks.list({ handler }).map(({ id }) => id);
    expect(idsOf("greet")).toEqual(["one", "two"]);
    expect(tasks.list({ handler: "greet", queue: "other" }).map(({ id }) => id)).toEqual(["two"]);
    expect(tasks.list({ handler: "greet", maxEntries: 1 })).toHaveLength(1);
    expect(idsOf("nobody")).toEqual([]);
    expect(idsOf("toString")).toEqual([]);
    one.cancel();
    expect(tasks.list({ handler: "greet", state: "cancelled" }).map(({ id }) => id)).toEqual(["one"]);
    expect(thrownBy(() => tasks.list({ handler: "a b" }))).toMatchObject({ option: "handler" });
  });

  test("stats tell of each handler that is registered, contracts too, and agree with the total", async () => {
    const { clock, tasks } = createManager({ handlers, concurrency: 2, maxAttempts: 2, backoff: () => 10 });
    const hold = new Stubborn();
    tasks.enqueue(hold.run);
    tasks.enqueue(hold.run);
    await clock.settle();
    for (const to of ["a", "b", "c"]) tasks.enqueue("greet", { to }, { id: to });
    tasks.enqueue("fails", "x");
    expect(tasks.stats().handlers["greet"]).toMatchObject({ queued: 3, running: 0 });
    await tasks.cancel("b");
    hold.resolve();
    await clock.advance(10);
    const none = { queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0, retried: 0, closedForMs: 0 };
    expect(tasks.stats().handlers).toEqual({
      greet: { ...none, completed: 2, cancelled: 1 },
      double: none,
      counted: none,
      contract: none,
      fails: { ...none, failed: 1, retried: 1 },
    });
    expect(Object.isFrozen(tasks.stats().handlers["greet"])).toBe(true);
    expect(tasks.stats().total).toMatchObject({ completed: 4, failed: 1, cancelled: 1, retried: 1 });
  });

  test("what a task by name was given is let go when it has ended, though its handle is kept", async () => {
    const { collectGarbage } = await import("../core/collections/collect-garbage.js");
    const { tasks } = createManager({ handlers });
    const enqueue = () => {
      const payload = { to: "a" };
      return { handle: tasks.enqueue("greet", payload), ref: new WeakRef(payload) };
    };
    const { handle, ref } = enqueue();
    expect(await handle.result()).toBe("hello a");
    await collectGarbage();
    expect(ref.deref()).toBeUndefined();
  });
});
