import { afterEach, expect, test } from "vitest";
import { fixed, reschedule, type TaskContext } from "../../src/index.js";
import type { ContextCarrier } from "../../src/ports/context-carrier.js";
import { ManualClock } from "../../src/testing/index.js";
import { OpenManager } from "../support/model-manager.js";

type RunCarrier = ContextCarrier["run"];

/** Calls that must not come to the handler a second time, by any way round. */
const HOSTILE: Readonly<Record<string, Partial<ContextCarrier>>> = {
  "throws in capture": {
    capture: () => {
      throw new Error("capture");
    },
  },
  "captures what cannot be touched": {
    capture: () => revoked() as object,
  },
  "throws before it performs": {
    run: () => {
      throw new Error("run");
    },
  },
  "throws after it has performed": {
    run: (_captured, _task, perform) => {
      void perform();
      throw new Error("run");
    },
  },
  "rejects before it performs": { run: () => Promise.reject(new Error("run")) },
  "rejects after it has performed": {
    run: async (_captured, _task, perform) => {
      await perform();
      throw new Error("run");
    },
  },
  "performs twice": {
    run: (_captured, _task, perform) => {
      void perform();
      return perform();
    },
  },
  "performs late": {
    run: async (_captured, _task, perform) => {
      await null;
      return perform();
    },
  },
  "performs again when all is over": {
    run: async (_captured, _task, perform) => {
      const outcome = await perform();
      setImmediate(() => void perform());
      return outcome;
    },
  },
  "never performs": { run: (() => undefined) as unknown as RunCarrier },
  "never comes to an end": { run: () => new Promise(() => {}) },
  "never comes to an end after it has performed": {
    run: (_captured, _task, perform) => {
      void perform();
      return new Promise(() => {});
    },
  },
  "gives another outcome": {
    run: async (_captured, _task, perform) => {
      await perform();
      return { returned: true, value: "forged" };
    },
  },
  "gives what is no outcome": {
    run: ((_captured: unknown, _task: unknown, perform: () => unknown) => {
      void perform();
      return { then: "junk" };
    }) as unknown as RunCarrier,
  },
  "gives a thenable that throws": {
    run: (() => ({
      then: () => {
        throw new Error("then");
      },
    })) as unknown as RunCarrier,
  },
};

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Outcomes {
  readonly ends: readonly unknown[];
  readonly performed: readonly string[];
  readonly errors: number;
}

/** What becomes of handlers that return, throw, fail once, ask to run again, and run until they are told. */
async function outcomes(...carriers: readonly Partial<ContextCarrier>[]): Promise<Outcomes> {
  const clock = new ManualClock();
  const tasks = new OpenManager({ clock, backoff: fixed({ delayMs: 1 }), killAfterMs: 5 });
  for (const { capture, run } of carriers) {
    const plain: ContextCarrier = { capture: () => undefined, run: (_captured, _task, perform) => perform() };
    tasks.core.carriers.attach({ capture: capture ?? plain.capture, run: run ?? plain.run });
  }
  const performed: string[] = [];
  const enqueue = (name: string, work: (context: TaskContext) => unknown, options = {}) => {
    const run = (context: TaskContext) => {
      performed.push(`${name} ${context.attempt}`);
      return work(context);
    };
    return tasks.enqueue(run, { ...options, name });
  };
  let again = true;
  const handles = [
    enqueue("returns", () => "value"),
    enqueue("resolves", async () => "value"),
    enqueue("throws", () => {
      throw new Error("own");
    }),
    enqueue("rejects", () => Promise.reject(new Error("own"))),
    enqueue("fails once", ({ attempt }) => (attempt === 1 ? Promise.reject(new Error("own")) : attempt), {
      maxAttempts: 2,
    }),
    enqueue("reschedules", () => {
      if (!again) return "value";
      again = false;
      throw reschedule({ delayMs: 1 });
    }),
    enqueue("obeys", ({ signal }) => untilAborted(signal), { timeoutMs: 10 }),
    enqueue("goes on", () => new Promise(() => {})),
  ];
  await clock.advance(20);
  const stopped = tasks.stopNow();
  stops.push(() => stopped);
  await clock.advance(10);
  expect(await stopped).toMatchObject({ alive: 1, abandoned: 1 });
  expect(clock.timers).toBe(0);
  const settled = await Promise.allSettled(handles.map((handle) => handle.result()));
  const ends = settled.map((one) => (one.status === "fulfilled" ? one.value : String(one.reason)));
  return { ends, performed, errors: tasks.stats().observerErrors };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function withoutIds(ends: readonly unknown[]): readonly unknown[] {
  return ends.map((end) => String(end).replace(/Task \S+/, "Task"));
}

test.each(Object.entries(HOSTILE))(
  "a carrier that %s changes no outcome and performs once",
  async (_, carrier) => {
    const quiet = await outcomes();
    const hostile = await outcomes(carrier);
    expect(withoutIds(hostile.ends)).toEqual(withoutIds(quiet.ends));
    expect(hostile.performed).toEqual(quiet.performed);
  },
);

test("all hostile carriers together change no outcome and perform once", async () => {
  const quiet = await outcomes();
  const hostile = await outcomes(...Object.values(HOSTILE));
  expect(withoutIds(hostile.ends)).toEqual(withoutIds(quiet.ends));
  expect(hostile.performed).toEqual(quiet.performed);
  expect(hostile.errors).toBeGreaterThan(0);
});

test("a carrier that throws is counted, and the carriers around it still work", async () => {
  const around: string[] = [];
  const sound = (name: string): Partial<ContextCarrier> => ({
    run: (_captured, _task, perform) => {
      around.push(name);
      return perform();
    },
  });
  const { errors } = await outcomes(sound("outer"), HOSTILE["throws in capture"] ?? {}, sound("inner"));
  expect(errors).toBe(8); // one for each task
  expect(around.filter((name) => name === "outer")).toHaveLength(10);
  expect(around.filter((name) => name === "inner")).toHaveLength(10);
});

test("a carrier that enters the manager while it captures finds it whole: no room or id twice", async () => {
  const tasks = new OpenManager({ clock: new ManualClock(), capacity: 3, autoStart: false });
  stops.push(() => tasks.stopNow());
  const refused: string[] = [];
  const attempt = (options: { id?: string }) => {
    try {
      tasks.enqueue(() => "inner", options);
    } catch (error) {
      refused.push((error as { code: string }).code);
    }
  };
  tasks.core.carriers.attach({
    capture: () => {
      attempt({ id: "c" });
      attempt({});
      return undefined;
    },
    run: (_captured, _task, perform) => perform(),
  });
  const all = tasks.enqueueMany(["a", "b", "c"].map((id) => [() => id, { id }] as const));
  const [taken, full] = ["MILLRACE_DUPLICATE_TASK", "MILLRACE_QUEUE_FULL"];
  expect(refused).toEqual([taken, full, taken, full, taken, full]);
  tasks.start();
  expect(await Promise.all(all.map((handle) => handle.result()))).toEqual(["a", "b", "c"]);
});

test("a carrier that stops the manager, or ends the task, while it captures leaves nothing behind", async () => {
  const acts: readonly ((tasks: OpenManager) => unknown)[] = [
    (tasks) => tasks.stopNow(),
    (tasks) => tasks.cancel("one"),
    (tasks) => tasks.cancelAll(),
  ];
  for (const act of acts) {
    const tasks = new OpenManager({ clock: new ManualClock() });
    tasks.core.carriers.attach({
      capture: () => {
        void act(tasks);
        return {};
      },
      run: (_captured, _task, perform) => perform(),
    });
    const handle = tasks.enqueue(() => 1, { id: "one" });
    await expect(handle.result()).rejects.toMatchObject({ taskId: "one" });
    expect(tasks.core.registry.get("one")?.captured).toBeUndefined();
    await tasks.stopNow();
  }
});
