import { AsyncLocalStorage } from "node:async_hooks";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AsyncContext } from "../../../src/adapters/system/async-context.js";
import { Outbox } from "../../../src/core/events/outbox.js";
import { ManualClock } from "../../../src/testing/index.js";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
const microtasks = async (count: number) => {
  for (let done = 0; done < count; done++) await null;
};

/** An outbox of numbers, and what it has delivered; `also` is done at each delivery. */
function createOutbox(also: (one: number, outbox: Outbox<number>) => void = () => undefined) {
  const clock = new ManualClock();
  const delivered: number[] = [];
  const outbox: Outbox<number> = new Outbox({ clock, carrier: new AsyncContext() }, (one) => {
    delivered.push(one);
    also(one, outbox);
  });
  return { clock, delivered, outbox };
}

describe("an outbox", () => {
  test("delivers in order, in a microtask after the present call", async () => {
    const { delivered, outbox } = createOutbox();
    for (const one of [1, 2, 3]) outbox.push(one);
    expect(delivered).toEqual([]);
    expect(outbox.size).toBe(3);
    await null;
    expect(delivered).toEqual([1, 2, 3]);
    expect(outbox.size).toBe(0);
    outbox.push(4);
    await null;
    expect(delivered).toEqual([1, 2, 3, 4]);
  });

  test("leaves what comes in during a delivery to the next turn of the event loop", async () => {
    const { delivered, outbox } = createOutbox((one) => {
      if (one < 4) outbox.push(one + 2);
    });
    outbox.push(0);
    outbox.push(1);
    await microtasks(100);
    expect(delivered).toEqual([0, 1]);
    await nextTurn();
    expect(delivered).toEqual([0, 1, 2, 3]);
    await nextTurn();
    expect(delivered).toEqual([0, 1, 2, 3, 4, 5]);
    expect(outbox.size).toBe(0);
  });

  test("delivers a thousand in a turn, and the rest in those that follow", async () => {
    const { delivered, outbox } = createOutbox();
    for (let one = 0; one < 2_500; one++) outbox.push(one);
    await microtasks(100);
    expect(delivered).toHaveLength(1_000);
    outbox.push(2_500); // it waits behind the others
    await microtasks(100);
    expect(delivered).toHaveLength(1_000);
    await nextTurn();
    expect(delivered).toHaveLength(2_000);
    await nextTurn();
    expect(delivered).toEqual(Array.from({ length: 2_501 }, (_, one) => one));
  });

  test("counts the deliveries of all microtasks of a turn, so that a chain of them leaves the loop its turn", async () => {
    const { delivered, outbox } = createOutbox((one) => {
      if (one < 3_000) void microtasks(3).then(() => outbox.push(one + 1));
    });
    outbox.push(1);
    const perTurn: number[] = [];
    while (delivered.length < 3_000) {
      const before = delivered.length;
      await nextTurn();
      perTurn.push(delivered.length - before);
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(1_000);
    expect(delivered.at(-1)).toBe(3_000);
  });

  test("ends its turn when deliveries have taken ten milliseconds", async () => {
    const { clock, delivered, outbox } = createOutbox(() => clock.block(4));
    for (let one = 1; one <= 7; one++) outbox.push(one);
    await microtasks(100);
    expect(delivered).toEqual([1, 2, 3]);
    await nextTurn();
    expect(delivered).toEqual([1, 2, 3, 4, 5, 6]);
    await nextTurn();
    expect(delivered).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("is settled when all that was pushed before is delivered, whatever comes after", async () => {
    const { delivered, outbox } = createOutbox((one) => outbox.push(one + 1)); // without end
    await outbox.settled(); // nothing was pushed
    expect(delivered).toEqual([]);
    outbox.push(1);
    await outbox.settled();
    expect(delivered[0]).toBe(1);
    expect(outbox.size).toBeGreaterThan(0);
  });

  test("delivers in the async context in which it was made, also in later turns", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const carrier = storage.run("construction", () => new AsyncContext());
    const outbox = new Outbox<number>({ clock: new ManualClock(), carrier }, () => {
      seen.push(storage.getStore());
      storage.enterWith("left behind by the one before");
    });
    storage.run("request", () => {
      for (let one = 0; one < 1_500; one++) outbox.push(one);
    });
    await outbox.settled();
    expect(seen).toHaveLength(1_500);
    expect(new Set(seen)).toEqual(new Set(["construction"]));
  });

  test("loses nothing and keeps the order, however pushes, deliveries and turns interleave", async () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 900 }) }),
      fc.record({ microtasks: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ blockMs: fc.integer({ min: 1, max: 12 }) }),
      fc.constant("turn" as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(7), async (steps, answering) => {
        let [pushed, answers] = [0, 0];
        const { clock, delivered, outbox } = createOutbox((one) => {
          if (answering === 0 || one % (10 * answering) !== 0 || answers++ > 50) return;
          outbox.push(pushed++);
          clock.block(1);
        });
        for (const each of steps) {
          if (each === "turn") await nextTurn();
          else if ("push" in each) for (let count = 0; count < each.push; count++) outbox.push(pushed++);
          else if ("microtasks" in each) await microtasks(each.microtasks);
          else clock.block(each.blockMs);
          expect(delivered.length + outbox.size).toBe(pushed);
        }
        while (outbox.size > 0) await outbox.settled();
        expect(delivered).toEqual(Array.from({ length: pushed }, (_, one) => one));
      }),
      { numRuns: 60 },
    );
  });
});
