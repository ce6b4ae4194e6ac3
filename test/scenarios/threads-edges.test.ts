import { describe, expect, test } from "vitest";
import { OptionError, PayloadError, ResultError, reschedule, TaskTimeoutError } from "../../dist/index.js";
import {
  createThreads,
  fixture,
  inThread,
  rejection,
  setWord,
  shareWords,
  type ThreadedHandlers,
  untilHolds,
  untilWord,
} from "../support/threads.js";

const edge = (name: string, rest = {}) => inThread("edges.mjs", name, rest);

const handlers: ThreadedHandlers = Object.fromEntries(
  [
    ...["leaveExit", "throwInTimer", "untilReason", "readOnce", "reportMuch", "byteLength", "enqueueMany"],
    "waitFor",
  ].map((name) => [name, edge(name)]),
);

const one = { threads: { max: 1 } };

describe("a task whose result is being checked", () => {
  test("is cancelled without its thread's next task hearing of it", async () => {
    let release: (() => void) | undefined;
    const answer = new Promise<void>((resolve) => {
      release = resolve;
    });
    const validate = async (value: unknown) => {
      await answer;
      return { value };
    };
    const slow = { "~standard": { version: 1 as const, vendor: "test", validate } };
    const { tasks, run } = createThreads({}, { ...handlers, checked: edge("byteLength", { result: slow }) });
    const checked = tasks.enqueue("checked", new Uint8Array(4));
    await untilHolds(() => tasks.stats().threads.busy === 0 && tasks.stats().threads.started === 1);
    const words = shareWords();
    const next = tasks.enqueue("waitFor", { words });
    await untilWord(words, 0, 1);
    checked.cancel("too late");
    await expect(run("byteLength", new Uint8Array(2), { ttlMs: 1 })).rejects.toThrow(); // it is heard after that
    setWord(words, 1, 1);
    expect(await next.result()).toBe("waited");
    release?.();
    await expect(checked.result()).rejects.toMatchObject({ code: "MILLRACE_TASK_CANCELLED" });
  });
});

describe("a thread", () => {
  test("that others listen in to still tells whose fault a throw is", async () => {
    const { run } = createThreads({ threads: { max: 1, preload: [fixture("listening.mjs")] } }, handlers);
    expect(await rejection(run("throwInTimer"))).toBeInstanceOf(RangeError);
  });

  test("is not ended by a finished task while it imports the module of another", async () => {
    const words = shareWords();
    const slow = { slow: inThread("gated.mjs") };
    const threads = { max: 1, workerData: { words } };
    const { tasks, watch, run } = createThreads({ threads }, { ...handlers, ...slow });
    expect(await run("leaveExit", { words })).toBe("left");
    const gated = tasks.enqueue("slow", { begun: shareWords() });
    await untilWord(words, 0, 1);
    setWord(words, 1, 1);
    expect(await gated.result()).toBe("ran");
    await watch.until(() => watch.lateFaults.length === 1);
    expect(watch.lateFaults[0]?.handler).toBe("leaveExit");
  });

  test("shows the reason of an abort to code without a pause", async () => {
    const { run } = createThreads({ ...one, killAfterMs: 5_000 }, handlers);
    await run("byteLength", new Uint8Array(1));
    const timedOut = await rejection(run("untilReason", {}, { timeoutMs: 50 }));
    expect(timedOut).toBeInstanceOf(TaskTimeoutError);
  });

  test("tells of its heap, tasks and time only what has begun in it", async () => {
    const { tasks, watch, run } = createThreads(one);
    for (let a = 0; a < 200; a++) await run("add", { a, b: 1 });
    const handles = Array.from({ length: 500 }, (_, a) => tasks.enqueue("add", { a, b: 1 }));
    await Promise.all(handles.map((handle) => handle.result()));
    await tasks.stopNow();
    const begun = watch.exited.reduce((sum, { attempts }) => sum + attempts, 0);
    expect(begun).toBe(tasks.stats().total.started - tasks.stats().total.handedBack);
  });
});

describe("a thread that cannot begin what it is given", () => {
  test("since a finished task holds it up, gives it back, and another one runs it", async () => {
    const { watch, run } = createThreads(one, { ...handlers, leaveLoop: edge("leaveLoop") });
    expect(await run("leaveLoop", {}, { timeoutMs: 300 })).toBe("left");
    await run("byteLength", new Uint8Array(1), { delayMs: 50 });
    await watch.until(() => watch.exited.length === 1);
    expect(watch.reasons).toEqual(["late-fault"]);
    expect(watch.lateFaults).toMatchObject([{ id: undefined }]);
  });

  test("is noticed also where it was sent copies before", async () => {
    const { watch, run } = createThreads(one, { ...handlers, leaveLoop: edge("leaveLoop") });
    await run("echo", 1);
    const payload: Record<string, unknown> = {};
    const changed = run("echo", payload).catch(() => {});
    const circle: Error & { cause?: unknown } = new Error("its own cause");
    circle.cause = circle;
    payload["late"] = circle;
    await changed;
    await run("echo", 2);
    expect(await run("leaveLoop")).toBe("left");
    expect(await run("echo", 3, { delayMs: 50, ttlMs: 15_000 })).toBe(3);
    expect(watch.reasons).toEqual(["late-fault"]);
  });

  test("since it cannot read it, fails that task, and runs the next", async () => {
    const { run } = createThreads(one);
    await run("echo", 1);
    const circle: Error & { cause?: unknown } = new Error("its own cause");
    const payload: Record<string, unknown> = { a: 1 };
    const end = run("echo", payload).catch((error: unknown) => error);
    circle.cause = circle;
    payload["late"] = circle; // as its enqueue has let it pass
    const isRead = Number.parseInt(process.versions.node, 10) > 20; // earlier versions cannot
    expect((await end) instanceof PayloadError).toBe(!isRead);
    expect(await run("echo", 3)).toBe(3);
  });

  test("since what it reads takes all of its memory, says so, and blames no module for it", async () => {
    const threads = { max: 1, resourceLimits: { maxOldGenerationSizeMb: 12 } };
    const { tasks, run } = createThreads({ threads });
    const large = Array.from({ length: 340_000 }, () => ({}));
    for (let count = 0; count < 2; count++) {
      expect(await rejection(run("echo", large))).toMatchObject({ code: "MILLRACE_WORKER_OUT_OF_MEMORY" });
    }
    expect(await run("add", { a: 1, b: 1 })).toBe(2);
    expect(tasks.health().concerns).toEqual([]);
  });
});

describe("a module that throws beside its import", () => {
  test("fails its tasks as one that throws in it, and makes no thread after another", async () => {
    const { watch, run } = createThreads(one, { careless: inThread("careless.mjs") });
    expect(await rejection(run("careless"))).toMatchObject({
      code: "MILLRACE_HANDLER_LOAD",
      cause: new Error("nobody handles this"),
    });
    await watch.until(() => watch.exited.length === 1);
    expect(watch.reasons).toEqual(["load-failed"]);
  });
});

describe("what cannot be sent", () => {
  test("of a result, however it fails, fails its task", async () => {
    const { run } = createThreads(one, handlers);
    expect(await rejection(run("readOnce"))).toBeInstanceOf(ResultError);
    expect(await run("byteLength", new Uint8Array(3))).toBe(3);
  });

  test("of a payload, however it fails, fails its task and leaves the thread to the next", async () => {
    const { run } = createThreads(one);
    let reads = 0;
    const payload = {
      get value() {
        if (reads++ > 0) throw null;
        return 1;
      },
    };
    expect(await rejection(run("echo", payload))).toBeInstanceOf(PayloadError);
    expect(await run("echo", 1)).toBe(1);
  });

  test.each([
    ["a function", () => () => {}],
    ["what throws when it is read", () => undefined],
  ])("of locals, such as %s, is told as such", async (_, make) => {
    const spoil = async (context: { locals: object }, next: () => Promise<unknown>) => {
      const value = make();
      const get = () => {
        if (value === undefined) throw new Error("unreadable");
        return value;
      };
      Object.defineProperty(context.locals, "client", { get, enumerable: true });
      return await next();
    };
    const { run } = createThreads({ ...one, middleware: [spoil] });
    expect(await rejection(run("echo", 1))).toMatchObject({ issues: [{ path: "locals" }] });
  });

  test("of progress is told by a text, and never throws", async () => {
    const { watch, run } = createThreads(one, handlers);
    await run("reportMuch");
    await watch.until(() => watch.progress.length === 2);
    expect(watch.progress).toEqual([expect.stringContaining("bytes"), expect.stringMatching(/^\[.+\]$/)]);
  });

  test("of workerData is refused at the door", () => {
    expect(() => createThreads({ threads: { workerData: { run: () => {} } } })).toThrow(OptionError);
  });

  test("at once by context.enqueue is bounded: what is too much is refused, and the rest accepted", async () => {
    const { run } = createThreads({ ...one, capacity: 1_000 }, handlers);
    const answer = (await run("enqueueMany", { count: 40, bytes: 1_000_000 })) as { accepted: number };
    expect(answer).toMatchObject({ codes: ["MILLRACE_QUEUE_FULL"] });
    expect(answer.accepted).toBeGreaterThanOrEqual(16);
    expect(answer.accepted).toBeLessThan(40);
  });
});

describe("transfer", () => {
  test("of a view, or of one buffer twice, is refused at the door", () => {
    const { tasks } = createThreads(one, handlers);
    const bytes = new Uint8Array(8);
    for (const transfer of [[bytes], [bytes.buffer, bytes.buffer]])
      expect(() => tasks.enqueue("byteLength", bytes, { transfer })).toThrow(OptionError);
  });

  test("of what cannot be moved fails the task, and copies nothing in silence", async () => {
    const { run } = createThreads(one, handlers);
    const bytes = new Uint8Array(8);
    const refused = await rejection(run("byteLength", bytes, { transfer: [bytes.buffer, {}] }));
    expect(refused).toMatchObject({ code: "MILLRACE_PAYLOAD", issues: [{ path: "transfer" }] });
    expect(bytes.byteLength).toBe(8);
  });

  test("has not happened where middleware put the task off before its start", async () => {
    let starts = 0;
    const putOff = async (_: unknown, next: () => Promise<unknown>) => {
      if (starts++ === 0) throw reschedule({ delayMs: 1 });
      return await next();
    };
    const { run } = createThreads({ ...one, middleware: [putOff] }, handlers);
    const bytes = new Uint8Array(8);
    expect(await run("byteLength", bytes, { transfer: [bytes.buffer] })).toBe(8);
    expect(bytes.byteLength).toBe(0);
  });

  test("is not lost where there are to be fewer threads while its module is imported", async () => {
    const words = shareWords();
    const slow = { slow: inThread("gated.mjs") };
    const { tasks } = createThreads({ threads: { max: 2, workerData: { words } } }, slow);
    const buffers = [new ArrayBuffer(8), new ArrayBuffer(8)];
    const begun = shareWords();
    const handles = buffers.map((buffer) => tasks.enqueue("slow", { begun, buffer }, { transfer: [buffer] }));
    await untilWord(words, 0, 2);
    tasks.setConcurrency({ threads: { max: 1 } });
    setWord(words, 1, 1);
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(["ran", "ran"]);
  });
});

describe("limits", () => {
  test("are named by what is refused for them", async () => {
    const small = { echoes: inThread("simple.mjs", "echo", { maxPayloadBytes: 100, maxResultBytes: 50 }) };
    const { tasks, run } = createThreads(one, small);
    expect(() => tasks.enqueue("echoes", "x".repeat(100))).toThrow(
      "takes more than 100 bytes (maxPayloadBytes)",
    );
    await expect(run("echoes", "x".repeat(60))).rejects.toThrow("takes more than 50 bytes (maxResultBytes)");
  });

  test("do not hold for what moves", async () => {
    const { tasks, run } = createThreads(one, handlers);
    const large = new Uint8Array(2_000_000);
    expect(() => tasks.enqueue("byteLength", large)).toThrow(PayloadError);
    expect(await run("byteLength", large, { transfer: [large.buffer] })).toBe(2_000_000);
  });
});

describe("a module that cannot be loaded", () => {
  test("is named with its URL", async () => {
    const { run } = createThreads(one, { none: inThread("no-such-file.mjs") });
    expect((await rejection(run("none"))).message).toContain(fixture("no-such-file.mjs").href);
  });
});

describe("context.enqueue", () => {
  test("of a task that is over is refused, and says so", async () => {
    const words = shareWords();
    const { watch, run } = createThreads(one, { ...handlers, enqueueLate: edge("enqueueLate") });
    await run("enqueueLate", { words });
    await watch.until(() => watch.lateFaults.length === 1);
    expect(watch.lateFaults[0]?.error).toMatchObject({ code: "MILLRACE_NOT_ACCEPTING" });
  });
});

describe("a pool that is resized", () => {
  test("lets threads go that a lower min no longer keeps", async () => {
    const { tasks, watch } = createThreads({ threads: { min: 2, max: 2, idleTimeoutMs: 20 } });
    await watch.until(() => watch.started.length === 2);
    tasks.setConcurrency({ threads: { min: 0 } });
    await watch.until(() => watch.exited.length === 2);
    expect(watch.reasons).toEqual(["idle", "idle"]);
  });
});
