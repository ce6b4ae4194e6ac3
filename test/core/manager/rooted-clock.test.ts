import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { AsyncContext } from "../../../src/adapters/system/async-context.js";
import { RootedClock } from "../../../src/core/manager/rooted-clock.js";
import { ManualClock } from "../../../src/testing/index.js";

describe("RootedClock", () => {
  it("starts its timers in the context in which the manager was made, whoever asks for them", async () => {
    const storage = new AsyncLocalStorage<string>();
    const started: unknown[] = [];
    class Noting extends ManualClock {
      override setTimeout(callback: () => void, delayMs: number) {
        started.push(storage.getStore());
        return super.setTimeout(callback, delayMs);
      }
    }
    const manual = new Noting();
    const clock = storage.run("root", () => new RootedClock(manual, new AsyncContext()));
    const immediate: unknown[] = [];
    storage.run("request", () => {
      clock.setTimeout(() => {}, 5).cancel();
      clock.setImmediate(() => immediate.push(storage.getStore()));
    });
    await manual.advance(10);
    expect(started).toEqual(["root"]);
    expect(immediate).toEqual(["root"]);
    expect(manual.timers).toBe(0);
    expect(clock.now()).toBe(manual.now());
    expect(clock.wallNow()).toBe(manual.wallNow());
  });
});
