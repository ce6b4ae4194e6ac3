import { describe, expect, test } from "vitest";
import { HandlerLoadError, OptionError, PayloadError } from "../../dist/index.js";
import { createThreads, expectHundred, inThread, rejection } from "../support/threads.js";

const { money, parcel, toMoney } = await import("../fixtures/threads/coded.mjs");
const coded = (payload: typeof money, exportName?: string, more: object = {}) =>
  inThread("coded.mjs", exportName, { payload, ...more });
const handlers = {
  pay: coded(money),
  weigh: coded(parcel, "weigh"),
  returning: coded(parcel, "returning", { result: parcel }),
  plain: coded(money, "plain"),
  mistaken: coded(parcel, "default"),
  uncoded: inThread("coded.mjs"),
};
const one = { threads: { max: 1 } };

describe("payloads with a codec, in threads", () => {
  test("cross as its bytes: instances of classes and messages are what they were", async () => {
    const { run } = createThreads(one, handlers);
    expect(await run("pay", toMoney(12_345n))).toBe("123.45 at attempt 1");
    const sent = { to: "a", parts: [{ name: "p", size: 2 ** 53 }] };
    expect(await run("weigh", sent)).toEqual({
      ...{ to: "a", weight: 0, sizes: ["9007199254740992"], isMessage: true },
    });
  });

  test("travel in batches as others do", async () => {
    const { tasks } = createThreads(one, handlers);
    const handles = Array.from({ length: 200 }, (_, cents) =>
      tasks.enqueue("pay", toMoney(BigInt(cents + 100))),
    );
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results[99]).toBe("1.99 at attempt 1");
    expect(new Set(results).size).toBe(200);
  });

  test("come back as messages where the result has a codec, though results are cloned", async () => {
    const { run } = createThreads(one, handlers);
    const returned = await run("returning", { to: "a", parts: [{ size: 2 ** 60 }] });
    expect(returned).toMatchObject({ to: "a", weight: 0 });
    expect(String((returned as { parts: { size: unknown }[] }).parts[0]?.size)).toBe(String(2n ** 60n));
  });

  test("that cannot be encoded fail their task alone, and are not tried again", async () => {
    const scene = createThreads(one, handlers);
    const unlucky = scene.tasks.enqueue("pay", toMoney(13n), { maxAttempts: 3 });
    const neighbour = scene.tasks.enqueue("pay", toMoney(5n));
    const error = await rejection(unlucky.result());
    expect(error).toBeInstanceOf(PayloadError);
    expect(error.cause).toMatchObject({ message: "13 is unlucky" });
    expect(scene.tasks.get(unlucky.id)?.attempt).toBe(1);
    expect(await neighbour.result()).toBe("0.05 at attempt 1");
    await expectHundred(scene);
  });

  test("Z2: that cannot be decoded fail by policy, attempt for attempt", async () => {
    const { tasks } = createThreads(one, handlers);
    const unlucky = tasks.enqueue("pay", toMoney(14n), { maxAttempts: 2, backoff: () => 0 });
    const error = await rejection(unlucky.result());
    expect(error).toBeInstanceOf(PayloadError);
    expect(error.message).toContain('the codec "money" could not decode it');
    expect(tasks.get(unlucky.id)?.attempt).toBe(2);
  });

  test("are not given to a function that cannot decode them, which is told at the first one", async () => {
    const { run } = createThreads(one, handlers);
    const without = await rejection(run("plain", toMoney(5n)));
    expect(without).toBeInstanceOf(HandlerLoadError);
    expect(without.message).toContain('cannot decode "money": it was not made by withCodec()');
    const other = await rejection(run("mistaken", { to: "a" }));
    expect(other.message).toContain('cannot decode ".Parcel": it has the codec "money"');
  });

  test("have nothing that could move", () => {
    const { tasks } = createThreads(one, handlers);
    const bytes = new ArrayBuffer(8);
    const enqueue = () => tasks.enqueue("pay", { cents: 5n, bytes }, { transfer: [bytes], maxAttempts: 1 });
    expect(enqueue).toThrow(OptionError);
    expect(enqueue).toThrow("whose `payload` is no codec");
    expect([bytes.byteLength, tasks.stats().total.enqueued]).toEqual([8, 0]);
  });

  test("a function with a codec also takes what another schema lets pass, as it is", async () => {
    const { run } = createThreads(one, handlers);
    expect(await run("uncoded", "five")).toBe("five at attempt 1");
  });
});
