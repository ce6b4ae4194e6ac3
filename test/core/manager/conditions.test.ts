import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Conditions } from "../../../src/core/manager/conditions.js";
import { SignalListeners } from "../../../src/core/manager/signal-listeners.js";
import { watchPromise } from "../../support/observed-manager.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("Conditions", () => {
  it("resolve at once where they hold, and else when they are looked at and hold", async () => {
    const conditions = new Conditions(new SignalListeners());
    let count = 2;
    await conditions.until(() => count === 2);
    const waiting = watchPromise(conditions.until(() => count === 0));
    for (count = 1; count > 0; count--) {
      conditions.check();
      await turn();
      expect(waiting.outcome()).toBeUndefined();
    }
    await turn();
    expect(waiting.outcome()).toBeUndefined(); // nobody has looked
    conditions.check();
    await turn();
    expect(waiting.outcome()).toBe("resolved undefined");
  });

  it("keep each waiter to its own condition", async () => {
    const conditions = new Conditions(new SignalListeners());
    const open = new Set<number>();
    const waiting = [1, 2, 3].map((key) => watchPromise(conditions.until(() => open.has(key))));
    open.add(2);
    conditions.check();
    await turn();
    expect(waiting.map(({ outcome }) => outcome())).toEqual([undefined, "resolved undefined", undefined]);
    open.add(1).add(3);
    conditions.check();
    await turn();
    expect(waiting.every(({ outcome }) => outcome() !== undefined)).toBe(true);
  });

  it("reject with the reason of a signal that aborts first, also one that had aborted", async () => {
    const conditions = new Conditions(new SignalListeners());
    const controller = new AbortController();
    const waiting = conditions.until(() => false, controller.signal);
    controller.abort("why");
    await expect(waiting).rejects.toBe("why");
    await expect(conditions.until(() => true, controller.signal)).rejects.toBe("why");
    conditions.check();
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  it("let go of the signal when they hold", async () => {
    const conditions = new Conditions(new SignalListeners());
    const { signal } = new AbortController();
    let holds = false;
    const waiting = conditions.until(() => holds, signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    holds = true;
    conditions.check();
    await waiting;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
