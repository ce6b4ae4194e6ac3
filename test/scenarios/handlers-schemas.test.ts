import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import {
  AsyncSchemaError,
  DuplicateTaskError,
  defineHandlers,
  json,
  NotAcceptingError,
  PayloadError,
  QueueFullError,
  ResultError,
  reschedule,
  TaskCancelledError,
  type TaskManagerOptions,
  TaskTimeoutError,
} from "../../src/index.js";
import { createManager, rejectionOf, thrownBy } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";
import { answering, LateSchema } from "../support/schemas.js";

/** A manager with one handler whose schema answers when the test says so. */
function createLate(options: TaskManagerOptions = {}) {
  const schema = new LateSchema<string>();
  const seen: string[] = [];
  const handlers = defineHandlers({ late: { payload: schema, run: (text) => seen.push(text) } });
  const manager = createManager({ ...options, handlers });
  return { ...manager, schema, seen };
}

/** Fails the test when a rejection finds nobody. */
function watchUnhandled(): void {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", listener);
  onTestFinished(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listener);
    expect(unhandled).toEqual([]);
  });
}

describe("a payload schema that answers later", () => {
  test("is waited for by enqueueAsync and execute", async () => {
    const { clock, tasks, schema, seen } = createLate();
    const handle = tasks.enqueueAsync("late", "one");
    const result = tasks.execute("late", "two", { priority: -1 });
    await clock.advance(1_000);
    expect(tasks.stats()).toMatchObject({ waitingForSchema: 2, waitingForRoom: 0, total: { enqueued: 0 } });
    schema.pass();
    schema.pass();
    await (await handle).result();
    expect(await result).toBe(1);
    expect(seen).toEqual(["two", "one"]);
    expect(tasks.stats().waitingForSchema).toBe(0);
  });

  test("may refuse, and nothing is kept", async () => {
    watchUnhandled();
    const { tasks, schema } = createLate();
    const refused = rejectionOf(tasks.enqueueAsync("late", "one", { id: "one" }));
    schema.refuse("is not nice");
    expect(await refused).toMatchObject({
      code: "MILLRACE_PAYLOAD",
      handler: "late",
      issues: [{ path: "payload", message: "is not nice" }],
    });
    expect(tasks.get("one")).toBeUndefined();
    expect(tasks.stats().total).toMatchObject({ enqueued: 0, refused: 0 });
  });

  test("that rejects, or whose then throws, has refused", async () => {
    watchUnhandled();
    const cause = new Error("the database is away");
    const handlers = defineHandlers({
      rejects: { payload: answering<null>(() => Promise.reject(cause)), run: () => 1 },
      throws: {
        payload: answering<null>(() =>
          Object.defineProperty({}, "then", {
            get() {
              throw cause;
            },
          }),
        ),
        run: () => 1,
      },
    });
    const { tasks } = createManager({ handlers });
    for (const name of ["rejects", "throws"] as const) {
      const error = await rejectionOf(tasks.enqueueAsync(name, null));
      expect(error).toBeInstanceOf(PayloadError);
      expect(error).toMatchObject({ cause });
    }
  });

  test("is an AsyncSchemaError for enqueue and enqueueMany, and its answer is nobody's", async () => {
    watchUnhandled();
    const { clock, tasks, schema, seen } = createLate();
    const before = tasks.stats();
    const error = thrownBy(() => tasks.enqueue("late", "one"));
    expect(error).toBeInstanceOf(AsyncSchemaError);
    expect(error).toMatchObject({ code: "MILLRACE_ASYNC_SCHEMA", handler: "late" });
    expect(thrownBy(() => tasks.enqueueMany([() => 1, ["late", "two"]]))).toBeInstanceOf(AsyncSchemaError);
    schema.pass();
    schema.refuse("too late");
    await clock.settle();
    expect(seen).toEqual([]);
    expect(tasks.stats()).toEqual(before);
  });

  test("lets later calls pass by: the order is that of the answers", async () => {
    const { clock, tasks, schema, seen } = createLate({ concurrency: 1 });
    const calls = ["one", "two", "three"].map((text) => tasks.execute("late", text));
    const [first, second, third] = schema.asked.splice(0);
    third?.answer({ value: "three" });
    await clock.settle();
    second?.answer({ value: "two" });
    first?.answer({ value: "one" });
    await Promise.all(calls);
    expect(seen[0]).toBe("three");
    expect(seen).toHaveLength(3);
  });

  test("is asked before the call waits for room", async () => {
    const { clock, tasks, schema, seen } = createLate({ capacity: 1, autoStart: false });
    tasks.enqueue(() => 1);
    const call = tasks.enqueueAsync("late", "one");
    schema.pass();
    await clock.settle();
    expect(tasks.stats()).toMatchObject({ waitingForRoom: 1, waitingForSchema: 0 });
    tasks.start();
    await (await call).result();
    expect(seen).toEqual(["one"]);
  });

  test("answers for a task whose id another took meanwhile: a duplicate", async () => {
    const { tasks, schema } = createLate();
    const call = rejectionOf(tasks.enqueueAsync("late", "one", { id: "same" }));
    tasks.enqueue(() => 1, { id: "same" });
    schema.pass();
    expect(await call).toBeInstanceOf(DuplicateTaskError);
    expect(tasks.stats().total.enqueued).toBe(1);
  });

  test("keeps the async context of the call, whoever makes it answer", async () => {
    const request = new AsyncLocalStorage<string>();
    const schema = new LateSchema<string>();
    const handlers = defineHandlers({ late: { payload: schema, run: () => request.getStore() } });
    const { clock, tasks } = createManager({ handlers, capacity: 2, autoStart: false });
    tasks.enqueueMany([() => 1, () => 2]);
    const calls = ["a", "b"].map((mine) => request.run(mine, () => tasks.execute("late", mine)));
    request.run("who answers", () => {
      schema.pass();
      schema.pass();
    });
    await clock.settle();
    request.run("who makes room", () => tasks.start());
    expect(await Promise.all(calls)).toEqual(["a", "b"]);
  });
});

describe("a payload schema that never answers", () => {
  test("holds a call until its signal aborts", async () => {
    const { clock, tasks, schema, seen } = createLate();
    const controller = new AbortController();
    const call = rejectionOf(tasks.enqueueAsync("late", "one", { signal: controller.signal, id: "one" }));
    await clock.advance(1e9);
    controller.abort("enough");
    const error = await call;
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error).toMatchObject({ taskId: "one", cause: "enough" });
    expect((error as Error).message).toContain("waited for its schema");
    expect(tasks.stats().waitingForSchema).toBe(0);
    schema.pass(); // an answer after all
    await clock.settle();
    expect(seen).toEqual([]);
  });

  test("holds a call until the manager stops, also where the stop came from the schema itself", async () => {
    const never = new Promise<never>(() => undefined);
    const controller = new AbortController();
    const handlers = defineHandlers({
      waits: { payload: answering<null>(() => never), run: () => 1 },
      stops: {
        payload: answering<null>(() => {
          void tasks.stopNow();
          return never;
        }),
        run: () => 1,
      },
      aborts: {
        payload: answering<null>(() => {
          controller.abort("by the schema");
          return never;
        }),
        run: () => 1,
      },
    });
    const { tasks } = createManager({ handlers });
    const { signal } = controller;
    expect(await rejectionOf(tasks.enqueueAsync("aborts", null, { signal }))).toMatchObject({
      code: "MILLRACE_TASK_CANCELLED",
      cause: "by the schema",
    });
    const waiting = rejectionOf(tasks.execute("waits", null));
    expect(await rejectionOf(tasks.enqueueAsync("stops", null))).toBeInstanceOf(NotAcceptingError);
    expect(await waiting).toBeInstanceOf(NotAcceptingError);
    expect(await rejectionOf(tasks.enqueueAsync("waits", null))).toBeInstanceOf(NotAcceptingError);
  });

  test("does not delay a graceful stop", async () => {
    const { tasks, schema } = createLate();
    const call = rejectionOf(tasks.enqueueAsync("late", "one"));
    const report = await tasks.stopGraceful({ deadlineMs: 5_000 });
    expect(report).toMatchObject({ alive: 0 });
    expect(await call).toBeInstanceOf(NotAcceptingError);
    expect(schema.asked).toHaveLength(1);
  });

  test("holds no more calls than capacity; the others are refused and counted, and later ones let in", async () => {
    watchUnhandled();
    const { clock, tasks, schema } = createLate({ capacity: 2 });
    const calls = ["one", "two"].map((text) => tasks.execute("late", text));
    const error = await rejectionOf(tasks.enqueueAsync("late", "three"));
    expect(error).toBeInstanceOf(QueueFullError);
    expect((error as Error).message).toContain("wait for a schema");
    expect(tasks.stats()).toMatchObject({ waitingForSchema: 2, total: { refused: 1 } });
    // Plain tasks do not wait for schemas.
    expect(await tasks.execute(() => "plain")).toBe("plain");
    schema.pass();
    schema.pass();
    await clock.settle();
    await Promise.all(calls);
    const fourth = tasks.execute("late", "four");
    schema.pass(); // that of the one who was refused
    schema.pass();
    expect(await fourth).toBe(3);
  });
});

describe("a result schema", () => {
  const stubborn = { payload: json<null>(), run: (): unknown => new Promise<never>(() => undefined) };

  test("gives what comes out of it, at once or later", async () => {
    const handlers = defineHandlers({
      now: { payload: json<string>(), result: z.string().transform((text) => text.length), run: (it) => it },
      later: {
        payload: json<string>(),
        result: z.string().transform(async (text) => `${text}!`),
        run: async (it) => it,
      },
    });
    const { tasks } = createManager({ handlers });
    expect(await tasks.execute("now", "four")).toBe(4);
    expect(await tasks.execute("later", "four")).toBe("four!");
  });

  test("that refuses fails the attempt, which is tried again", async () => {
    const returned: unknown[] = ["one", "two", 3];
    const handlers = defineHandlers({
      strict: { payload: json<null>(), result: z.number(), run: () => returned.shift() as number },
    });
    const { clock, tasks } = createManager({ handlers, maxAttempts: 3, backoff: () => 100 });
    const handle = tasks.enqueue("strict", null);
    await clock.advance(100);
    expect(tasks.get(handle.id)).toMatchObject({ state: "scheduled", reason: "backoff", attempt: 2 });
    await clock.advance(100);
    expect(await handle.result()).toBe(3);
    expect(tasks.stats().handlers["strict"]).toMatchObject({ completed: 1, retried: 2 });
  });

  test("is not asked about what steers, returned as it may be", async () => {
    const returned: unknown[] = [reschedule({ delayMs: 10 }), 3];
    const handlers = defineHandlers({
      strict: { payload: json<null>(), result: z.number(), run: async () => returned.shift() as number },
    });
    const { clock, tasks } = createManager({ handlers });
    const handle = tasks.enqueue("strict", null);
    await clock.advance(10);
    expect(await handle.result()).toBe(3);
    expect(tasks.stats().total).toMatchObject({ completed: 1, failed: 0, rescheduled: 1 });
  });

  test("that refuses the last attempt is what the task fails with, and says where", async () => {
    const handlers = defineHandlers({
      size: {
        payload: json<null>(),
        result: z.object({ width: z.number() }),
        run: () => ({ width: "5" as never }),
      },
    });
    const { tasks } = createManager({ handlers });
    const handle = tasks.enqueue("size", null);
    const error = await rejectionOf(handle.result());
    expect(error).toBeInstanceOf(ResultError);
    expect(error).toMatchObject({ code: "MILLRACE_RESULT", handler: "size", taskId: handle.id });
    expect((error as ResultError).issues[0]?.path).toBe("result.width");
    expect(tasks.get(handle.id)).toMatchObject({ state: "failed", reason: "error" });
  });

  test("is not asked about what was thrown", async () => {
    let asked = 0;
    const result = answering(() => ++asked);
    const thrown = new Error("from the handler");
    const handlers = defineHandlers({
      throws: {
        payload: json<null>(),
        result,
        run: () => {
          throw thrown;
        },
      },
      rejects: { payload: json<null>(), result, run: () => Promise.reject(thrown) },
    });
    const { tasks } = createManager({ handlers });
    for (const name of ["throws", "rejects"] as const)
      expect(await rejectionOf(tasks.execute(name, null))).toBe(thrown);
    expect(asked).toBe(0);
  });

  test("that throws, or never answers, is an attempt that failed, or ran out of time", async () => {
    const cause = new Error("hostile");
    const handlers = defineHandlers({
      throws: {
        ...stubborn,
        run: () => 1,
        result: answering(() => {
          throw cause;
        }),
      },
      silent: { ...stubborn, run: () => 1, result: answering(() => new Promise(() => undefined)) },
    });
    const { clock, tasks } = createManager({ handlers, timeoutMs: 500, killAfterMs: 50 });
    expect(await rejectionOf(tasks.execute("throws", null))).toMatchObject({
      code: "MILLRACE_RESULT",
      cause,
    });
    const silent = tasks.enqueue("silent", null);
    await clock.advance(550);
    expect(await rejectionOf(silent.result())).toBeInstanceOf(TaskTimeoutError);
  });

  test("gives a value with a then of its own only where it is no function", async () => {
    const handlers = defineHandlers({
      data: { payload: json<null>(), result: json<{ then: string }>(), run: () => ({ then: "later" }) },
    });
    const { tasks } = createManager({ handlers });
    expect(await tasks.execute("data", null)).toEqual({ then: "later" });
  });
});

describe("context.enqueue", () => {
  const payload = json<null>();

  test("accepts functions and handlers by name, and gives their ids", async () => {
    const seen: string[] = [];
    const handlers = defineHandlers({
      parent: {
        payload,
        run: async (_, context): Promise<string[]> => {
          const byName = await context.enqueue("child", "a", { id: "child" });
          const plain = await context.enqueue(({ id }) => void seen.push(id), { delayMs: 10 });
          return [byName.id, plain.id];
        },
      },
      child: { payload: json<string>(), run: (text) => void seen.push(text) },
    });
    const { clock, tasks } = createManager({ handlers });
    const handle = tasks.enqueue("parent", null);
    await clock.advance(10);
    const ids = await handle.result();
    expect(ids[0]).toBe("child");
    expect(seen).toEqual(["a", ids[1]]);
    expect(tasks.stats().total).toMatchObject({ enqueued: 3, completed: 3 });
  });

  test("can be taken apart from the context, as its other members can", async () => {
    const { tasks } = createManager();
    const { id } = await tasks.execute(({ enqueue }) => enqueue(() => 1));
    await tasks.drain();
    expect(tasks.get(id)?.state).toBe("completed");
  });

  test("tells what is wrong as a rejection, and never throws", async () => {
    const codes: unknown[] = [];
    const handlers = defineHandlers({
      parent: {
        payload,
        run: async (_, { enqueue }): Promise<void> => {
          const loose = enqueue as (...given: readonly unknown[]) => Promise<unknown>;
          const wrong = [["gret", 1], ["late", "x"], ["parent", 5n], [() => 1, { priority: "1" }], []];
          for (const given of wrong)
            codes.push(((await rejectionOf(loose(...given))) as { code?: string }).code);
        },
      },
      late: { payload: new LateSchema<string>(), run: () => 1 },
    });
    const { tasks } = createManager({ handlers });
    await tasks.execute("parent", null);
    expect(codes).toEqual([
      ...["MILLRACE_UNKNOWN_HANDLER", "MILLRACE_ASYNC_SCHEMA", "MILLRACE_PAYLOAD"],
      ...["MILLRACE_OPTION", "MILLRACE_OPTION"],
    ]);
  });

  test("never waits for room: it is refused where there is none", async () => {
    const { tasks } = createManager({ capacity: 1, concurrency: 1 });
    const outcome = await tasks.execute(async ({ enqueue }) => {
      await enqueue(() => 1);
      return await rejectionOf(enqueue(() => 2));
    });
    expect(outcome).toBeInstanceOf(QueueFullError);
  });

  test("is refused while the manager stops, and the handler may wind up", async () => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(async ({ enqueue, stopping }) => {
      await new Promise((resolve) => stopping.addEventListener("abort", resolve));
      return await rejectionOf(enqueue(() => 1));
    });
    await clock.settle();
    const report = await tasks.stopGraceful();
    expect(await handle.result()).toBeInstanceOf(NotAcceptingError);
    expect(report).toMatchObject({ alive: 1, completed: 1 });
  });

  test("works for an attempt that was given up, whose handler goes on", async () => {
    const { clock, tasks } = createManager({ timeoutMs: 100, killAfterMs: 0 });
    const hold = new Stubborn();
    let late: Promise<{ readonly id: string }> | undefined;
    const handle = tasks.enqueue(async ({ enqueue }) => {
      await hold.promise;
      late = enqueue(() => "late");
    });
    await clock.advance(100);
    expect(handle.state).toBe("failed");
    hold.resolve();
    await clock.settle();
    expect(tasks.get((await late)?.id ?? "")?.state).toBe("completed");
  });

  test("gives the new task the async context of its handler", async () => {
    const request = new AsyncLocalStorage<string>();
    const { tasks } = createManager();
    const seen: unknown[] = [];
    await request.run("mine", () =>
      tasks.execute(({ enqueue }) => enqueue(() => void seen.push(request.getStore()))),
    );
    await tasks.drain();
    expect(seen).toEqual(["mine"]);
  });
});
