import { describe, expect, it } from "vitest";
import { TaskManager } from "../../src/index.js";
import { crowding } from "../support/crowding.js";
import { createManager, rejectionOf, untilAborted } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";

const WAITING = 100_000;

/**
 * The processor time of this process between two turns of the event loop, at its longest, and in all. It is
 * processor time, so that other processes on a busy machine do not count; threads of the collector do, so it
 * rather says too much.
 */
class LoopMeter {
  longestMs = 0;
  totalMs = 0;
  #on = true;

  start(): void {
    const begin = process.cpuUsage();
    let before = 0;
    const turn = () => {
      const { user, system } = process.cpuUsage(begin);
      const spent = (user + system) / 1_000;
      this.longestMs = Math.max(this.longestMs, spent - before);
      this.totalMs = spent;
      before = spent;
      if (this.#on) setImmediate(turn);
    };
    setImmediate(turn);
  }

  async stop(): Promise<void> {
    this.#on = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("C9: cancelAll", () => {
  it("C9: ends 100,000 queued and 8 running tasks within a second, never holding the loop for 50 ms", async () => {
    const longest: number[] = [];
    const total: number[] = [];
    // The best of some rounds: the bound is on what the code costs, the rest is the compiler and the neighbours.
    for (let round = 0; round < 4; round++) {
      const tasks = new TaskManager({ capacity: WAITING, concurrency: 8 });
      for (let count = 0; count < 8; count++) tasks.enqueue(untilAborted);
      while (tasks.stats().running < 8) await new Promise((resolve) => setImmediate(resolve));
      for (let count = 0; count < WAITING; count++) tasks.enqueue(() => expect.unreachable("was cancelled"));
      const meter = new LoopMeter();
      meter.start();
      expect(await tasks.cancelAll("enough")).toBe(WAITING + 8);
      await meter.stop();
      longest.push(meter.longestMs);
      total.push(meter.totalMs);
      await tasks.drain();
      expect(tasks.stats().total).toMatchObject({ cancelled: WAITING + 8, started: 8, completed: 0 });
      await tasks.stopNow();
    }
    expect(Math.min(...total)).toBeLessThan(1_000 * crowding());
    expect(Math.min(...longest)).toBeLessThan(50 * crowding());
  });

  it("C9: starts nothing that it has not reached yet, though slots come free meanwhile", async () => {
    const { tasks, clock } = createManager({ capacity: 20_000, concurrency: 8 });
    for (let count = 0; count < 8; count++) tasks.enqueue(untilAborted);
    await clock.settle();
    const urgent = { priority: -1, queue: "other" };
    for (let count = 0; count < 10_000; count++) {
      tasks.enqueue(() => expect.unreachable("it was cancelled"), count % 2 === 0 ? urgent : undefined);
    }
    const cancelled = tasks.cancelAll();
    const late = tasks.enqueue(() => "ran", { priority: 1 });
    expect(await cancelled).toBe(10_008);
    expect(await late.result()).toBe("ran");
    expect(tasks.stats().total).toMatchObject({ started: 9, cancelled: 10_008, completed: 1 });
  });

  it("C9: lets tasks live that are enqueued after the call, in the same turn and in later ones", async () => {
    const { tasks, clock } = createManager({ capacity: 20_000, concurrency: 2 });
    for (let count = 0; count < 5_000; count++) tasks.enqueue(() => undefined, { delayMs: count % 3 });
    const cancelled = tasks.cancelAll();
    const late = [tasks.enqueue(() => "same turn"), tasks.enqueue(() => "delayed", { delayMs: 10 })];
    await clock.settle(1);
    late.push(tasks.enqueue(() => "later turn"));
    expect(await cancelled).toBe(5_000);
    await clock.advance(10);
    expect(await Promise.all(late.map((handle) => handle.result()))).toEqual([
      ...["same turn", "delayed", "later turn"],
    ]);
  });

  it("C9: counts what it decided: neither what had ended nor what was ending, but what would run again", async () => {
    const { tasks, clock } = createManager({ killAfterMs: 1_000 });
    const ending = tasks.enqueue(new Stubborn().run);
    const lastAttempt = tasks.enqueue(new Stubborn().run, { timeoutMs: 5 });
    const again = tasks.enqueue(new Stubborn().run, { timeoutMs: 5, maxAttempts: 2 });
    const ended = tasks.enqueue(() => "ended");
    const waiting = tasks.enqueue(() => "waits", { delayMs: 50 });
    const backingOff = tasks.enqueue(() => Promise.reject(new Error("fails")), {
      ...{ maxAttempts: 2, backoff: () => 10_000 },
    });
    await clock.advance(10);
    ending.cancel("before");
    expect(await tasks.cancelAll("all")).toBe(3);
    await clock.advance(1_000);
    expect(await ended.result()).toBe("ended");
    expect(await rejectionOf(ending.result())).toMatchObject({ cause: "before" });
    expect(await rejectionOf(lastAttempt.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    for (const handle of [again, waiting, backingOff]) {
      expect(await rejectionOf(handle.result())).toMatchObject({ cause: "all" });
    }
  });

  it("C9: two at once decide about each task once", async () => {
    const { tasks } = createManager({ capacity: 5_000 });
    for (let count = 0; count < 3_000; count++) tasks.enqueue(() => undefined);
    const [first, second] = await Promise.all([tasks.cancelAll("one"), tasks.cancelAll("two")]);
    expect(first + second).toBe(3_000);
    expect(tasks.stats().total).toMatchObject({ cancelled: 3_000, started: 0 });
  });

  it("C9: resolves to 0 where there is nothing", async () => {
    const { tasks } = createManager();
    expect(await tasks.cancelAll()).toBe(0);
  });

  it("C9: leaves calls alone that wait for room; they are accepted after it", async () => {
    const { tasks, clock } = createManager({ capacity: 2, concurrency: 1 });
    tasks.enqueue(untilAborted);
    await clock.settle();
    tasks.enqueueMany([() => 1, () => 2]);
    const waiting = tasks.enqueueAsync(() => "ran");
    await clock.settle();
    expect(await tasks.cancelAll()).toBe(3);
    expect(await (await waiting).result()).toBe("ran");
  });
});
