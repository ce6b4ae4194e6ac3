import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { defineHandlers, fixed, json, ManagerStoppedError, NotAcceptingError } from "../../src/index.js";
import { createScene } from "../support/durable-scene.js";
import { createManager, rejectionOf } from "../support/manual-manager.js";

/** A handler that fetches for a second, and then enqueues what it has found. */
function crawler(clock: { setTimeout(callback: () => void, ms: number): unknown }, starts: string[]) {
  return defineHandlers({
    page: {
      ...{ payload: json<number>(), maxAttempts: 4, backoff: fixed({ delayMs: 10, jitter: "none" }) },
      run: async (page, { enqueue, id }) => {
        starts.push(id);
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 1_000));
        await enqueue("page", page + 1);
        return page;
      },
    },
  });
}

/** What nobody has handled until the test is over. */
function watchRejections(): unknown[] {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  onTestFinished(() => {
    process.off("unhandledRejection", note);
  });
  return unhandled;
}

describe("a handler that enqueues while its manager stops", () => {
  it("is ended by the stop at the refusal, and not tried again", async () => {
    const starts: string[] = [];
    const scene = createManager();
    const { clock, tasks } = createManager({ handlers: crawler(scene.clock, starts), concurrency: 2 });
    const handles = [tasks.enqueue("page", 0), tasks.enqueue("page", 100)];
    await clock.settle();
    const stopped = tasks.stopGraceful();
    await scene.clock.advance(1_000);
    await clock.settle();
    expect(await stopped).toMatchObject({ alive: 2, cancelled: 2, failed: 0, durationMs: 0 });
    expect(starts).toHaveLength(2);
    for (const handle of handles) {
      expect(await rejectionOf(handle.result())).toBeInstanceOf(ManagerStoppedError);
      expect(tasks.get(handle.id)).toMatchObject({ state: "cancelled", reason: "stopped", attempt: 1 });
    }
  });

  it("completes where it minds the refusal", async () => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(async ({ enqueue, stopping }) => {
      await new Promise<void>((resolve) => stopping.addEventListener("abort", () => resolve()));
      return enqueue(() => 1).catch((error: unknown) => error);
    });
    await clock.settle();
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, completed: 1 });
    expect(await handle.result()).toBeInstanceOf(NotAcceptingError);
  });

  it("is tried again where another manager refused it, and this one goes on", async () => {
    const other = createManager();
    await other.tasks.stopNow();
    const { clock, tasks } = createManager({ maxAttempts: 3, backoff: () => 10 });
    const handle = tasks.enqueue(() => other.tasks.enqueue(() => 1).id);
    await clock.advance(100);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(NotAcceptingError);
    expect(tasks.get(handle.id)).toMatchObject({ state: "failed", reason: "error", attempt: 3 });
  });

  it("ends no process by a call that it did not wait for", async () => {
    const unhandled = watchRejections();
    const { clock, tasks } = createManager();
    tasks.enqueue(async ({ enqueue, stopping }) => {
      await new Promise<void>((resolve) => stopping.addEventListener("abort", () => resolve()));
      void enqueue(() => 1);
    });
    await clock.settle();
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, completed: 1 });
    await turn();
    expect(unhandled).toEqual([]);
  });

  it("hands a durable task back at no attempt", async () => {
    const { clock, manager, read } = createScene();
    const starts: string[] = [];
    const tasks = manager({ handlers: crawler(clock, starts) });
    const handle = await tasks.enqueueDurable("page", 0);
    const waiting = rejectionOf(handle.result());
    await clock.advance(10);
    const stopped = tasks.stopGraceful();
    await clock.advance(2_000);
    expect(await stopped).toMatchObject({ alive: 1, interrupted: 1, failed: 0 });
    expect(await waiting).toBeInstanceOf(ManagerStoppedError);
    expect(starts).toHaveLength(1);
    expect(await read(handle.id)).toMatchObject({ place: "ready", attempts: 0, deliveries: 0 });
  });
});
