import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManager, rejectionOf, untilAborted } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";

const TASKS = 100_000;

/** What Node warns of during a test, such as too many listeners. */
const warnings: Error[] = [];
const listen = (warning: Error) => warnings.push(warning);
beforeEach(() => {
  warnings.length = 0;
  process.on("warning", listen);
});
afterEach(() => void process.off("warning", listen));

async function expectNoWarnings(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve)); // warnings come in a later tick
  expect(warnings).toEqual([]);
}

describe("C4: one signal shared by 100,000 tasks", () => {
  it("C4: listens to it once, lets go of it when all have completed, and Node warns of nothing", async () => {
    const { tasks, clock } = createManager({ capacity: TASKS, concurrency: 1_000 });
    const { signal } = new AbortController();
    for (let count = 0; count < TASKS; count++) tasks.enqueue(() => undefined, { signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await tasks.drain();
    expect(tasks.stats().total.completed).toBe(TASKS);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await clock.settle();
    await expectNoWarnings();
  });

  it("C4: cancels them all when it aborts, running, queued and scheduled ones", async () => {
    const { tasks, clock } = createManager({ capacity: TASKS, concurrency: 10 });
    const controller = new AbortController();
    const { signal } = controller;
    const running = Array.from({ length: 10 }, () => tasks.enqueue(untilAborted, { signal }));
    await clock.settle();
    for (let count = 10; count < TASKS; count++) {
      tasks.enqueue(() => expect.unreachable("it was cancelled"), {
        signal,
        delayMs: count % 2 === 0 ? 1_000 : 0,
      });
    }
    const other = tasks.enqueue(() => "untouched");
    controller.abort("enough");
    await tasks.drain();
    expect(tasks.stats().total).toMatchObject({ cancelled: TASKS, completed: 1 });
    expect(await rejectionOf(running[0]?.result() ?? Promise.resolve())).toMatchObject({ cause: "enough" });
    expect(await other.result()).toBe("untouched");
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await expectNoWarnings();
  });

  it("C4: lets go of it when tasks end in any other way", async () => {
    const { tasks, clock } = createManager({ concurrency: 3, maxAttempts: 2, backoff: () => 10 });
    const { signal } = new AbortController();
    const fails = () => {
      throw new Error("fails");
    };
    tasks.enqueue(fails, { signal });
    tasks.enqueue(untilAborted, { signal, timeoutMs: 5 });
    tasks.enqueue(new Stubborn().run, { signal, ttlMs: 5 });
    tasks.enqueue(() => 1, { signal, delayMs: 3_000, ttlMs: 2_000 });
    tasks.enqueue(() => 1, { signal }).cancel();
    tasks.enqueue(() => 1, { signal, delayMs: 100_000 });
    await clock.advance(5_000);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await tasks.stopNow();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("C4: listens once for all who wait for room, for a result or for a drain with it", async () => {
    const { tasks, clock } = createManager({ capacity: 200, concurrency: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const busy = new Stubborn();
    const handle = tasks.enqueue(busy.run);
    await clock.settle();
    tasks.enqueueMany(Array.from({ length: 200 }, () => () => undefined));
    const waits = Array.from({ length: 100 }, () => [
      rejectionOf(tasks.enqueueAsync(() => 1, { signal })),
      rejectionOf(handle.result({ signal })),
      rejectionOf(tasks.drain({ signal })),
    ]).flat();
    await clock.settle();
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    controller.abort("enough");
    for (const error of await Promise.all(waits)) {
      expect(error === "enough" || (error as Error).cause === "enough").toBe(true);
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(tasks.stats().waitingForRoom).toBe(0);
    await expectNoWarnings();
    busy.resolve();
  });

  it("C4: lets go of it when the wait for a result or a drain ends by itself", async () => {
    const { tasks, clock } = createManager({ concurrency: 1 });
    const { signal } = new AbortController();
    const busy = new Stubborn<string>();
    const handle = tasks.enqueue(busy.run);
    const waits = [handle.result({ signal }), handle.result({ signal, timeoutMs: 1_000 })];
    const drained = tasks.drain({ signal });
    const late = rejectionOf(handle.result({ signal, timeoutMs: 10 }));
    await clock.advance(10);
    expect(await late).toMatchObject({ code: "MILLRACE_RESULT_TIMEOUT" });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    busy.resolve("done");
    expect(await Promise.all(waits)).toEqual(["done", "done"]);
    await drained;
    await clock.settle();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
