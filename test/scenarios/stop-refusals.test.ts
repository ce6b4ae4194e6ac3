import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  defineHandlers,
  fixed,
  json,
  ManagerStoppedError,
  NotAcceptingError,
  skipRetry,
  type TaskContext,
  type TaskHandle,
} from "../../src/index.js";
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

function untilStopping({ stopping }: Pick<TaskContext, "stopping">): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.aborted) resolve();
    else stopping.addEventListener("abort", () => resolve());
  });
}

/** How a task ends whose handler waits for the stop to begin, and then does this. */
async function endOf(handler: (context: TaskContext) => Promise<unknown>) {
  const { clock, tasks } = createManager({ maxAttempts: 2, backoff: () => 10 });
  const handle = tasks.enqueue(async (context) => {
    await untilStopping(context);
    return handler(context);
  });
  await clock.settle();
  const stopped = tasks.stopGraceful();
  await clock.advance(100);
  await stopped;
  const { state, reason, attempt } = tasks.get(handle.id) ?? {};
  return { error: await rejectionOf(handle.result()), end: [state, reason, attempt] };
}

/** An error with so many others, one the cause of the other, round what is given. */
function wrap(depth: number, innermost: unknown): unknown {
  let link = innermost;
  for (let count = 0; count < depth; count++) link = new Error(`link ${count}`, { cause: link });
  return link;
}

function endless(): Error {
  const error = new Error("own");
  error.cause = error;
  return error;
}

function throws(): never {
  throw new Error("a trap");
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
      const error = (await rejectionOf(handle.result())) as ManagerStoppedError;
      expect(error).toBeInstanceOf(ManagerStoppedError);
      expect(error.cause).toBeInstanceOf(NotAcceptingError);
      expect(tasks.get(handle.id)).toMatchObject({ state: "cancelled", reason: "stopped", attempt: 1 });
    }
  });

  it("completes where it minds the refusal", async () => {
    const { clock, tasks } = createManager();
    const handle = tasks.enqueue(async ({ enqueue, stopping }) => {
      await untilStopping({ stopping });
      return enqueue(() => 1).catch((error: unknown) => error);
    });
    await clock.settle();
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, completed: 1 });
    expect(await handle.result()).toBeInstanceOf(NotAcceptingError);
  });

  it("is refused a duplicate, too, of a task that runs and of one that has completed", async () => {
    const { clock, tasks } = createManager({ capacity: 10 });
    const keyed = (idempotencyKey: string) => ({ idempotencyKey });
    tasks.enqueue(() => 1, keyed("completed"));
    tasks.enqueue(untilStopping, keyed("runs"));
    const asking = tasks.enqueue(async (context) => {
      const ask = (key: string) => context.enqueue(() => 1, keyed(key));
      const before = [await ask("completed"), await ask("runs")];
      await untilStopping(context);
      return { before, after: [await rejectionOf(ask("completed")), await rejectionOf(ask("runs"))] };
    });
    await clock.settle();
    const stopped = tasks.stopGraceful();
    await clock.settle();
    await stopped;
    const refusal = expect.any(NotAcceptingError);
    const duplicate = expect.objectContaining({ duplicate: true });
    expect(await asking.result()).toEqual({ before: [duplicate, duplicate], after: [refusal, refusal] });
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

  it("is tried again where another manager refused it, though this one stops too", async () => {
    const other = createManager();
    await other.tasks.stopNow();
    const { clock, tasks } = createManager({ maxAttempts: 3, backoff: () => 10 });
    const handle = tasks.enqueue(async (context) => {
      await untilStopping(context);
      return other.tasks.enqueue(() => 1).id;
    });
    await clock.settle();
    const stopped = tasks.stopGraceful();
    await clock.advance(100);
    expect(await stopped).toMatchObject({ alive: 1, failed: 1, cancelled: 0 });
    expect(await rejectionOf(handle.result())).toBeInstanceOf(NotAcceptingError);
    expect(tasks.get(handle.id)).toMatchObject({ state: "failed", reason: "error", attempt: 3 });
  });

  it.each<[string, (refusal: unknown) => unknown]>([
    ["in an error of its own", (cause) => new Error("could not go on", { cause })],
    ["eight errors deep", (cause) => wrap(8, cause)],
    ["in what is no error", (cause) => ({ cause })],
  ])("is ended by the stop where it throws the refusal %s", async (_, toThrown) => {
    const { error, end } = await endOf(async ({ enqueue }) => {
      throw toThrown(await enqueue(() => 1).catch((refusal: unknown) => refusal));
    });
    expect(end).toEqual(["cancelled", "stopped", 1]);
    expect(error).toBeInstanceOf(ManagerStoppedError);
  });

  it("is ended by the stop where its call of the manager itself waited for room", async () => {
    const { clock, tasks } = createManager({ maxAttempts: 2, capacity: 1, concurrency: 1 });
    let behind: TaskHandle<string> | undefined;
    const handle = tasks.enqueue(async () => {
      behind = tasks.enqueue(() => "goes on");
      await tasks.enqueueAsync(() => 1);
    });
    await clock.settle();
    expect(tasks.stats().waitingForRoom).toBe(1);
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 2, cancelled: 1, completed: 1 });
    expect(await behind?.result()).toBe("goes on");
    expect(tasks.get(handle.id)).toMatchObject({ state: "cancelled", reason: "stopped", attempt: 1 });
  });

  it.each<[string, (refusal: unknown) => unknown]>([
    ["in a chain that is too long", (cause) => wrap(100, cause)],
    ["behind a getter that throws", () => Object.defineProperty(new Error("own"), "cause", { get: throws })],
    [
      "behind a proxy that throws",
      () => new Proxy(new Error("own"), { get: throws, getPrototypeOf: throws }),
    ],
    ["in a chain without end", () => endless()],
    ["that it has made itself", () => new NotAcceptingError("not by a manager")],
  ])("has failed where it throws something %s", async (_, toThrown) => {
    const { end } = await endOf(async ({ enqueue }) => {
      throw toThrown(await enqueue(() => 1).catch((refusal: unknown) => refusal));
    });
    expect(end).toEqual(["failed", "error", 2]);
  });

  it("has failed where it says so, because of the refusal", async () => {
    const { end } = await endOf(async ({ enqueue }) => {
      throw skipRetry(await enqueue(() => 1).catch((refusal: unknown) => refusal));
    });
    expect(end).toEqual(["failed", "error", 1]);
  });

  it("ends no process by a call that it did not wait for", async () => {
    const unhandled = watchRejections();
    const { clock, tasks } = createManager();
    tasks.enqueue(async ({ enqueue, stopping }) => {
      await untilStopping({ stopping });
      void enqueue(() => 1);
    });
    await clock.settle();
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, completed: 1 });
    await turn();
    expect(unhandled).toEqual([]);
  });

  it("ends none by a call that it has left behind, when its task is over", async () => {
    const unhandled = watchRejections();
    const { clock, tasks } = createManager();
    const late = tasks.enqueue(async ({ enqueue }) => {
      clock.setTimeout(() => void enqueue(() => 1), 20);
      return "over";
    });
    tasks.enqueue(() => new Promise<void>((resolve) => clock.setTimeout(resolve, 50)));
    await clock.settle();
    expect(await late.result()).toBe("over");
    const stopped = tasks.stopGraceful();
    await clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 1, completed: 1 });
    await turn();
    expect(unhandled).toEqual([]);
  });

  it("hides no other rejection of a call that it did not wait for", async () => {
    const unhandled = watchRejections();
    const { clock, tasks } = createManager();
    tasks.enqueue(async ({ enqueue, stopping }) => {
      await untilStopping({ stopping });
      void enqueue("no such handler" as never, 1 as never);
    });
    await clock.settle();
    expect(await tasks.stopGraceful()).toMatchObject({ alive: 1, completed: 1 });
    await turn();
    expect(unhandled).toMatchObject([{ code: "MILLRACE_UNKNOWN_HANDLER" }]);
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
