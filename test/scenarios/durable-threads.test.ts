import { describe, expect, onTestFinished, test } from "vitest";
import { defineHandlers, fixed, json, memoryBackend, TaskManager } from "../../dist/index.js";
import { fixture, inThread, untilHolds } from "../support/threads.js";

const payload = json<string>();
const backoff = fixed({ delayMs: 10 });
const handlers = defineHandlers({
  describe: inThread("durable.mjs", undefined, { payload }),
  holds: inThread("durable.mjs", "untilAborted", { payload }),
  loops: inThread("durable.mjs", "loop", {
    payload,
    maxAttempts: 2,
    timeoutMs: 200,
    killAfterMs: 50,
    backoff,
  }),
  tells: inThread("durable.mjs", "tellOften", { payload: json<number>() }),
  dies: inThread("durable.mjs", "dieAtFirst", { payload, backoff }),
  missing: { payload, module: fixture("nowhere.mjs"), maxAttempts: 1 },
  inline: { payload, run: (text: string) => text },
});

/** Managers of one store, each with a thread. */
function createProcesses() {
  const store = memoryBackend();
  const start = () => {
    const backend = store.connect();
    const tasks = new TaskManager({ handlers, backend, threads: { max: 1 }, killAfterMs: 100 });
    onTestFinished(async () => {
      await tasks.stopNow();
      expect(tasks.stats().threads.alive).toBe(0);
    });
    return tasks;
  };
  return { store, start };
}

type Tasks = ReturnType<ReturnType<typeof createProcesses>["start"]>;

/** Resolves when a handler has told that it has begun. */
function untilBegun(tasks: Tasks): Promise<void> {
  return new Promise((resolve) => {
    const observed = tasks.observe({
      onProgress: () => {
        observed[Symbol.dispose]();
        resolve();
      },
    });
  });
}

describe("durable tasks in threads", () => {
  test("see what they are, and give their results to any process", async () => {
    const { start } = createProcesses();
    const tasks = start();
    const options = { id: "mine", correlationId: "c", metadata: { tenant: "t" } };
    const handle = await tasks.enqueueDurable("describe", "x", options);
    expect(await handle.result()).toEqual({
      ...{ payload: "x", attempt: 1, correlationId: "c", metadata: { tenant: "t" } },
      ...{ id: "default:mine", queue: "default", hasToken: true },
    });
  });

  test("run beside those on the event loop, and each lane has its own slots", async () => {
    const { start } = createProcesses();
    const tasks = start();
    const begun = untilBegun(tasks);
    const held = await tasks.enqueueDurable("holds", "x");
    await begun;
    const waiting = await tasks.enqueueDurable("describe", "y");
    expect(await (await tasks.enqueueDurable("inline", "z")).result()).toBe("z");
    expect(tasks.stats().lanes).toMatchObject({ threads: { running: 1 }, inline: { running: 0 } });
    await held.cancel();
    expect(await waiting.result()).toMatchObject({ payload: "y" });
  });

  test("that never return run into their timeout, are retried, and are dead letters at last", async () => {
    const { start, store } = createProcesses();
    const tasks = start();
    const handle = await tasks.enqueueDurable("loops", "x");
    await expect(handle.result()).rejects.toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    const [letter] = await store.inspector.read([handle.id]);
    expect(letter).toMatchObject({ place: "dead", attempts: 2, outcome: { reason: "timeout" } });
  });

  test("whose thread dies are tried again", async () => {
    const { start } = createProcesses();
    expect(await (await start().enqueueDurable("dies", "x")).result()).toBe(2);
  });

  test("whose module is missing are dead letters, and block no other", async () => {
    const { start, store } = createProcesses();
    const tasks = start();
    const handle = await tasks.enqueueDurable("missing", "x");
    await expect(handle.result()).rejects.toMatchObject({ code: "MILLRACE_HANDLER_LOAD" });
    expect((await store.inspector.read([handle.id]))[0]).toMatchObject({ place: "dead" });
    expect(await (await tasks.enqueueDurable("describe", "x")).result()).toMatchObject({ payload: "x" });
  });

  test("tell of their progress to any process, while they run and last before their end", async () => {
    const { start } = createProcesses();
    const tasks = start();
    const other = start();
    const held = await tasks.enqueueDurable("holds", "x");
    await untilHolds(async () => (await other.handle("holds", held.id).progress()) === "begun");
    await held.cancel();
    const handle = await tasks.enqueueDurable("tells", 100_000);
    expect(await handle.result()).toBe(100_000);
    expect(await other.handle("tells", handle.id).progress()).toEqual({ told: 100_000 });
    for (const { durable } of [tasks.stats(), other.stats()])
      expect(durable.calls.extend.count).toBeLessThan(100);
  });

  test("C10: are cancelled from another process while they run", async () => {
    const { start } = createProcesses();
    const tasks = start();
    const begun = untilBegun(tasks);
    const { id } = await tasks.enqueueDurable("holds", "x");
    await begun;
    const handle = start().handle("holds", id);
    expect(await handle.cancel("why")).toBe(true);
    await expect(handle.result()).rejects.toMatchObject({ code: "MILLRACE_TASK_CANCELLED", cause: "why" });
  });

  test("X5: go back at no attempt when their process stops", async () => {
    const { start, store } = createProcesses();
    const tasks = start();
    const begun = untilBegun(tasks);
    const { id } = await tasks.enqueueDurable("holds", "x");
    await begun;
    expect(await tasks.stopNow()).toMatchObject({ alive: 1, interrupted: 1 });
    expect((await store.inspector.read([id]))[0]).toMatchObject({
      place: "ready",
      attempts: 0,
      deliveries: 0,
    });
  });
});
