import { AsyncLocalStorage } from "node:async_hooks";
import { Console } from "node:console";
import { Writable } from "node:stream";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import {
  defineHandlers,
  fixed,
  json,
  type Logger,
  logging,
  memoryBackend,
  StoreUnreachableError,
  TaskManager,
} from "../../../src/index.js";
import { coreOf } from "../../../src/task-manager.js";
import { ManualClock, seededRandom } from "../../../src/testing/index.js";
import { breakClient } from "../../support/broken-backend.js";
import { createDurable } from "../../support/faulty-store.js";
import { LogRecorder } from "../../support/log-recorder.js";
import { createManager, rejectionOf, thrownBy, untilAborted } from "../../support/manual-manager.js";
import { observeManager } from "../../support/observed-manager.js";

const nothing = () => {};
const thrower = (error: Error) => {
  throw error;
};
const forEver = () => new Promise<never>(() => {});

/** A stream that keeps what is written to it. */
class Page extends Writable {
  text = "";

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

describe("the log of a manager", () => {
  it("has what its store says, which may break it as little as a logger may", async () => {
    const log = new LogRecorder();
    const store = memoryBackend();
    let said: Logger | undefined;
    const backend = breakClient(store, () => ({ log: { sayTo: (logger) => (said = logger) } }));
    const { clock } = createManager({ logger: log, backend });
    said?.error({ policy: "allkeys-lru" }, "it may evict tasks");
    expect(log.entries).toEqual([]); // not inside of the call that it is about
    await clock.settle();
    expect(log.entries).toEqual([["error", "it may evict tasks", { policy: "allkeys-lru" }]]);
    const thrown = new Error("not today");
    const broken = breakClient(memoryBackend(), () => ({ log: { sayTo: () => thrower(thrown) } }));
    const { tasks } = createManager({ logger: log, backend: broken });
    expect(tasks.stats().observerErrors).toBe(1);
  });

  it("says nothing while all is well, and of a stop its beginning and its report", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createManager({ logger: log, maxAttempts: 2, backoff: fixed({ delayMs: 1 }) });
    await tasks.execute(() => 1);
    for (const failing of [
      tasks.enqueue(() => Promise.reject(new Error("the affair of who waits"))),
      tasks.enqueue(untilAborted, { timeoutMs: 1 }),
    ])
      failing.result().catch(nothing);
    tasks.enqueue(nothing, { delayMs: 60_000 }).cancel();
    await clock.advance(10);
    expect(log.entries).toEqual([]);
    tasks.enqueue(untilAborted);
    await clock.settle();
    const stopped = tasks.stopGraceful({ deadlineMs: 1_500 }).then((report) => {
      log.info({}, "what follows the stop");
      return report;
    });
    await clock.advance(2_000);
    const report = await stopped;
    expect(log.entries).toEqual([
      ["info", "stop begun", { graceful: true }],
      ["info", "stopped", { ...report }],
      ["info", "what follows the stop", {}],
    ]);
    expect(report).toMatchObject({ alive: 1, cancelled: 1, durationMs: 500 });
  });

  it("listens to nothing that happens to tasks where all is well", () => {
    const { tasks } = createManager({ logger: new LogRecorder() });
    const { events } = coreOf(tasks).journal;
    const heard = [
      "queued",
      "scheduled",
      "started",
      "progress",
      "retried",
      "rescheduled",
      "finished",
    ] as const;
    expect(heard.filter((type) => events.heard[type] > 0)).toEqual([]);
  });

  it("names tasks that have failed for good, where nobody was waiting for their results", async () => {
    const log = new LogRecorder();
    const handlers = defineHandlers({
      mail: { payload: json<string>(), run: () => Promise.reject(new TypeError("secret")) },
    });
    const { clock, tasks } = createManager({
      handlers,
      logger: log,
      maxAttempts: 2,
      backoff: fixed({ delayMs: 1 }),
    });
    const first = tasks.enqueue("mail", "secret", { name: "first" });
    tasks.enqueue("mail", "secret").result().catch(nothing);
    tasks.execute("mail", "secret").catch(nothing);
    tasks.enqueue(nothing, { delayMs: 60_000 }).cancel();
    await clock.advance(10);
    const told = { name: "first", handler: "mail", queue: "default", attempt: 2, errorType: "TypeError" };
    const text = "tasks have failed whose results nobody was waiting for";
    expect(log.entries).toEqual([["warn", text, { task: first.id, ...told, count: 1 }]]);
    expect(await rejectionOf(first.result())).toBeInstanceOf(TypeError); // who asks later is told all the same
    await tasks.stopNow();
    expect(log.ends.slice(1)).toEqual(["info: stop begun", "info: stopped"]);
  });

  it("names attempts that were abandoned, at most one line in ten seconds, with the count since the last", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createManager({ logger: log, timeoutMs: 1, killAfterMs: 1 });
    const abandon = async (name: string) => {
      const task = tasks.enqueue(forEver, { name, queue: "mail" });
      task.result().catch(nothing);
      await clock.advance(2);
      return { task: task.id, name, queue: "mail", attempt: 1 };
    };
    const first = await abandon("first");
    await abandon("second");
    await clock.advance(9_995);
    await abandon("third");
    expect(log.entries).toEqual([["warn", "attempts abandoned", { ...first, count: 1 }]]);
    await clock.advance(10);
    const fourth = await abandon("fourth");
    expect(log.entries.slice(1)).toEqual([["warn", "attempts abandoned", { ...fourth, count: 3 }]]);
    const fifth = await abandon("fifth");
    expect(log.entries).toHaveLength(2);
    await tasks.stopNow();
    expect(log.ends.slice(2)).toEqual(["info: stop begun", "warn: attempts abandoned", "info: stopped"]);
    expect(log.entries[3]?.[2]).toEqual({ ...fifth, count: 1 });
  });

  it("says what was refused for want of room, by whichever call", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createManager({ logger: log, capacity: 1, autoStart: false });
    tasks.enqueue(nothing);
    const refuse = () => thrownBy(() => tasks.enqueue(nothing, { queue: "bulk" }));
    expect(refuse()).toMatchObject({ code: "MILLRACE_QUEUE_FULL" });
    thrownBy(() => tasks.enqueueMany([nothing, nothing, nothing]));
    const waiting = tasks.execute(nothing);
    await expect(tasks.execute(nothing)).rejects.toThrow("wait");
    await clock.advance(10_000);
    refuse();
    await clock.settle();
    expect(log.entries).toEqual([
      ["warn", "tasks refused for want of room", { queue: "bulk", count: 1 }],
      ["warn", "tasks refused for want of room", { queue: "bulk", count: 5 }],
    ]);
    expect(tasks.stats().total.refused).toBe(6);
    tasks.start();
    await waiting;
  });

  it("says what was dropped: tasks, results, and hook calls", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createManager({
      ...{ logger: log, capacity: 1, whenFull: "drop-oldest", autoStart: false },
      hooks: { onQueued: () => {} },
    });
    tasks.subscribe({ name: "audit", capacity: 1 });
    const { id } = tasks.enqueue(nothing, { name: "mine" });
    for (let count = 0; count < 3; count++) tasks.enqueue(nothing);
    const held = coreOf(tasks).hooks.hold();
    for (let count = 0; count < 100_010; count++) tasks.enqueue(nothing);
    held[Symbol.dispose]();
    await clock.settle();
    expect(log.entries).toEqual([
      ["warn", "tasks dropped to make room", { task: id, name: "mine", queue: "default", count: 1 }],
      ["warn", "results dropped", { subscription: "audit", count: 1 }],
      ["warn", "hook calls dropped", { count: 1 }],
    ]);
    await tasks.stopNow();
    const { total, results, droppedHookCalls } = tasks.stats();
    const sums = new Map<string, number>();
    for (const [, text, { count }] of log.entries) sums.set(text, (sums.get(text) ?? 0) + Number(count ?? 0));
    expect(sums.get("tasks dropped to make room")).toBe(total.dropped);
    expect(sums.get("results dropped")).toBe(results.dropped);
    expect(sums.get("hook calls dropped")).toBe(droppedHookCalls);
  });

  it("says that observers fail: who it was and of what class, and nothing of the text", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createManager({
      logger: log,
      hooks: { onFinished: () => Promise.reject(new RangeError("secret")) },
    });
    tasks.subscribe({
      name: "audit",
      filter: () => {
        throw new Error("secret");
      },
    });
    await tasks.execute(nothing);
    await clock.advance(10_000);
    await tasks.execute(nothing);
    await clock.settle();
    expect(log.entries).toEqual([
      ["warn", "observers failed", { source: "filter", name: "audit", errorType: "Error", count: 1 }],
      ["warn", "observers failed", { source: "filter", name: "audit", errorType: "Error", count: 2 }],
    ]);
    await tasks.stopNow();
    const last = { source: "hook", name: "onFinished", errorType: "RangeError", count: 1 };
    expect(log.entries.slice(-2)[0]).toEqual(["warn", "observers failed", last]);
  });

  it("says that a stop began when the signal of the manager aborted, also before there was a manager", async () => {
    const log = new LogRecorder();
    const { clock } = createManager({ logger: log, signal: AbortSignal.abort() });
    await clock.settle();
    expect(log.ends).toEqual(["info: stop begun", "info: stopped"]);
  });

  it("is written in the context in which the manager was made, outside of the call that it is about", async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const log = new LogRecorder();
    const note = () => seen.push([request.getStore(), inside]);
    let inside = false;
    const { clock, tasks } = request.run("at the start", () =>
      createManager({ logger: { ...log, warn: note }, capacity: 1, autoStart: false }),
    );
    request.run("a request", () => {
      inside = true;
      tasks.enqueue(nothing);
      thrownBy(() => tasks.enqueue(nothing));
      inside = false;
    });
    await clock.settle();
    expect(seen).toEqual([["at the start", false]]);
  });

  it("refuses what is no logger", () => {
    expect(thrownBy(() => new TaskManager({ logger: { info: nothing } as never }))).toMatchObject({
      code: "MILLRACE_OPTION",
      option: "logger",
    });
    expect(new TaskManager({ logger: undefined }).stats().phase).toBe("running");
  });
});

describe("a logger", () => {
  const hostile: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw new Error("no disk");
    },
    rejects: () => Promise.reject(new Error("no disk")),
    "gives what cannot be awaited": () =>
      Object.defineProperty({}, "then", {
        get: () => {
          throw new Error("then");
        },
      }),
  };

  it.each(Object.entries(hostile))("that %s harms nothing, and is counted", async (_what, write) => {
    const reports: unknown[] = [];
    const logger: Logger = { debug: write, info: write, warn: write, error: write };
    const { clock, tasks } = createManager({
      ...{ logger, capacity: 1, timeoutMs: 1, killAfterMs: 1 },
      onObserverError: (_error, { source }) => reports.push(source),
    });
    const given = tasks.enqueue(forEver);
    expect(thrownBy(() => tasks.enqueue(nothing))).toMatchObject({ code: "MILLRACE_QUEUE_FULL" });
    const failure = rejectionOf(given.result());
    await clock.advance(2);
    expect(await failure).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    expect(await tasks.execute(() => "on it goes")).toBe("on it goes");
    await clock.settle();
    expect(tasks.stats().observerErrors).toBe(2);
    expect(reports).toEqual(["logger", "logger"]);
    expect(await tasks.stopNow()).toMatchObject({ alive: 0 });
  });

  it("that never answers is not waited for", async () => {
    const { clock, tasks } = createManager({
      logger: { debug: forEver, info: forEver, warn: forEver, error: forEver },
    });
    tasks.enqueue(nothing);
    await clock.settle();
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 0 });
    expect(tasks.stats().observerErrors).toBe(0);
  });

  it("that calls the manager sets off no more than it asks for", async () => {
    const log = new LogRecorder();
    const write: Logger["warn"] = (fields, text) => {
      log.warn(fields, text);
      thrownBy(() => tasks.enqueue(nothing));
      void tasks.stopNow();
    };
    const { clock, tasks } = createManager({
      ...{ logger: { debug: write, info: write, warn: write, error: write } },
      ...{ capacity: 1, autoStart: false },
    });
    tasks.enqueue(nothing);
    thrownBy(() => tasks.enqueue(nothing));
    await clock.settle();
    const said = [
      "tasks refused for want of room",
      "stop begun",
      "tasks refused for want of room",
      "stopped",
    ];
    expect(log.entries.map(([, text]) => text)).toEqual(said);
    expect(await tasks.stopNow()).toMatchObject({ alive: 1, neverStarted: 1 });
  });
});

/** Secrets in every place where one could be; what is told must hold none of them. */
async function keepSecrets(logger: Logger, errors?: "whole"): Promise<void> {
  const clock = new ManualClock();
  const tasks = new TaskManager({
    ...{ clock, random: seededRandom(1), logger, capacity: 30, killAfterMs: 1, whenFull: "drop-oldest" },
    ...{ middleware: [logging(logger, { clock, errors })], backoff: fixed({ delayMs: 1 }), maxAttempts: 2 },
    hooks: {
      onFinished: () => {
        throw leaky();
      },
    },
  });
  tasks.subscribe({ capacity: 1, filter: () => Promise.reject(leaky()) as never });
  const metadata = { password: "s3cret-metadata" };
  for (const work of [
    () => ({ password: "s3cret-value" }),
    () => Promise.reject(leaky()),
    () => Promise.reject("s3cret-string"),
    () => Promise.reject({ password: "s3cret-object" }),
    forEver,
  ]) {
    tasks.enqueue(work, { metadata, description: "s3cret-description", timeoutMs: 5 });
  }
  tasks.enqueue(untilAborted, { id: "mine", correlationId: "s3cret-correlation" });
  await clock.settle();
  await tasks.cancel("mine", leaky());
  for (let count = 0; count < 40; count++) tasks.enqueue(forEver, { metadata, maxAttempts: 1 });
  await clock.advance(20_000);
  const stopped = tasks.stopNow();
  await clock.advance(100);
  await stopped;
}

function leaky(): Error {
  const cause = Object.assign(new Error("s3cret-cause"), { token: "s3cret-cause-field" });
  const error = new TypeError("s3cret-message", { cause });
  return Object.assign(error, { token: "s3cret-field", code: "s3cret-code", name: "s3cret" });
}

describe("pino and the console", () => {
  it("fit as they are, and are told no secrets", async () => {
    const [json, text] = [new Page(), new Page()];
    await keepSecrets(pino({ level: "trace" }, json));
    await keepSecrets(new Console({ stdout: text, stderr: text }));
    const lines = json.text.trimEnd().split("\n");
    const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const texts = new Set(said.map(({ msg }) => msg));
    expect(texts).toContain("attempt failed");
    expect(texts).toContain("attempts abandoned");
    expect(texts).toContain("tasks dropped to make room");
    expect(texts).toContain("observers failed");
    expect(texts).toContain("stopped");
    expect(said.find(({ msg }) => msg === "stopped")).toMatchObject({ level: 30, neverStarted: 11 });
    expect(said.find(({ msg }) => msg === "observers failed")).toMatchObject({ level: 40, count: 1 });
    expect(text.text.split("\n").length).toBeGreaterThan(lines.length);
    expect(json.text).not.toContain("s3cret");
    expect(text.text).not.toContain("s3cret");
  });

  it("are told errors whole where that is asked for, by the middleware alone", async () => {
    const page = new Page();
    await keepSecrets(pino({ level: "trace" }, page), "whole");
    const told = page.text.split("\n").filter((line) => line.includes("s3cret"));
    expect(told.length).toBeGreaterThan(0);
    for (const line of told) expect(JSON.parse(line)).toHaveProperty("attempt");
    expect(page.text).not.toContain("s3cret-metadata");
    expect(page.text).not.toContain("s3cret-value");
  });
});

it("is told the middleware's lines and the manager's by one logger", async () => {
  const log = new LogRecorder();
  const manager = observeManager({ logger: log, middleware: [logging(log)] });
  await manager.execute(nothing);
  await manager.stopNow();
  expect(log.ends).toEqual(["info: attempt completed", "info: stop begun", "info: stopped"]);
});

describe("the log of a manager with a store", () => {
  const durable = defineHandlers({
    fails: { payload: json<null>(), maxAttempts: 1, run: () => Promise.reject(new Error("secret")) },
    slow: { payload: json<string>(), run: (_, context) => untilAborted(context) },
    mail: { payload: json<string>(), run: async () => {} },
  });

  it("says nothing while all is well", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createDurable({ handlers: durable, logger: log });
    await tasks.enqueueDurable("mail", "secret");
    await clock.advance(60_000);
    expect(log.entries).toEqual([]);
  });

  it("names dead letters, by their reason, at most one line in ten seconds", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createDurable({ handlers: durable, logger: log });
    const { id } = await tasks.enqueueDurable("fails", null);
    await clock.advance(100);
    for (let n = 0; n < 2; n++) await tasks.enqueueDurable("fails", null);
    await clock.advance(10_000);
    const last = await tasks.enqueueDurable("fails", null);
    await clock.advance(100);
    const fields = { handler: "fails", queue: "default", reason: "error", attempts: 1 };
    expect(log.entries).toEqual([
      ["warn", "durable tasks have become dead letters", { task: id, ...fields, count: 1 }],
      ["warn", "durable tasks have become dead letters", { task: last.id, ...fields, count: 3 }],
    ]);
  });

  it("names a queue of durable tasks that nobody is known to consume, and none where some are chosen", async () => {
    const log = new LogRecorder();
    const { clock, tasks } = createDurable({ handlers: durable, logger: log });
    await tasks.enqueueDurable("mail", "to all", { queue: "tenant-7" });
    await clock.advance(11_000);
    await tasks.enqueueDurableMany([
      ["mail", "to all", { queue: "tenant-8" }],
      ["mail", "to all"],
    ]);
    await clock.settle();
    const text = "durable tasks are in a queue that is not consumed here";
    expect(log.entries).toEqual([
      ["warn", text, { handler: "mail", queue: "tenant-7", count: 1 }],
      ["warn", text, { handler: "mail", queue: "tenant-8", count: 1 }],
    ]);

    for (const consume of [["default"], false] as const) {
      const chosen = createDurable({ handlers: durable, logger: log, consume });
      await chosen.tasks.enqueueDurable("mail", "to all", { queue: "tenant-7" });
      await chosen.clock.advance(20_000);
    }
    const named = createDurable({ handlers: durable, logger: log, queues: { "tenant-7": {} } });
    await named.tasks.enqueueDurable("mail", "to all", { queue: "tenant-7" });
    await named.clock.advance(20_000);
    expect(log.entries).toHaveLength(2);
  });

  it("says that the store is not reached, what that has cost, and that it answers again", async () => {
    const log = new LogRecorder();
    const { clock, link, tasks } = createDurable({ handlers: durable, logger: log, leaseMs: 6_000 });
    const slow = await tasks.enqueueDurable("slow", "secret");
    await clock.advance(1);
    link.fail(new StoreUnreachableError("at redis://user:secret@shop"), "extend", "ack");
    const mail = await tasks.enqueueDurable("mail", "secret");
    await clock.advance(1);
    link.fail(new StoreUnreachableError("at redis://user:secret@shop"), "claim");
    await clock.advance(9_000);
    link.mend();
    await clock.advance(9_000);
    const task = { queue: "default", attempt: 1, count: 1 };
    expect(log.entries.map(([level, text]) => `${level}: ${text}`).sort()).toEqual([
      "warn: calls to the store failed",
      "warn: ends of durable tasks not confirmed by the store",
      "warn: leases of durable tasks lost",
      "warn: the store answers again",
    ]);
    const said = new Map(log.entries.map(([, text, fields]) => [text, fields]));
    expect(said.get("calls to the store failed")).toMatchObject({ errorType: "MILLRACE_STORE_UNREACHABLE" });
    expect(said.get("leases of durable tasks lost")).toEqual({ task: slow.id, handler: "slow", ...task });
    expect(said.get("ends of durable tasks not confirmed by the store")).toEqual({
      ...{ task: mail.id, handler: "mail", ...task },
    });
    expect(JSON.stringify(log.entries)).not.toContain("secret");
  });

  it("says that the store answers again when callers are answered, too, and not before", async () => {
    const log = new LogRecorder();
    const { clock, link, tasks } = createDurable({ handlers: durable, logger: log });
    const { id } = await tasks.enqueueDurable("mail", "first");
    link.fail(new StoreUnreachableError("it is read only"), "enqueue", "cancel");
    await tasks.enqueueDurable("mail", "secret").catch(() => {});
    for (let seconds = 0; seconds < 30; seconds++) {
      await tasks.handle("mail", id).progress();
      await clock.advance(1_000);
    }
    const told = () => log.entries.map(([, text]) => text);
    expect(told()).toContain("calls to the store failed");
    expect(told()).not.toContain("the store answers again");
    link.mend();
    await clock.advance(10_000);
    expect(told().filter((text) => text === "the store answers again")).toHaveLength(1);
  });

  it("says that the store has forgotten what it had, and that a producer does not reach it", async () => {
    const log = new LogRecorder();
    const { clock, link, tasks } = createDurable({ handlers: durable, logger: log });
    await clock.advance(1);
    link.tellOfLoss();
    link.fail(new StoreUnreachableError("no answer"), "enqueue");
    for (let n = 0; n < 3; n++) await tasks.enqueueDurable("mail", "secret").catch(() => {});
    await clock.settle();
    expect(log.entries).toEqual([
      ["warn", "queues lost by the store of durable tasks", { queue: "q", count: 1 }],
      [
        ...["warn", "calls to the store failed"],
        { call: "enqueue", errorType: "MILLRACE_STORE_UNREACHABLE", count: 1 },
      ],
    ]);
  });
});
