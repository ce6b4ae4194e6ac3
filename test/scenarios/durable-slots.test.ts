import { describe, expect, onTestFinished, test } from "vitest";
import { type AttemptMiddleware, defineHandlers, json, memoryBackend } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import type { HandedOver } from "../support/pool-executor.js";
import { ThreadedManager } from "../support/threaded-manager.js";

const LEASE_MS = 30_000;
const MAX_BLOCKED_MS = 120_000;
const KILL_MS = 1_000;
/** So long after the last turn of its slot a lease is lost, at the latest. */
const LOST_MS = MAX_BLOCKED_MS + 1.5 * LEASE_MS;

const module = new URL("file:///worker.js");
const payload = json<string>();
const handlers = defineHandlers({
  endless: { payload, module, timeoutMs: false },
  timed: { payload, module, timeoutMs: 1_000 },
});

/** A manager of durable tasks whose slots are the test's own. */
function scene(middleware: readonly AttemptMiddleware[] = []) {
  const clock = new ManualClock();
  const store = memoryBackend({ clock });
  const manager = new ThreadedManager(
    {
      ...{ handlers, middleware, backend: store.connect(), threads: { max: 4 } },
      ...{ leaseMs: LEASE_MS, maxBlockedMs: MAX_BLOCKED_MS, killAfterMs: KILL_MS },
    },
    clock,
  );
  const { core, events, pool } = manager;
  onTestFinished(async () => {
    const stopped = core.shutdown.stopNow();
    await clock.advance(20_000);
    await stopped;
    expect(clock.timers).toBe(0);
  });
  /** Enqueues it, and gives what was handed over. */
  const handOver = async (text: string, handler: "endless" | "timed" = "endless"): Promise<HandedOver> => {
    await core.calls.enqueueDurable(handler, text, {});
    await clock.advance(0);
    return pool.find(text);
  };
  /** Time goes on, and the slots of these pulses turn. */
  const pass = async (ms: number, ...turning: readonly number[]) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      for (const pulse of turning) Atomics.add(pool.pulses, pulse, 1);
      await clock.advance(1_000);
    }
  };
  const lost = () =>
    events.flatMap((event) => (event.type === "leaseLost" ? [String(event.task.id)] : [])).length;
  const read = async (handed: HandedOver) => (await store.inspector.read([handed.attempt.context.id]))[0];
  return { ...{ clock, handOver, lost, manager, pass, pool, read }, stats: () => manager.stats().total };
}

describe("a durable task without a timeout in a slot", () => {
  test("that turns keeps its lease, and one whose slot is silent is ended as any that is lost", async () => {
    const { handOver, lost, manager, pass, pool, read } = scene();
    const [sound, stuck] = [await handOver("sound"), await handOver("stuck")];
    sound.attempt.placed(0);
    stuck.attempt.placed(1);
    const { signal } = stuck.attempt.context;
    const before = await read(sound);
    await pass(MAX_BLOCKED_MS, 0);
    expect([lost(), signal.aborted]).toEqual([0, false]);
    await pass(LOST_MS - MAX_BLOCKED_MS + KILL_MS, 0);
    expect([lost(), stuck.over, sound.over]).toEqual([1, true, false]);
    expect(signal.reason).toMatchObject({ code: "MILLRACE_LEASE_LOST" });
    expect(stuck.heard.map(([kind]) => kind)).toEqual(["aborted"]);
    expect(await read(sound)).toMatchObject({ token: before?.token, deliveries: 1 });
    await pass(LEASE_MS, 0); // the store gives it out again: to this process, for want of another
    expect(pool.find("stuck").attempt.context.attempt).toBe(1);
    expect((await read(stuck))?.deliveries).toBe(2);
    expect(manager.stats().lanes.threads).toMatchObject({ running: 2 });
  });

  test("shares its silence with the batch that it travels with, and none with what has left", async () => {
    const { handOver, lost, pass, pool } = scene();
    const all = [await handOver("a"), await handOver("b"), await handOver("c")];
    for (const { attempt } of all) attempt.placed(2);
    pool.end("a");
    await pass(LOST_MS + KILL_MS);
    expect([lost(), all.map(({ over }) => over)]).toEqual([2, [true, true, true]]);
  });

  test("that is given back before it began is no matter of that slot any more", async () => {
    const { handOver, lost, pass, pool } = scene();
    const first = await handOver("x");
    first.attempt.placed(0);
    pool.handBack("x");
    await pass(1_000);
    const again = pool.find("x");
    expect([first.over, again === first]).toEqual([true, false]);
    again.attempt.placed(1); // in another slot, while the first is stuck
    await pass(LOST_MS, 1);
    first.attempt.placed(0); // too late
    await pass(LOST_MS, 1);
    expect(lost()).toBe(0);
    pool.end("x");
  });

  test("depends on this thread while it stands in line, and once its slot has done with it", async () => {
    const { handOver, lost, pass, pool, stats } = scene();
    const { attempt } = await handOver("x");
    await pass(2 * LOST_MS);
    attempt.placed(0);
    await pass(LOST_MS, 0);
    attempt.placed(undefined);
    await pass(2 * LOST_MS);
    expect(lost()).toBe(0);
    pool.end("x");
    await pass(1_000);
    expect(stats()).toMatchObject({ completed: 1, started: 1 });
  });

  test("keeps its lease while middleware goes on after its handler", async () => {
    let goOn = () => {};
    const waited = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { handOver, lost, pass, pool, stats } = scene([
      async (_context, next) => {
        const value = await next();
        await waited;
        return value;
      },
    ]);
    const { attempt } = await handOver("x");
    expect(attempt.watched).toBe(true);
    attempt.placed(3);
    await pass(MAX_BLOCKED_MS, 3);
    attempt.placed(undefined);
    pool.end("x");
    await pass(2 * LOST_MS);
    expect(lost()).toBe(0);
    goOn();
    await pass(1_000);
    expect(stats()).toMatchObject({ completed: 1 });
  });

  test("is watched, and none that has a timeout or lives in this process alone", async () => {
    const { clock, handOver, manager, pool } = scene();
    const [endless, timed] = [await handOver("endless"), await handOver("timed", "timed")];
    manager.core.calls.enqueue("endless", "local", undefined);
    await clock.advance(0);
    const watched = [endless, timed, pool.find("local")].map(({ attempt }) => attempt.watched);
    expect(watched).toEqual([true, false, false]);
    for (const text of ["endless", "timed", "local"]) pool.end(text);
    await clock.advance(0);
  });
});
