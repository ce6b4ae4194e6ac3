import { describe, expect, test } from "vitest";
import { OptionError, PayloadError, ResultError } from "../../dist/index.js";
import { crowding } from "../support/crowding.js";
import { createThreads, expectHundred, inThread, rejection, shareWords } from "../support/threads.js";

const more = {
  unsent: inThread("throwing.mjs", "unsent"),
  small: inThread("simple.mjs", "echo", { maxResultBytes: 64 }),
};
const one = { threads: { max: 1 } };

const unclonable: Record<string, () => unknown> = {
  function: () => () => {},
  symbol: () => Symbol("s"),
  "weak map": () => new WeakMap(),
  promise: () => Promise.resolve(),
  "getter that throws": () => ({
    get secret() {
      throw new Error("a getter");
    },
  }),
};

describe("P11: payloads that cannot be sent", () => {
  test.each(Object.entries(unclonable))(
    "a %s is refused with its path, before anything is used",
    (_, make) => {
      const { tasks } = createThreads(one);
      const payload = { rows: [{}, { bad: make() }] };
      const enqueue = () => tasks.enqueue("echo", payload);
      expect(enqueue).toThrow(PayloadError);
      expect(enqueue).toThrow(/payload\.rows\[1\]\.bad/);
      expect(tasks.stats()).toMatchObject({ queued: 0, total: { enqueued: 0 }, threads: { alive: 0 } });
    },
  );

  test("a proxy, which looks like what it stands for, fails its task alone and is not tried again", async () => {
    const scene = createThreads(one);
    const { tasks, run } = scene;
    const neighbours = Array.from({ length: 10 }, (_, a) => tasks.enqueue("echo", { a }));
    const error = await rejection(
      Promise.resolve().then(() => run("echo", new Proxy({ a: 1 }, {}), { maxAttempts: 5 })),
    );
    expect(error).toBeInstanceOf(PayloadError);
    expect(await Promise.all(neighbours.map((handle) => handle.result()))).toHaveLength(10);
    await expectHundred(scene);
    expect(tasks.stats().total.retried).toBe(0);
    expect(scene.watch.exited).toEqual([]);
  });

  test("what changes after it was accepted, and cannot be sent any more, fails its task alone", async () => {
    const scene = createThreads({ ...one, autoStart: false });
    const { tasks } = scene;
    const payload: Record<string, unknown> = { a: 1 };
    const handles = [{ a: 0 }, payload, { a: 2 }].map((each) => tasks.enqueue("echo", each));
    payload["bad"] = () => {};
    tasks.start();
    const ends = await Promise.allSettled(handles.map((handle) => handle.result()));
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await rejection(handles[1]?.result() ?? Promise.resolve())).toBeInstanceOf(PayloadError);
    await expectHundred(scene);
  });
});

describe("P13: results that cannot be sent", () => {
  const paths: Record<string, string> = {
    ...{ function: "result.rows[0].done", symbol: "result", weak: "result", proxy: "result" },
    ...{ getter: "result.broken", shared: "result.memory", promise: "result[0]", large: "result" },
  };
  test.each(Object.entries(paths))(
    "%s: rejects with its path, in time, and main is not held up",
    async (what, path) => {
      const scene = createThreads({ threads: { max: 1 } }, more);
      await scene.run("echo");
      const result = rejection(scene.run("unsent", { what }));
      let longestMs = 0;
      let over = false;
      void result.then(() => {
        over = true;
      });
      for (let last = performance.now(); !over; ) {
        await new Promise((resolve) => setImmediate(resolve));
        longestMs = Math.max(longestMs, performance.now() - last);
        last = performance.now();
      }
      const error = await result;
      expect(error).toBeInstanceOf(ResultError);
      expect(error.message).toContain(path);
      expect(longestMs).toBeLessThan(100 * crowding());
      await expectHundred(scene);
      expect(scene.watch.exited).toEqual([]);
    },
  );

  test("the cap is exact, and what is above it does not leave the thread", async () => {
    const { run } = createThreads(one, more);
    expect(await run("small", "x".repeat(62))).toBe("x".repeat(62));
    expect(await rejection(run("small", "x".repeat(63)))).toBeInstanceOf(ResultError);
  });
});

describe("P14: buffers that move", () => {
  test("are refused where a second attempt would find them empty", () => {
    const { tasks } = createThreads(one);
    const bytes = new ArrayBuffer(8);
    const payload = { bytes };
    expect(() => tasks.enqueue("echo", payload, { transfer: [bytes], maxAttempts: 2 })).toThrow(OptionError);
    expect(bytes.byteLength).toBe(8);
  });

  test("are gone here and whole there where there is one attempt", async () => {
    const { run } = createThreads(one);
    const bytes = new Uint8Array([1, 2, 3]).buffer;
    const sent = run("failing", { words: shareWords(), failures: 0, bytes }, { transfer: [bytes] });
    expect(await sent).toBe(3);
    expect(bytes.byteLength).toBe(0);
  });

  test("are copied for each attempt where they do not move", async () => {
    const { run } = createThreads(one);
    const bytes = new Uint8Array([1, 2, 3]).buffer;
    const payload = { words: shareWords(), failures: 2, bytes };
    expect(await run("failing", payload, { maxAttempts: 3, backoff: () => 0 })).toBe(3);
    expect(bytes.byteLength).toBe(3);
  });
});
