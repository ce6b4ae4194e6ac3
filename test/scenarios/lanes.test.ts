import { describe, expect, test } from "vitest";
import { toReadings } from "../../src/core/manager/readings.js";
import { defineHandlers, healthHandler, json, OptionError, UnknownHandlerError } from "../../src/index.js";
import { rejectionOf, thrownBy } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";
import { createThreaded, ThreadedManager } from "../support/threaded-manager.js";

describe("a second lane", () => {
  test("runs the tasks of handlers with a module, beside those of the event loop", async () => {
    const manager = createThreaded({ concurrency: 1 });
    const stubborn = new Stubborn();
    manager.core.calls.enqueue(stubborn.run, undefined, undefined);
    const [one, two, mail] = [manager.enqueue(1), manager.enqueue(2), manager.enqueue("m", {}, "mail")];
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([1, 2]);
    expect(mail.state).toBe("queued");
    manager.pool.end(1, "first");
    expect(await one.result()).toBe("first");
    stubborn.resolve();
    expect(await mail.result()).toBe("m");
    expect(two.state).toBe("running");
    manager.pool.fail(2, new Error("broken"));
    expect(await rejectionOf(two.result())).toMatchObject({ message: "broken" });
  });

  test("that is full holds nobody else up, and goes on when a slot is given back", async () => {
    const manager = createThreaded({ threads: { max: 1 } });
    const handles = [1, 2, 3].map((payload) => manager.enqueue(payload, { priority: -5 }));
    const mail = manager.enqueue("m", {}, "mail");
    await manager.clock.advance(0);
    expect(await mail.result()).toBe("m");
    expect(manager.pool.payloads).toEqual([1]);
    for (const payload of [1, 2, 3]) manager.pool.end(payload);
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([1, 2, 3]);
  });

  test("is there only where a handler has a module", () => {
    const handlers = defineHandlers({ mail: { payload: json<number>(), run: () => 1 } });
    const manager = createThreaded({ handlers, threads: { min: 1, max: 3 } });
    expect(manager.core.lanes.threads).toBeUndefined();
    expect(manager.pool.opened).toBe(0);
    expect(manager.stats()).toMatchObject({
      lanes: { threads: { concurrency: 0, running: 0, free: 0, abandoned: 0, held: 0 } },
      threads: { min: 1, max: 3, alive: 0, failing: false, exited: { idle: 0, "out-of-memory": 0 } },
    });
    manager.controls.setConcurrency({ threads: { max: 8 } });
    expect(manager.stats().threads).toMatchObject({ min: 1, max: 8 });
  });

  test("is opened by the start, and closed by the stop", async () => {
    const manager = new ThreadedManager({ autoStart: false });
    manager.enqueue(1);
    await manager.clock.advance(0);
    expect([manager.pool.opened, manager.pool.all.length]).toEqual([0, 0]);
    manager.controls.start();
    manager.controls.start();
    await manager.clock.advance(0);
    expect([manager.pool.opened, manager.pool.payloads]).toEqual([1, [1]]);
    manager.pool.end(1);
    await manager.expectCleanEnd();
    expect(manager.pool.closed).toBe(1);
  });

  test("a handler without run and module is still only a contract", () => {
    const handlers = defineHandlers({ archive: { payload: json<number>() } });
    const manager = createThreaded({ handlers });
    const thrown = thrownBy(() => manager.enqueue(1, {}, "archive"));
    expect(thrown).toBeInstanceOf(UnknownHandlerError);
    expect(thrown).toMatchObject({ message: expect.stringContaining("neither `run` nor `module`") });
  });

  test("counts what waits and runs by its lane", async () => {
    const manager = createThreaded({ threads: { max: 1 }, concurrency: 1 });
    const stubborn = new Stubborn();
    manager.core.calls.enqueue(stubborn.run, undefined, undefined);
    for (const payload of [1, 2, 3]) manager.enqueue(payload);
    await manager.clock.advance(0);
    const groups = toReadings(manager.core).groups.filter(({ queued, running }) => queued + running > 0);
    expect(groups).toEqual([
      { queue: "default", handler: undefined, lane: "inline", queued: 0, running: 1 },
      { queue: "default", handler: "hash", lane: "threads", queued: 2, running: 1 },
    ]);
    expect(manager.stats()).toMatchObject({
      running: 2,
      lanes: { inline: { concurrency: 1, running: 1 }, threads: { concurrency: 1, running: 1, free: 0 } },
    });
    stubborn.resolve();
    await manager.clock.advance(0);
  });

  test("takes permits from the same bucket, whose burst is the total of all lanes", async () => {
    const manager = createThreaded({ concurrency: 3, threads: { max: 2 }, tasksPerSecond: 1 });
    expect(manager.stats().limiter.burst).toBe(5);
    for (let payload = 0; payload < 2; payload++) manager.enqueue(payload);
    for (let payload = 0; payload < 9; payload++) manager.enqueue(payload, {}, "mail");
    await manager.clock.advance(0);
    expect(manager.stats().total.started).toBe(5);
    manager.controls.setRate({ tasksPerSecond: Number.POSITIVE_INFINITY });
    manager.controls.setRate({ tasksPerSecond: 7 });
    expect(manager.stats().limiter.burst).toBe(5);
  });

  test("without a handler that needs it adds nothing to the burst", () => {
    const handlers = defineHandlers({ mail: { payload: json<number>(), run: () => 1 } });
    const manager = createThreaded({ handlers, concurrency: 3, threads: { max: 2 }, tasksPerSecond: 1 });
    expect(manager.stats().limiter.burst).toBe(3);
  });

  test("obeys a limit of the handler, and the pause of a queue", async () => {
    const manager = createThreaded({ threads: { max: 4 } });
    await manager.controls.pause({ queue: "files" });
    manager.enqueue(1, {}, "zip");
    manager.enqueue(2);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([2]);
    manager.controls.resume({ queue: "files" });
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([2, 1]);
  });
});

describe("the size of the pool", () => {
  test("is changed live, each bound by itself, and held against the other", async () => {
    const manager = createThreaded({ threads: { min: 1, max: 2 } });
    manager.controls.setConcurrency({ threads: { max: 5 } });
    manager.controls.setConcurrency({ inline: 3, threads: { min: 4 } });
    expect(manager.pool.sizes).toEqual([
      { min: 1, max: 5 },
      { min: 4, max: 5 },
    ]);
    const thrown = thrownBy(() => manager.controls.setConcurrency({ inline: 9, threads: { max: 3 } }));
    expect(thrown).toBeInstanceOf(OptionError);
    expect(manager.pool.sizes).toHaveLength(2);
    expect(manager.stats().lanes).toMatchObject({ inline: { concurrency: 3 }, threads: { concurrency: 5 } });
  });

  test.each([
    [{ threads: { max: 0 } }, "threads.max"],
    [{ threads: { min: -1 } }, "threads.min"],
    [{ threads: { most: 1 } }, "threads.most"],
    [{ threads: 3 }, "threads"],
  ])("%o is refused", (options, option) => {
    const manager = createThreaded();
    const thrown = thrownBy(() => manager.controls.setConcurrency(options as never));
    expect(thrown).toMatchObject({ code: "MILLRACE_OPTION", option });
    expect(manager.pool.sizes).toEqual([]);
  });

  test("that is 0 for a time starts nothing, and tasks go on when there are slots again", async () => {
    const manager = createThreaded();
    manager.pool.host.setSlots(0);
    manager.enqueue(1);
    await manager.clock.advance(60_000);
    expect(manager.pool.payloads).toEqual([]);
    manager.pool.host.setSlots(1);
    await manager.clock.advance(0);
    expect(manager.pool.payloads).toEqual([1]);
  });
});

describe("what a pool tells", () => {
  const started = { worker: "millrace-1", threadId: 1, startMs: 30 };
  const exited = {
    ...{ worker: "millrace-1", threadId: 1, reason: "idle" as const },
    ...{ exitCode: 0, error: undefined, attempts: 7, aliveMs: 900 },
  };
  const fault = {
    worker: "millrace-1",
    id: "a",
    handler: "hash",
    queue: "default",
    error: new Error("late"),
  };

  test("comes to events and hooks, frozen", async () => {
    const told: unknown[] = [];
    const hook = (name: string) => (details: object) => {
      told.push([name, details, Object.isFrozen(details)]);
    };
    const manager = createThreaded({
      hooks: {
        ...{ onWorkerStarted: hook("started"), onWorkerExited: hook("exited"), onLateFault: hook("fault") },
      },
    });
    manager.pool.host.workerStarted(started);
    manager.pool.host.workerExited(exited);
    manager.pool.host.lateFault(fault);
    expect(manager.events.slice(-3)).toEqual([
      { type: "workerStarted", worker: started },
      { type: "workerExited", worker: exited },
      { type: "lateFault", fault },
    ]);
    await manager.clock.advance(0);
    expect(told).toEqual([
      ["started", started, true],
      ["exited", exited, true],
      ["fault", fault, true],
    ]);
  });

  test("within run, kill and close changes nothing of what they do", async () => {
    const manager = createThreaded({ killAfterMs: 100 });
    const { pool } = manager;
    const tell = () => {
      pool.host.workerExited(exited);
      pool.host.workerStarted(started);
      pool.host.setSlots(2);
      pool.host.lateFault(fault);
    };
    pool.onRun = tell;
    pool.onKill = (handed) => {
      tell();
      handed.over = true;
      handed.attempt.ended({ returned: false, thrown: new Error("terminated") });
      tell();
      return true;
    };
    pool.close = async () => tell();
    const handles = [1, 2, 3].map((payload) => manager.enqueue(payload));
    await manager.clock.advance(0);
    handles[0]?.cancel();
    await manager.clock.advance(100);
    expect(handles.map(({ state }) => state)).toEqual(["cancelled", "running", "running"]);
    await manager.expectCleanEnd();
  });
});

describe("the health of a manager whose threads fail", () => {
  const ask = (manager: ThreadedManager, url: string) => {
    let answer: unknown;
    const response = {
      writeHead: (status: number) => {
        answer = status;
      },
      end: (text: string) => {
        answer = [answer, ...JSON.parse(text).reasons];
      },
    };
    healthHandler({ health: () => manager.health() })({ method: "GET", url } as never, response as never);
    return answer;
  };

  test("P19: is degraded, and a restart would help where no thread can be started", () => {
    const manager = createThreaded();
    expect(manager.health()).toMatchObject({ status: "ok", concerns: [] });
    manager.pool.stats.failing = true;
    expect(manager.health()).toMatchObject({ status: "degraded", concerns: ["threads-failing"] });
    expect(ask(manager, "/livez")).toEqual([503, "threads-failing"]);
    expect(ask(manager, "/readyz")).toEqual([503, "threads-failing"]);
    manager.pool.stats.failing = false;
    expect(ask(manager, "/livez")).toEqual([200]);
  });

  test("P8: is degraded where one handler cannot be loaded, which is no reason to restart", () => {
    const manager = createThreaded();
    manager.pool.stats.failingHandlers = ["hash"];
    expect(manager.health()).toMatchObject({ status: "degraded", concerns: ["handler-failing"] });
    expect(ask(manager, "/livez")).toEqual([200]);
    expect(ask(manager, "/readyz")).toEqual([200]);
  });
});

describe("transfer", () => {
  const buffers = [new ArrayBuffer(8)];

  test("goes with the attempt, once", async () => {
    const manager = createThreaded();
    const handle = manager.enqueue(1, { transfer: buffers });
    manager.enqueue(2);
    await manager.clock.advance(0);
    const [first, other] = [manager.pool.find(1).attempt, manager.pool.find(2).attempt];
    expect(first.transfer).toMatchObject({ objects: buffers, moved: false });
    expect(other.transfer).toBe(undefined);
    if (first.transfer !== undefined) first.transfer.moved = true;
    manager.pool.handBack(1);
    await manager.clock.advance(0);
    expect(manager.pool.find(1).attempt.transfer?.moved).toBe(true);
    manager.pool.end(1);
    expect(await handle.result()).toBe(1);
  });

  test.each<[string, unknown[], RegExp]>([
    ["a function", [() => 1, { transfer: buffers }], /only for a handler with `module`/],
    ["a handler with run", ["mail", 1, { transfer: buffers }], /only for a handler with `module`/],
    ["several attempts", ["hash", 1, { transfer: buffers, maxAttempts: 2 }], /`maxAttempts` to be 1/],
    ["what is no array", ["hash", 1, { transfer: buffers[0] }], /an array of objects/],
    ["what is no object", ["hash", 1, { transfer: [5] }], /`transfer.0` to be an object/],
    ["too many", ["hash", 1, { transfer: new Array(1_001).fill(buffers[0]) }], /at most 1,?000/],
  ])("is refused for %s", (_, [first, second, third], message) => {
    const manager = createThreaded();
    const thrown = thrownBy(() => manager.core.calls.enqueue(first, second, third));
    expect(thrown).toBeInstanceOf(OptionError);
    expect(thrown).toMatchObject({ message: expect.stringMatching(message) });
    expect(manager.stats().total.enqueued).toBe(0);
  });
});
