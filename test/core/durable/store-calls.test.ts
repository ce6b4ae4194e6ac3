import { describe, expect, it } from "vitest";
import { StoreCalls } from "../../../src/core/durable/store-calls.js";
import { StoreUnreachableError } from "../../../src/index.js";
import { ManualClock } from "../../../src/testing/index.js";

const unreachable = () => Promise.reject(new StoreUnreachableError("no answer"));

function createCalls() {
  const clock = new ManualClock();
  const calls = new StoreCalls(clock);
  /** An answer that comes after so long. */
  const answerAfter = (delayMs: number) => () =>
    new Promise<string>((resolve) => clock.setTimeout(() => resolve("answer"), delayMs));
  return { calls, clock, answerAfter };
}

describe("the calls to a store", () => {
  it("are counted when they have been answered, with the time that took", async () => {
    const { calls, clock, answerAfter } = createCalls();
    const answers = [
      calls.make("claim", answerAfter(20)),
      calls.make("claim", answerAfter(5)),
      calls.make("ack", answerAfter(1)),
    ];
    expect(calls.read().claim.count).toBe(0);
    await clock.advance(20);
    expect(await Promise.all(answers)).toEqual(["answer", "answer", "answer"]);
    expect(calls.read().claim).toEqual({ count: 2, totalMs: 25, errors: {} });
    expect(calls.read().ack).toEqual({ count: 1, totalMs: 1, errors: {} });
  });

  it("are counted by the code of their error where they fail, also one that throws, and handed on as they are", async () => {
    const { calls } = createCalls();
    const broken = () => {
      throw new TypeError("not even a promise");
    };
    await expect(calls.make("extend", unreachable)).rejects.toThrow("no answer");
    await expect(calls.make("extend", broken)).rejects.toThrow("not even a promise");
    await expect(calls.make("extend", () => Promise.reject(undefined))).rejects.toBe(undefined);
    expect(calls.read().extend).toMatchObject({
      count: 3,
      errors: { MILLRACE_STORE_UNREACHABLE: 1, TypeError: 1, undefined: 1 },
    });
  });

  it("tell whoever awaits one what has been counted already", async () => {
    const { calls } = createCalls();
    const seen: unknown[] = [];
    await calls.make("claim", () => Promise.resolve(1)).then(() => seen.push(calls.read().claim.count));
    await calls.make("claim", unreachable).catch(() => seen.push(calls.failing("claim")));
    expect(seen).toEqual([1, true]);
  });

  it("are failing from a failure to the next success of the same kind, renewals also to that of a claim", async () => {
    const { calls } = createCalls();
    const fail = (call: "claim" | "extend" | "ack") => calls.make(call, unreachable).catch(() => {});
    await Promise.all([fail("claim"), fail("extend"), fail("ack")]);
    expect([calls.failing("claim"), calls.failing("extend"), calls.failing("nack", "ack")]).toEqual([
      ...[true, true, true],
    ]);
    await calls.make("claim", () => Promise.resolve([]));
    expect([calls.failing("claim"), calls.failing("extend"), calls.failing("nack", "ack")]).toEqual([
      ...[false, false, true],
    ]);
  });

  it("that something else makes count where they fail, and mend what failed where they succeed", () => {
    const { calls } = createCalls();
    const told: unknown[] = [];
    calls.listen((call, durationMs, error) => told.push([call, durationMs, error]));
    calls.noteSuccess("extend");
    const error = new StoreUnreachableError("no answer");
    calls.noteFailure("extend", error);
    expect(calls.failing("extend")).toBe(true);
    calls.noteSuccess("extend");
    calls.noteSuccess("extend");
    expect(calls.failing("extend")).toBe(false);
    expect(calls.read().extend).toEqual({ count: 1, totalMs: 0, errors: { MILLRACE_STORE_UNREACHABLE: 1 } });
    expect(told).toEqual([
      ["extend", undefined, error],
      ["extend", undefined, undefined],
    ]);
  });

  it("keep a bounded number of kinds of errors apart, and count all", async () => {
    const { calls } = createCalls();
    for (let kind = 0; kind < 30; kind++) {
      const Kind = { [`E${kind}`]: class extends Error {} }[`E${kind}`] as ErrorConstructor;
      await calls.make("read", () => Promise.reject(new Kind())).catch(() => {});
    }
    const { errors } = calls.read().read;
    expect(Object.keys(errors)).toHaveLength(21);
    expect(errors["_OTHER"]).toBe(10);
  });
});
