import { describe, expect, test } from "vitest";
import {
  type Backend,
  defineHandlers,
  json,
  ManagerStoppedError,
  type SchemaResult,
  type StopReport,
  StoreUnreachableError,
  type TaskManager,
} from "../../src/index.js";
import type { ManualClock } from "../../src/testing/index.js";
import { breakClient } from "../support/broken-backend.js";
import { createScene } from "../support/durable-scene.js";
import { rejectionOf, untilAborted } from "../support/manual-manager.js";

const NOTHING = {
  alive: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  interrupted: 0,
  abandoned: 0,
  neverStarted: 0,
};

/** Handlers that end after a time, at an abort, or never. */
function slowHandlers(clock: { setTimeout(callback: () => void, ms: number): unknown }) {
  const starts: string[] = [];
  const handlers = defineHandlers({
    takes: {
      payload: json<number>(),
      run: async (ms, { id }) => {
        starts.push(id);
        await new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
      },
    },
    heeds: {
      payload: json<string>(),
      run: (_, { id, signal }) => {
        starts.push(id);
        return untilAborted({ signal });
      },
    },
    ignores: {
      payload: json<string>(),
      run: (_, { id }) => {
        starts.push(id);
        return new Promise<never>(() => {});
      },
    },
    async: {
      payload: {
        "~standard": {
          version: 1 as const,
          vendor: "test",
          validate: async (value: unknown) => {
            await new Promise<void>((resolve) => clock.setTimeout(resolve, 1_000));
            return { value: value as string };
          },
        },
      },
      module: new URL("file:///nowhere.js"),
    },
  });
  return { handlers, starts };
}

async function ended(
  stopped: Promise<StopReport>,
  clock: { advance(ms: number): Promise<void> },
  ms: number,
) {
  let report: StopReport | undefined;
  stopped.then((given) => {
    report = given;
  });
  await clock.advance(ms);
  if (report === undefined) throw new Error(`the stop has not ended after ${ms} ms`);
  const { durationMs: _, ...rest } = report;
  return rest;
}

describe("a stop", () => {
  test("X5: stopNow hands what runs back at once, at no attempt, and another process goes on", async () => {
    const { clock, counts, manager, read } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    const interrupted: string[] = [];
    const tasks = manager({ handlers, hooks: { onInterrupted: ({ id }) => interrupted.push(id) } });
    const handle = await tasks.enqueueDurable("heeds", "x");
    const waiting = rejectionOf(handle.result());
    await clock.advance(10);
    const report = await ended(tasks.stopNow(), clock, 10);
    expect(report).toEqual({ ...NOTHING, alive: 1, interrupted: 1 });
    expect(interrupted).toEqual([handle.id]);
    expect(await waiting).toBeInstanceOf(ManagerStoppedError);
    expect(await read(handle.id)).toMatchObject({ place: "ready", attempts: 0, deliveries: 0 });
    expect(await counts()).toMatchObject({ dead: 0 });
    manager({ handlers });
    await clock.advance(10);
    expect(starts).toEqual([handle.id, handle.id]);
  });

  test("a graceful one lets what runs complete, claims nothing more, and interrupts the rest", async () => {
    const { clock, counts, manager, read } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    const tasks = manager({ handlers, concurrency: 2 });
    const quick = await tasks.enqueueDurable("takes", 1_000);
    const long = await tasks.enqueueDurable("heeds", "x");
    const never = await tasks.enqueueDurable("takes", 1);
    await clock.advance(10);
    expect(starts).toEqual([quick.id, long.id]);
    const report = await ended(tasks.stopGraceful({ deadlineMs: 5_000 }), clock, 5_000);
    expect(report).toEqual({ ...NOTHING, alive: 2, completed: 1, interrupted: 1 });
    expect(starts).toHaveLength(2);
    expect(await read(never.id)).toMatchObject({ place: "ready", deliveries: 0 });
    expect(await counts()).toMatchObject({ ready: 2, leased: 0, finished: 1 });
  });

  test("one whose handler ignores it is abandoned, and its lease is left to expire", async () => {
    const { clock, counts, manager, read } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    const tasks = manager({ handlers, leaseMs: 10_000 });
    const { id } = await tasks.enqueueDurable("ignores", "x");
    await clock.advance(10);
    const report = await ended(tasks.stopNow(), clock, 1_250);
    expect(report).toEqual({ ...NOTHING, alive: 1, abandoned: 1 });
    expect(await read(id)).toMatchObject({ place: "leased", attempts: 0 });
    const other = manager({ handlers });
    await clock.advance(8_000);
    expect(starts).toHaveLength(1);
    await clock.advance(4_000);
    expect(starts).toHaveLength(2);
    expect(await counts()).toMatchObject({ dead: 0, leased: 1 });
    expect(other.stats().running).toBe(1);
  });

  test("one that hears of a claim on the way gives its tasks back uncharged", async () => {
    const { clock, manager, read } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    const slow = (client: Backend) =>
      breakClient(client, (sound) => ({
        claim: async (request) => {
          const answer = await sound.claim(request);
          if (answer.tasks.length > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, 40));
          return answer;
        },
      }));
    const tasks = manager({ handlers }, slow);
    const { id } = await tasks.enqueueDurable("takes", 1);
    await clock.advance(10);
    expect(await read(id)).toMatchObject({ place: "leased" });
    const report = await ended(tasks.stopGraceful(), clock, 100);
    expect(report).toEqual(NOTHING);
    expect(starts).toEqual([]);
    expect(await read(id)).toMatchObject({ place: "ready", attempts: 0, deliveries: 0 });
  });

  test("one that meets local and durable tasks in every state counts each once", async () => {
    const { clock, counts, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers, concurrency: 6 });
    await tasks.enqueueDurable("heeds", "x");
    await tasks.enqueueDurable("ignores", "x");
    await tasks.enqueueDurable("takes", 100);
    await tasks.enqueueDurable("takes", 1, { delayMs: 60_000 });
    await clock.advance(10);
    tasks.enqueue("heeds", "x");
    tasks.enqueue("ignores", "x");
    tasks.enqueue("takes", 100);
    tasks.enqueue("takes", 1, { delayMs: 60_000 });
    await clock.advance(1);
    const report = await ended(tasks.stopGraceful({ deadlineMs: 3_000 }), clock, 3_250);
    expect(report).toEqual({
      ...{ alive: 7, completed: 2, failed: 0, cancelled: 1 },
      ...{ interrupted: 1, abandoned: 2, neverStarted: 1 },
    });
    expect(await counts()).toMatchObject({ ready: 1, delayed: 1, leased: 1, finished: 1, dead: 0 });
  });

  test("one while the payload of a claimed task is being checked for its thread hands that back", async () => {
    const { clock, manager, read } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers, threads: { max: 1 } });
    const accepted = tasks.enqueueDurable("async", "x");
    await clock.advance(1_010);
    const { id } = await accepted;
    await clock.settle();
    expect(await read(id)).toMatchObject({ place: "leased" });
    const report = await ended(tasks.stopNow(), clock, 200);
    expect(report).toEqual({ ...NOTHING, alive: 1, interrupted: 1 });
    expect(await read(id)).toMatchObject({ place: "ready", attempts: 0, deliveries: 0 });
    await clock.advance(2_000);
    expect(tasks.stats().total).toMatchObject({ completed: 0, failed: 0, cancelled: 0 });
  });

  test("stopNow shortens a graceful one, and both give the same report", async () => {
    const { clock, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("heeds", "x");
    await clock.advance(10);
    const graceful = tasks.stopGraceful({ deadlineMs: 60_000 });
    await clock.advance(1_000);
    const report = await ended(tasks.stopNow(), clock, 100);
    expect(report).toEqual({ ...NOTHING, alive: 1, interrupted: 1 });
    expect(await graceful).toMatchObject(report);
  });
});

describe("what is checked or told when a task is to end", () => {
  test("a cancellation while a payload is being checked for a thread ends the task in the store", async () => {
    const { clock, counts, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers, threads: { max: 1 } });
    const other = manager({ handlers, consume: false });
    const accepted = Promise.all([tasks.enqueueDurable("async", "x"), tasks.enqueueDurable("async", "y")]);
    await clock.advance(1_010);
    const [one, two] = await accepted;
    await clock.settle();
    expect(await tasks.cancel(one.id, "here")).toBe(true);
    expect(await other.cancel(two.id, "there")).toBe(true);
    await clock.advance(500);
    expect(await counts()).toMatchObject({ leased: 0, finished: expect.any(Number) });
    await clock.advance(3_000);
    expect(await counts()).toMatchObject({ leased: 0, ready: 0, dead: 0, finished: 2 });
    expect(await rejectionOf(one.result())).toMatchObject({ cause: "here" });
    expect(await rejectionOf(two.result())).toMatchObject({ cause: "there" });
  });

  test("nothing more of a call is sent when the stop is over, whatever the store would take", async () => {
    const { clock, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const sent: number[] = [];
    const tasks = manager({ handlers, consume: false }, (client) =>
      breakClient(client, (sound) => ({
        enqueue: async (requestId, all) => {
          sent.push(all.length);
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 2_000));
          return await sound.enqueue(requestId, all);
        },
      })),
    );
    const call = tasks.enqueueDurableMany(Array.from({ length: 9_000 }, () => ["takes", 1] as const));
    const refused = expect(call).rejects.toBeInstanceOf(StoreUnreachableError);
    await clock.advance(10);
    const stopped = tasks.stopGraceful({ deadlineMs: 200 });
    await clock.advance(5_000);
    await stopped;
    await refused;
    expect(sent).toEqual([1_000, 1_000, 1_000, 1_000]);
  });

  test("a deadline that has passed is told to a slow store once, and ends the task once", async () => {
    const { clock, counts, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const finished: string[] = [];
    const tasks = manager(
      { handlers, autoStart: false, hooks: { onFinished: ({ id }) => finished.push(id) } },
      (client) =>
        breakClient(client, (sound) => ({
          deadLetter: async (ends) => {
            await new Promise<void>((resolve) => clock.setTimeout(resolve, 500));
            return await sound.deadLetter(ends);
          },
        })),
    );
    const { id } = await tasks.enqueueDurable("takes", 1, { ttlMs: 10 });
    await clock.advance(100);
    tasks.start();
    await clock.advance(1_000);
    expect(finished).toEqual([id]);
    expect(await counts()).toMatchObject({ dead: 1, leased: 0 });
  });
});

describe("pause and concurrency", () => {
  test("nothing is claimed while all is paused, and what was claimed on the way goes back", async () => {
    const { clock, manager, read } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    let slow = false;
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, (sound) => ({
        claim: async (request) => {
          const answer = await sound.claim(request);
          if (slow) await new Promise<void>((resolve) => clock.setTimeout(resolve, 40));
          return answer;
        },
      })),
    );
    await clock.settle();
    slow = true;
    const { id } = await tasks.enqueueDurable("takes", 1);
    await clock.advance(10);
    await tasks.pause();
    await clock.advance(60_000);
    expect(starts).toEqual([]);
    expect(await read(id)).toMatchObject({ place: "ready", deliveries: 0 });
    tasks.resume();
    await clock.advance(100);
    expect(starts).toEqual([id]);
  });

  test("a paused queue is not claimed from, and the others are", async () => {
    const { clock, manager } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    const tasks = manager({ handlers, queues: { one: {}, two: {} } });
    await tasks.pause({ queue: "one" });
    const one = await tasks.enqueueDurable("takes", 1, { queue: "one" });
    const two = await tasks.enqueueDurable("takes", 1, { queue: "two" });
    await clock.advance(20_000);
    expect(starts).toEqual([two.id]);
    tasks.resume({ queue: "one" });
    await clock.advance(10);
    expect(starts).toEqual([two.id, one.id]);
  });

  test("pause({ wait }) resolves when the durable tasks that run have ended", async () => {
    const { clock, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("takes", 1_000);
    await clock.advance(10);
    let paused = false;
    tasks.pause({ wait: true }).then(() => {
      paused = true;
    });
    await clock.advance(900);
    expect(paused).toBe(false);
    await clock.advance(100);
    expect(paused).toBe(true);
  });

  test("setConcurrency lets more, or fewer, durable tasks run from now on", async () => {
    const { clock, manager } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    const tasks = manager({ handlers, concurrency: 1 });
    for (let n = 0; n < 9; n++) await tasks.enqueueDurable("takes", 100);
    await clock.advance(50);
    expect(starts).toHaveLength(1);
    tasks.setConcurrency({ inline: 4 });
    await clock.advance(1);
    expect(starts).toHaveLength(4);
    tasks.setConcurrency({ inline: 2 });
    await clock.advance(120);
    expect(starts.length).toBeLessThanOrEqual(6);
    expect(tasks.stats().running).toBe(2);
  });

  test("setRate opens a limit for durable tasks that wait for it", async () => {
    const { clock, manager } = createScene();
    const { handlers, starts } = slowHandlers(clock);
    const tasks = manager({ handlers, tasksPerSecond: 0.001, burst: 1 });
    for (let n = 0; n < 5; n++) await tasks.enqueueDurable("takes", 1);
    await clock.advance(1_000);
    expect(starts).toHaveLength(1);
    tasks.setRate({ tasksPerSecond: 100, burst: 10 });
    await clock.advance(100);
    expect(starts).toHaveLength(5);
  });

  test("drain waits for what is leased here, and not for what waits in the store", async () => {
    const { clock, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers });
    await tasks.enqueueDurable("takes", 1_000);
    await tasks.enqueueDurable("takes", 1_000, { delayMs: 1e6 });
    await clock.advance(10);
    let drained = false;
    tasks.drain().then(() => {
      drained = true;
    });
    await clock.advance(900);
    expect(drained).toBe(false);
    await clock.advance(100);
    expect(drained).toBe(true);
  });

  test("cancelAll ends the durable tasks that run here, and leaves those of the store alone", async () => {
    const { clock, counts, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers, concurrency: 2 });
    for (let n = 0; n < 3; n++) await tasks.enqueueDurable("heeds", "x");
    await clock.advance(10);
    expect(await tasks.cancelAll("enough")).toBe(2);
    await clock.advance(10);
    expect(await counts()).toMatchObject({ leased: 1, finished: 2, dead: 0 });
  });
});

describe("a manager that is alone", () => {
  test("with handlers as contracts only claims nothing, and stops at once", async () => {
    const { clock, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>() } });
    const tasks: TaskManager<typeof handlers> = manager({ handlers });
    await tasks.enqueueDurable("work", "x");
    await clock.advance(60_000);
    expect(await ended(tasks.stopGraceful(), clock, 10)).toEqual(NOTHING);
    expect(clock.timers).toBe(0);
  });

  test("that stops before its store ever answered leaves no timer", async () => {
    const { clock, manager } = createScene();
    const { handlers } = slowHandlers(clock);
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, () => ({ claim: () => Promise.reject(new Error("down")) })),
    );
    await clock.advance(20_000);
    expect(await ended(tasks.stopGraceful(), clock, 10)).toEqual(NOTHING);
    expect(clock.timers).toBe(0);
  });
});

describe("calls that came before a stop", () => {
  const handlers = defineHandlers({ work: { payload: json<string>() } });
  const answeringAfter = (clock: ManualClock, ms: number) => (client: Backend) =>
    breakClient(client, (sound) => ({
      enqueue: async (...given) => {
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));
        return await sound.enqueue(...given);
      },
    }));

  for (const how of ["stopGraceful", "stopNow"] as const)
    test(`X2: are answered before a ${how} is over`, async () => {
      const { clock, counts, manager } = createScene();
      const tasks = manager({ handlers, consume: false, killAfterMs: 1_000 }, answeringAfter(clock, 500));
      const under = tasks.enqueueDurable("work", "under way");
      await clock.settle();
      const called = Promise.all([under, tasks.enqueueDurable("work", "same turn")]);
      const stopped = tasks[how]();
      expect(await rejectionOf(tasks.enqueueDurable("work", "late"))).toMatchObject({
        code: "MILLRACE_NOT_ACCEPTING",
      });
      await ended(stopped, clock, 1_000);
      expect((await stopped).durationMs).toBeGreaterThan(500);
      expect((await called).map(({ duplicate }) => duplicate)).toEqual([false, false]);
      expect(await counts()).toMatchObject({ ready: 2 });
    });

  test("X2: hold it no longer than its deadline where the store does not answer", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers, consume: false }, answeringAfter(clock, 9_000));
    const called = rejectionOf(tasks.enqueueDurable("work", "x"));
    await ended(tasks.stopGraceful({ deadlineMs: 2_000 }), clock, 2_250);
    expect(await called).toMatchObject({ code: "MILLRACE_STORE_UNREACHABLE" });
  });
});

describe("a schema that answers later", () => {
  const never = () => new Promise<never>(() => {});
  const schemaOf = (validate: (value: unknown) => Promise<SchemaResult<unknown>>) => ({
    "~standard": { version: 1 as const, vendor: "test", validate },
  });

  test("X1: which never does, holds no call beyond a stop", async () => {
    const { manager } = createScene();
    const handlers = defineHandlers({ work: { payload: schemaOf(never) } });
    const tasks = manager({ handlers });
    const waiting = rejectionOf(tasks.enqueueDurable("work", null as never));
    await Promise.resolve();
    await tasks.stopNow();
    expect(await waiting).toMatchObject({ code: "MILLRACE_NOT_ACCEPTING" });
  });

  test("Z5: which rejects, of a payload that cannot be stored, leaves no rejection to nobody", async () => {
    const { manager } = createScene();
    const handlers = defineHandlers({
      work: { payload: schemaOf(() => Promise.reject(new Error("the schema is out of order"))) },
    });
    const tasks = manager({ handlers });
    const error = await rejectionOf(tasks.enqueueDurable("work", { at: new Date(0) } as never));
    expect(error).toMatchObject({ code: "MILLRACE_PAYLOAD" }); // Vitest fails on what is unhandled
    const good = ["work", { at: 0 }] as never;
    const many = await rejectionOf(tasks.enqueueDurableMany([good, ["nobody", 1] as never, good]));
    expect(many).toMatchObject({ code: "MILLRACE_UNKNOWN_HANDLER" });
  });

  test("D21: of many, lets the others wait for it, and each is stored as it was at the call", async () => {
    const { clock, manager, read } = createScene();
    const soon = schemaOf(async (value) => ({ value }));
    const handlers = defineHandlers({ now: { payload: json<{ n: number }>() }, soon: { payload: soon } });
    const tasks = manager({ handlers, consume: false });
    const payloads = [{ n: 1 }, { n: 2 }] as const;
    const called = tasks.enqueueDurableMany([
      ["now", payloads[0], { id: "one" }],
      ["soon", payloads[1], { id: "two", ttlMs: 50 }],
    ]);
    for (const payload of payloads) Object.assign(payload, { n: 9 });
    await clock.settle();
    await called;
    const stored = await Promise.all(["default:one", "default:two"].map(read));
    expect(stored.map((task) => Buffer.from(task?.payload ?? []).toString())).toEqual(['{"n":1}', '{"n":2}']);
    expect(JSON.parse(stored[1]?.envelope ?? "")).toEqual({ v: 1, ttlMs: 50 });
  });
});
