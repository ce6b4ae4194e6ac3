import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { SignalListeners } from "../../../src/core/manager/signal-listeners.js";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

describe("SignalListeners", () => {
  it("calls back once, in order, with one listener for each signal", () => {
    const signals = new SignalListeners();
    const [one, two] = [new AbortController(), new AbortController()];
    const seen: string[] = [];
    for (const name of ["a", "b", "c"]) signals.listen(one.signal, () => seen.push(name));
    signals.listen(two.signal, () => seen.push("other"));
    expect([listeners(one.signal), listeners(two.signal)]).toEqual([1, 1]);
    one.abort();
    one.abort();
    expect(seen).toEqual(["a", "b", "c"]);
    expect([listeners(one.signal), listeners(two.signal)]).toEqual([0, 1]);
  });

  it("stops listening, more than once without harm, and lets go of the signal with the last", () => {
    const signals = new SignalListeners();
    const controller = new AbortController();
    const seen: string[] = [];
    const callback = () => seen.push("same");
    const stops = [signals.listen(controller.signal, callback), signals.listen(controller.signal, callback)];
    stops[0]?.();
    stops[0]?.();
    expect(listeners(controller.signal)).toBe(1);
    controller.abort();
    expect(seen).toEqual(["same"]);
    stops[1]?.();
    expect(listeners(controller.signal)).toBe(0);
  });

  it("listens anew after it had let go; what stopped before does not stop that", () => {
    const signals = new SignalListeners();
    const controller = new AbortController();
    let calls = 0;
    const stop = signals.listen(controller.signal, () => calls++);
    stop();
    expect(listeners(controller.signal)).toBe(0);
    signals.listen(controller.signal, () => calls++);
    stop();
    controller.abort();
    expect(calls).toBe(1);
  });

  it("skips one that is stopped by another while they are called", () => {
    const signals = new SignalListeners();
    const controller = new AbortController();
    const seen: string[] = [];
    signals.listen(controller.signal, () => {
      seen.push("first");
      stop();
    });
    const stop = signals.listen(controller.signal, () => seen.push("second"));
    controller.abort();
    expect(seen).toEqual(["first"]);
  });

  it("never calls back without a signal", () => {
    const stop = new SignalListeners().listen(undefined, () => expect.unreachable("there is no signal"));
    stop();
  });
});
