import { describe, expect, test } from "vitest";
import {
  type Backend,
  CrashLoopError,
  defineHandlers,
  fixed,
  json,
  LeaseLostError,
  memoryBackend,
  TaskManager,
} from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { breakClient } from "../support/broken-backend.js";
import { createScene } from "../support/durable-scene.js";
import { rejectionOf, untilAborted } from "../support/manual-manager.js";

const LEASE_MS = 3_000;

/** A handler that runs until it is let go, and notes each of its runs. */
function holding() {
  const runs: { readonly by: string; readonly attempt: number; readonly token: number }[] = [];
  const ends: (() => void)[] = [];
  const handlers = (by: string) =>
    defineHandlers({
      work: {
        payload: json<string>(),
        run: async (_, { attempt, fencingToken = 0 }) => {
          runs.push({ by, attempt, token: fencingToken });
          await new Promise<void>((resolve) => ends.push(resolve));
          return by;
        },
      },
    });
  return { runs, ends, handlers };
}

describe("a lease from its claim to its end", () => {
  test("D1: a task is enqueued, run once and confirmed, and nothing of it waits any more", async () => {
    const { clock, counts, manager } = createScene();
    const runs: string[] = [];
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: (name) => runs.push(name) },
    });
    const tasks = manager({ handlers });
    const handle = await tasks.enqueueDurable("work", "one");
    await clock.advance(10);
    expect(runs).toEqual(["one"]);
    expect(await handle.result()).toBe(1);
    expect(await counts()).toMatchObject({ ready: 0, delayed: 0, leased: 0, dead: 0, finished: 1 });
  });

  test("D2: a task whose holder dies runs elsewhere within the lease and a second, at the same attempt", async () => {
    const { clock, doomed, manager, read } = createScene();
    const { ends, handlers, runs } = holding();
    const dying = doomed({ handlers: handlers("dying"), leaseMs: LEASE_MS });
    const { id } = await dying.enqueueDurable("work", "x");
    await clock.settle();
    expect(runs).toHaveLength(1);
    manager({ handlers: handlers("living"), leaseMs: LEASE_MS });
    await clock.advance(LEASE_MS - 1);
    expect(runs).toHaveLength(1);
    await clock.advance(1_001);
    expect(runs.map(({ by, attempt }) => [by, attempt])).toEqual([
      ["dying", 1],
      ["living", 1],
    ]);
    expect(runs[1]?.token).toBeGreaterThan(runs[0]?.token ?? Number.NaN);
    expect(await read(id)).toMatchObject({ place: "leased", attempts: 0, deliveries: 2 });
    ends[1]?.();
    await clock.advance(10);
    expect(await read(id)).toMatchObject({ place: "finished", outcome: { state: "completed" } });
  });

  test("D3: who has lost its lease is refused, and the lease of the new holder stands", async () => {
    const { clock, doomed, manager, read } = createScene();
    const { ends, handlers, runs } = holding();
    const frozen = doomed({ handlers: handlers("frozen"), leaseMs: LEASE_MS });
    const { id } = await frozen.enqueueDurable("work", "x");
    await clock.settle();
    manager({ handlers: handlers("living"), leaseMs: LEASE_MS });
    await clock.advance(LEASE_MS + 1_000);
    expect(runs).toHaveLength(2);
    const lost: string[] = [];
    frozen.observe({ onLeaseLost: (task) => lost.push(task.id), onFinished: () => lost.push("finished") });
    ends[0]?.();
    await clock.settle(10);
    expect(lost).toEqual([id]);
    expect(frozen.stats().total).toMatchObject({ completed: 0, failed: 0 });
    expect(await read(id)).toMatchObject({ place: "leased", token: runs[1]?.token });
    ends[1]?.();
    await clock.advance(10);
    expect(await read(id)).toMatchObject({ outcome: { state: "completed" } });
  });

  test("D5: a process that leases its own task again is refused with the token that it had before", async () => {
    const { clock, counts, manager, read } = createScene();
    const { ends, handlers, runs } = holding();
    let isCut = false;
    const cut = (client: Backend) =>
      breakClient(client, (sound) => ({
        extend: (leases) => (isCut ? Promise.reject(new Error("cut")) : sound.extend(leases)),
      }));
    const lost: string[] = [];
    const hooks = { onLeaseLost: () => lost.push("lost") };
    const tasks = manager({ handlers: handlers("one"), leaseMs: LEASE_MS, hooks }, cut);
    const { id } = await tasks.enqueueDurable("work", "x");
    await clock.settle();
    isCut = true;
    await clock.advance(LEASE_MS + 2_000);
    isCut = false;
    await clock.advance(1_000);
    expect(lost).toEqual(["lost"]);
    expect(runs).toHaveLength(2);
    ends[0]?.();
    await clock.advance(10);
    expect(await read(id)).toMatchObject({ place: "leased", token: runs[1]?.token });
    ends[1]?.();
    await clock.advance(10);
    expect(await counts()).toMatchObject({ leased: 0, finished: 1 });
    expect(tasks.stats().total.completed).toBe(1);
  });

  test("D7: a task longer than 20 leases runs once, renewed about every third of a lease and not after", async () => {
    const { clock, manager, read } = createScene();
    const { ends, handlers, runs } = holding();
    const renewals: number[] = [];
    const count = (client: Backend) =>
      breakClient(client, (sound) => ({
        extend: (leases) => {
          renewals.push(clock.now());
          return sound.extend(leases);
        },
      }));
    const tasks = manager({ handlers: handlers("one"), leaseMs: LEASE_MS }, count);
    manager({ handlers: handlers("other"), leaseMs: LEASE_MS });
    const { id } = await tasks.enqueueDurable("work", "x", { timeoutMs: false });
    await clock.advance(21 * LEASE_MS);
    expect(runs).toHaveLength(1);
    const first = runs[0]?.by === "one";
    if (first) expect(renewals.length).toBeGreaterThanOrEqual(62);
    if (first) expect(renewals.length).toBeLessThanOrEqual(64);
    ends[0]?.();
    await clock.advance(10);
    const after = renewals.length;
    await clock.advance(3 * LEASE_MS);
    expect(renewals).toHaveLength(after);
    expect(await read(id)).toMatchObject({ attempts: 1, outcome: { state: "completed" } });
  });

  test("D10: where a renewal finds no lease, the signal aborts and what is returned counts for nothing", async () => {
    const { clock, manager, store } = createScene();
    const signals: AbortSignal[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        run: async (_, { signal }) => {
          signals.push(signal);
          await untilAborted({ signal }).catch(() => {});
          return "void";
        },
      },
    });
    const events: string[] = [];
    const tasks = manager({
      ...{ handlers, leaseMs: LEASE_MS, autoStart: false },
      hooks: { onLeaseLost: () => events.push("lost"), onFinished: () => events.push("finished") },
    });
    const { id } = await tasks.enqueueDurable("work", "x", { deadLetter: false });
    tasks.start();
    await clock.settle(10);
    const token = (await store.inspector.read([id]))[0]?.token ?? 0;
    await store.nack([{ id, token, kind: "hand-back", delayMs: 1e6, error: undefined }]); // as if by another
    await clock.advance(LEASE_MS / 3 + 1);
    expect(signals[0]?.reason).toBeInstanceOf(LeaseLostError);
    await clock.advance(10);
    expect(events).toEqual(["lost"]);
    expect(tasks.stats().total).toMatchObject({ completed: 0, failed: 0, cancelled: 0 });
  });

  test("D11: trust ends a lease after the claim was sent, however late the answer came", async () => {
    const { clock, manager } = createScene();
    const signals: AbortSignal[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        run: (_, { signal }) => {
          signals.push(signal);
          return untilAborted({ signal });
        },
      },
    });
    const claims: number[] = [];
    const slow = (client: Backend) =>
      breakClient(client, (sound) => ({
        claim: async (request) => {
          claims.push(clock.now());
          const answer = await sound.claim(request);
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 800));
          return answer;
        },
        extend: () => Promise.reject(new Error("cut")),
      }));
    const tasks = manager({ handlers, leaseMs: LEASE_MS, autoStart: false }, slow);
    await tasks.enqueueDurable("work", "x");
    await clock.advance(100);
    tasks.start();
    await clock.advance(801);
    expect(signals).toHaveLength(1);
    await clock.advance(LEASE_MS - 300 - 801 - 1);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(2);
    expect(signals[0]?.reason).toBeInstanceOf(LeaseLostError);
    expect(claims[0]).toBe(100);
  });

  test("S9: what completed is told of only when the store has confirmed it", async () => {
    const { clock, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>(), run: (name) => name } });
    let confirm = () => {};
    const confirmed = new Promise<void>((resolve) => {
      confirm = resolve;
    });
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, (sound) => ({ ack: (ends) => confirmed.then(() => sound.ack(ends)) })),
    );
    const told: unknown[] = [];
    tasks.observe({ onFinished: () => told.push("hook") });
    const results = tasks.subscribe();
    const handle = await tasks.enqueueDurable("work", "x");
    const result = handle.result().then((value) => told.push(value));
    await clock.advance(1_000);
    expect(told).toEqual([]);
    expect([results.buffered, tasks.stats().total.completed]).toEqual([0, 0]);
    confirm();
    await clock.advance(10);
    await result;
    expect([...told].sort()).toEqual(["hook", "x"]);
    const { value } = await results[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({ id: handle.id, state: "completed", value: "x" });
  });

  test("an end that the store cannot be told of is tried until the lease is over, and then unknown", async () => {
    const { clock, manager, read } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>(), run: (name) => name } });
    let isCut = true;
    const cut = (client: Backend) =>
      breakClient(client, (sound) => ({
        ack: (ends) => (isCut ? Promise.reject(new Error("cut")) : sound.ack(ends)),
        extend: (leases) => (isCut ? Promise.reject(new Error("cut")) : sound.extend(leases)),
      }));
    const events: string[] = [];
    const hooks = { onAckUnknown: () => events.push("unknown"), onFinished: () => events.push("finished") };
    const tasks = manager({ handlers, leaseMs: LEASE_MS, hooks }, cut);
    const { id } = await tasks.enqueueDurable("work", "x");
    await clock.advance(LEASE_MS);
    expect(events).toEqual(["unknown"]);
    expect(tasks.stats().running).toBe(0);
    isCut = false;
    await clock.advance(LEASE_MS + 2_000);
    expect(events).toEqual(["unknown", "finished"]);
    expect(await read(id)).toMatchObject({ attempts: 1, outcome: { state: "completed" } });
  });

  test("D23: 500 ends that were sent when the link drops are each told once", async () => {
    const { clock, counts, manager } = createScene();
    const handlers = defineHandlers({ work: { payload: json<number>(), run: (n) => n } });
    let cuts = 0;
    const cut = (client: Backend) =>
      breakClient(client, (sound) => ({
        ack: async (ends) => {
          const answers = await sound.ack(ends);
          if (cuts++ < 3) throw new Error("the reply was lost");
          return answers;
        },
      }));
    const tasks = manager({ handlers, concurrency: 500 }, cut);
    const finished: string[] = [];
    tasks.observe({ onFinished: ({ id }) => finished.push(id) });
    await tasks.enqueueDurableMany(Array.from({ length: 500 }, (_, n) => ["work", n] as const));
    await clock.advance(5_000);
    expect(cuts).toBeGreaterThan(3);
    expect(new Set(finished).size).toBe(500);
    expect(finished).toHaveLength(500);
    expect(await counts()).toMatchObject({ ready: 0, leased: 0, finished: 500 });
  });
});

describe("attempts and deliveries", () => {
  test("R8: attempts go on from process to process, and end with the last one", async () => {
    const { clock, manager, read } = createScene();
    const attempts: string[] = [];
    const handlers = (by: string) =>
      defineHandlers({
        work: {
          payload: json<string>(),
          ...{ maxAttempts: 4, backoff: fixed({ delayMs: 1_000 }) },
          run: (_, { attempt }) => {
            attempts.push(`${by} ${attempt}`);
            throw new Error("no");
          },
        },
      });
    const first = manager({ handlers: handlers("first") });
    const { id } = await first.enqueueDurable("work", "x");
    await clock.advance(1_500);
    const stopped = first.stopNow();
    await clock.advance(100);
    await stopped;
    manager({ handlers: handlers("second") });
    await clock.advance(10_000);
    expect(attempts).toEqual(["first 1", "first 2", "second 3", "second 4"]);
    expect(await read(id)).toMatchObject({ place: "dead", attempts: 4, outcome: { reason: "error" } });
  });

  test("a task that kills each of its holders is a dead letter after maxDeliveries, once, with hook and error", async () => {
    const { clock, counts, doomed, manager, read } = createScene();
    const handlers = defineHandlers({ work: { payload: json<string>(), run: untilEver } });
    const producer = manager({ handlers, consume: false, leaseMs: LEASE_MS });
    const handle = await producer.enqueueDurable("work", "x", { maxDeliveries: 3 });
    const result = rejectionOf(handle.result({ timeoutMs: 600_000 }));
    for (let kills = 0; kills < 3; kills++) {
      doomed({ handlers, leaseMs: LEASE_MS });
      await clock.advance(LEASE_MS + 1);
    }
    const letters: unknown[] = [];
    manager({ handlers, leaseMs: LEASE_MS, hooks: { onDeadLettered: (letter) => letters.push(letter) } });
    await clock.advance(LEASE_MS + 6_000);
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({ id: handle.id, handler: "work", reason: "crash-loop" });
    expect(await result).toBeInstanceOf(CrashLoopError);
    expect(await read(handle.id)).toMatchObject({ place: "dead", attempts: 0, deliveries: 3 });
    expect(await counts()).toMatchObject({ dead: 1, leased: 0, ready: 0 });
  });

  test("deliveries begin anew with any report of a holder", async () => {
    const { clock, doomed, manager, read } = createScene();
    const handlers = (fails: boolean) =>
      defineHandlers({
        work: {
          payload: json<string>(),
          backoff: fixed({ delayMs: 100 }),
          run: async (_: string): Promise<string> => {
            if (!fails) return await new Promise<never>(() => {});
            throw new Error("reported");
          },
        },
      });
    const producer = manager({ handlers: handlers(true), consume: false });
    const { id } = await producer.enqueueDurable("work", "x", { maxDeliveries: 2, maxAttempts: 10 });
    for (let round = 0; round < 3; round++) {
      doomed({ handlers: handlers(false), leaseMs: LEASE_MS });
      await clock.advance(LEASE_MS + 1);
      const reporting = manager({ handlers: handlers(true) });
      await clock.advance(50);
      const stopped = reporting.stopNow();
      await clock.advance(100);
      await stopped;
    }
    expect(await read(id)).toMatchObject({ attempts: 3, deliveries: 0 });
  });

  test("D22: 1,000 tasks that fall due in the same millisecond all run, and once", async () => {
    const { clock, counts, manager } = createScene();
    const runs = new Map<number, number>();
    const handlers = defineHandlers({
      work: { payload: json<number>(), run: (n) => void runs.set(n, (runs.get(n) ?? 0) + 1) },
    });
    const tasks = manager({ handlers, concurrency: 64 });
    const runAt = clock.wallNow() + 60_000;
    await tasks.enqueueDurableMany(Array.from({ length: 1_000 }, (_, n) => ["work", n, { runAt }] as const));
    await clock.advance(59_999);
    expect(runs.size).toBe(0);
    await clock.advance(2_000);
    expect([runs.size, Math.max(...runs.values())]).toEqual([1_000, 1]);
    expect(await counts()).toMatchObject({ ready: 0, delayed: 0, leased: 0 });
  });
});

describe("clocks", () => {
  for (const shiftMs of [3_600_000, -3_600_000])
    test(`T1: a process whose clock is ${shiftMs / 60_000} minutes off holds leases and delays as any other`, async () => {
      const store = memoryBackend({ clock: new ManualClock() });
      const clock = new ManualClock();
      const shared = memoryBackend({ clock });
      await store.close();
      const off = new ManualClock({ wallNow: clock.wallNow() + shiftMs });
      const starts: number[] = [];
      const handlers = defineHandlers({
        work: {
          payload: json<string>(),
          run: async () => {
            starts.push(off.now());
            await new Promise<void>((resolve) => off.setTimeout(resolve, 4 * LEASE_MS));
          },
        },
      });
      const options = { handlers, leaseMs: LEASE_MS };
      const tasks = new TaskManager({
        ...options,
        clock: off,
        random: seededRandom(1),
        backend: shared.connect(),
      });
      const other = new TaskManager({
        ...options,
        clock,
        random: seededRandom(2),
        backend: shared.connect(),
      });
      await other.pause();
      await tasks.enqueueDurable("work", "x", { delayMs: 10_000 });
      const pass = async (ms: number) => {
        for (let step = 0; step < ms; step += 250) {
          await clock.advance(250);
          await off.advance(250);
        }
      };
      await pass(9_500);
      expect(starts).toEqual([]);
      await pass(1_000);
      expect(starts).toHaveLength(1);
      other.resume();
      await pass(5 * LEASE_MS);
      expect(starts).toHaveLength(1);
      expect(tasks.stats().total.completed).toBe(1);
      const stops = [tasks.stopNow(), other.stopNow()];
      await pass(2_000);
      await Promise.all(stops);
    });

  test("T7: a calendar that shows NaN or stands still moves no duration", async () => {
    for (const wallNow of [() => Number.NaN, () => 0]) {
      const clock = new ManualClock();
      const store = memoryBackend({ clock });
      const odd = new Proxy(clock, {
        get: (target, name) => {
          if (name === "wallNow") return wallNow;
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      const starts: number[] = [];
      const handlers = defineHandlers({
        work: { payload: json<string>(), run: () => void starts.push(clock.now()) },
      });
      const tasks = new TaskManager({ handlers, clock: odd, random: seededRandom(1), backend: store });
      const handle = await tasks.enqueueDurable("work", "x", { delayMs: 1_000 });
      await clock.advance(999);
      expect(starts).toEqual([]);
      await clock.advance(2);
      expect(starts).toHaveLength(1);
      await handle.result();
      const stopped = tasks.stopNow();
      await clock.advance(2_000);
      await stopped;
    }
  });
});

test("K3: a producer that dies in a batch can make it again: each task exists once", async () => {
  const { clock, counts, manager } = createScene();
  const handlers = defineHandlers({ work: { payload: json<number>() } });
  let cut = true;
  const tasks = manager({ handlers }, (client) =>
    breakClient(client, (sound) => ({
      enqueue: async (requestId, given) => {
        if (!cut) return await sound.enqueue(requestId, given);
        cut = false;
        await sound.enqueue(requestId, given.slice(0, 60)); // the store had the half of it
        throw new Error("the link was cut");
      },
    })),
  );
  const entries = Array.from({ length: 100 }, (_, n) => ["work", n, { idempotencyKey: `n${n}` }] as const);
  const error = await rejectionOf(tasks.enqueueDurableMany(entries));
  expect(error).toMatchObject({ message: "the link was cut" });
  const handles = await tasks.enqueueDurableMany(entries);
  expect(handles.filter(({ duplicate }) => duplicate)).toHaveLength(60);
  expect(new Set(handles.map(({ id }) => id)).size).toBe(100);
  expect(await counts()).toMatchObject({ ready: 100 });
  await clock.settle();
});

function untilEver(): Promise<never> {
  return new Promise(() => {});
}
