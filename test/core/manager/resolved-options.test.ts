import { describe, expect, test } from "vitest";
import { readManagerOptions, type TaskManagerOptions } from "../../../src/core/manager/options.js";
import { resolveOptions } from "../../../src/core/manager/resolved-options.js";
import { defineHandlers, json } from "../../../src/index.js";
import { thrownBy } from "../../support/manual-manager.js";

const resolve = (options: TaskManagerOptions, parallelism = 3) =>
  resolveOptions(readManagerOptions(options), parallelism);

const module = new URL("file:///worker.js");
const threaded = defineHandlers({ hash: { payload: json<number>(), module } });
const inline = defineHandlers({ hash: { payload: json<number>(), run: () => 1 } });

describe("the options of worker threads", () => {
  test("default to what the machine can run at once, made on first need", () => {
    const { threads } = resolve({});
    expect(threads).toMatchObject({
      min: 0,
      max: 3,
      idleTimeoutMs: 30_000,
      name: "millrace",
      batching: true,
    });
    expect(resolve({ threads: { min: 5 } }).threads).toMatchObject({ min: 5, max: 5 });
    expect(Object.isFrozen(threads)).toBe(true);
  });

  test.each([
    [{ threads: { min: 3, max: 2 } }, "threads.min"],
    [{ threads: { max: 0 } }, "threads.max"],
    [{ threads: { preload: ["./sdk.js"] } }, "threads.preload.0"],
    [{ threads: { idle: 1 } }, "threads.idle"],
    [{ threads: 4 }, "threads"],
  ])("are refused as %o", (options, option) => {
    expect(thrownBy(() => resolve(options as never))).toMatchObject({ code: "MILLRACE_OPTION", option });
  });

  test("count for the burst only where a handler has a module", () => {
    const options = { concurrency: 4, threads: { max: 2 }, tasksPerSecond: 1 };
    const of = (handlers: typeof threaded | typeof inline) => {
      const resolved = resolve({ ...options, handlers });
      return [resolved.threaded, resolved.rateLimit.burst];
    };
    expect(of(threaded)).toEqual([true, 6]);
    expect(of(inline as never)).toEqual([false, 4]);
    expect(resolve({ ...options, burst: 9, handlers: threaded }).rateLimit.burst).toBe(9);
  });
});

describe("the time for which a process may be blocked", () => {
  test("is two minutes, or what is given", () => {
    expect(resolve({}).maxBlockedMs).toBe(120_000);
    expect(resolve({ maxBlockedMs: 1_000 }).maxBlockedMs).toBe(1_000);
  });

  test.each([999, Number.POSITIVE_INFINITY, Number.NaN, "1s"])("is refused as %o", (maxBlockedMs) => {
    expect(thrownBy(() => resolve({ maxBlockedMs } as never))).toMatchObject({ option: "maxBlockedMs" });
  });
});
