import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import {
  type AttemptMiddleware,
  fixed,
  MiddlewareError,
  reschedule,
  skipRetry,
  type TaskContext,
} from "../../src/index.js";
import { rejectionOf, untilAborted } from "../support/manual-manager.js";
import { observeManager, Stubborn, watchPromise } from "../support/observed-manager.js";

describe("middleware round attempts", () => {
  it("wraps each attempt, the first given outermost, and may change what the handler gave", async () => {
    const seen: string[] = [];
    const layer =
      (name: string): AttemptMiddleware =>
      async ({ attempt }, next) => {
        seen.push(`${name} ${attempt}`);
        return `${name}(${await next()})`;
      };
    const manager = observeManager({
      ...{ middleware: [layer("a"), { name: "b", attempt: layer("b") }] },
      ...{ maxAttempts: 2, backoff: fixed({ delayMs: 10 }) },
    });
    const handle = manager.enqueue(({ attempt }) => {
      if (attempt === 1) throw new Error("not yet");
      return "value";
    });
    await manager.clock.advance(10);
    expect(await handle.result()).toBe("a(b(value))");
    expect(seen).toEqual(["a 1", "b 1", "a 2", "b 2"]);
  });

  it("is given the context that the handler is given, and its value may stand in the handler's place", async () => {
    const contexts: TaskContext[] = [];
    let runs = 0;
    const manager = observeManager({
      middleware: [
        (context, next) => {
          contexts.push(context);
          return context.metadata["cached"] === true ? "from the cache" : next();
        },
      ],
    });
    const work = (context: TaskContext) => {
      contexts.push(context);
      return `run ${++runs}`;
    };
    expect(await manager.enqueue(work, { metadata: { cached: true } }).result()).toBe("from the cache");
    expect(await manager.enqueue(work).result()).toBe("run 1");
    expect(contexts).toHaveLength(3);
    expect(contexts[1]).toBe(contexts[2]);
    expect(manager.stats().total).toMatchObject({ started: 2, completed: 2 });
  });

  it("fails the attempt by what it throws, and the next one may complete", async () => {
    const manager = observeManager({
      ...{ maxAttempts: 2, backoff: fixed({ delayMs: 0 }) },
      middleware: [
        ({ attempt }, next) => {
          if (attempt === 1) throw new Error("by the middleware");
          return next();
        },
      ],
    });
    const handle = manager.enqueue(() => "value");
    expect(await handle.result()).toBe("value");
    expect(manager.stats().total).toMatchObject({ started: 2, retried: 1 });
    const failing = observeManager({ middleware: [() => Promise.reject(new RangeError("always"))] });
    expect(await rejectionOf(failing.enqueue(() => "value").result())).toBeInstanceOf(RangeError);
  });

  it("sees the handler's error as it was thrown, and may put a value in its place", async () => {
    const thrown = { odd: "thing" };
    const seen: unknown[] = [];
    const manager = observeManager({
      middleware: [
        async (_, next) => {
          try {
            return await next();
          } catch (error) {
            seen.push(error);
            return "mended";
          }
        },
      ],
    });
    expect(await manager.enqueue(() => Promise.reject(thrown)).result()).toBe("mended");
    expect(seen[0]).toBe(thrown);
  });

  it("steers by what it returns, as a handler does", async () => {
    const never = new RangeError("never");
    const manager = observeManager({ middleware: [() => Promise.resolve(skipRetry(never))], maxAttempts: 3 });
    const handle = manager.enqueue(() => "value");
    expect(await rejectionOf(handle.result())).toBe(never);
    expect(manager.stats().total).toMatchObject({ started: 1, failed: 1, completed: 0 });
  });

  it("steers by what it throws, and passes on how the handler steers", async () => {
    let open = false;
    const manager = observeManager({
      maxAttempts: 3,
      middleware: [
        (_, next) => {
          if (!open) throw reschedule({ delayMs: 50 });
          return next();
        },
        (_, next) => next(),
      ],
    });
    const handle = manager.enqueue(({ attempt }) => attempt);
    await manager.clock.advance(40);
    expect(manager.get(handle.id)).toMatchObject({ state: "scheduled", reason: "rescheduled", attempt: 0 });
    open = true;
    await manager.clock.advance(10);
    expect(await handle.result()).toBe(1);
    const hopeless = manager.enqueue(() => {
      throw skipRetry(new RangeError("never"));
    });
    expect(await rejectionOf(hopeless.result())).toBeInstanceOf(RangeError);
    expect(manager.stats().total).toMatchObject({ started: 3, rescheduled: 1, retried: 0 });
  });

  it("runs in the async context of the task, and the handler in what the middleware sets up", async () => {
    const [request, span] = [new AsyncLocalStorage<string>(), new AsyncLocalStorage<string>()];
    const manager = observeManager({
      middleware: [async (_, next) => span.run(`span of ${request.getStore()}`, next)],
    });
    const handle = request.run("r1", () => manager.enqueue(() => [request.getStore(), span.getStore()]));
    expect(await handle.result()).toEqual(["r1", "span of r1"]);
  });

  it("is wrapped itself by the carriers of context, which see its outcome", async () => {
    const seen: unknown[] = [];
    const manager = observeManager({ middleware: [async (_, next) => `<${await next()}>`] });
    manager.core.carriers.attach({
      capture: () => undefined,
      run: async (_captured, _task, perform) => {
        const outcome = await perform();
        seen.push(outcome);
        return outcome;
      },
    });
    expect(await manager.enqueue(() => "value").result()).toBe("<value>");
    expect(seen).toEqual([{ returned: true, value: "<value>" }]);
  });

  it("cannot run the handler a second time", async () => {
    let runs = 0;
    const manager = observeManager({
      middleware: [
        {
          name: "greedy",
          attempt: async (_, next) => {
            await next();
            return next();
          },
        },
      ],
    });
    const error = await rejectionOf(manager.enqueue(() => ++runs).result());
    expect(error).toBeInstanceOf(MiddlewareError);
    expect(error).toMatchObject({ code: "MILLRACE_MIDDLEWARE", middleware: "greedy" });
    expect(runs).toBe(1);
  });

  it("leaves no rejection unhandled that it did not look at", async () => {
    const manager = observeManager({
      middleware: [
        (_, next) => {
          void next();
          void next();
          return "regardless";
        },
      ],
    });
    expect(await manager.enqueue(() => Promise.reject(new Error("unseen"))).result()).toBe("regardless");
    await manager.clock.settle(); // Vitest fails a run in which a rejection stays unhandled
  });
});

/** Gives a value at once, and leaves the handler to itself. */
const impatient: AttemptMiddleware = (_, next) => {
  void next();
  return "early";
};

describe("an attempt whose middleware does not wait for the handler", () => {
  it("holds its slot until the handler has ended, and then has the outcome of the middleware", async () => {
    const manager = observeManager({ concurrency: 1, middleware: [impatient] });
    const handler = new Stubborn();
    const first = manager.enqueue(handler.run);
    const second = manager.enqueue(() => "second");
    await manager.clock.settle();
    expect([first.state, second.state]).toEqual(["running", "queued"]);
    handler.resolve();
    await manager.clock.settle();
    expect([first.state, second.state]).toEqual(["completed", "completed"]);
    expect(await first.result()).toBe("early");
  });

  it("is abandoned like any other, and frees the slot that it held when the handler has ended", async () => {
    const manager = observeManager({
      ...{ concurrency: 1, timeoutMs: 100, killAfterMs: 50, maxAbandoned: 1 },
      middleware: [impatient],
    });
    const handler = new Stubborn();
    const handle = manager.enqueue(handler.run);
    await manager.clock.advance(150);
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    expect(manager.health().slots).toMatchObject({ abandoned: 1, running: 0 });
    handler.resolve();
    await manager.clock.settle();
    expect(manager.health().slots).toMatchObject({ abandoned: 0, running: 0 });
    expect(manager.eventsOf(handle.id)).toEqual(["queued", "started", "abandoned", "finished"]);
  });
});

describe("middleware that never ends", () => {
  it("before its handler is timed out and abandoned, and cannot begin the handler later", async () => {
    const held = new Stubborn();
    const reasons: unknown[] = [];
    const manager = observeManager({
      ...{ timeoutMs: 100, killAfterMs: 50 },
      middleware: [
        async (_, next) => {
          await held.promise;
          await next().catch((reason: unknown) => reasons.push(reason));
        },
      ],
    });
    let runs = 0;
    const handle = manager.enqueue(() => ++runs);
    await manager.clock.advance(99);
    expect(handle.state).toBe("running");
    await manager.clock.advance(51);
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    expect(manager.health().slots).toMatchObject({ abandoned: 1, running: 0 });
    held.resolve();
    await manager.clock.settle();
    expect(reasons).toMatchObject([{ code: "MILLRACE_TASK_TIMEOUT" }]);
    expect(runs).toBe(0);
    expect(manager.health().slots).toMatchObject({ abandoned: 0, running: 0 });
  });

  it("after its handler is timed out and abandoned, whatever the handler returned", async () => {
    const held = new Stubborn();
    const manager = observeManager({
      ...{ timeoutMs: 100, killAfterMs: 50 },
      middleware: [
        async (_, next) => {
          await next();
          await held.promise;
        },
      ],
    });
    const handle = manager.enqueue(() => "value");
    await manager.clock.advance(150);
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    expect(manager.stats().total).toMatchObject({ abandoned: 1, timedOut: 1, completed: 0 });
    held.resolve();
    await manager.clock.settle();
    expect(manager.health().slots.abandoned).toBe(0);
  });

  it("does not hold a stop up", async () => {
    const manager = observeManager({ killAfterMs: 50, middleware: [() => new Promise(() => {})] });
    const handle = manager.enqueue(() => 1);
    await manager.clock.settle();
    const stopped = manager.stopNow();
    await manager.clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 1, abandoned: 1, durationMs: 50 });
    expect(handle.state).toBe("cancelled");
  });

  it("is told of a cancellation by the signal that the handler has, and may wind up", async () => {
    const manager = observeManager({ middleware: [untilAborted] });
    const handle = manager.enqueue(() => 1);
    await manager.clock.settle();
    expect(handle.cancel("enough")).toBe(true);
    expect(await rejectionOf(handle.result())).toMatchObject({ cause: "enough" });
    expect(manager.stats().total).toMatchObject({ cancelled: 1, abandoned: 0 });
  });
});

describe("a wrapped attempt that an executor can kill", () => {
  it("ends when its handler was killed, though the middleware goes on", async () => {
    const held = new Stubborn();
    const manager = observeManager({
      ...{ timeoutMs: 100, killAfterMs: 50 },
      middleware: [
        async (_, next) => {
          await next().catch(() => held.promise);
        },
      ],
    });
    const run = manager.core.lanes.inline.executor.run.bind(manager.core.lanes.inline.executor);
    const begun: unknown[] = [];
    manager.core.lanes.inline.executor.run = (runnable) => {
      begun.push(runnable);
      run(runnable);
    };
    manager.core.lanes.inline.executor.kill = (runnable) => {
      expect(begun).toContain(runnable);
      runnable.ended({ returned: false, thrown: new Error("terminated") });
      return true;
    };
    const handle = manager.enqueue(() => new Promise(() => {}));
    await manager.clock.advance(150);
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    expect(manager.stats()).toMatchObject({ running: 0, total: { abandoned: 0, timedOut: 1 } });
    held.resolve();
    await manager.clock.settle();
    expect(manager.health().slots).toMatchObject({ abandoned: 0, running: 0 });
  });
});

describe("hostile middleware", () => {
  it("that re-enters the manager from every place ends every task once", async () => {
    const manager = observeManager({
      ...{ concurrency: 2, capacity: 50, maxAttempts: 2, backoff: fixed({ delayMs: 1 }) },
      middleware: [
        async ({ id, attempt }, next) => {
          const number = Number(id);
          if (number % 5 === 0) void manager.cancel(id, "from inside");
          if (number % 5 === 1) void manager.cancel(String(number + 1), "another");
          if (number % 5 === 2) manager.enqueue(() => 1, { id: `${number}.${attempt}` });
          if (number % 5 === 3) manager.setConcurrency({ inline: 1 + (number % 3) });
          const value = await next();
          if (number % 5 === 4 && attempt === 1) throw new Error("once more");
          if (number % 5 === 3) void manager.cancel(id, "too late?");
          return value;
        },
      ],
    });
    const handles = Array.from({ length: 30 }, (_, number) =>
      manager.enqueue(() => number, { id: `${number}` }),
    );
    await manager.clock.advance(100);
    expect(handles.filter(({ state }) => state === "running" || state === "queued")).toEqual([]);
    for (const { id } of handles) expect(manager.endsOf(id)).toHaveLength(1);
    expect(manager.stats().observerErrors).toBe(0);
  });

  it("that stops the manager is not waited for by the stop beyond its time", async () => {
    const manager = observeManager({
      killAfterMs: 20,
      middleware: [
        async (_, next) => {
          await manager.stopGraceful({ deadlineMs: 100 });
          return next();
        },
      ],
    });
    const handle = manager.enqueue(() => 1);
    await manager.clock.advance(100);
    expect(await rejectionOf(handle.result())).toMatchObject({ code: "MILLRACE_MANAGER_STOPPED" });
    expect(manager.stats().phase).toBe("stopped");
  });
});

describe("middleware round calls", () => {
  it("is told of each call once, with what it was given, and execute is one call", async () => {
    const seen: unknown[] = [];
    const manager = observeManager({
      middleware: [
        {
          call: ({ call, tasks }, next) => {
            seen.push([call, tasks.map(({ work, options }) => [work?.name, options])]);
            return next();
          },
        },
      ],
    });
    const one = () => 1;
    const two = async () => 2;
    const three = () => 3;
    const options = { priority: 3 };
    expect(await manager.enqueue(one, options).result()).toBe(1);
    expect(await (await manager.enqueueAsync(two)).result()).toBe(2);
    const [first, second] = manager.enqueueMany([one, [two, options]]);
    expect(await Promise.all([first.result(), second.result()])).toEqual([1, 2]);
    expect(await manager.execute(three, options)).toBe(3);
    expect(manager.enqueueMany([])).toEqual([]);
    expect(seen).toEqual([
      ["enqueue", [["one", options]]],
      ["enqueueAsync", [["two", undefined]]],
      [
        "enqueueMany",
        [
          ["one", undefined],
          ["two", options],
        ],
      ],
      ["execute", [["three", options]]],
      ["enqueueMany", []],
    ]);
    expect(manager.stats().total.enqueued).toBe(5);
  });

  it("may put other tasks in the place of those that were asked for, and they are checked as always", async () => {
    const manager = observeManager({
      middleware: [
        {
          call: (request, next) =>
            next({
              ...request,
              tasks: request.tasks.map((task) => ({
                ...task,
                options: { ...task.options, queue: "tenant-7" },
              })),
            }),
        },
      ],
    });
    const handles = [manager.enqueue(() => 1), ...manager.enqueueMany([() => 1, [() => 2, { priority: 2 }]])];
    for (const { id } of handles) expect(manager.get(id)).toMatchObject({ queue: "tenant-7" });
    expect(manager.get(handles[2]?.id ?? "")).toMatchObject({ priority: 2 });
    expect(() => manager.enqueue(() => 1, { priority: 0.5 })).toThrow("Expected `priority`");
    expect(() => manager.enqueueMany([5 as never])).toThrow("Expected `task` to be a function");
    expect(() => manager.enqueueMany(5 as never)).toThrow("Expected `entries` to be an array");
    expect(await rejectionOf(manager.execute(7 as never))).toMatchObject({ option: "task" });
  });

  it("refuses a call by what it throws before next, with nothing accepted", async () => {
    const forbidden = new Error("forbidden");
    const manager = observeManager({
      middleware: [
        {
          call: () => {
            throw forbidden;
          },
        },
      ],
    });
    expect(() => manager.enqueue(() => 1)).toThrow(forbidden);
    expect(() => manager.enqueueMany([() => 1])).toThrow(forbidden);
    expect(await rejectionOf(manager.enqueueAsync(() => 1))).toBe(forbidden);
    expect(await rejectionOf(manager.execute(() => 1))).toBe(forbidden);
    expect(manager.stats().total.enqueued).toBe(0);
  });

  it("cannot hide a task that was accepted: what it does after next is counted", async () => {
    const manager = observeManager({
      middleware: [
        {
          call: (_, next) => {
            next();
            throw new Error("too late");
          },
        },
      ],
    });
    const handle = manager.enqueue(() => "value");
    expect(await handle.result()).toBe("value");
    expect(manager.enqueueMany([() => 1, () => 2])).toHaveLength(2);
    expect(manager.stats()).toMatchObject({ observerErrors: 2, total: { enqueued: 3 } });
  });

  it("keeps the types and values of results, and may change what execute resolves to", async () => {
    const manager = observeManager({
      middleware: [
        {
          call: async (request, next) => {
            const value = await next();
            return request.call === "execute" ? `<${value}>` : value;
          },
        },
      ],
    });
    expect(await manager.execute(() => "value")).toBe("<value>");
    expect(await (await manager.enqueueAsync(() => "value")).result()).toBe("value");
  });

  it("carries the async context in which it calls next to the handler", async () => {
    const tenant = new AsyncLocalStorage<string>();
    const manager = observeManager({
      middleware: [{ call: (_, next) => tenant.run("seven", () => next()) }],
    });
    expect(await manager.enqueue(() => tenant.getStore()).result()).toBe("seven");
    expect(await manager.execute(() => tenant.getStore())).toBe("seven");
  });

  it("that never ends is waited for until the stop and not longer", async () => {
    const manager = observeManager({
      middleware: [
        {
          call: (request, next) => {
            if (request.call !== "enqueueAsync") void next();
            return new Promise(() => {});
          },
        },
      ],
    });
    const held = watchPromise(manager.enqueueAsync(() => 1));
    const made = watchPromise(manager.execute(() => "value"));
    await manager.clock.settle();
    expect([held.outcome(), made.outcome()]).toEqual([undefined, undefined]);
    await manager.stopNow();
    await manager.clock.settle();
    expect([held.outcome(), made.outcome()]).toEqual(["rejected NotAcceptingError", "resolved value"]);
    expect(await rejectionOf(manager.execute(() => 1))).toMatchObject({ code: "MILLRACE_NOT_ACCEPTING" });
  });

  it("that goes on a little after the task has ended gives its own value, also at a stop", async () => {
    const manager = observeManager({
      middleware: [
        {
          call: async (_, next) => {
            const value = await next();
            await null;
            return `<${value}>`;
          },
        },
      ],
    });
    const executed = manager.execute(() => "value");
    const stopped = manager.stopGraceful();
    expect(await executed).toBe("<value>");
    expect(await stopped).toMatchObject({ alive: 1, completed: 1 });
  });
});
