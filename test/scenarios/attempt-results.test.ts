import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import {
  defineHandlers,
  json,
  OptionError,
  ResultTimeoutError,
  TaskCancelledError,
} from "../../src/index.js";
import { createManager, rejectionOf, untilAborted } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";

describe("result", () => {
  it("gives one promise however often it is asked, before and after the end", async () => {
    const { tasks } = createManager();
    const value = { the: "value" };
    const handle = tasks.enqueue(async () => value);
    const early = handle.result();
    expect(handle.result()).toBe(early);
    expect(await early).toBe(value);
    expect(handle.result()).toBe(early);
    const late = tasks.enqueue(() => value);
    await tasks.drain();
    expect(await late.result()).toBe(value);
  });

  it("rejects with one error for all who ask, also when it is asked late", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(untilAborted);
    await clock.settle();
    handle.cancel("why");
    await clock.settle();
    const errors = [await rejectionOf(handle.result()), await rejectionOf(handle.result({ timeoutMs: 5 }))];
    expect(errors[0]).toBe(errors[1]);
    expect(errors[0]).toBeInstanceOf(TaskCancelledError);
    expect(tasks.get(handle.id)?.error).toBe(errors[0]);
  });

  it("tells of a timeout which handler and which task it was", async () => {
    const handlers = defineHandlers({
      crawl: { payload: json<string>(), run: (_, { signal }) => untilAborted({ signal }) },
    });
    const { tasks, clock } = createManager({ handlers });
    const options = { id: "7", timeoutMs: 100 };
    const named = rejectionOf(tasks.enqueue("crawl", "/a", { ...options, name: "/a" }).result());
    const plain = rejectionOf(tasks.enqueue(untilAborted, { ...options, id: "8" }).result());
    await clock.advance(100);
    expect(await named).toMatchObject({ message: "Task 7 (crawl, /a) ran longer than its timeoutMs of 100" });
    expect(await plain).toMatchObject({
      message: "Task 8 ran longer than its timeoutMs of 100",
      taskId: "8",
    });
  });

  it("with timeoutMs rejects when it is over; the task goes on and can be asked again", async () => {
    const { tasks, clock } = createManager();
    const work = new Stubborn<string>();
    const handle = tasks.enqueue(work.run);
    const first = rejectionOf(handle.result({ timeoutMs: 100 }));
    const second = handle.result({ timeoutMs: 300 });
    await clock.advance(100);
    const error = await first;
    expect(error).toBeInstanceOf(ResultTimeoutError);
    expect(error).toMatchObject({ taskId: handle.id, timeoutMs: 100 });
    expect(handle.state).toBe("running");
    work.resolve("done");
    expect(await second).toBe("done");
    expect(await handle.result({ timeoutMs: 0 })).toBe("done");
  });

  it("with a signal rejects with its reason; the task goes on", async () => {
    const { tasks, clock } = createManager();
    const controller = new AbortController();
    const work = new Stubborn<string>();
    const handle = tasks.enqueue(work.run);
    const waiting = rejectionOf(handle.result({ signal: controller.signal, timeoutMs: 1_000 }));
    await clock.settle();
    controller.abort("no longer interested");
    expect(await waiting).toBe("no longer interested");
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    expect(await rejectionOf(handle.result({ signal: controller.signal }))).toBe("no longer interested");
    expect(handle.state).toBe("running");
    work.resolve("done");
    expect(await handle.result()).toBe("done");
  });

  it("refuses options that are wrong, at once", () => {
    const { tasks } = createManager();
    const handle = tasks.enqueue(() => 1);
    for (const options of [{ timeoutMs: -1 }, { signal: {} }, { timeout: 5 }, "5"])
      expect(() => handle.result(options as object)).toThrow(OptionError);
  });

  it("keeps its outcome when the task's record has been pruned", async () => {
    const { tasks, clock } = createManager({ retention: { maxEntries: 0 } });
    const handles = [tasks.enqueue(() => "value"), tasks.enqueue(() => Promise.reject(new Error("fails")))];
    await clock.settle();
    for (const handle of handles) expect(tasks.get(handle.id)).toBeUndefined();
    expect(tasks.list()).toEqual([]);
    expect(handles.map(({ state }) => state)).toEqual(["completed", "failed"]);
    expect(await handles[0]?.result()).toBe("value");
    expect(await rejectionOf(handles[1]?.result() ?? Promise.resolve())).toMatchObject({ message: "fails" });
    expect(handles[0]?.cancel()).toBe(false);
    expect(await tasks.cancel(handles[0]?.id ?? "")).toBe(false);
  });

  it("keeps its outcome and its state after the manager has stopped", async () => {
    const { tasks, clock } = createManager();
    const [done, cut] = [tasks.enqueue(() => "done"), tasks.enqueue(() => "never", { delayMs: 5 })];
    await clock.settle();
    await tasks.stopNow();
    expect(await done.result({ timeoutMs: 5 })).toBe("done");
    expect(await rejectionOf(cut.result({ timeoutMs: 5 }))).toMatchObject({
      code: "MILLRACE_MANAGER_STOPPED",
    });
    expect(clock.timers).toBe(0);
  });
});

describe("execute", () => {
  it("resolves to the result and rejects as the task does", async () => {
    const { tasks, clock } = createManager();
    expect(await tasks.execute(() => "value")).toBe("value");
    expect(await tasks.execute(async ({ attempt }) => attempt)).toBe(1);
    const error = new Error("fails");
    expect(await rejectionOf(tasks.execute(() => Promise.reject(error)))).toBe(error);
    const controller = new AbortController();
    const running = rejectionOf(tasks.execute(untilAborted, { signal: controller.signal }));
    await clock.settle();
    controller.abort("why");
    expect(await running).toMatchObject({ cause: "why" });
    expect(await rejectionOf(tasks.execute(() => 1, { priority: 0.5 }))).toBeInstanceOf(OptionError);
    expect(await rejectionOf(tasks.execute(7 as unknown as () => 1))).toBeInstanceOf(OptionError);
  });

  it("waits for room where enqueue would refuse", async () => {
    const { tasks, clock } = createManager({ capacity: 1, concurrency: 1 });
    const busy = new Stubborn();
    tasks.enqueue(busy.run);
    await clock.settle();
    tasks.enqueue(() => 1);
    const waiting = tasks.execute(() => "had to wait");
    await clock.settle();
    busy.resolve();
    expect(await waiting).toBe("had to wait");
  });
});
