import { describe, expect, test } from "vitest";
import { type Backend, defineHandlers, fixed, json, StoreUnreachableError } from "../../src/index.js";
import { breakClient } from "../support/broken-backend.js";
import { createScene } from "../support/durable-scene.js";
import { rejectionOf } from "../support/manual-manager.js";

type Method = Exclude<keyof Backend, "signals" | "inspector">;
const METHODS: readonly Method[] = [
  "enqueue",
  "claim",
  "extend",
  "ack",
  "nack",
  "deadLetter",
  "cancel",
  "close",
];

/** What a backend may do in place of an answer. */
const FAULTS: Readonly<Record<string, () => unknown>> = {
  rejects: () => Promise.reject(new Error("the store is on fire")),
  "rejects with nothing": () => Promise.reject(undefined),
  "never settles": () => new Promise(() => {}),
  throws: () => {
    throw new Error("no promise at all");
  },
  "returns undefined": () => undefined,
  "answers undefined": () => Promise.resolve(undefined),
  "answers null": () => Promise.resolve(null),
  "answers a text": () => Promise.resolve("OK"),
  "answers nothing to many": () => Promise.resolve([]),
  "answers strangely": () => Promise.resolve([{}, null, "kept", Number.NaN]),
  "answers strange fields": () => Promise.resolve({ tasks: [null, {}], crashed: 1, reclaimed: "many" }),
};

const handlers = defineHandlers({
  work: { payload: json<string>(), run: (name) => name },
  fails: {
    payload: json<string>(),
    maxAttempts: 1,
    run: () => {
      throw new Error("always");
    },
  },
  again: {
    payload: json<string>(),
    maxAttempts: 2,
    backoff: fixed({ delayMs: 0 }),
    run: (_, { attempt }) => {
      if (attempt === 1) throw new Error("once");
    },
  },
});

/** A client on which one method does what it should not, until it is mended. */
function breaking(method: Method, fault: () => unknown) {
  const state = { broken: false, calls: 0 };
  const wrap = (client: Backend): Backend =>
    breakClient(client, (sound) => ({
      [method]: (...given: never[]) => {
        if (!state.broken) return (sound[method] as (...given: never[]) => unknown)(...given);
        state.calls++;
        return fault();
      },
    }));
  return { state, wrap };
}

describe("a backend that is not as its port promises loses nothing, and nothing hangs", () => {
  for (const method of METHODS)
    for (const [what, fault] of Object.entries(FAULTS))
      test(`where \`${method}\` ${what}`, async () => {
        const { clock, counts, manager } = createScene();
        const { state, wrap } = breaking(method, fault);
        const tasks = manager({ handlers, leaseMs: 3_000 }, wrap);
        await tasks.enqueueDurable("work", "before");
        state.broken = true;
        const enqueued = (["work", "fails", "again"] as const).map((name) =>
          tasks.enqueueDurable(name, "x").then(
            () => true,
            (error: unknown) => {
              expect(error).toBeInstanceOf(Error);
              return false;
            },
          ),
        );
        const cancelled = tasks
          .handle("work", "default:nobody")
          .cancel()
          .catch(() => "rejected");
        await clock.advance(10_000);
        state.broken = false;
        const kept = (await Promise.all(enqueued)).filter(Boolean).length;
        expect(kept).toBe(method === "enqueue" ? 0 : 3);
        expect(await cancelled).toBe(method === "cancel" ? "rejected" : false);
        await clock.advance(60_000);
        const { completed, failed } = tasks.stats().total;
        expect(await counts()).toMatchObject({ ready: 0, delayed: 0, leased: 0, dead: kept > 0 ? 1 : 0 });
        expect((await counts()).finished).toBe(kept === 0 ? 1 : 3);
        expect(completed + failed).toBe(kept + 1);
        state.broken = method === "close";
      });

  for (const method of METHODS)
    for (const what of ["rejects", "never settles", "answers null"])
      test(`a stop ends in time where \`${method}\` ${what}`, async () => {
        const { clock, manager } = createScene();
        const { state, wrap } = breaking(method, FAULTS[what] as () => unknown);
        const tasks = manager({ handlers, leaseMs: 3_000 }, wrap);
        for (const name of ["work", "fails", "again"] as const) await tasks.enqueueDurable(name, "x");
        state.broken = true;
        await clock.settle();
        const late = tasks.enqueueDurable("work", "late").catch((error: unknown) => error);
        const startedAt = clock.now();
        let stoppedAt = Number.NaN;
        const stopped = tasks.stopGraceful({ deadlineMs: 2_000 }).then((report) => {
          stoppedAt = clock.now();
          return report;
        });
        await clock.advance(5_000);
        await stopped;
        // The end of a backend is waited for, once nothing else is.
        expect(stoppedAt - startedAt).toBeLessThanOrEqual(2_250 + (method === "close" ? 1_000 : 0));
        const told = await late;
        if (told instanceof Error === false) expect(told).toMatchObject({ duplicate: false });
        expect(clock.timers).toBe(0);
      });
});

describe("what a backend tells that nobody asked for", () => {
  test("a claimed task of another queue or handler is not run", async () => {
    const { clock, manager } = createScene();
    const runs: string[] = [];
    const noted = defineHandlers({ work: { payload: json<string>(), run: (name) => void runs.push(name) } });
    const tasks = manager({ handlers: noted }, (client) =>
      breakClient(client, (sound) => ({
        claim: async (request) => {
          const answer = await sound.claim(request);
          const [task] = answer.tasks;
          if (task === undefined) return answer;
          const strange = [
            { ...task, id: "elsewhere:1" },
            { ...task, handler: "constructor" },
            { ...task, handler: "__proto__" },
            { ...task, handler: "../../etc/x" },
            { ...task, priority: Number.NaN },
            { ...task, payload: "text" as never },
            { ...task, token: 2 ** 60 },
          ];
          return { ...answer, tasks: [...strange, ...answer.tasks] };
        },
      })),
    );
    await tasks.enqueueDurable("work", "one");
    await clock.advance(10);
    expect(runs).toEqual(["one"]);
  });

  test("signals about anything at all", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, (sound) => ({
        signals: {
          listen: (queues, listener) => {
            listener.wake("nowhere");
            listener.wake(undefined as never);
            listener.cancelAsked("default:nobody");
            listener.finished?.("default:nobody");
            listener.storeLost("default");
            return sound.signals.listen(queues, listener);
          },
        },
      })),
    );
    const handle = await tasks.enqueueDurable("work", "x");
    const result = handle.result();
    await clock.advance(1_000);
    expect(await result).toBe("x");
  });

  test("no signals, since listening throws: the store is asked instead", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers }, (client) =>
      breakClient(client, () => ({
        signals: {
          listen: () => {
            throw new Error("deaf");
          },
        },
      })),
    );
    await clock.settle();
    const handle = await tasks.enqueueDurable("work", "x");
    const result = handle.result();
    await clock.advance(10_000);
    expect(await result).toBe("x");
  });

  test("no answer to what is told of progress: the end of its task waits for it, and not for ever", async () => {
    const { clock, manager } = createScene();
    const telling = defineHandlers({
      work: {
        payload: json<string>(),
        run: (name: string, { progress }) => {
          progress(1);
          return name;
        },
      },
    });
    const tasks = manager({ handlers: telling }, (client) =>
      breakClient(client, () => ({ extend: () => new Promise(() => {}) })),
    );
    const result = (await tasks.enqueueDurable("work", "x")).result();
    await clock.advance(15_000); // a call that is not answered has failed after a third of a lease
    expect(await result).toBe("x");
    expect(tasks.stats().durable?.unconfirmed).toBe(0);
  });

  test("too few answers to an enqueue are no duplicates", async () => {
    const { clock, manager } = createScene();
    const tasks = manager({ handlers }, (client) => breakClient(client, () => ({ enqueue: async () => [] })));
    const error = await rejectionOf(tasks.enqueueDurable("work", "x"));
    expect(error).toBeInstanceOf(StoreUnreachableError);
    await clock.settle();
  });
});
